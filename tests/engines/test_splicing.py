"""A short window reads like a full one, or is not used."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper import WhisperModel
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.engines import model as models, pieces, splicing
from lysnrai_desktop.engines.model import Model
from lysnrai_desktop.engines.reader import COLD_S, Reader
from tests import speech
from tests.fixtures_models import prepared

RATE_HZ = 16_000
FRAMES = 3000
INT8 = "int8_float32"


def loaded(folder: Path) -> Model:
    return models.load(wire.Load(str(folder), "cpu", "int8", 2))


def linked(folder: Path, to: Path) -> Path:
    """A copy of a model that has no answers beside it; its weights."""
    for file in folder.iterdir():
        if not file.name.startswith("."):
            (to / file.name).symlink_to(file)
    return to / "model.bin"


def never(_: splicing.Padding) -> bool:
    raise AssertionError("asked again")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames the encoder was given, each time."""
    lengths: list[int] = []
    real = WhisperModel.encode

    def encode(self: Model, features: NDArray[np.float32]) -> Any:
        lengths.append(features.shape[-1])
        return real(self, features)

    monkeypatch.setattr(WhisperModel, "encode", encode)
    return lengths


def reading(model: Model, clip: speech.Clip, doubted: bool = False) -> str:
    sound = speech.samples(clip)
    return speech.normalise(model.read(sound, clip.duration_s, clip.language, doubted=doubted).text.reveal())


# --- the same words for a tenth of the work


@pytest.mark.parametrize("name", ["tiny.en", "base"])
def test_a_short_window_reads_like_a_full_one(name: str, encoded: list[int]) -> None:
    clips = [speech.librivox()[1], speech.librivox()[4], speech.prompts()[50]]
    model = loaded(prepared(name))
    encoded.clear()

    short = [reading(model, clip) for clip in clips]
    frames_short = encoded[:]
    model.padding = None
    full = [reading(model, clip) for clip in clips]

    assert short == full
    assert all(
        0 <= frames - 100 * clip.duration_s < 2 + splicing.MARGIN
        for frames, clip in zip(frames_short, clips, strict=True)
    )


def test_a_doubted_reading_is_tried_again_on_a_full_window(tiny_en: Path, encoded: list[int]) -> None:
    model = loaded(tiny_en)
    encoded.clear()

    assert reading(model, speech.librivox()[4]) == reading(model, speech.librivox()[4], doubted=True)
    assert encoded[0] < FRAMES == encoded[1]


def test_the_language_and_the_text_of_a_piece_are_read_off_one_short_window(base: Path, encoded: list[int]) -> None:
    model, clip = loaded(base), speech.prompts("it")[3]
    encoded.clear()

    languages = model.languages(speech.samples(clip))
    model.read(speech.samples(clip), clip.duration_s, "it")

    assert max(languages, key=languages.__getitem__) == "it"
    assert len(encoded) == 1 and encoded[0] < FRAMES


@given(st.integers(0, FRAMES), st.integers(0, 50))
def test_all_that_sounds_is_encoded_with_a_margin(end: int, silent_at_the_beginning: int) -> None:
    window = np.zeros((80, FRAMES), np.float32)
    window[7, min(silent_at_the_beginning, end) : end] = -0.5

    frames = splicing.frames_to_encode(window)

    assert frames % 2 == 0
    assert min(FRAMES, splicing.LEAST) <= frames <= FRAMES
    assert frames == FRAMES or frames >= (end if window.any() else 0) + splicing.MARGIN


class Up(Exception):
    """Its turn has come."""


def test_a_model_has_read_before_anybody_speaks(tiny_en: Path, encoded: list[int]) -> None:
    model = loaded(tiny_en)
    encoded.clear()

    def wanted() -> bool:
        raise Up

    work = pieces.Work()
    work.todo.put(pieces.Session(1, wanted, ("en",), ""))
    with pytest.raises(Up):
        Reader(model, queue.SimpleQueue[wire.FromEngine]().put, work).run()

    assert len(encoded) == 1


def test_a_model_that_has_not_read_for_long_reads_while_the_first_words_are_spoken(
    tiny_en: Path, encoded: list[int]
) -> None:
    """The computer may have slept."""
    model = loaded(tiny_en)
    times = iter([0.0, 100.0, 100.0 + 2 * COLD_S, 100.0 + 2 * COLD_S, 100.0 + 2 * COLD_S])
    work = pieces.Work()
    for _ in range(4):
        work.todo.put(pieces.Session(1, lambda: True, ("en",), ""))
    encoded.clear()

    with pytest.raises(StopIteration):
        Reader(model, queue.SimpleQueue[wire.FromEngine]().put, work, now=lambda: next(times)).run()

    assert len(encoded) == 2


# --- only where it was measured and is seen to work


def test_the_known_sentence_is_read_both_ways_at_the_first_load_only(
    tiny_en: Path, tmp_path: Path, encoded: list[int]
) -> None:
    linked(tiny_en, tmp_path)

    assert loaded(tmp_path).padding is not None
    assert len(encoded) == 2 and FRAMES in encoded
    assert loaded(tmp_path).padding is not None
    assert len(encoded) == 2


def test_a_padding_that_spoils_the_reading_is_not_used(
    tiny_en: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoded: list[int]
) -> None:
    linked(tiny_en, tmp_path)
    (tmp_path / "padding").mkdir()
    noise = np.random.default_rng(1).normal(0, 5, (1500, 384))
    for shipped in splicing._SHIPPED.iterdir():
        np.save(tmp_path / "padding" / shipped.name, noise)
    monkeypatch.setattr(splicing, "_SHIPPED", tmp_path / "padding")

    model = loaded(tmp_path)
    encoded.clear()

    assert model.padding is None
    assert speech.word_error_rate([(speech.librivox()[4].text, reading(model, speech.librivox()[4]))]) == 0
    assert encoded == [FRAMES]


def test_weights_that_were_not_measured_are_not_spliced_however_alike(tiny_en: Path, tmp_path: Path) -> None:
    weights = linked(tiny_en, tmp_path)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.unlink()
    weights.write_bytes(content)

    assert splicing.padding_for(weights, INT8, never) is None


@pytest.mark.parametrize("agrees", [True, False])
def test_the_answer_is_remembered_until_the_libraries_or_the_padding_change(
    tiny_en: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agrees: bool
) -> None:
    weights = linked(tiny_en, tmp_path)
    asked: list[bool] = []

    def answer(_: splicing.Padding) -> bool:
        asked.append(agrees)
        return agrees

    assert (splicing.padding_for(weights, INT8, answer) is not None) is agrees
    assert (splicing.padding_for(weights, INT8, never) is not None) is agrees

    assert (splicing.padding_for(weights, "float32", answer) is not None) is agrees
    monkeypatch.setattr(splicing, "version", lambda _: "99")
    assert (splicing.padding_for(weights, INT8, answer) is not None) is agrees
    assert len(asked) == 3
    assert (splicing.padding_for(weights, INT8, never) is not None) is agrees


@pytest.mark.parametrize("content", ["", "[]", "nonsense"])
def test_answers_that_cannot_be_read_are_asked_for_again(tiny_en: Path, tmp_path: Path, content: str) -> None:
    weights = linked(tiny_en, tmp_path)
    (tmp_path / ".spliced").write_text(content, "utf-8")

    assert splicing.padding_for(weights, INT8, lambda _: True) is not None
    assert splicing.padding_for(weights, INT8, never) is not None


def test_the_answers_beside_a_model_are_no_damage_to_it(tiny_en: Path) -> None:
    loaded(tiny_en)

    assert (tiny_en / ".spliced").exists()
    assert prepared("tiny.en") == tiny_en
