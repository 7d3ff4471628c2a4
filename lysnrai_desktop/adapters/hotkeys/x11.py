"""Hotkeys on X11: real grabs, so that not one byte of the combination reaches the window in front.

A combination is grabbed once for each state of the lock keys (Caps, Num, Scroll), for X compares modifiers exactly.
While a grabbed key is down the server sends the whole keyboard here, its release included, whatever else happens.
Esc is grabbed only while a dictation may be cancelled, and also with the hotkey's modifiers, which are still held then
in hold mode; where the desktop has one of these for itself (Alt+Esc, mostly), that one is left to it.

The grabs follow the keyboard: after a change of layout the same symbol is grabbed wherever it is now; where the new
layout has no such symbol, the same physical keys stay. A setting has them stay in any case.

A modifier that is a hotkey alone is not grabbed, for nobody could use its combinations then: the server tells of all
keys that move, and what was pressed alone is found out from that. By itself a modifier writes nothing anywhere.

Absent: what an edge means (core/hotkey.py), how combinations are written (core/combo.py).

Imports: core, ports, python-xlib. May be imported by: app.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from Xlib import X
from Xlib.display import Display
from Xlib.protocol import rq

from lysnrai_desktop.adapters import x11_raw_keys as raw_keys
from lysnrai_desktop.adapters.hotkeys import xkb
from lysnrai_desktop.adapters.hotkeys.x11_grabs import Grab, Keyboard, attempt, regrab, release
from lysnrai_desktop.adapters.x11 import ConnectionLost, NoDisplay, XConnection
from lysnrai_desktop.adapters.x11_raw_keys import RawKey
from lysnrai_desktop.core import combo as combos, lone_key
from lysnrai_desktop.core.combo import Combo
from lysnrai_desktop.core.faults import Fault, HotkeyInvalid, HotkeyTaken, HotkeyUnavailable
from lysnrai_desktop.core.hotkey import MAIN, Edge
from lysnrai_desktop.core.lone_key import Lone
from lysnrai_desktop.ports import OnEdge

T = TypeVar("T")

AGAIN_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Pauses before each try to connect again."""


@dataclass(slots=True)
class _Bound:
    """A combination that is ours."""

    combo: Combo
    grabs: set[Grab]
    """Of a modifier that is a hotkey alone, nothing is grabbed: these are its keys then."""
    lone: Lone = Lone()

    @property
    def taken(self) -> set[Grab]:
        """What is grabbed for it."""
        return set() if self.combo.is_lone else self.grabs


class X11Hotkeys:
    """The port `Hotkeys`. Callbacks come on its own thread and must return at once."""

    def __init__(
        self,
        on_edge: OnEdge,
        on_cancel: Callable[[float], None],
        on_lost: Callable[[Fault], None],
        display: str | None = None,
        follows_symbols: Callable[[], bool] = lambda: True,
    ) -> None:
        """Connect to the X server.

        Args:
            on_edge: gets each edge of the bound combinations.
            on_cancel: gets the monotonic time of each press of Esc that was taken from the desktop.
            on_lost: told that a bound combination will come no more, and why.
            display: such as ":0"; None takes the environment's.
            follows_symbols: asked when the layout changes: are the symbols to be followed to other keys?

        Raises:
            HotkeyUnavailable: there is no X server.
        """
        self._on_edge = on_edge
        self._on_cancel = on_cancel
        self._lost = on_lost
        self._follows_symbols = follows_symbols
        self._bound: dict[str, _Bound] = {}
        self._cancel: set[Grab] = set()
        self._cancel_wanted = False
        self._down: dict[tuple[int, bool], str] = {}
        """Names of the hotkeys held, by key (or button): a release counts even if the layout was changed."""
        self._cancel_down = 0
        self._keyboard_news = 0
        self._display = display
        self._closing = threading.Event()
        try:
            self._connect()
        except (NoDisplay, ConnectionLost):
            self._closing.set()
            raise HotkeyUnavailable from None

    def bind(self, combo: str, name: str = MAIN) -> None:
        wanted = combos.parse(combo)
        self._call(lambda display: self._bind(display, wanted, name))

    def release(self, name: str = MAIN) -> None:
        self._call(lambda display: self._let_go(display, name))

    def free(self, wanted: Iterable[Combo]) -> Sequence[Combo]:
        return self._call(lambda display: self._free(display, wanted))

    def watch_cancel(self, on: bool) -> None:
        def watch(display: Display) -> None:
            self._cancel_wanted = on
            self._grab_cancel(display)

        self._x.post(watch)

    def shut_down(self) -> None:
        self._closing.set()
        closed = None
        while closed is not self._x:  # one may just be taking the place of the last, on that one's thread
            closed = self._x
            closed.close()  # the server lets the grabs of a closed connection go

    def _connect(self) -> None:
        self._clock = ServerClock()
        self._x = XConnection("hotkeys", self._handle, self._disconnected, self._display)
        self._x.call(self._begin)

    def _disconnected(self) -> None:
        """Tell it, and try again; on the thread of the connection that is gone, whose last deed this is."""
        wanted = {name: bound.combo for name, bound in self._bound.items()}
        held, self._bound, self._cancel, self._down = list(self._down.values()), {}, set(), {}
        self._cancel_down = 0
        self._lost(HotkeyUnavailable())
        for name in held:  # nobody will tell when it goes up
            self._on_edge(Edge(False, time.monotonic(), name))
        for pause_s in AGAIN_S:
            if self._closing.wait(pause_s):
                return
            with contextlib.suppress(NoDisplay):
                try:
                    self._connect()
                    break
                except ConnectionLost:
                    return  # the new one is gone as well, and does the same
        else:
            return
        for name, combo in wanted.items():
            try:
                self.bind(str(combo), name)
            except Fault as fault:
                if not self._closing.is_set():
                    self._lost(fault)
        self.watch_cancel(self._cancel_wanted)

    def _call(self, work: Callable[[Display], T]) -> T:
        try:
            return self._x.call(work)
        except ConnectionLost:
            raise HotkeyUnavailable from None

    # -- on the connection's thread

    def _begin(self, display: Display) -> None:
        self._keyboard_news = xkb.repeat_detectably(display)

    def _bind(self, display: Display, combo: Combo, name: str) -> None:
        keyboard = Keyboard.of(display)
        old, new = self._bound.get(name), _Bound(combo, keyboard.grabs(combo))
        if not new.grabs:
            raise HotkeyInvalid("this keyboard, or this mouse, has no such key")
        if any(new.grabs & other.grabs for other in self._bound.values() if other is not old):
            raise HotkeyTaken("by another of our own hotkeys")
        if combo.is_lone and not raw_keys.watch(display, on=True, releases=True):
            raise HotkeyUnavailable("the server does not tell of single keys")
        regrab(display, old.taken if old else set(), new.taken)
        self._bound[name] = new
        self._watch_no_more(display)
        self._grab_cancel(display, keyboard)

    def _let_go(self, display: Display, name: str) -> None:
        if old := self._bound.pop(name, None):
            regrab(display, old.taken, set())
            self._watch_no_more(display)
            self._grab_cancel(display)

    def _watch_no_more(self, display: Display) -> None:
        """Every key is watched only while a modifier is a hotkey alone."""
        if not any(bound.combo.is_lone for bound in self._bound.values()):
            raw_keys.watch(display, on=False)

    def _free(self, display: Display, wanted: Iterable[Combo]) -> list[Combo]:
        keyboard = Keyboard.of(display)
        ours = {grab for bound in self._bound.values() for grab in bound.grabs}
        found = []
        for combo in wanted:
            grabs = keyboard.grabs(combo)
            if not grabs or grabs & ours:
                continue
            if not combo.is_lone:
                refused = {grab for grab, catch in attempt(display, grabs).items() if catch.get_error()}
                release(display, grabs - refused)
                if refused:
                    continue
            found.append(combo)
        return found

    def _grab_cancel(self, display: Display, keyboard: Keyboard | None = None) -> None:
        wanted: set[Grab] = set()
        if self._cancel_wanted:
            keyboard = keyboard or Keyboard.of(display)
            wanted = keyboard.cancel_grabs(())
            for bound in self._bound.values():
                wanted |= keyboard.cancel_grabs(bound.combo.modifiers)
        self._cancel = regrab(display, self._cancel, wanted, strict=False)

    def _follow_keyboard(self, display: Display) -> None:
        keyboard = Keyboard.of(display)
        if self._follows_symbols():
            before = {grab for bound in self._bound.values() for grab in bound.taken}
            for bound in self._bound.values():
                bound.grabs = keyboard.grabs(bound.combo) or bound.grabs
            # All at once: one may now want the key that another had.
            held = regrab(
                display, before, {grab for bound in self._bound.values() for grab in bound.taken}, strict=False
            )
            for bound in self._bound.values():
                if not bound.taken <= held:
                    release(display, bound.taken & held)
                    bound.grabs = set()
                    self._lost(HotkeyTaken())
        self._grab_cancel(display, keyboard)

    def _handle(self, event: rq.Event) -> None:
        display = self._x.display
        if event.type in (X.KeyPress, X.ButtonPress):
            self._press(event.detail, event.type == X.ButtonPress, event.state, self._when(event.time))
        elif event.type in (X.KeyRelease, X.ButtonRelease):
            self._release(event.detail, event.type == X.ButtonRelease, self._when(event.time))
        elif event.type == X.MappingNotify or (self._keyboard_news and event.type == self._keyboard_news):
            self._follow_keyboard(display)
        elif (key := raw_keys.raw_key(display, event)) is not None:
            self._take_raw(key, self._when(key.time_ms))

    def _when(self, stamp_ms: int) -> float:
        return self._clock.at(stamp_ms, time.monotonic())

    def _press(self, code: int, is_button: bool, state: int, at: float) -> None:
        """Take a press; a repeated one is none."""
        if (code, is_button) in self._down or (code == self._cancel_down and not is_button):
            return
        # While another of ours is held, its modifiers are down too: of those that fit, the one that says most is meant.
        fitting = [
            (grab.mask.bit_count(), name)
            for name, bound in self._bound.items()
            for grab in bound.taken
            if grab.is_of(code, is_button) and state & grab.mask == grab.mask
        ]
        if fitting:
            _, name = max(fitting)
            self._down[code, is_button] = name
            self._on_edge(Edge(True, at, name))
        elif self._cancel_wanted and any(grab.is_of(code, is_button) for grab in self._cancel):
            self._cancel_down = code
            self._on_cancel(at)

    def _release(self, code: int, is_button: bool, at: float) -> None:
        if name := self._down.pop((code, is_button), None):
            self._on_edge(Edge(False, at, name))
        elif code == self._cancel_down and not is_button:
            self._cancel_down = 0

    # -- modifiers that are hotkeys alone

    def _take_raw(self, key: RawKey, at: float) -> None:
        for name, bound in list(self._bound.items()):
            if not bound.combo.is_lone:
                continue
            if any(grab.code == key.code for grab in bound.grabs):
                self._tell_lone(name, bound, lone_key.own(bound.lone, key.down, at, self._others_held(key.code)))
                self._await_alone(name, bound)
            elif key.down:
                self._tell_lone(name, bound, lone_key.other(bound.lone, at))

    def _await_alone(self, name: str, bound: _Bound) -> None:
        """Wait, while other keys are looked at, until the press is old enough to count."""
        deadline = bound.lone.deadline
        if deadline is not None and not self._x.pump(lambda: bound.lone.deadline != deadline, deadline):
            self._tell_lone(name, bound, lone_key.tick(bound.lone, deadline))

    def _tell_lone(self, name: str, bound: _Bound, answer: tuple[Lone, tuple[Edge, ...]]) -> None:
        bound.lone, edges = answer
        for edge in edges:
            self._on_edge(replace(edge, hotkey=name))

    def _others_held(self, keycode: int) -> bool:
        pressed = self._x.display.query_keymap()
        return any(byte & ~(1 << keycode % 8 if keycode // 8 == i else 0) for i, byte in enumerate(pressed))


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
