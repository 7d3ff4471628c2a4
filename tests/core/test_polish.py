"""What is inserted is what was said, spaced and capitalised as a person would, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.polish import polish
from lysnrai_desktop.core.settings import PolishSettings
from lysnrai_desktop.core.speech import Segment, SpokenText, Transcript

AS_IT_IS = PolishSettings()


def polished(*texts: str, settings: PolishSettings = AS_IT_IS) -> str:
    segments = tuple(Segment(n, n + 1, SpokenText(text)) for n, text in enumerate(texts))
    return polish(Transcript(segments), settings).reveal()


def test_segments_are_joined_by_one_space() -> None:
    assert polished(" Hello there. ", "  How are you?") == "Hello there. How are you?"


@pytest.mark.parametrize(
    ("before", "piece", "written"),
    [
        ("We went to the shop.", "Then we left.", "We went to the shop. Then we left."),
        ("We went to the shop", "And bought fruit.", "We went to the shop and bought fruit."),
        ("We went to the shop,", "London.", "We went to the shop, London."),
        ("We went to the...", "The shop.", "We went to the the shop."),
        ("We went to…", "London.", "We went to London."),
        ("We went to the shop.", "and bought fruit.", "We went to the shop and bought fruit."),
        ("We bought apples, etc.", "and left.", "We bought apples, etc. and left."),
        ("We went to the shop.", "iPads are sold there.", "We went to the shop. iPads are sold there."),
        ("It costs 3.", "and so on.", "It costs 3. And so on."),
        ("Did we?", "no.", "Did we? No."),
        ("我们去了商店", "然后回家。", "我们去了商店然后回家。"),
        ("Мы были в магазине.", "и купили хлеб.", "Мы были в магазине и купили хлеб."),
    ],
)
def test_a_sentence_that_was_cut_in_a_pause_is_one_sentence(before: str, piece: str, written: str) -> None:
    assert polished(before, piece) == written


def test_a_segment_without_a_letter_or_digit_leaves_no_trace() -> None:
    assert polished(" .", "Yes.", "…") == "Yes."
    assert polished(" . ", "!") == ""


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("hello. how are you? fine! ok", "Hello. How are you? Fine! Ok"),
        ("it costs 3.5 euros", "It costs 3.5 euros"),
        ("élan vital. ça va", "Élan vital. Ça va"),
        ("bring fruit, e.g. apples", "Bring fruit, e.g. apples"),
        ("iPhone users. iPad users", "iPhone users. iPad users"),
        ("ßtrange", "ßtrange"),
        ("你好。世界", "你好。世界"),
        ("Bonjour ! ça va ?", "Bonjour ! Ça va ?"),
    ],
)
def test_a_sentence_begins_with_a_capital_where_the_engine_gave_none(spoken: str, written: str) -> None:
    assert polished(spoken) == written


def test_capitals_can_be_left_to_the_engine() -> None:
    assert polished("hello. there", settings=PolishSettings(capitalise=False)) == "hello. there"


@pytest.mark.parametrize(
    ("replacements", "spoken", "written"),
    [
        ({"lysner ai": "LysnrAI"}, "I use Lysner  AI daily", "I use LysnrAI daily"),
        ({"cat": "dog"}, "Concatenate the cat", "Concatenate the dog"),
        ({"new line": "\n"}, "first New line second", "First\nSecond"),
        ({"c++": "C plus plus"}, "I write C++ here", "I write C plus plus here"),
        ({"slash": "\\1"}, "a slash b", "A \\1 b"),
    ],
)
def test_replacements_take_whole_words_in_any_case(replacements: dict[str, str], spoken: str, written: str) -> None:
    assert polished(spoken, settings=PolishSettings(replacements=replacements)) == written


@given(st.lists(st.text(), max_size=5))
def test_no_word_is_ever_lost(texts: list[str]) -> None:
    spoken, written = ("".join(filter(str.isalnum, text)) for text in ("".join(texts), polished(*texts)))

    assert written.casefold() == spoken.casefold()


@given(st.lists(st.text(), max_size=5))
def test_polishing_twice_changes_nothing_more(texts: list[str]) -> None:
    once = polished(*texts)

    assert polished(once) == once
