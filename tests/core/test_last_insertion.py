"""What may be thought of a window after what was pressed in it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.last_insertion import (
    WISH_S,
    Since,
    clicked,
    is_untouched,
    may_be_taken_back,
    pressed,
    wished,
)

F9, LETTER, CTRL = 75, 38, 37


def after(*deeds: tuple[str, int, float]) -> Since:
    since = Since()
    for deed, keycode, at in deeds:
        match deed:
            case "key":
                since = pressed(since, keycode, at, modifies=keycode == CTRL)
            case "click" | "tray":
                since = clicked(since, inside=deed == "click")
            case _:
                since = wished(since, at)
    return since


def key(keycode: int, at: float) -> tuple[str, int, float]:
    return "key", keycode, at


def wish(at: float) -> tuple[str, int, float]:
    return "wish", 0, at


CLICK, TRAY = ("click", 0, 0.0), ("tray", 0, 0.0)


@pytest.mark.parametrize(
    ("deeds", "untouched", "back"),
    [
        ((), True, True),
        ((key(CTRL, 9.0),), True, True),
        ((key(F9, 9.9),), False, True),  # who knows what it was
        ((key(F9, 5.0), wish(5.01), key(F9, 7.0)), True, True),  # begins and ends a dictation
        ((key(F9, 5.0), wish(5.01), key(LETTER, 6.0)), False, False),
        ((key(LETTER, 5.0), key(F9, 5.2), wish(5.21)), False, False),
        ((key(LETTER, 5.0), key(LETTER, 9.9)), False, False),
        ((key(LETTER, 5.0), key(CTRL, 5.2), wish(5.21)), False, False),  # Right Ctrl is the hotkey, the letter is none
        ((key(LETTER, 5.0), TRAY, wish(5.3)), False, False),  # the letter is no hotkey
        ((TRAY, wish(5.3), TRAY), True, True),
        ((key(LETTER, 5.0), wish(5.0 + 2 * WISH_S)), False, False),
        ((CLICK,), False, True),
        ((key(F9, 5.0), wish(5.01), *(key(F9, 6.0),) * 20, key(LETTER, 7.0)), False, False),
    ],
)
def test_what_was_pressed_since_tells_what_may_be_done(
    deeds: tuple[tuple[str, int, float], ...], untouched: bool, back: bool
) -> None:
    since = after(*deeds)

    assert is_untouched(since) is untouched
    assert may_be_taken_back(since, 10.0) is back


@given(st.lists(st.tuples(st.sampled_from(["key", "click", "tray", "wish"]), st.integers(36, 39), st.floats(0, 100))))
def test_what_was_typed_is_never_forgotten(deeds: list[tuple[str, int, float]]) -> None:
    since = after(*deeds, key(LETTER, 101.0), key(F9, 101.5), wish(101.6))
    later = after(*deeds, key(LETTER, 101.0), key(F9, 101.5), wish(101.6), key(F9, 200.0))

    if LETTER not in since.hotkeys:
        assert not is_untouched(since)
        assert not is_untouched(later)
        assert not may_be_taken_back(later, 200.1)
