"""A dictation goes on from what stands before the cursor as a person would write it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.context import LOOK_BACK, ends_with, fitted
from lysnrai_desktop.core.speech import SpokenText


def written(text: str, before: str) -> str:
    return fitted(SpokenText(text), before).reveal()


@pytest.mark.parametrize(
    ("before", "text", "whole"),
    [
        ("he saw it himself.", "He left.", "he saw it himself. He left."),
        ("", "He left.", "He left."),
        ("A line.\n", "He left.", "A line.\nHe left."),
        ("A sentence. ", "He left.", "A sentence. He left."),
        ("one\t", "Two", "one\tTwo"),
        ("it was late,", "But he stayed.", "it was late, but he stayed."),
        ("I think", "That's right.", "I think that's right."),
        ("ich glaube,", "Das stimmt.", "ich glaube, das stimmt."),
        ("we met in", "Paris.", "we met in Paris."),
        ("we met at", "NASA.", "we met at NASA."),
        ("the department of", "IT is here", "the department of IT is here"),
        ("and then", "I left.", "and then I left."),
        ("chapter", "A4 paper", "chapter A4 paper"),
        ("a list:", "The first", "a list: The first"),
        ("- ", "The first", "- The first"),
        ("(see ", "The map", "(see the map"),
        ("(", "The map", "(The map"),
        ("he said “", "Hello", "he said “Hello"),
        ('he said "', "Hello", 'he said "Hello'),
        ('he said "hello"', "And left", 'he said "hello" and left'),
        ('he said "hello."', "And left", 'he said "hello." And left'),
        ("das ist „gut“", "Und neu", "das ist „gut“ und neu"),
        ("sie sagte „", "Gut", "sie sagte „Gut"),
        ("il dit «", "Bon", "il dit «Bon"),
        ("so »", "Gut", "so »Gut"),
        ("so »gut«", "Ist es", "so »gut« ist es"),
        ("(he said (“", "Hello", "(he said (“Hello"),
        ("that's", "It", "that's it"),
        ("well-", "known", "well-known"),
        ("well -", "known", "well - known"),
        ("well –", "known", "well – known"),
        ("well—", "known", "well—known"),
        ("and/", "or", "and/or"),
        ("it costs $", "5", "it costs $5"),
        ("it costs 5 €", "And more", "it costs 5 € and more"),
        ("wait", ", please", "wait, please"),
        ("wait", "…", "wait…"),
        ("你好。", "世界", "你好。世界"),
        ("你好", "Hello", "你好Hello"),
        ("안녕하세요.", "세계", "안녕하세요. 세계"),
        ("สวัสดี", "ชาวโลก", "สวัสดี ชาวโลก"),
        ("שלום.", "עולם", "שלום. עולם"),
        ("😀", "He", "😀 He"),
        ("one", "\ntwo", "one\ntwo"),
        ("himself)", "And", "himself) and"),
        ("**bold**", "And", "**bold** and"),
        ("some **", "Bold", "some **Bold"),
    ],
)
def test_two_texts_make_one_line(before: str, text: str, whole: str) -> None:
    assert before + written(text, before) == whole


@pytest.mark.parametrize(
    ("before", "text", "there"),
    [
        ("One. Two, “three”", 'Two, "three"', True),
        ("One\u2029Two", "One\nTwo\n", True),  # a line's end in Qt's own words
        ("One. Two", "One.", False),
        ("", "One", False),
        ("o", "Hello", False),
        ("x" * LOOK_BACK, "x" * 1000, True),  # no more of it was read
        ("y" * LOOK_BACK, "x" * 1000, False),
    ],
)
def test_a_text_is_known_again_by_its_letters(before: str, text: str, there: bool) -> None:
    assert ends_with(before, SpokenText(text)) is there


@given(st.text())
def test_at_the_start_and_behind_a_space_a_text_keeps_its_beginning(text: str) -> None:
    assert written(text, "") == text
    assert written(text, "A sentence. ") == text
    assert written(text, "A line.\n") == text


@given(st.text(), st.text())
def test_at_most_a_space_is_added_and_a_capital_taken_and_all_else_stays(text: str, before: str) -> None:
    added = written(text, before)

    plain = added[1:] if added.startswith(" ") and not text.startswith(" ") else added
    assert plain in (text, text[:1].lower() + text[1:])


@given(st.text(min_size=1), st.text(min_size=1))
def test_where_there_is_a_space_none_is_added(text: str, before: str) -> None:
    added = written(text, before)

    assert (added[0] == " " and text[0] != " ") <= (not before[-1].isspace() and not text[0].isspace())
    assert written("", before) == ""


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll"]), min_size=1))
def test_between_two_words_there_is_one_space(before: str) -> None:
    assert written("word", before) == " word"
