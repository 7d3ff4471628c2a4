"""Whether keys would come to a target: it has the focus, no key is held, and nobody else has the keyboard.

For the thread of the connection, which goes on serving while it waits.

Imports: python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lysnrai_desktop.adapters.insertion import x11_keyboard as keyboard
from lysnrai_desktop.adapters.insertion.x11_selections import Selections
from lysnrai_desktop.adapters.insertion.x11_windows import Windows, X11Target
from lysnrai_desktop.adapters.x11 import XConnection

HELD_S = 2.0
"""Longest wait for keys to be let go."""
ACTIVATION_S = 1.5
"""Longest wait for the window manager to bring the target back."""
LOOK_S = 0.01
"""How often is looked at what no event tells: keys held, the focus."""


class Reach:
    def __init__(
        self, connection: XConnection, windows: Windows, selections: Selections, stopping: Callable[[], bool]
    ) -> None:
        self._x = connection
        self._windows = windows
        self._selections = selections
        self._stopping = stopping

    def gain(self, target: X11Target, *, may_activate: bool) -> bool:
        """Wait until keys come to the target; False if they do not. `may_activate`: bring the focus there."""
        return self._focus(target, may_activate) and self.keys_are_free()

    def _focus(self, target: X11Target, may_activate: bool) -> bool:
        if may_activate and not self._windows.is_active(target):
            self._windows.activate(target, self._selections.now())
            self.look(lambda: self._windows.has_focus(target), ACTIVATION_S)
        return self._windows.is_active(target)

    def keys_are_free(self) -> bool:
        """Wait until no key is held; a key that stays down is borne with, unless it is a modifier.

        While the hotkey itself is down, the server sends every key to the hotkeys and none to the target. The same goes
        for whoever else has taken the keyboard: what is meant for a window must not be typed into a locked screen.
        """
        display = self._x.display
        let_go = self.look(lambda: not keyboard.keys_held(display), HELD_S) or not keyboard.modifiers_held(display)
        return let_go and self.look(lambda: not keyboard.is_taken(display), HELD_S)

    def look(self, condition: Callable[[], bool], bound_s: float) -> bool:
        """Wait for something that no event tells."""
        end = time.monotonic() + bound_s
        while not condition():
            if self._stopping() or time.monotonic() >= end:
                return False
            self._x.pump(deadline=time.monotonic() + LOOK_S)
        return True
