"""Key combinations as people write them: "ctrl+alt+space", "F9", "Win + Shift + D".

    parse(text) -> Combo            raises HotkeyInvalid
    alternatives(combo) -> Combos   others that lie near, for when it is taken

What is decided here: spelling, and which combinations may be hotkeys at all. What is absent: keyboards. Whether the
present one has such a key is the adapter's to find out.

A key that writes something (letter, digit, space, …) needs ctrl, alt or super beside it, for else nobody could write
it any more. A modifier can be a hotkey by itself (core/lone_key.py), and so can a mouse's further buttons. Esc is the
cancel key.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lysnrai_desktop.core.faults import HotkeyInvalid


class Modifier(StrEnum):
    CTRL = "ctrl"
    ALT = "alt"
    SHIFT = "shift"
    SUPER = "super"


@dataclass(frozen=True, slots=True)
class Combo:
    """One key, and what is held while it is pressed."""

    key: str
    """A single character in lower case, or a name out of NAMED_KEYS."""
    modifiers: frozenset[Modifier] = frozenset()

    @property
    def is_lone(self) -> bool:
        """It is a modifier by itself."""
        return self.key in LONE_KEYS

    @property
    def button(self) -> int:
        """The number of the mouse's button; 0 for a key."""
        return int(self.key.removeprefix("button")) if self.key in BUTTONS else 0

    def __str__(self) -> str:
        return "+".join([*(m for m in Modifier if m in self.modifiers), self.key])


_MODIFIERS = {
    "ctrl": Modifier.CTRL,
    "control": Modifier.CTRL,
    "strg": Modifier.CTRL,
    "alt": Modifier.ALT,
    "option": Modifier.ALT,
    "shift": Modifier.SHIFT,
    "super": Modifier.SUPER,
    "win": Modifier.SUPER,
    "windows": Modifier.SUPER,
    "meta": Modifier.SUPER,
    "cmd": Modifier.SUPER,
}

_SPELLINGS = {
    "enter": "return",
    "ins": "insert",
    "del": "delete",
    "pgup": "pageup",
    "page_up": "pageup",
    "pgdn": "pagedown",
    "page_down": "pagedown",
    "print_screen": "print",
    "printscreen": "print",
    "scrolllock": "scroll_lock",
    "plus": "+",
    "minus": "-",
    "comma": ",",
    "period": ".",
}

LONE_KEYS = frozenset(f"{side}_{modifier}" for side in ("left", "right") for modifier in Modifier)
BUTTONS = frozenset(f"button{n}" for n in range(8, 16))
"""1 to 3 are everybody's, 4 to 7 are the wheel's."""

_SPELLINGS |= {
    spelling: f"{side}_{modifier}"
    for side in ("left", "right")
    for modifier in Modifier
    for spelling in (f"{side} {modifier}", f"{modifier}_{side[0]}", f"{side[0]}{modifier}")
}

_WRITING = frozenset({"space", "return", "tab", "backspace", "delete"})

NAMED_KEYS = _WRITING | {f"f{n}" for n in range(1, 25)} | {
    "up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert",
    "pause", "print", "scroll_lock", "menu",
} | LONE_KEYS | BUTTONS  # fmt: skip


def parse(text: str) -> Combo:
    """Read a combination; upper and lower case, and spaces around the plus signs, do not matter.

    Raises:
        HotkeyInvalid: it is not one key with modifiers, or it is one that nobody could do without.
    """
    *before, key = [part.strip() for part in text.strip().lower().replace("++", "+plus").split("+")]
    if any(part not in _MODIFIERS for part in before):
        raise HotkeyInvalid("a part before the key is no modifier")
    modifiers = frozenset(_MODIFIERS[part] for part in before)
    key = _SPELLINGS.get(key, key)
    if key not in NAMED_KEYS and not (len(key) == 1 and key.isprintable() and not key.isspace()):
        raise HotkeyInvalid("there is no key of this name")
    if not modifiers - {Modifier.SHIFT} and (key in _WRITING or len(key) == 1):
        raise HotkeyInvalid("a key that writes needs ctrl, alt or super beside it")
    if key in LONE_KEYS and modifiers:
        raise HotkeyInvalid("a modifier is a hotkey alone, or none")
    return Combo(key, modifiers)


_NEAR = (
    (Modifier.CTRL, Modifier.ALT), (Modifier.SUPER,), (Modifier.CTRL, Modifier.SHIFT), (Modifier.CTRL, Modifier.SUPER),
    (Modifier.ALT, Modifier.SHIFT), (Modifier.CTRL, Modifier.ALT, Modifier.SHIFT),
)  # fmt: skip


def alternatives(combo: Combo) -> Iterator[Combo]:
    """Other combinations, the likeliest to be liked first: the same key with other modifiers, then single keys."""
    same_key = (Combo(combo.key, frozenset(modifiers)) for modifiers in _NEAR if not combo.is_lone)
    single = (Combo(key) for key in ("f9", "f8", "pause", "scroll_lock", "right_ctrl"))
    return (other for other in itertools.chain(same_key, single) if other != combo)
