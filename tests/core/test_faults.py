"""Every fault has one code that stays, and words for the user."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lysnrai_desktop.core import faults
from lysnrai_desktop.core.dictation import Outcome
from lysnrai_desktop.ui import texts

RELEASED = (Path(__file__).parents[2] / "docs" / "fault-codes.txt").read_text(encoding="utf-8").splitlines()
LEAVES = list(faults.leaves())


def test_every_fault_has_a_code_of_its_own() -> None:
    codes = [leaf.code for leaf in LEAVES]

    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", code) for code in codes)


def test_the_codes_are_exactly_the_released_ones() -> None:
    assert sorted(leaf.code for leaf in LEAVES) == RELEASED


def test_only_leaves_have_codes() -> None:
    groups = {base for leaf in LEAVES for base in leaf.__mro__[1:]}

    assert all("code" not in vars(group) for group in groups)


def test_the_header_draws_every_fault() -> None:
    drawn = dict(re.findall(r"[├└]── (\w+) +([a-z_]+\.[a-z_]+)", faults.__doc__ or ""))

    assert drawn == {leaf.__name__: leaf.code for leaf in LEAVES}


def test_every_code_has_words_and_no_words_lack_a_code() -> None:
    assert set(texts.FAULTS) == {*RELEASED, texts.BUG}


@pytest.mark.parametrize("code", texts.FAULTS)
def test_a_fault_is_explained_in_whole_sentences_without_markup(code: str) -> None:
    advice = texts.fault(code)

    for text in (advice.sentence, advice.remedy):
        assert re.fullmatch(r"[A-Z].*\.", text)
        assert not set(text) & set("<>&\n")
    assert len(advice.sentence) <= 72, "the overlay has room for this much"


def test_an_unknown_code_is_explained_as_our_mistake() -> None:
    assert texts.fault("no.such_code") == texts.fault("bug")


def test_every_outcome_has_words() -> None:
    assert {outcome.value for outcome in Outcome} == set(texts.OUTCOMES)
