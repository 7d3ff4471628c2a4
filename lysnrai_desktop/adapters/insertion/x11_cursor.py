"""Where the cursor is in a target, as the target tells it (atspi.py), without waiting long for that.

For the thread of the connection.

Imports: core, python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import time

from lysnrai_desktop.adapters.insertion.atspi import Accessibility, Answer, Spot
from lysnrai_desktop.adapters.insertion.x11_windows import Windows, X11Target
from lysnrai_desktop.adapters.x11 import XConnection

ASK_S = 0.1
"""Longest wait for an answer. Mostly it takes 3 ms."""


class Cursor:
    def __init__(self, connection: XConnection, windows: Windows, accessibility: Accessibility) -> None:
        self._x = connection
        self._windows = windows
        self._accessibility = accessibility

    def spot(self, target: X11Target, *, has_just_come: bool = False) -> Spot | None:
        """Return what the target tells; None if it does not, or not in time.

        `has_just_come`: the focus, of which its program may not know yet.
        """
        deadline = time.monotonic() + ASK_S
        answers: list[Spot | None] = []

        def take(spot: Spot | None) -> None:  # on another thread
            answers.append(spot)
            self._x.post(lambda _: None)  # wakes this one

        self._ask(target, deadline, take, wait=has_just_come)
        self._x.pump(lambda: bool(answers), deadline)
        return answers[0] if answers else None

    def warm(self, target: X11Target) -> None:
        """Have it looked for ahead of need."""
        self._ask(target, time.monotonic() + ASK_S, lambda _: None)

    def _ask(self, target: X11Target, deadline: float, answer: Answer, *, wait: bool = False) -> None:
        bus, pid = self._windows.accessibility_bus(), self._windows.pid(target)
        if bus and pid is not None:
            self._accessibility.ask(bus, pid, deadline, answer, wait=wait)
        else:
            answer(None)
