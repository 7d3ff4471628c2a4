"""Whatever a service says, its finals follow each other without a gap and lose none of its words."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.engine_messages import FINAL_WITHIN_S
from lysnrai_desktop.core.phrases import MARGIN_S, OWED_S, QUIET_S, Understood
from lysnrai_desktop.core.speech import Segment, SpokenText

RATE_HZ = 1_000
START = 5_000


@dataclass
class Played:
    state: Understood = field(default_factory=lambda: Understood(RATE_HZ, START, START))
    finals: list[Segment] = field(default_factory=list)

    def hear(self, seconds: float, *, voiced: bool = False) -> None:
        before = self.state.heard
        self.state = self.state.hear(round(seconds * RATE_HZ))
        if voiced:
            self.state = self.state.voice(before, self.state.heard)
        self._take(self.state.silence())

    def phrase(self, end: int, text: str) -> None:
        self._take(self.state.phrase(end, SpokenText(text), "en"))

    def finish(self) -> None:
        self._take(self.state.rest())

    def _take(self, said: tuple[Understood, Segment] | None) -> None:
        if said is not None:
            self.state, final = said
            self.finals.append(final)


def test_a_final_ends_with_its_phrase_and_the_silence_before_belongs_to_it() -> None:
    it = Played()
    it.hear(1)
    it.hear(2, voiced=True)
    it.hear(1)

    it.phrase(START + 3_000, "one")
    it.finish()

    assert it.finals == [
        Segment(START, START + 3_000, SpokenText("one"), "en"),
        Segment(START + 3_000, START + 4_000, SpokenText()),
    ]


def test_a_long_silence_is_told_but_for_its_end() -> None:
    it = Played()

    for _ in range(50):
        it.hear((QUIET_S + MARGIN_S) / 50)

    assert it.finals == [Segment(START, START + round(QUIET_S * RATE_HZ), SpokenText())]


def test_speech_that_was_not_matched_is_no_silence_and_keeps_its_place_for_another_engine() -> None:
    it = Played()
    it.hear(1, voiced=True)
    it.state = it.state.no_match(START + 1_000)

    it.hear(FINAL_WITHIN_S)

    assert it.finals == []
    assert not it.state.owes


@pytest.mark.parametrize(("spoken_s", "is_answered"), [(5.0, True), (OWED_S / 2, False)])
def test_a_pause_behind_what_was_not_matched_or_a_cough_is_told_like_any_other(
    spoken_s: float, is_answered: bool
) -> None:
    it = Played()
    it.hear(spoken_s, voiced=True)
    if is_answered:
        it.state = it.state.no_match(it.state.heard)

    for _ in range(120):
        it.hear(1)

    assert it.state.heard - it.finals[-1].end < (QUIET_S + MARGIN_S + 1) * RATE_HZ


def test_a_pause_behind_speech_that_is_owed_is_none() -> None:
    it = Played()
    it.hear(OWED_S, voiced=True)

    for _ in range(120):
        it.hear(1)

    assert it.finals == []


def test_speech_at_the_end_that_nobody_answered_is_owed() -> None:
    it = Played()
    it.hear(3, voiced=True)
    it.phrase(START + 2_000, "one")

    assert it.state.owes


def test_a_cough_is_not_owed() -> None:
    it = Played()

    it.hear(OWED_S - 0.1, voiced=True)

    assert not it.state.owes


def test_a_hypothesis_without_its_phrase_is_owed() -> None:
    it = Played()
    it.hear(0.3, voiced=True)

    it.state = it.state.hypothesis()

    assert it.state.owes


def test_a_phrase_about_audio_that_was_never_handed_over_ends_with_what_was() -> None:
    it = Played()
    it.hear(1, voiced=True)

    it.phrase(10**9, "one")

    assert it.finals == [Segment(START, START + 1_000, SpokenText("one"), "en")]


def test_a_phrase_that_comes_behind_its_silence_keeps_its_words() -> None:
    it = Played()
    it.hear(QUIET_S + MARGIN_S)

    it.phrase(START + 1_000, "late")

    assert it.finals[-1] == Segment(it.finals[0].end, it.finals[0].end, SpokenText("late"), "en")


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("audio"), st.integers(0, 20_000), st.booleans()),
        st.tuples(st.just("phrase"), st.integers(0, 200_000), st.text("ab", max_size=3)),
        st.tuples(st.just("no match"), st.integers(0, 200_000), st.none()),
        st.tuples(st.just("hypothesis"), st.none(), st.none()),
    ),
    max_size=40,
)


@given(happenings)
def test_finals_cover_the_session_exactly_and_hold_each_word_once(said: list[tuple[str, int, object]]) -> None:
    it, words = Played(), []

    for kind, number, more in said:
        match kind:
            case "audio":
                it.hear(number / RATE_HZ, voiced=bool(more))
            case "phrase":
                it.phrase(number, str(more))
                words.append(str(more))
            case "no match":
                it.state = it.state.no_match(number)
            case _:
                it.state = it.state.hypothesis()
    it.finish()

    edges = [START, *(final.end for final in it.finals)]
    assert [(final.start, final.end) for final in it.finals] == list(itertools.pairwise(edges))
    assert edges[-1] == it.state.heard
    assert [final.text.reveal() for final in it.finals if final.text] == [word for word in words if word]


@given(happenings)
def test_speech_gets_a_final_of_its_own_only_from_the_service(said: list[tuple[str, int, object]]) -> None:
    it, voiced = Played(), list[tuple[int, int]]()

    for kind, number, more in said:
        if kind == "audio":
            if more:
                voiced.append((it.state.heard, it.state.heard + number))
            it.hear(number / RATE_HZ, voiced=bool(more))

    for final in it.finals:
        assert not final.text
        spoken = sum(max(0, min(end, final.end) - max(start, final.start)) for start, end in voiced)
        assert spoken < OWED_S * RATE_HZ
