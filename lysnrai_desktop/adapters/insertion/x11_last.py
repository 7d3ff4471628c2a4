"""Where the last insertion went, and what was pressed there since, as the server tells it while that is of use.

For the thread of the connection, whose raw keys it is handed by `note`. What follows from it: core/last_insertion.py.

Imports: core, python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from Xlib.display import Display

from lysnrai_desktop.adapters.insertion import x11_keyboard as keyboard
from lysnrai_desktop.adapters.insertion.x11_windows import Windows, X11Target
from lysnrai_desktop.adapters.x11_raw_keys import RawKey, watch
from lysnrai_desktop.core.last_insertion import Since, clicked, pressed, wished
from lysnrai_desktop.core.speech import SpokenText

_LAST_MOVING_BUTTON = 3
"""Left, middle and right move the cursor, paste, or open a menu; the wheel and what is beyond do not."""


@dataclass(frozen=True, slots=True)
class Last:
    target: X11Target
    text: SpokenText
    by_paste: bool
    """In one step, then; else it was typed."""
    since: Since = field(default=Since())


class LastInsertion:
    def __init__(self, display: Display, windows: Windows) -> None:
        self._display = display
        self._windows = windows
        self._last: Last | None = None

    def remember(self, last: Last) -> None:
        """Keep it, if this server tells of keys; what was pressed before now is none of it."""
        if watch(self._display, on=True):
            self._last = last

    def forget(self) -> Last | None:
        """Return what is remembered, for the last time."""
        last, self._last = self._last, None
        if last is not None:
            watch(self._display, on=False)
        return last

    def note(self, key: RawKey) -> None:
        last = self._last
        if last is None:
            return
        since = last.since
        if key.button:
            inside = key.button <= _LAST_MOVING_BUTTON and self._windows.is_under_pointer(last.target)
            since = clicked(since, inside=inside)
        elif self._windows.is_active(last.target):
            since = pressed(since, key.code, time.monotonic(), modifies=keyboard.is_modifier(self._display, key.code))
        self._last = replace(last, since=since)

    def note_wish(self) -> None:
        """The app was asked for something: what was pressed just before is its hotkey."""
        if self._last is not None:
            self._last = replace(self._last, since=wished(self._last.since, time.monotonic()))
