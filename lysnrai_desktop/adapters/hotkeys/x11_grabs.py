"""Grabs on X11: which keys, with which modifiers, are a combination on this keyboard; and taking them.

Imports: core, python-xlib. May be imported by: adapters/hotkeys.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from Xlib import XK, X, error
from Xlib.display import Display
from Xlib.protocol import rq

from lysnrai_desktop.core import combo as combos
from lysnrai_desktop.core.combo import Combo, Modifier
from lysnrai_desktop.core.faults import HotkeyTaken


@dataclass(frozen=True, slots=True)
class Grab:
    """A key, or a button of the mouse, with a modifier mask."""

    code: int
    mask: int
    is_button: bool = False

    def is_of(self, code: int, is_button: bool) -> bool:
        return (self.code, self.is_button) == (code, is_button)


_KEYSYMS = {
    "space": "space",
    "return": "Return",
    "tab": "Tab",
    "backspace": "BackSpace",
    "delete": "Delete",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "home": "Home",
    "end": "End",
    "pageup": "Prior",
    "pagedown": "Next",
    "insert": "Insert",
    "pause": "Pause",
    "print": "Print",
    "scroll_lock": "Scroll_Lock",
    "menu": "Menu",
    "left_ctrl": "Control_L",
    "right_ctrl": "Control_R",
    "left_alt": "Alt_L",
    "right_alt": "Alt_R",
    "left_shift": "Shift_L",
    "right_shift": "Shift_R",
    "left_super": "Super_L",
    "right_super": "Super_R",
}


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Which keys give which symbols now, and which modifiers are where."""

    first: int
    symbols: Sequence[Sequence[int]]
    """For each keycode from `first` on, its symbols in the order of the core protocol."""
    modifiers: Sequence[Sequence[int]]
    """Keycodes of Shift, Lock, Control, Mod1 … Mod5."""
    buttons: int
    """How many the mouse has; the server counts those of the wheel, too."""

    @classmethod
    def of(cls, display: Display) -> Keyboard:
        """Ask the server."""
        first, last = display.display.info.min_keycode, display.display.info.max_keycode
        symbols = display.get_keyboard_mapping(first, last - first + 1)
        return cls(first, symbols, display.get_modifier_mapping(), len(display.get_pointer_mapping()))

    def grabs(self, combo: Combo) -> set[Grab]:
        """Return all grabs that together are the combination; none if the keyboard lacks a part of it."""
        masks = [self._mask_of(modifier) for modifier in combo.modifiers]
        if not all(masks):
            return set()
        if combo.is_lone:
            return {Grab(code, 0) for code in self._keycodes(combo.key)}
        codes = [combo.button] * (combo.button <= self.buttons) if combo.button else self._keycodes(combo.key)
        return {Grab(code, mask, bool(combo.button)) for code in codes for mask in self._with_locks(sum(masks))}

    def cancel_grabs(self, held: Iterable[Modifier]) -> set[Grab]:
        """Return the grabs of Esc, alone and with any of the modifiers that may still be held."""
        masks = [self._mask_of(modifier) for modifier in held]
        states = {sum(some) for n in range(len(masks) + 1) for some in itertools.combinations(masks, n)}
        keycodes = self._giving(XK.XK_Escape)
        return {Grab(key, mask) for key in keycodes for state in states for mask in self._with_locks(state)}

    def _keycodes(self, key: str) -> list[int]:
        name = _KEYSYMS.get(key, key.upper() if key in combos.NAMED_KEYS else "")
        # Characters beyond Latin-1 have keysyms of their own kind. Source: X protocol, "KEYSYM encoding".
        keysym = XK.string_to_keysym(name) if name else ord(key) if ord(key) < 0x100 else 0x0100_0000 | ord(key)
        found = self._giving(keysym)
        if not found and key == "right_alt":
            return self._giving(XK.string_to_keysym("ISO_Level3_Shift"))  # AltGr
        return found

    def _giving(self, keysym: int) -> list[int]:
        """Return the keys that give a symbol without Shift, in either of the two layouts the core protocol knows."""
        return [self.first + i for i, row in enumerate(self.symbols) if keysym in row[0:4:2]]

    def _mask_of(self, modifier: Modifier) -> int:
        match modifier:
            case Modifier.CTRL:
                return X.ControlMask
            case Modifier.SHIFT:
                return X.ShiftMask
            case Modifier.ALT:
                return self._mask_with(XK.XK_Alt_L, XK.XK_Alt_R) or self._mask_with(XK.XK_Meta_L, XK.XK_Meta_R)
            case Modifier.SUPER:
                return self._mask_with(XK.XK_Super_L, XK.XK_Super_R)

    def _mask_with(self, *keysyms: int) -> int:
        """Return the first of Mod1 … Mod5 that a key of these symbols sets, else 0."""
        for index in range(X.Mod1MapIndex, X.Mod5MapIndex + 1):
            for keycode in self.modifiers[index]:
                if keycode and any(keysym in self.symbols[keycode - self.first] for keysym in keysyms):
                    return 1 << index
        return 0

    def _with_locks(self, mask: int) -> list[int]:
        """Return the mask with every state of the lock keys."""
        locks = {X.LockMask, self._mask_with(XK.XK_Num_Lock), self._mask_with(XK.XK_Scroll_Lock)} - {0}
        return [mask | sum(some) for n in range(len(locks) + 1) for some in itertools.combinations(locks, n)]


def regrab(display: Display, old: set[Grab], wanted: set[Grab], *, strict: bool = True) -> set[Grab]:
    """Exchange grabs; returns those held now.

    Raises:
        HotkeyTaken: another program holds one of them, and `strict`; the old ones are then unchanged.
    """
    refused = {grab for grab, catch in attempt(display, wanted - old).items() if catch.get_error()}
    if refused and strict:
        release(display, wanted - old - refused)
        raise HotkeyTaken
    release(display, old - wanted)
    return wanted - refused


def attempt(display: Display, grabs: set[Grab]) -> dict[Grab, error.CatchError]:
    attempts = {grab: error.CatchError(error.BadAccess) for grab in grabs}
    for grab, catch in attempts.items():
        for root in _roots(display):
            if grab.is_button:
                events = X.ButtonPressMask | X.ButtonReleaseMask
                asynchronous = X.GrabModeAsync, X.GrabModeAsync
                root.grab_button(grab.code, grab.mask, False, events, *asynchronous, X.NONE, X.NONE, onerror=catch)
            else:
                root.grab_key(grab.code, grab.mask, False, X.GrabModeAsync, X.GrabModeAsync, onerror=catch)
    display.sync()
    return attempts


def release(display: Display, grabs: set[Grab]) -> None:
    for grab in grabs:
        for root in _roots(display):
            (root.ungrab_button if grab.is_button else root.ungrab_key)(grab.code, grab.mask)
    display.sync()


def _roots(display: Display) -> list[rq.Struct]:
    return [display.screen(n).root for n in range(display.screen_count())]
