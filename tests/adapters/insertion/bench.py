"""What the tests of the inserter use: an inserter with its answers, and a window that does nothing by itself."""

from __future__ import annotations

import contextlib
import queue
import select
import time
from typing import Self

from Xlib import XK, X, Xatom, display
from Xlib.error import ConnectionClosedError
from Xlib.protocol import rq

from lysnrai_desktop.adapters.insertion.x11 import X11Inserter
from lysnrai_desktop.core.dictation import Delivery
from lysnrai_desktop.core.faults import Fault, TargetGone, TargetRefused
from lysnrai_desktop.core.insertion import Undone
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered, Target
from tests.desktop.processes import DEADLINE_S, eventually
from tests.desktop.screen import Screen

INSERTED = Delivered(Delivery.INSERTED)
TYPED = Delivered(Delivery.PROBABLY_INSERTED)
KEPT = Delivered(Delivery.ON_CLIPBOARD)
GONE = Delivered(Delivery.ON_CLIPBOARD, TargetGone.code)
NOT_DELIVERED = Delivered(Delivery.ON_CLIPBOARD, TargetRefused.code)


class Answers:
    """What insertions ended with."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Delivered | Fault] = queue.SimpleQueue()
        self.put = self._queue.put

    def next(self) -> Delivered | Fault:
        return self._queue.get(timeout=DEADLINE_S)

    def none_yet(self) -> bool:
        return self._queue.empty()


class Bench:
    """An inserter and its settings."""

    def __init__(self, screen: Screen) -> None:
        self.settings = InsertionSettings()
        self.told: list[Fault] = []
        self.inserter = X11Inserter(lambda: self.settings, screen.environment["DISPLAY"], self.told.append)
        self.answers = Answers()

    def start(self, text: str, target: Target | None, *, fit: bool = False) -> None:
        self.inserter.insert(SpokenText(text), target, self.answers.put, fit=fit)

    def insert(self, text: str, target: Target | None = None) -> Delivered | Fault:
        self.start(text, target)
        return self.answers.next()

    def dictate(self, text: str) -> Delivered | Fault:
        """Insert into the window that has the focus, as a dictation does."""
        self.start(text, self.inserter.capture(), fit=True)
        return self.answers.next()

    def undo(self) -> Undone | Fault:
        answers: queue.SimpleQueue[Undone | Fault] = queue.SimpleQueue()
        self.inserter.undo(answers.put)
        return answers.get(timeout=DEADLINE_S)

    def await_rest(self) -> None:
        """Return when the last insertion has put the clipboard back."""
        eventually(lambda: not self.inserter._busy, "the insertion has ended")

    def await_idle(self) -> None:
        """Return when the last insertion has put the clipboard back: the next one begins after that."""
        kept, self.settings = self.settings, InsertionSettings(strategy="clipboard")
        assert self.insert("idle") == KEPT
        self.settings = kept


class Window:
    """A window that does what the test says and nothing else: above all, it does not paste by itself."""

    def __init__(self, screen: Screen, title: str, wm_class: str = "window", pid: int = 0) -> None:
        self._display = display.Display(screen.environment["DISPLAY"])
        self.root = self._display.screen().root
        self.window = self.root.create_window(0, 0, 200, 100, 0, X.CopyFromParent)
        self.window.set_wm_name(title)
        self.window.set_wm_class(wm_class, wm_class.title())
        self.window.change_attributes(event_mask=X.KeyPressMask | X.PropertyChangeMask)
        if pid:
            self.window.change_property(self._display.intern_atom("_NET_WM_PID"), Xatom.CARDINAL, 32, [pid])
        self.window.map()
        self._display.sync()
        screen.focus(title)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ConnectionClosedError):
            self._display.close()

    def next_event(self, kind: int) -> rq.Event:
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if not self._display.pending_events():
                select.select([self._display.fileno()], [], [], 1)
            elif (happened := self._display.next_event()).type == kind:
                return happened
        raise AssertionError("the event did not come")

    def await_keys(self) -> int:
        """Return the time of the Ctrl+V or Shift+Insert that arrives."""
        while True:
            pressed = self.next_event(X.KeyPress)
            if self._display.keycode_to_keysym(pressed.detail, 0) in (XK.XK_v, XK.XK_Insert):
                return int(pressed.time)

    def ask(self, target: str, stamp: int = X.CurrentTime, selection: str = "CLIPBOARD") -> int:
        """Ask the owner for one format; returns the property with the answer, or 0."""
        atom = self._display.intern_atom
        self.window.convert_selection(atom(selection), atom(target), atom("ANSWER"), stamp)
        self._display.flush()
        return int(self.next_event(X.SelectionNotify).property)

    def read(self) -> bytes:
        found = self.window.get_full_property(self._display.intern_atom("ANSWER"), X.AnyPropertyType)
        assert found
        self.window.delete_property(self._display.intern_atom("ANSWER"))
        self._display.flush()
        return found.value if isinstance(found.value, bytes) else found.value.tobytes()

    def fetch(self, stamp: int = X.CurrentTime) -> str:
        """Paste, as programs do."""
        assert self.ask("UTF8_STRING", stamp)
        return self.read().decode()
