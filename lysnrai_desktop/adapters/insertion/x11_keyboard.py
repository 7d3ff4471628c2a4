"""The keyboard as the inserter needs it: is a key held, and press these keys.

Keys are sent with XTEST, so that they look like the user's to every program (xterm ignores XSendEvent).

Imports: core, python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

from Xlib import XK, X
from Xlib.display import Display
from Xlib.ext import xtest

from lysnrai_desktop.core.insertion import Chord

_MODIFIERS = {"ctrl": X.ControlMapIndex, "shift": X.ShiftMapIndex}
_KEYS = {"v": XK.XK_v, "insert": XK.XK_Insert}
_LOCKS = {XK.XK_Caps_Lock, XK.XK_Num_Lock, XK.XK_Scroll_Lock, XK.XK_Shift_Lock}


def keys_held(display: Display) -> bool:
    """Tell whether any key is physically down. Lock keys do not count: their state does no harm."""
    return bool(_held(display))


def modifiers_held(display: Display) -> bool:
    """Tell whether one of the keys that are physically down modifies others."""
    return any(keycode in _held(display) for row in display.get_modifier_mapping() for keycode in row)


def _held(display: Display) -> set[int]:
    pressed = display.query_keymap()
    down = {8 * i + bit for i, byte in enumerate(pressed) for bit in range(8) if byte >> bit & 1}
    return {keycode for keycode in down if display.keycode_to_keysym(keycode, 0) not in _LOCKS}


def keycodes_of(display: Display, chord: Chord) -> list[int]:
    """Return the keys of a chord, in the order in which they go down; none if this keyboard lacks one.

    A letter is looked for in the layout in use, then in the other: programs that are sent Ctrl and a Cyrillic letter
    take the Latin one on the same key, as they must for people who type it.
    """
    *held, last = chord.split("+")
    modifiers = display.get_modifier_mapping()
    keycodes = [next((code for code in modifiers[_MODIFIERS[name]] if code), 0) for name in held]
    first, end = display.display.info.min_keycode, display.display.info.max_keycode
    symbols = display.get_keyboard_mapping(first, end - first + 1)
    layout = display.screen().root.query_pointer().mask >> 13 & 0b11
    columns = (2, 0) if layout == 1 else (0, 2)  # the core protocol shows two layouts
    found = (
        first + i
        for column in columns
        for i, row in enumerate(symbols)
        if list(row[column : column + 1]) == [_KEYS[last]]
    )
    keycodes.append(next(found, 0))
    return keycodes if all(keycodes) else []


def press(display: Display, keycodes: list[int]) -> None:
    """Press the keys in this order and let them go in reverse; returns when the server has done so."""
    for keycode in keycodes:
        xtest.fake_input(display, X.KeyPress, keycode)
    for keycode in reversed(keycodes):
        xtest.fake_input(display, X.KeyRelease, keycode)
    display.sync()
