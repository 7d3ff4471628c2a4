"""A reading ends as the sentence did."""

from __future__ import annotations

from pathlib import Path

import pytest

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.engines import model as models
from lysnrai_desktop.engines.model import Model
from tests import speech

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def model(base: Path) -> Model:
    return models.load(wire.Load(str(base), "cpu", "int8", 2))


def read(model: Model, clip: speech.Clip) -> str:
    sound = speech.samples(clip)
    return model.read(sound, len(sound) / RATE_HZ, clip.language).text.reveal()


def test_the_stop_of_a_whole_sentence_is_written_though_its_time_stamp_came_first(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = speech.prompt("conf-noempty", "it")
    monkeypatch.setattr(model, "can_weigh", False)
    without = read(model, clip)
    monkeypatch.undo()

    assert without[-1].isalpha()
    assert read(model, clip) == without + "."


def test_no_stop_is_written_where_the_sentence_goes_on(model: Model) -> None:
    clip = speech.prompt("confbridge-inc-list-vol-out")
    read(model, clip)

    assert model._would_stop("To increase the audio volume from other participants", "en")
    assert not model._would_stop("To increase the audio volume from", "en")


def test_a_model_that_cannot_weigh_words_reads_all_the_same(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "can_weigh", False)

    assert speech.word_error_rate([(speech.librivox()[4].text, read(model, speech.librivox()[4]))]) == 0
