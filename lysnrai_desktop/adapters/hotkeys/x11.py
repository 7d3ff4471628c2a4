"""Hotkeys on X11: real grabs, so that not one byte of the combination reaches the window in front.

A combination is grabbed once for each state of the lock keys (Caps, Num, Scroll), for X compares modifiers exactly.
While a grabbed key is down the server sends the whole keyboard here, its release included, whatever else happens.
Esc is grabbed only while a dictation may be cancelled, and also with the hotkey's modifiers, which are still held then
in hold mode; where the desktop has one of these for itself (Alt+Esc, mostly), that one is left to it.

The grabs follow the keyboard: after a change of layout the same symbol is grabbed wherever it is now; where the new
layout has no such symbol, the same physical keys stay.

Absent: what an edge means (core/hotkey.py), how combinations are written (core/combo.py).

Imports: core, ports, python-xlib. May be imported by: app.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from Xlib import XK, X, error
from Xlib.display import Display
from Xlib.protocol import rq

from lysnrai_desktop.adapters.hotkeys import xkb
from lysnrai_desktop.adapters.x11 import ConnectionLost, NoDisplay, XConnection
from lysnrai_desktop.core import combo as combos
from lysnrai_desktop.core.combo import Combo, Modifier
from lysnrai_desktop.core.faults import Fault, HotkeyInvalid, HotkeyTaken, HotkeyUnavailable
from lysnrai_desktop.core.hotkey import Edge
from lysnrai_desktop.ports import OnEdge

Grab = tuple[int, int]
"""Keycode and modifier mask."""

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
}


class X11Hotkeys:
    """The port `Hotkeys`. Callbacks come on its own thread and must return at once."""

    def __init__(
        self,
        on_edge: OnEdge,
        on_cancel: Callable[[float], None],
        on_lost: Callable[[Fault], None],
        display: str | None = None,
    ) -> None:
        """Connect to the X server.

        Args:
            on_edge: gets each edge of the bound combination.
            on_cancel: gets the monotonic time of each press of Esc that was taken from the desktop.
            on_lost: told that the bound combination will come no more, and why.
            display: such as ":0"; None takes the environment's.

        Raises:
            HotkeyUnavailable: there is no X server.
        """
        self._on_edge = on_edge
        self._on_cancel = on_cancel
        self._lost = on_lost
        self._combo: Combo | None = None
        self._hotkey: set[Grab] = set()
        self._cancel: set[Grab] = set()
        self._cancel_wanted = False
        self._down = 0
        """Keycode of the hotkey while it is held, else 0: its release counts even if the layout was changed."""
        self._cancel_down = 0
        self._keyboard_news = 0
        self._clock = ServerClock()
        try:
            self._x = XConnection("hotkeys", self._handle, lambda: self._lost(HotkeyUnavailable()), display)
            self._x.call(self._begin)
        except (NoDisplay, ConnectionLost):
            raise HotkeyUnavailable from None

    def bind(self, combo: str) -> None:
        wanted = combos.parse(combo)
        try:
            self._x.call(lambda display: self._bind(display, wanted))
        except ConnectionLost:
            raise HotkeyUnavailable from None

    def watch_cancel(self, on: bool) -> None:
        def watch(display: Display) -> None:
            self._cancel_wanted = on
            self._grab_cancel(display)

        self._x.post(watch)

    def shut_down(self) -> None:
        self._x.close()  # the server lets the grabs of a closed connection go

    # -- on the connection's thread

    def _begin(self, display: Display) -> None:
        self._keyboard_news = xkb.repeat_detectably(display)

    def _bind(self, display: Display, combo: Combo) -> None:
        keyboard = Keyboard.of(display)
        wanted = keyboard.grabs(combo)
        if not wanted:
            raise HotkeyInvalid("this keyboard has no such key")
        self._hotkey = _regrab(display, self._hotkey, wanted)
        self._combo = combo
        self._grab_cancel(display, keyboard)

    def _grab_cancel(self, display: Display, keyboard: Keyboard | None = None) -> None:
        wanted: set[Grab] = set()
        if self._cancel_wanted:
            keyboard = keyboard or Keyboard.of(display)
            held = self._combo.modifiers if self._combo else frozenset()
            wanted = keyboard.cancel_grabs(held)
        self._cancel = _regrab(display, self._cancel, wanted, strict=False)

    def _follow_keyboard(self, display: Display) -> None:
        keyboard = Keyboard.of(display)
        if self._combo and (wanted := keyboard.grabs(self._combo)):
            try:
                self._hotkey = _regrab(display, self._hotkey, wanted)
            except HotkeyTaken as taken:
                self._lost(taken)
        self._grab_cancel(display, keyboard)

    def _handle(self, event: rq.Event) -> None:
        if event.type == X.KeyPress:
            self._press(event.detail, event.state, self._clock.at(event.time, time.monotonic()))
        elif event.type == X.KeyRelease:
            self._release(event.detail, self._clock.at(event.time, time.monotonic()))
        elif event.type == X.MappingNotify or (self._keyboard_news and event.type == self._keyboard_news):
            self._follow_keyboard(self._x.display)

    def _press(self, keycode: int, state: int, at: float) -> None:
        """Take a press; a repeated one is none."""
        if keycode in (self._down, self._cancel_down):
            return
        if any(keycode == key and state & mask == mask for key, mask in self._hotkey):
            self._down = keycode
            self._on_edge(Edge(True, at))
        elif self._cancel_wanted and any(keycode == key for key, _ in self._cancel):
            self._cancel_down = keycode
            self._on_cancel(at)

    def _release(self, keycode: int, at: float) -> None:
        if keycode == self._down:
            self._down = 0
            self._on_edge(Edge(False, at))
        elif keycode == self._cancel_down:
            self._cancel_down = 0


class ServerClock:
    """Turns the server's time stamps into monotonic seconds, so that an edge is dated when the key moved."""

    def __init__(self) -> None:
        self._offset_s: float | None = None

    def at(self, stamp_ms: int, now: float) -> float:
        """Return when this stamp was made; `now` is when it was read.

        An event is read after it happened, so of all differences seen the smallest is the nearest to the truth.
        Stamps are 32-bit milliseconds and begin anew after 49.7 days; a clock that jumped is learned again.
        """
        offset_s = now - stamp_ms / 1000
        if self._offset_s is None or not self._offset_s <= offset_s < self._offset_s + _LATE_S:
            self._offset_s = offset_s
        return stamp_ms / 1000 + self._offset_s


_LATE_S = 5.0
"""An event read so late means that the clocks have parted: the app was never that busy."""


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Which keys give which symbols now, and which modifiers are where."""

    first: int
    symbols: Sequence[Sequence[int]]
    """For each keycode from `first` on, its symbols in the order of the core protocol."""
    modifiers: Sequence[Sequence[int]]
    """Keycodes of Shift, Lock, Control, Mod1 … Mod5."""

    @classmethod
    def of(cls, display: Display) -> Keyboard:
        """Ask the server."""
        first, last = display.display.info.min_keycode, display.display.info.max_keycode
        return cls(first, display.get_keyboard_mapping(first, last - first + 1), display.get_modifier_mapping())

    def grabs(self, combo: Combo) -> set[Grab]:
        """Return all grabs that together are the combination; none if the keyboard lacks a part of it."""
        masks = [self._mask_of(modifier) for modifier in combo.modifiers]
        if not all(masks):
            return set()
        return set(itertools.product(self._keycodes(combo.key), self._with_locks(sum(masks))))

    def cancel_grabs(self, held: Iterable[Modifier]) -> set[Grab]:
        """Return the grabs of Esc, alone and with any of the modifiers that may still be held."""
        masks = [self._mask_of(modifier) for modifier in held]
        states = {sum(some) for n in range(len(masks) + 1) for some in itertools.combinations(masks, n)}
        keycodes = self._giving(XK.XK_Escape)
        return {(key, mask) for key in keycodes for state in states for mask in self._with_locks(state)}

    def _keycodes(self, key: str) -> list[int]:
        name = _KEYSYMS.get(key, key.upper() if key in combos.NAMED_KEYS else "")
        # Characters beyond Latin-1 have keysyms of their own kind. Source: X protocol, "KEYSYM encoding".
        keysym = XK.string_to_keysym(name) if name else ord(key) if ord(key) < 0x100 else 0x0100_0000 | ord(key)
        return self._giving(keysym)

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


def _regrab(display: Display, old: set[Grab], wanted: set[Grab], *, strict: bool = True) -> set[Grab]:
    """Exchange grabs; returns those held now.

    Raises:
        HotkeyTaken: another program holds one of them, and `strict`; the old ones are then unchanged.
    """
    refused = {grab for grab, catch in _attempt(display, wanted - old).items() if catch.get_error()}
    if refused and strict:
        _release(display, wanted - old - refused)
        raise HotkeyTaken
    _release(display, old - wanted)
    return wanted - refused


def _attempt(display: Display, grabs: set[Grab]) -> dict[Grab, error.CatchError]:
    attempts = {grab: error.CatchError(error.BadAccess) for grab in grabs}
    for (keycode, mask), catch in attempts.items():
        for root in _roots(display):
            root.grab_key(keycode, mask, False, X.GrabModeAsync, X.GrabModeAsync, onerror=catch)
    display.sync()
    return attempts


def _release(display: Display, grabs: set[Grab]) -> None:
    for keycode, mask in grabs:
        for root in _roots(display):
            root.ungrab_key(keycode, mask)
    display.sync()


def _roots(display: Display) -> list[rq.Struct]:
    return [display.screen(n).root for n in range(display.screen_count())]
