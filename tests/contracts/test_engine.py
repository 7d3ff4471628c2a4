"""What every engine behind the port `Engine` promises: in a process of its own, hearing human speech."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import EngineFailed, Final, Voice
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import Segment
from tests import speech
from tests.hearing import HOST, Hearing, engine_pids, hearing, new_take, pcm, settings_for, take_of, text_of

RATE_HZ = 48_000


@dataclass(frozen=True)
class Speech:
    """Two sentences with a pause between."""

    samples: NDArray[np.float32]
    second_begins: int
    words: str


@dataclass(frozen=True)
class Bench:
    hearing: Hearing
    settings: Settings
    is_scripted: bool

    def assert_said(self, finals: list[Segment], spoken: str, start: int, end: int) -> None:
        """Nothing of the take is without a final, or has two; and the words are right."""
        edges = [start, *(final.end for final in finals)]
        assert [(final.start, final.end) for final in finals] == list(itertools.pairwise(edges))
        assert edges[-1] == end
        if self.is_scripted:
            seconds = range(start // RATE_HZ, -(-end // RATE_HZ))
            assert text_of(finals) == " ".join(map(str, seconds))
        else:
            assert speech.word_error_rate([(spoken, text_of(finals))]) <= 10


@pytest.fixture(params=["scripted", "whisper"])
def bench(request: pytest.FixtureRequest, tiny_en: Path) -> Iterator[Bench]:
    settings = settings_for(model="tiny.en", idle_s=0.0)
    with hearing([*HOST, request.param], lambda _: tiny_en) as link:
        yield Bench(link, settings, request.param == "scripted")


@pytest.fixture(scope="module")
def sentences() -> Speech:
    first, second = (speech.samples(clip, RATE_HZ) for clip in speech.librivox()[:4:3])
    texts = [clip.text for clip in speech.librivox()[:4:3]]
    pause = np.zeros(RATE_HZ, np.float32)
    return Speech(np.concatenate([first, pause, second]), len(first) + len(pause) // 2, " ".join(texts))


def test_every_sample_has_one_final_and_the_words_are_right(bench: Bench, sentences: Speech) -> None:
    finals = bench.hearing.hear(1, take_of(sentences.samples, RATE_HZ), bench.settings)

    bench.assert_said(finals, sentences.words, 0, len(sentences.samples))


def test_text_comes_while_the_speaker_goes_on(bench: Bench, sentences: Speech) -> None:
    take = new_take()
    bench.hearing.link.start(1, take, 0, bench.settings)
    first, rest = np.split(sentences.samples, [sentences.second_begins + RATE_HZ])

    for block in np.array_split(first, 100):
        take.block(Block(pcm(block), RATE_HZ))
    early = bench.hearing.next(Final)
    take.block(Block(pcm(rest), RATE_HZ))
    take.end()
    bench.hearing.link.finish(1)

    finals = [early.segment, *bench.hearing.finals(1)]
    bench.assert_said(finals, sentences.words, 0, len(sentences.samples))


def test_it_says_when_somebody_speaks(bench: Bench, sentences: Speech) -> None:
    silence = np.zeros(2 * RATE_HZ, np.float32)
    take = take_of(np.concatenate([silence, sentences.samples[:RATE_HZ], silence]), RATE_HZ)

    bench.hearing.link.start(1, take, 0, bench.settings)

    assert [bench.hearing.next(Voice).speaking for _ in range(2)] == [True, False]


def test_a_take_without_a_sample_is_done_without_a_final(bench: Bench) -> None:
    take = new_take()
    take.end()

    assert bench.hearing.hear(1, take, bench.settings) == []


def test_it_is_not_done_before_it_is_told_that_the_take_is_complete(bench: Bench, sentences: Speech) -> None:
    bench.hearing.link.start(1, take_of(sentences.samples[: 3 * RATE_HZ], RATE_HZ), 0, bench.settings)
    bench.hearing.next(Voice)

    bench.hearing.link.finish(1)

    finals = bench.hearing.finals(1)
    assert finals[-1].end == 3 * RATE_HZ


def test_a_take_can_be_heard_from_any_sample_on(bench: Bench, sentences: Speech) -> None:
    start = sentences.second_begins // RATE_HZ * RATE_HZ
    finals = bench.hearing.hear(1, take_of(sentences.samples, RATE_HZ), bench.settings, from_sample=start)

    bench.assert_said(finals, speech.librivox()[3].text, start, len(sentences.samples))


def test_nothing_is_heard_of_a_cancelled_session(bench: Bench, sentences: Speech) -> None:
    bench.hearing.link.start(1, take_of(sentences.samples, RATE_HZ), 0, bench.settings)
    bench.hearing.next(Voice)
    bench.hearing.link.cancel(1)
    bench.hearing.link.start(2, take_of(sentences.samples[: 3 * RATE_HZ], RATE_HZ), 0, bench.settings)
    bench.hearing.link.finish(2)

    while not isinstance(event := bench.hearing.events.get(timeout=30), Final) or event.session != 2:
        assert not isinstance(event, EngineFailed)  # what was on its way before the cancel may still arrive
    assert event.segment.start == 0
    assert [event.segment, *bench.hearing.finals(2)][-1].end == 3 * RATE_HZ


def test_a_new_session_takes_the_place_of_the_one_under_way(bench: Bench, sentences: Speech) -> None:
    for session in (1, 2, 3):
        bench.hearing.link.start(session, take_of(sentences.samples, RATE_HZ), 0, bench.settings)
    bench.hearing.link.finish(3)

    finals = bench.hearing.finals(3)
    bench.assert_said(finals, sentences.words, 0, len(sentences.samples))


@pytest.mark.logs("the engine process ended")
def test_after_a_kill_the_rest_is_heard_and_nothing_lost_or_doubled(bench: Bench, sentences: Speech) -> None:
    take = new_take()
    take.block(Block(pcm(sentences.samples[: sentences.second_begins + RATE_HZ]), RATE_HZ))
    bench.hearing.link.start(1, take, 0, bench.settings)
    finals = [bench.hearing.next(Final).segment]

    (pid,) = engine_pids()
    os.kill(pid, signal.SIGKILL)
    while not isinstance(event := bench.hearing.events.get(timeout=30), EngineFailed):
        finals += [event.segment] if isinstance(event, Final) else []
    assert event.code == "engine.died"

    take.block(Block(pcm(sentences.samples[sentences.second_begins + RATE_HZ :]), RATE_HZ))
    take.end()
    finals += bench.hearing.hear(1, take, bench.settings, from_sample=finals[-1].end)
    bench.assert_said(finals, sentences.words, 0, len(sentences.samples))


def test_one_process_serves_one_dictation_after_the_other(bench: Bench, sentences: Speech) -> None:
    pids = set()
    for session in (1, 2):
        bench.hearing.hear(session, take_of(sentences.samples[: 2 * RATE_HZ], RATE_HZ), bench.settings)
        pids |= engine_pids()

    assert len(pids) == 1
