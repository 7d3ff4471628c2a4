"""The last insertion, taken back by Ctrl+Z, and whether that is known to have worked.

For the thread of the connection.

Imports: core, python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import time

from lysnrai_desktop.adapters.insertion import x11_keyboard as keyboard
from lysnrai_desktop.adapters.insertion.atspi import Spot
from lysnrai_desktop.adapters.insertion.x11_cursor import Cursor
from lysnrai_desktop.adapters.insertion.x11_last import Last
from lysnrai_desktop.adapters.insertion.x11_reach import Reach
from lysnrai_desktop.adapters.insertion.x11_windows import Windows, X11Target
from lysnrai_desktop.adapters.x11 import XConnection
from lysnrai_desktop.core.context import ends_with
from lysnrai_desktop.core.faults import NothingToUndo
from lysnrai_desktop.core.insertion import Chord, Undone, undoes
from lysnrai_desktop.core.last_insertion import may_be_taken_back

UNDONE_S = 1.0
"""Longest wait for the target to tell that a text is gone."""


class Undo:
    def __init__(self, connection: XConnection, windows: Windows, reach: Reach, cursor: Cursor) -> None:
        self._x = connection
        self._windows = windows
        self._reach = reach
        self._cursor = cursor

    def take_back(self, last: Last | None) -> Undone:
        """Take the last insertion back.

        Raises:
            NothingToUndo: there is none, or its window has changed since, can no longer be reached, or knows no undo.
        """
        if last is None or not last.by_paste or not undoes(last.target.wm_class):
            raise NothingToUndo
        keycodes = keyboard.keycodes_of(self._x.display, Chord.CTRL_Z)
        if not may_be_taken_back(last.since, time.monotonic()) or not keycodes:
            raise NothingToUndo
        had_focus = self._windows.is_active(last.target)
        if not self._reach.gain(last.target, may_activate=True):
            raise NothingToUndo
        there = self._cursor.spot(last.target, has_just_come=not had_focus)
        if there is None or there.before is None:
            keyboard.press(self._x.display, keycodes)
            return Undone.PROBABLY
        if not ends_with(there.before, last.text):
            raise NothingToUndo
        keyboard.press(self._x.display, keycodes)
        return self._await_undone(last.target, there)

    def _await_undone(self, target: X11Target, before: Spot) -> Undone:
        now: Spot | None = before

        def has_news() -> bool:
            nonlocal now
            now = self._cursor.spot(target)
            return now is None or now.place != before.place or now.characters != before.characters

        if not self._reach.look(has_news, UNDONE_S):
            raise NothingToUndo
        return Undone.SURELY if now is not None and now.place == before.place else Undone.PROBABLY
