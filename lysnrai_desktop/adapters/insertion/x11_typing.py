"""Typing on X11: each character a key, with keys lent to the keyboard for the characters that it lacks.

    cut the text in pieces ─▶ lend the keys of a piece ─▶ press them ─▶ wait until the target has read them ─▶ next

A program looks up what a key means when it gets round to reading the event, so a key may be given another meaning only
when its presses have been read. Whether they have is asked of the target: it answers a ping (_NET_WM_PING) behind them.
A program that knows no ping is given SETTLE_S.

What is lent is taken back, whatever happens; and because this process may be killed in between, the keycodes stand on
the root window meanwhile, so that the next start takes them back.

Imports: core, python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from Xlib import X, Xatom, error
from Xlib.display import Display
from Xlib.protocol import event, rq

from lysnrai_desktop.adapters.insertion import x11_keyboard as keyboard
from lysnrai_desktop.adapters.x11 import XConnection
from lysnrai_desktop.core.insertion import typed_in_pieces

SETTLE_S = 0.3
"""For programs that do not answer a ping. On a busy machine 0.1 s were seen to be too short for xterm."""
PING_S = 3.0
"""A program that answers pings and takes longer hangs; its keys must not change their meaning."""
_BORROWED = "_LYSNRAI_BORROWED_KEYS"


class Typist:
    """For the thread of the connection, whose events it is handed by `handle`."""

    def __init__(self, connection: XConnection) -> None:
        self._x = connection
        self._display: Display = connection.display
        self._root = self._display.screen().root
        atom = self._display.intern_atom
        self._protocols, self._ping, self._mark = atom("WM_PROTOCOLS"), atom("_NET_WM_PING"), atom(_BORROWED)
        self._pings = 0
        self._answered = 0
        self._take_back()  # what an earlier process had lent when it was killed

    def handle(self, happened: rq.Event) -> None:
        """Take an event of the connection; those of others are left alone."""
        if happened.type == X.ClientMessage and happened.client_type == self._protocols:
            what, number = list(happened.data[1])[:2]
            if what == self._ping:
                self._answered = number

    def type(self, text: str, window: int, may_go_on: Callable[[], bool]) -> bool:
        """Type a text into the window that has the focus; False if not all of it was.

        Args:
            text: with newlines as Return, tabs as Tab.
            window: the target's top-level window.
            may_go_on: asked before each piece: is all as it was?
        """
        strokes, spare = keyboard.strokes_of_characters(self._display), keyboard.spare_keycodes(self._display)
        caps_lock = keyboard.caps_lock_key(self._display) if keyboard.caps_lock_on(self._display) else 0
        if not spare and not all(character in strokes for character in text):
            return False
        if caps_lock:  # with it, programs would write capitals
            keyboard.press(self._display, [caps_lock])
        try:
            return self._type(text, window, may_go_on, strokes, spare)
        finally:
            self._take_back()
            if caps_lock:
                keyboard.press(self._display, [caps_lock])

    def _type(
        self,
        text: str,
        window: int,
        may_go_on: Callable[[], bool],
        strokes: dict[str, keyboard.Strokes],
        spare: list[int],
    ) -> bool:
        pings = self._knows_ping(window)
        lent: dict[str, int] = {}
        for piece in typed_in_pieces(text, strokes, max(1, len(spare))):
            if not may_go_on():
                return False
            missing = [character for character in dict.fromkeys(piece) if character not in strokes]
            if any(character not in lent for character in missing):
                if lent and not pings:
                    self._settle()
                lent = dict(zip(missing, spare, strict=False))
                self._lend(lent)
            for character in piece:
                keyboard.send(self._display, strokes.get(character) or (lent[character],))
            self._display.sync()
            if pings and not self._answers(window):
                return False
        if not pings:
            self._settle()
        return True

    def _lend(self, lent: dict[str, int]) -> None:
        self._root.change_property(self._mark, Xatom.CARDINAL, 32, list(lent.values()), X.PropModeAppend)
        keyboard.lend(self._display, {code: keyboard.keysym_of(character) for character, code in lent.items()})

    def _take_back(self) -> None:
        found = self._root.get_full_property(self._mark, Xatom.CARDINAL)
        if found:
            keyboard.lend(self._display, dict.fromkeys(found.value, 0))
            self._root.delete_property(self._mark)
            self._display.sync()

    def _knows_ping(self, window: int) -> bool:
        target = self._display.create_resource_object("window", window)
        try:
            found = target.get_full_property(self._protocols, Xatom.ATOM)
        except error.BadWindow:
            return False
        return found is not None and self._ping in found.value

    def _settle(self) -> None:
        self._x.pump(deadline=time.monotonic() + SETTLE_S)

    def _answers(self, window: int) -> bool:
        """Wait until the target has read the keys; False if it hangs or is gone."""
        target = self._display.create_resource_object("window", window)
        self._pings += 1  # the answer goes to the root window; Qt sends it to who watches that itself
        number = self._pings
        self._root.change_attributes(event_mask=X.SubstructureNotifyMask | X.StructureNotifyMask)
        target.send_event(
            event.ClientMessage(
                window=target, client_type=self._protocols, data=(32, [self._ping, number, window, 0, 0])
            )
        )
        answered = self._x.pump(lambda: self._answered == number, time.monotonic() + PING_S)
        self._root.change_attributes(event_mask=X.NoEventMask)
        return answered
