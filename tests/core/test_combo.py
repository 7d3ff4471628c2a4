"""Combinations are read as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.combo import NAMED_KEYS, Combo, Modifier, parse
from lysnrai_desktop.core.faults import HotkeyInvalid


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ctrl+alt+space", "ctrl+alt+space"),
        (" Control + ALT+Space ", "ctrl+alt+space"),
        ("alt+ctrl+space", "ctrl+alt+space"),
        ("Win+Shift+D", "shift+super+d"),
        ("f9", "f9"),
        ("Strg+PgDn", "ctrl+pagedown"),
        ("ctrl++", "ctrl++"),
        ("ctrl+plus", "ctrl++"),
        ("super+ö", "super+ö"),
        ("pause", "pause"),
    ],
)
def test_spellings_that_mean_the_same_are_the_same(text: str, written: str) -> None:
    assert str(parse(text)) == written


@pytest.mark.parametrize("text", ["", "+", "ctrl", "ctrl+", "ctrl+alt", "f25", "ctrl+esc", "esc", "a+b", "ctrl+\n"])
def test_what_is_no_combination_is_refused(text: str) -> None:
    with pytest.raises(HotkeyInvalid):
        parse(text)


@pytest.mark.parametrize("text", ["a", "shift+a", "space", "shift+return", "7", "tab"])
def test_a_key_that_writes_is_not_taken_from_the_user(text: str) -> None:
    with pytest.raises(HotkeyInvalid):
        parse(text)


combos = st.builds(
    Combo,
    st.sampled_from(sorted(NAMED_KEYS) + list("abcxyz0189ö+-#")),
    st.frozensets(st.sampled_from(Modifier)).map(lambda some: some | {Modifier.CTRL}),
)


@given(combos)
def test_a_written_combination_reads_as_itself(combo: Combo) -> None:
    assert parse(str(combo)) == combo


@given(st.text())
def test_any_text_is_a_combination_or_refused(text: str) -> None:
    try:
        combo = parse(text)
    except HotkeyInvalid:
        return

    assert combo.modifiers or combo.key in NAMED_KEYS
