"""The keyboard as the inserter needs it: is a key held, which keys give what, and press these keys.

Keys are sent with XTEST, so that they look like the user's to every program (xterm ignores XSendEvent).

Imports: core, python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from Xlib import XK, X
from Xlib.display import Display
from Xlib.ext import xtest

from lysnrai_desktop.core.insertion import Chord

Strokes = Sequence[int]
"""Keycodes that go down in this order, and up in reverse."""

_MODIFIERS = {"ctrl": X.ControlMapIndex, "shift": X.ShiftMapIndex}
_KEYS = {"v": XK.XK_v, "z": XK.XK_z, "insert": XK.XK_Insert}
_LOCKS = {XK.XK_Caps_Lock, XK.XK_Num_Lock, XK.XK_Scroll_Lock, XK.XK_Shift_Lock}


def keys_held(display: Display) -> bool:
    """Tell whether any key is physically down. Lock keys do not count: their state does no harm."""
    return bool(_held(display))


def modifiers_held(display: Display) -> bool:
    """Tell whether one of the keys that are physically down modifies others."""
    return any(is_modifier(display, keycode) for keycode in _held(display))


def is_taken(display: Display) -> bool:
    """Tell whether a program has the whole keyboard to itself: a locked screen, an open menu. It would get our keys.

    Only who tries to take it is told. It is given back at once, and no window loses the focus by that.
    """
    taken = display.screen().root.grab_keyboard(False, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
    display.ungrab_keyboard(X.CurrentTime)
    display.sync()
    return bool(taken != X.GrabSuccess)


def is_modifier(display: Display, keycode: int) -> bool:
    return any(keycode in row for row in display.get_modifier_mapping())


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
    columns = (2, 0) if _layout(display) == 1 else (0, 2)  # the core protocol shows two layouts
    symbols = _symbols(display)
    found = (code for column in columns for code, row in symbols.items() if row[column : column + 1] == [_KEYS[last]])
    keycodes.append(next(found, 0))
    return keycodes if all(keycodes) else []


def strokes_of_characters(display: Display) -> dict[str, Strokes]:
    """Return what to press for each character that the layout in use has without a dead key or third level.

    Of a layout beyond the second the core protocol tells nothing: there only Return and Tab are sure.
    """
    shift = next((code for code in display.get_modifier_mapping()[X.ShiftMapIndex] if code), 0)
    strokes: dict[str, Strokes] = {}
    layout = _layout(display)
    for code, row in _symbols(display).items():
        if row and row[0] in (XK.XK_Return, XK.XK_Tab):
            strokes.setdefault("\n" if row[0] == XK.XK_Return else "\t", (code,))
        if layout > 1:
            continue
        plain, shifted = (*row[2 * layout : 2 * layout + 2], 0, 0)[:2]
        if is_character(plain):
            strokes.setdefault(chr(plain), (code,))
        if shift and is_character(shifted) and shifted != plain:
            strokes.setdefault(chr(shifted), (shift, code))
    return strokes


def is_character(keysym: int) -> bool:
    """Tell whether a keysym is the character of the same number (Latin-1, the Euro's and the like are not)."""
    return 0x20 <= keysym <= 0x7E or 0xA0 <= keysym <= 0xFF


def keysym_of(character: str) -> int:
    """Source: X protocol, appendix A: Latin-1 stands for itself, Unicode from 0x01000000 on."""
    number = ord(character)
    return number if is_character(number) else 0x0100_0000 | number


def spare_keycodes(display: Display) -> list[int]:
    """Return the keys that give nothing and modify nothing: nobody's keyboard has them."""
    modifiers = {code for row in display.get_modifier_mapping() for code in row}
    return [code for code, row in _symbols(display).items() if not any(row) and code not in modifiers]


def lend(display: Display, meanings: Mapping[int, int]) -> None:
    """Let keycodes give these keysyms, with Shift or without; 0: nothing again."""
    for keycode, keysym in meanings.items():
        display.change_keyboard_mapping(keycode, [[keysym, keysym]])
    display.sync()


def caps_lock_on(display: Display) -> bool:
    return bool(display.screen().root.query_pointer().mask & X.LockMask)


def caps_lock_key(display: Display) -> int:
    return next((code for code in display.get_modifier_mapping()[X.LockMapIndex] if code), 0)


def press(display: Display, keycodes: Strokes) -> None:
    """Press the keys in this order and let them go in reverse; returns when the server has done so."""
    send(display, keycodes)
    display.sync()


def send(display: Display, keycodes: Strokes) -> None:
    """The same without waiting for the server."""
    for keycode in keycodes:
        xtest.fake_input(display, X.KeyPress, keycode)
    for keycode in reversed(keycodes):
        xtest.fake_input(display, X.KeyRelease, keycode)


def _layout(display: Display) -> int:
    return int(display.screen().root.query_pointer().mask >> 13 & 0b11)


def _symbols(display: Display) -> dict[int, list[int]]:
    first, end = display.display.info.min_keycode, display.display.info.max_keycode
    return {first + i: list(row) for i, row in enumerate(display.get_keyboard_mapping(first, end - first + 1))}
