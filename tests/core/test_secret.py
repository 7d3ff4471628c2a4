"""A secret shows itself to nobody who does not ask for it by name."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.secret import Secret

printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8)


@given(printable)
def test_however_it_is_formatted_it_shows_nothing(text: str) -> None:
    secret = Secret(text)

    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", "%s" % secret, f"{[secret]}"]  # noqa: UP031

    assert not any(text in each for each in shown)
    assert secret.reveal() == text


def test_blanks_around_it_are_no_part_of_it() -> None:
    assert Secret(" \t0123abcd\r\n").reveal() == "0123abcd"
    assert not Secret(" \n")


@pytest.mark.parametrize("text", ["abc\r\nX-Evil: 1", "abc\x00def", "abc\x7f", "schlüssel"])
def test_what_would_break_a_header_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="printable") as refused:
        Secret(text)

    told = "".join(traceback.format_exception_only(refused.value))
    assert text not in told


def test_it_is_equal_to_the_same_secret_and_to_nothing_else() -> None:
    assert Secret("0123") == Secret("0123 ") != Secret("0124")
    assert len({Secret("0123"), Secret("0123")}) == 1
    assert Secret("0123") != "0123"
