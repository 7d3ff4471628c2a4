"""Combinations are read as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.combo import LONE_KEYS, NAMED_KEYS, Combo, Modifier, alternatives, parse
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
        ("Right Ctrl", "right_ctrl"),
        ("ctrl_r", "right_ctrl"),
        ("lsuper", "left_super"),
        ("button8", "button8"),
        ("Ctrl+Button9", "ctrl+button9"),
    ],
)
def test_spellings_that_mean_the_same_are_the_same(text: str, written: str) -> None:
    assert str(parse(text)) == written


@pytest.mark.parametrize(
    "text",
    ["", "+", "ctrl", "ctrl+", "ctrl+alt", "f25", "ctrl+esc", "esc", "a+b", "ctrl+\n", "alt+right_ctrl", "button1"],
)
def test_what_is_no_combination_is_refused(text: str) -> None:
    with pytest.raises(HotkeyInvalid):
        parse(text)


@pytest.mark.parametrize("text", ["a", "shift+a", "space", "shift+return", "7", "tab"])
def test_a_key_that_writes_is_not_taken_from_the_user(text: str) -> None:
    with pytest.raises(HotkeyInvalid):
        parse(text)


combos = st.builds(
    Combo,
    st.sampled_from(sorted(NAMED_KEYS - LONE_KEYS) + list("abcxyz0189ö+-#")),
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


@given(combos)
def test_alternatives_are_combinations_too_and_others(combo: Combo) -> None:
    others = list(alternatives(combo))

    assert len(others) >= 5
    assert combo not in others
    assert [parse(str(other)) for other in others] == others


def test_a_key_and_a_button_are_told_apart() -> None:
    assert parse("button9").button == 9
    assert parse("f9").button == 0
    assert parse("right_alt").is_lone
    assert not parse("f9").is_lone
