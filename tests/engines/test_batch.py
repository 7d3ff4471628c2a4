"""Pieces that wait are read together, and say what they say when they are read one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.guards import Reading
from lysnrai_desktop.core.speech import SpokenText, joined
from lysnrai_desktop.engines import batch, model as models
from lysnrai_desktop.engines.batch import MOST, BatchEngine, BatchReader
from lysnrai_desktop.engines.engine import Wanted
from lysnrai_desktop.engines.pieces import Session
from tests import nonspeech, speech
from tests.hearing import pcm

RATE_HZ = 16_000
CHUNK = RATE_HZ // 2
PAUSE = np.zeros(round(1.6 * RATE_HZ))

Sound = NDArray[np.floating]


class Up(Exception):
    """All is read."""


class Written:
    """What is said of recordings that are there as a whole before anybody reads them."""

    def __init__(self, model: models.Model, most: int = MOST) -> None:
        self.said: list[wire.FromEngine] = []
        self._engine = BatchEngine(lambda _: None)  # the ear speaks of voices
        self._engine._languages = ["en"]
        self.reader = BatchReader(model, self.said.append, self._engine._work, most)
        self._sessions = 0

    def add(self, sound: Sound, wanted: Wanted = lambda: True, vocabulary: tuple[str, ...] = ()) -> None:
        self._sessions += 1
        hearing = self._engine.start(wire.Start(self._sessions, 0, "en", vocabulary), wanted)
        for at in range(0, len(sound), CHUNK):
            hearing.audio(wire.Audio(self._sessions, RATE_HZ, pcm(sound[at : at + CHUNK])))
        hearing.finish()

    def read(self) -> None:
        def wanted() -> bool:
            raise Up

        self._engine._work.todo.put(Session(0, wanted, ("en",), ""))
        with pytest.raises(Up):
            self.reader.run()

    def text(self, session: int = 1) -> str:
        finals = [each for each in self.said if isinstance(each, wire.Final) and each.session == session]
        assert [final.start for final in finals] == [0, *(final.end for final in finals[:-1])]
        return joined(final.text for final in finals).reveal()


@pytest.fixture(scope="module")
def model(tiny_en: Path) -> models.Model:
    return models.load(wire.Load(str(tiny_en), "cpu", "int8", 2))


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pieces were read in each go."""
    counts: list[int] = []
    real = batch.ReadAhead.read_together

    def read_together(self: batch.ReadAhead, spoken: Any, language: str, prompt: str) -> None:
        counts.append(len(spoken))
        real(self, spoken, language, prompt)

    monkeypatch.setattr(batch.ReadAhead, "read_together", read_together)
    return counts


def novel(*numbers: int) -> tuple[Sound, str]:
    clips = [speech.librivox()[number] for number in numbers]
    return np.concatenate([part for clip in clips for part in (speech.samples(clip), PAUSE)]), " ".join(
        clip.text for clip in clips
    )


def test_what_waits_is_read_together_and_says_the_same(model: models.Model, together: list[int]) -> None:
    sound, spoken = novel(0, 1, 2, 3, 4)
    several, single = Written(model), Written(model, most=1)
    several.add(sound)
    single.add(sound)

    several.read()
    single.read()

    assert together == [5]
    assert speech.normalise(several.text()) == speech.normalise(single.text())
    assert speech.word_error_rate([(spoken, several.text())]) <= 6
    assert isinstance(several.said[0], wire.Started) and several.said[-1] == wire.Done(1)


def test_recordings_are_not_mixed(model: models.Model, together: list[int]) -> None:
    written = Written(model)
    for numbers in ((3, 4), (4, 3)):
        written.add(novel(*numbers)[0])

    written.read()

    assert together == [2, 2]
    for session, numbers in ((1, (3, 4)), (2, (4, 3))):
        assert speech.word_error_rate([(novel(*numbers)[1], written.text(session))]) == 0
    assert [each.session for each in written.said if isinstance(each, wire.Done)] == [1, 2]


@pytest.mark.parametrize("first_samples", [128_641, 129_760])
def test_a_piece_keeps_its_words_wherever_the_one_before_it_ends(model: models.Model, first_samples: int) -> None:
    """Those samples, divided by the rate and multiplied by it again, are one sample, or one frame, less."""
    one, other = (speech.samples(speech.librivox()[number]).astype(np.float32) for number in (3, 4))
    one = np.concatenate([np.zeros(first_samples - len(one), np.float32), one])
    ahead = batch.ReadAhead(model)

    ahead.read_together([(one, 1.0), (other, 2.5)], "en", "")

    known = ahead._known.get((other.tobytes(), "en", ""))
    assert known is not None
    assert speech.word_error_rate([(speech.librivox()[4].text, known.text.reveal())]) == 0


def test_a_recording_that_nobody_wants_any_more_is_passed_over(model: models.Model, together: list[int]) -> None:
    written = Written(model)
    written.add(novel(3, 4)[0], wanted=lambda: False)

    written.read()

    assert (written.said, together) == ([], [])


def test_nothing_is_written_where_nobody_speaks(model: models.Model, together: list[int]) -> None:
    written = Written(model)
    written.add(np.concatenate([nonspeech.make("fan", 60), nonspeech.make("key clicks", 30)]))

    written.read()

    assert (written.text(), together) == ("", [])


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("failed to allocate memory")])
def test_where_memory_is_short_pieces_are_read_one_by_one(
    model: models.Model, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tried: list[int] = []

    def refuse(_: batch.ReadAhead, spoken: Any, *__: str) -> None:
        tried.append(len(spoken))
        raise error

    monkeypatch.setattr(batch.ReadAhead, "read_together", refuse)
    sound, spoken = novel(3, 4)
    written = Written(model)
    written.add(sound)
    written.add(sound)

    written.read()

    assert tried == [2]
    assert [speech.word_error_rate([(spoken, written.text(session))]) for session in (1, 2)] == [0, 0]


@pytest.mark.parametrize(
    "misread", [Reading(SpokenText(), 2.0), Reading(SpokenText("and so on " * 30), 2.0, -0.1, compression=12.0)]
)
def test_what_is_doubtful_is_read_again(model: models.Model, monkeypatch: pytest.MonkeyPatch, misread: Reading) -> None:
    def misreading(self: batch.ReadAhead, spoken: Any, language: str, prompt: str) -> None:
        self._known = {(sound.tobytes(), language, prompt): misread for sound, _ in spoken}

    monkeypatch.setattr(batch.ReadAhead, "read_together", misreading)
    sound, spoken = novel(3, 4)
    written = Written(model)
    written.add(sound)

    written.read()

    assert speech.word_error_rate([(spoken, written.text())]) == 0


def test_what_the_decoder_left_out_is_left_to_a_reading_of_its_own(model: models.Model) -> None:
    one, other = (speech.samples(speech.librivox()[number]).astype(np.float32) for number in (3, 4))
    ahead = batch.ReadAhead(model)

    ahead.read_together([(one, 60.0), (other, 2.5)], "en", "")  # as if it had ended long before the speech did

    assert [key[0] for key in ahead._known] == [other.tobytes()]


def test_a_vocabulary_is_shown_to_all_of_them(model: models.Model, together: list[int]) -> None:
    written = Written(model)
    written.add(novel(0, 1)[0], vocabulary=("Jon Dashwoode",))

    written.read()

    assert "Dashwoode" in written.text()
    assert together == [2]


@given(st.one_of(st.none(), st.integers(0, 2**40)), st.integers(1, 2**33))
def test_the_less_memory_is_free_the_fewer_are_read_together(available: int | None, weights: int) -> None:
    count = batch.most(available, weights)

    assert 1 <= count <= MOST
    if available is not None:
        assert count == 1 or count * batch.SIZE_PER_PIECE * weights <= batch.MEMORY_SHARE * available
        assert count <= batch.most(2 * available, weights)


def test_what_is_free_is_known_here() -> None:
    available = batch._available_bytes()

    assert available is not None and available > 1_000_000


def test_it_loads_as_the_engine_that_dictates_does(tiny_en: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    monkeypatch.setattr(BatchEngine, "use", lambda *given: used.append(given[2]))

    ready = BatchEngine(lambda _: None).load(wire.Load(str(tiny_en), "cpu", "int8", 2))

    assert (ready.device, used) == ("cpu", [MOST])
