"""What is shown as certain stays, whatever later readings say; and what two readings agree on is shown as certain."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.agreement import Agreement, agreeing, bare, split

WORDS = ["we", "met", "at", "the", "shop", "shop,", "Shop.", "and", "—", "I", "don't", "今", "天"]

hypotheses = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join) | st.text(max_size=30), max_size=8)


def grown(*readings: str) -> Agreement:
    state = Agreement()
    for reading in readings:
        state = state.heard(reading)
    return state


def words(parts: tuple[str, ...]) -> list[str]:
    return [bare(part) for part in parts]


@given(hypotheses)
def test_a_stable_word_is_never_taken_back(readings: list[str]) -> None:
    states = list(itertools.accumulate(readings, Agreement.heard, initial=Agreement()))

    for before, after in itertools.pairwise(states):
        assert words(after.stable)[: len(before.stable)] == words(before.stable)


@given(hypotheses)
def test_a_word_is_stable_only_once_two_readings_in_a_row_had_it_and_all_before_it(readings: list[str]) -> None:
    state = grown(*readings)

    pairs = [(words(split(one)), words(split(other))) for one, other in itertools.pairwise(readings)]
    count = len(state.stable)
    assert count == 0 or any(one[:count] == other[:count] == words(state.stable) for one, other in pairs)


@given(hypotheses.filter(bool))
def test_what_is_shown_is_the_last_reading_unless_it_takes_back_what_is_stable(readings: list[str]) -> None:
    state = grown(*readings)

    last = split(readings[-1])
    if agreeing(last, state.stable) == len(state.stable):
        assert words(state.stable + state.tentative) == words(last)
    assert state.tentative == last[len(state.stable) :]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9), st.data())
def test_speech_that_is_understood_ever_better_ends_as_it_was_said(spoken: list[str], data: st.DataObject) -> None:
    """Readings that are right but for their last word: what is stable is what will be inserted."""
    state, said = Agreement(), words(split(" ".join(spoken)))
    for length in range(1, len(spoken) + 1):
        last = data.draw(st.sampled_from(WORDS))
        state = state.heard(" ".join([*spoken[: length - 1], last]))

        assert words(state.stable)[: length - 1] == said[: min(len(state.stable), length - 1)]

    assert words(state.heard(" ".join(spoken)).heard(" ".join(spoken)).stable)[: len(spoken) - 1] == said[:-1]


@given(st.text(max_size=60))
def test_the_words_of_a_text_are_the_text(text: str) -> None:
    assert "".join(split(text)) == text.rstrip()


def test_the_first_reading_is_tentative_and_the_second_confirms() -> None:
    once, twice = grown("We met"), grown("We met", "We met at the")

    assert once.texts == ("", "We met")
    assert twice.texts == ("We met", "at the")


def test_a_full_stop_at_the_end_of_a_reading_does_not_stay_in_the_middle() -> None:
    assert grown("We met.", "We met at the").texts[0] == "We met"


def test_a_reading_that_doubts_what_is_stable_changes_only_what_follows() -> None:
    state = grown("We met at", "We met at the", "He met at the shop")

    assert state.texts == ("We met at", "the shop")


@pytest.mark.parametrize(("one", "two"), [("今天天气", "今天天气很好"), ("วันนี้", "วันนี้อากาศ")])
def test_without_spaces_a_character_is_a_word(one: str, two: str) -> None:
    assert grown(one, two).texts[0] == one
