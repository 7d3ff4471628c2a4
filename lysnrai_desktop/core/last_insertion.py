"""What a window may be thought to hold since the last insertion into it.

    pressed(since, keycode, at, modifies)      a key went down there
    clicked(since, inside)                     so did a button of the mouse, which may have moved the cursor
    wished(since, at)                          the app was asked for something: the key before that was its hotkey

    may_be_taken_back(since, now)              nothing was typed there, but for the key that asks for it
    is_untouched(since)                        nothing was pressed there but hotkeys of the app

Keys are told by number, and only their order and time matters: what they write is nobody's business here.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

WISH_S = 1.0
"""A key pressed so shortly before a wish is the one that asked for it: a hotkey of ours, or of the desktop."""
_ENOUGH = 8
"""So many keys are kept; of more nothing else follows."""


@dataclass(frozen=True, slots=True)
class Since:
    typed: tuple[tuple[int, float], ...] = ()
    """Keycode and time of each press, but for modifiers and hotkeys."""
    hotkeys: frozenset[int] = frozenset()
    last: int = 0
    """The key pressed last; 0 if that was a modifier or a button."""
    was_clicked: bool = False


def pressed(since: Since, keycode: int, at: float, *, modifies: bool) -> Since:
    if modifies:  # by itself it changes nothing, but it may be a hotkey
        return replace(since, last=0)
    typed = since.typed if keycode in since.hotkeys else (*since.typed, (keycode, at))[:_ENOUGH]
    return replace(since, last=keycode, typed=typed)


def clicked(since: Since, *, inside: bool) -> Since:
    """`inside`: in that window; a click elsewhere may be a wish, as a hotkey is."""
    return replace(since, last=0, was_clicked=since.was_clicked or inside)


def wished(since: Since, at: float) -> Since:
    """A hotkey that has been pressed for something before was it then, too."""
    if not since.typed or since.typed[-1][0] != since.last or since.typed[-1][1] < at - WISH_S:
        return since
    rest = tuple(press for press in since.typed if press[0] != since.last)
    return replace(since, hotkeys=since.hotkeys | {since.last}, typed=rest)


def may_be_taken_back(since: Since, now: float) -> bool:
    return len(since.typed) <= 1 and all(at >= now - WISH_S for _, at in since.typed)


def is_untouched(since: Since) -> bool:
    return not since.was_clicked and not since.typed
