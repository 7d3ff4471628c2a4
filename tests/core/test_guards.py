"""Text that nobody said is doubted; text that somebody said is not."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.guards import MAX_PROMPT_CHARACTERS, Reading, better, has_words, is_doubtful, is_echo, prompt
from lysnrai_desktop.core.speech import SpokenText

VOCABULARY = ("Kubernetes", "Anna Kowalska", "LysnrAI")


def reading(text: str, speech_s: float = 3.0, logprob: float = -0.3, compression: float = 1.1) -> Reading:
    return Reading(SpokenText(text), speech_s, logprob, compression)


# --- doubt


@pytest.mark.parametrize(
    "sound",
    [
        reading("The meeting has been moved to Thursday."),
        reading("I.", speech_s=0.3, logprob=-1.2),
        reading("Yes.", speech_s=0.1),
        reading("Message number twenty-three.", speech_s=1.4),
        reading("会议改到星期四了。", speech_s=2.5),
    ],
)
def test_what_was_plainly_said_is_not_doubted(sound: Reading) -> None:
    assert not is_doubtful(sound)


@pytest.mark.parametrize(
    "unsound",
    [
        reading(""),
        reading(" ."),
        reading("the end of the end of the end of the end", compression=2.6),
        reading("I'm going to go ahead and do that.", logprob=-1.1),
        reading("So " * 60),
        reading("You", speech_s=8.0),
    ],
)
def test_nothing_repeats_guesses_and_impossible_speeds_are_doubted(unsound: Reading) -> None:
    assert is_doubtful(unsound)


def test_of_two_readings_words_win_over_none_then_the_one_without_repeats_then_the_surer() -> None:
    nothing = reading(" .", logprob=-0.1)
    repeats = reading("so so so so so so", logprob=-0.1, compression=3.0)
    unsure, sure = reading("one thing", logprob=-0.8), reading("another thing", logprob=-0.4)

    assert better(nothing, repeats) is repeats
    assert better(repeats, unsure) is unsure
    assert better(unsure, sure) is better(sure, unsure) is sure


@given(st.text())
def test_a_text_has_words_exactly_if_it_has_a_letter_or_digit(text: str) -> None:
    assert has_words(SpokenText(text)) == any(character.isalpha() or character.isnumeric() for character in text)


# --- the vocabulary


def test_a_vocabulary_becomes_one_line() -> None:
    assert prompt(("Kubernetes", "  Anna \n Kowalska ", "")) == "Kubernetes, Anna Kowalska."
    assert prompt(()) == ""


@given(st.lists(st.text(), max_size=60))
def test_a_prompt_is_bounded_however_long_the_vocabulary(vocabulary: list[str]) -> None:
    assert len(prompt(vocabulary)) <= MAX_PROMPT_CHARACTERS + 1


def test_a_term_too_long_for_the_prompt_does_not_keep_the_others_out() -> None:
    assert prompt(("a" * 500, "Kubernetes")) == "Kubernetes."


@pytest.mark.parametrize(
    "text",
    [
        "Kubernetes, Anna Kowalska, LysnrAI.",
        "kubernetes anna kowalska",
        "Anna Kowalska, LysnrAI.",
        "LysnrAI. Kubernetes, Anna Kowalska, LysnrAI. Kubernetes",
    ],
)
def test_the_prompt_said_again_is_an_echo(text: str) -> None:
    assert is_echo(SpokenText(text), prompt(VOCABULARY))


@pytest.mark.parametrize(
    "text", ["", "Kubernetes", "Anna Kowalska runs Kubernetes.", "LysnrAI, Anna Kowalska", "Hello there."]
)
def test_a_term_alone_or_in_a_sentence_is_no_echo(text: str) -> None:
    assert not is_echo(SpokenText(text), prompt(VOCABULARY))


def test_without_a_vocabulary_there_is_no_echo() -> None:
    assert not is_echo(SpokenText("Hello there."), prompt(()))
