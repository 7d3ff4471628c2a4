"""Key edges to wishes: hold, toggle and hybrid; auto-repeat and bounce. And which hotkeys there are.

What is decided here: when a key that goes down or up means Start or Stop. What is absent: keyboards, threads, clocks;
modifiers as hotkeys (core/lone_key.py).

    hold     down starts, up stops
    toggle   down starts, down stops
    hybrid   down starts; an up after `hold_s` or more stops, an earlier one lets it run until the next down

A release counts only once GRACE_S has passed without a press: a bouncing switch, and X11's auto-repeat, which sends
release and press pairs with equal times while a key is held, are then one long press. So a release leaves the
machine as a deadline, and `tick` turns it into a Stop dated at the release itself.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from lysnrai_desktop.core.dictation import Cancel, Start, Stop
from lysnrai_desktop.core.settings import HotkeySettings

GRACE_S = 0.025
"""Mechanical switches bounce for under 10 ms; X11's pairs are 0 ms apart. Below what a finger can do (about 60 ms)."""


class Mode(StrEnum):
    HOLD = "hold"
    TOGGLE = "toggle"
    HYBRID = "hybrid"


class Deed(StrEnum):
    DICTATE = "dictate"
    CANCEL = "cancel"
    PASTE_LAST = "paste_last"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Hotkey:
    """A combination and what it is for."""

    combo: str
    deed: Deed = Deed.DICTATE
    mode: Mode = Mode.TOGGLE
    language: str = ""
    """Of the dictation; "" for that of the settings."""


MAIN = "combo"
"""The name of the hotkey that everybody has."""


def hotkeys(settings: HotkeySettings) -> Mapping[str, Hotkey]:
    """Return the hotkeys that are wanted, by their names in the settings: "combo", "hold", "languages.de"."""
    mode = Mode(settings.mode)
    every = {
        MAIN: Hotkey(settings.combo, mode=mode),
        "toggle": Hotkey(settings.toggle, mode=Mode.TOGGLE),
        "hold": Hotkey(settings.hold, mode=Mode.HOLD),
        "cancel": Hotkey(settings.cancel, Deed.CANCEL),
        "paste_last": Hotkey(settings.paste_last, Deed.PASTE_LAST),
        "undo": Hotkey(settings.undo, Deed.UNDO),
    }
    every |= {
        f"languages.{name}": Hotkey(combo, mode=mode, language=name) for name, combo in settings.languages.items()
    }
    return {name: hotkey for name, hotkey in every.items() if hotkey.combo or name == MAIN}


@dataclass(frozen=True, slots=True)
class Edge:
    """A hotkey went down or up. `at` is monotonic seconds."""

    down: bool
    at: float
    hotkey: str = MAIN
    """Its name, as in `hotkeys`."""
    alone: bool = True
    """False for a release that shows that the press was meant for something else (core/lone_key.py)."""


Wishes = tuple[Start | Stop | Cancel, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """What the finger is doing."""

    down_at: float | None = None
    """When the present press began, None while the key is up."""
    up_at: float | None = None
    """A release that has not been confirmed yet."""
    began: bool = False
    """The present press started the dictation, so its release may stop it."""

    @property
    def deadline(self) -> float | None:
        """When `tick` is due."""
        return None if self.up_at is None else self.up_at + GRACE_S


def press(key: Key, edge: Edge, mode: Mode, hold_s: float, dictating: bool) -> tuple[Key, Wishes]:
    """Take one edge. `dictating`: a dictation is arming or recording right now, whoever started it."""
    if not edge.down:
        if not edge.alone and key.began:
            return Key(), (Cancel(edge.at),)
        return (replace(key, up_at=edge.at) if key.down_at is not None and key.up_at is None else key), ()
    wishes: Wishes = ()
    if key.up_at is not None:
        if edge.at < key.up_at + GRACE_S:
            return replace(key, up_at=None), ()  # it never was up
        key, wishes = tick(key, edge.at, mode, hold_s)
        dictating = dictating and not wishes
    elif key.down_at is not None:
        return key, ()  # auto-repeat without releases between
    if dictating:
        return Key(down_at=edge.at), (*wishes, Stop(edge.at))
    return Key(down_at=edge.at, began=True), (*wishes, Start(edge.at))


def tick(key: Key, now: float, mode: Mode, hold_s: float) -> tuple[Key, Wishes]:
    """Confirm a release whose grace is over."""
    if key.up_at is None or key.down_at is None or now < key.up_at + GRACE_S:
        return key, ()
    held_s = key.up_at - key.down_at
    stops = key.began and (mode is Mode.HOLD or (mode is Mode.HYBRID and held_s >= hold_s))
    return Key(), ((Stop(key.up_at),) if stops else ())
