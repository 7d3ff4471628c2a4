"""What is said is read ahead: in a lull, because it may be all; while somebody speaks, for the overlay.

None of it is ever written twice, nor instead of what was said after it, and finals do not wait for it.
"""

from __future__ import annotations

import itertools
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire, pace
from lysnrai_desktop.core.agreement import agreeing, split
from lysnrai_desktop.core.endpointing import LULL_STEPS, STEP_S
from lysnrai_desktop.core.guards import Reading
from lysnrai_desktop.core.speech import SpokenText, joined
from lysnrai_desktop.engines import ear, reader
from lysnrai_desktop.engines.engine import Hearing
from lysnrai_desktop.engines.model import Model
from lysnrai_desktop.engines.whisper import WhisperEngine
from tests import speech
from tests.desktop.processes import DEADLINE_S, eventually
from tests.hearing import pcm

RATE_HZ = 16_000
BLOCK = 1600
LULL_S = LULL_STEPS * STEP_S + 0.15
"""A silence with a lull in it, and what the last block still lacks."""

Sound = NDArray[np.floating]


class Spoken:
    """An engine in this process, spoken to block by block."""

    def __init__(self, folder: Path) -> None:
        self._said: queue.SimpleQueue[wire.FromEngine] = queue.SimpleQueue()
        self._engine = WhisperEngine(self._said.put)
        self._engine.load(wire.Load(str(folder), "cpu", "int8", 2))
        self.glimpser = self._engine._glimpser
        self._sessions = itertools.count(1)
        self._session = 0
        self._hearing: Hearing | None = None
        self.begin()
        self.finish()  # it has read the sentence that warms it

    def begin(self) -> None:
        self._session = next(self._sessions)
        self._hearing = self._engine.start(wire.Start(self._session, 0, "en", ()), lambda: True)

    def speak(self, sound: Sound, block: int = BLOCK) -> None:
        assert self._hearing is not None
        for at in range(0, len(sound), block):
            self._hearing.audio(wire.Audio(self._session, RATE_HZ, pcm(sound[at : at + block])))

    def finish(self) -> list[wire.FromEngine]:
        """All that is said until the end, of this session alone."""
        assert self._hearing is not None
        self._hearing.finish()
        said = [self._said.get(timeout=DEADLINE_S)]
        while not isinstance(said[-1], wire.Done):
            said.append(self._said.get(timeout=DEADLINE_S))
        return said

    def until_partial(self) -> wire.Partial:
        while not isinstance(message := self._said.get(timeout=DEADLINE_S), wire.Partial):
            assert not isinstance(message, wire.Final | wire.Done)
        return message


@pytest.fixture(scope="module")
def spoken(tiny_en: Path) -> Spoken:
    return Spoken(tiny_en)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, there are guesses; and no glimpses but where a test wants them."""
    monkeypatch.setattr(reader, "GUESS_WITHIN_S", float("inf"))
    monkeypatch.setattr(ear, "_load", lambda: float("inf"))


@pytest.fixture
def idle(spoken: Spoken, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this machine were quick and had nothing else to do: glimpses whenever there is enough to read."""
    _be_idle(spoken, monkeypatch)


def _be_idle(spoken: Spoken, monkeypatch: pytest.MonkeyPatch) -> None:
    eventually(lambda: spoken.glimpser.is_ready, "a model for glimpses")
    monkeypatch.setattr(ear, "_load", lambda: 0.0)
    monkeypatch.setattr(pace, "SHARE", float("inf"))


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of speech in each piece that the model reads."""
    read: list[float] = []
    real = Model.read

    def count(self: Model, sound: Sound, speech_s: float, *others: object, **named: object) -> Reading:
        read.append(speech_s)
        return real(self, sound, speech_s, *others, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Model, "read", count)
    return read


def sentence(number: int) -> Sound:
    """Without silence at its edges."""
    sound = speech.samples(speech.librivox()[number])
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    return sound[loud[0] : loud[-1]]


def silence(seconds: float) -> Sound:
    return 1e-4 * np.random.default_rng(3).standard_normal(round(seconds * RATE_HZ))


def shown(partial: wire.Partial) -> str:
    return joined([partial.stable, partial.tentative]).reveal()


def finals(said: list[wire.FromEngine]) -> list[wire.Final]:
    return [message for message in said if isinstance(message, wire.Final)]


def test_released_in_a_pause_the_text_is_there_already(spoken: Spoken, readings: list[float]) -> None:
    spoken.begin()
    spoken.speak(np.concatenate([silence(0.3), sentence(4), silence(LULL_S)]))
    guess = spoken.until_partial()

    (final,) = finals(spoken.finish())

    assert final.text.reveal() == shown(guess)
    assert speech.word_error_rate([(speech.librivox()[4].text, final.text.reveal())]) == 0
    assert len(readings) == 1


def test_when_the_speaker_goes_on_the_guess_is_forgotten(spoken: Spoken, readings: list[float]) -> None:
    spoken.begin()
    spoken.speak(np.concatenate([silence(0.3), sentence(1)[: 2 * RATE_HZ], silence(LULL_S)]))
    spoken.until_partial()
    rest = sentence(4)[: round(1.2 * RATE_HZ)]
    spoken.speak(rest)

    said = spoken.finish()

    assert len(finals(said)) == 1
    assert readings[0] < 2.2 and readings[1] > 3.0


def test_one_pause_is_read_once_however_long_it_lasts(spoken: Spoken, readings: list[float]) -> None:
    spoken.begin()
    spoken.speak(np.concatenate([silence(0.3), sentence(4), silence(LULL_S)]))
    spoken.until_partial()
    spoken.speak(silence(6.0))

    said = spoken.finish()

    assert [bool(final.text) for final in finals(said)] == [True, False]
    assert len(readings) == 1


def test_nothing_is_guessed_where_reading_takes_long(
    spoken: Spoken, readings: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "GUESS_WITHIN_S", -1.0)
    spoken.begin()
    spoken.speak(np.concatenate([silence(0.3), sentence(4), silence(LULL_S)]))

    said = spoken.finish()

    assert not any(isinstance(message, wire.Partial) for message in said)
    assert len(finals(said)) == len(readings) == 1


def test_a_quiet_piece_is_not_guessed_as_more_may_be_found_in_it(spoken: Spoken) -> None:
    quiet = np.concatenate([silence(0.3), sentence(4) * 0.02, silence(LULL_S)])
    spoken.begin()
    spoken.speak(quiet)

    assert not any(isinstance(message, wire.Partial) for message in spoken.finish())


# --- while somebody speaks


@pytest.mark.usefixtures("idle")
def test_words_are_shown_while_they_are_spoken_and_what_stays_is_what_is_written(spoken: Spoken) -> None:
    spoken.begin()
    spoken.speak(silence(0.3))
    partials = []
    for part in np.split(sentence(0)[: 4 * RATE_HZ], [2 * RATE_HZ, 3 * RATE_HZ]):
        spoken.speak(part)
        partials.append(spoken.until_partial())

    (final,) = finals(spoken.finish())

    assert partials[-1].stable
    for partial in partials:
        stable = split(partial.stable.reveal())
        assert agreeing(stable, split(final.text.reveal())) == len(stable)


@pytest.mark.usefixtures("idle")
def test_a_glimpse_that_comes_after_the_final_is_not_shown(spoken: Spoken, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late: it would be shown beside the same words."""
    begun, go_on = threading.Event(), threading.Event()
    real = Model.read

    def slowly(self: Model, *arguments: Any, **named: Any) -> Reading:
        if named.get("beam") == 1:
            begun.set()
            assert go_on.wait(DEADLINE_S)
        return real(self, *arguments, **named)

    monkeypatch.setattr(Model, "read", slowly)
    spoken.begin()
    spoken.speak(np.concatenate([silence(0.3), sentence(4)[: 2 * RATE_HZ]]))
    assert begun.wait(DEADLINE_S)

    said = spoken.finish()  # does not wait for it
    go_on.set()
    spoken.begin()
    said += spoken.finish()

    assert not any(isinstance(message, wire.Partial) for message in said)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no niceness of its own")
@pytest.mark.usefixtures("idle")
def test_glimpses_are_the_least_urgent_thing_on_this_machine() -> None:
    ours = os.getpriority(os.PRIO_PROCESS, os.getpid())
    niceness = {thread.name: os.getpriority(os.PRIO_PROCESS, thread.native_id or 0) for thread in threading.enumerate()}
    of_all = [os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in Path("/proc/self/task").iterdir()]

    assert (niceness["glimpsing"], niceness["reading"]) == (19, ours)
    assert of_all.count(19) >= 2  # CTranslate2 computes in a thread of its own


def test_on_a_busy_machine_nothing_is_shown_early_and_the_same_is_written(
    spoken: Spoken, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = np.concatenate([silence(0.3), sentence(4)])
    spoken.begin()
    spoken.speak(sound)
    busy = spoken.finish()

    _be_idle(spoken, monkeypatch)
    spoken.begin()
    spoken.speak(sound)
    idle = spoken.finish()

    assert not any(isinstance(message, wire.Partial) for message in busy)
    assert [final.text for final in finals(idle)] == [final.text for final in finals(busy)]


@pytest.mark.usefixtures("idle")
def test_a_take_that_is_read_from_the_disk_is_not_shown_as_it_grows(spoken: Spoken, readings: list[float]) -> None:
    spoken.begin()
    spoken.speak(np.concatenate([silence(0.3), sentence(1)]), block=RATE_HZ // 2)

    spoken.finish()

    assert len(readings) == 1


@pytest.mark.usefixtures("idle")
def test_a_second_dictation_at_once_after_the_first_shows_and_writes_its_own_words(spoken: Spoken) -> None:
    spoken.begin()
    spoken.speak(np.concatenate([silence(0.3), sentence(1)]))
    first = spoken.finish()
    spoken.begin()
    spoken.speak(np.concatenate([silence(0.3), sentence(4)]))

    second = spoken.finish()

    for clip, said in zip((1, 4), (first, second), strict=True):
        written = " ".join(final.text.reveal() for final in finals(said))
        assert speech.word_error_rate([(speech.librivox()[clip].text, written)]) <= 30  # one of eight words
    assert {message.session for message in second} == {spoken._session}  # type: ignore[union-attr]


# --- whatever happens


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.15, 0.25, 0.35, 1.8]), st.floats(0.3, 2.0)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([0.0, 0.1, 0.24, 0.4, 1.0]),
)
def test_finals_cover_every_sample_once_wherever_it_pauses_and_is_released(
    spoken: Spoken, monkeypatch: pytest.MonkeyPatch, parts: list[tuple[float, float]], end_s: float
) -> None:
    """What is read is replaced by where it lies, so that a text that was kept too long would be seen."""

    def where(_: object, _sound: Sound, speech_s: float, *_others: object, **_named: object) -> Reading:
        return Reading(SpokenText(f"{round(1000 * speech_s)} milliseconds of speech"), speech_s)

    monkeypatch.setattr(Model, "read", where)
    voice = sentence(0)
    sound = np.concatenate(
        [x for pause_s, s in parts for x in (silence(pause_s), voice[: round(s * RATE_HZ)])] + [silence(end_s)]
    )
    without_guesses = _heard(spoken, sound, monkeypatch, within_s=-1.0)

    with_guesses = _heard(spoken, sound, monkeypatch, within_s=float("inf"))
    with monkeypatch.context() as as_if:
        _be_idle(spoken, as_if)
        with_glimpses = _heard(spoken, sound, as_if, within_s=float("inf"))

    assert with_glimpses == with_guesses == without_guesses
    assert [start for start, _, _ in with_guesses] == [0, *(end for _, end, _ in with_guesses[:-1])]
    assert with_guesses[-1][1] == len(sound)


def _heard(
    spoken: Spoken, sound: Sound, monkeypatch: pytest.MonkeyPatch, within_s: float
) -> list[tuple[int, int, str]]:
    monkeypatch.setattr(reader, "GUESS_WITHIN_S", within_s)
    spoken.begin()
    spoken.speak(sound)
    return [(final.start, final.end, final.text.reveal()) for final in finals(spoken.finish())]
