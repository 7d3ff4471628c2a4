"""A connection to the X server, and the one thread that uses it.

    the owner                XConnection(name, on_event, on_lost), close()
    from any thread          post(work), call(work)
    on the thread itself     pump(until, deadline)

`pump` is the heart: it handles events and posted work until a condition holds. The thread is one such call. Work may
itself pump, to wait for what an event will bring; events and other work go on meanwhile, so a wait never keeps this
connection from answering other programs.

Protocol errors that no request waits for are dropped: they tell that a window of another program is gone.
What is absent: hotkeys, clipboards, windows.

Imports: core, python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import TypeVar

from Xlib import error
from Xlib.display import Display
from Xlib.protocol import rq

from lysnrai_desktop.core.faults import Fault

T = TypeVar("T")
Work = Callable[[Display], T]

ConnectionLost = error.ConnectionClosedError
"""The server is gone, or the connection was closed."""


class NoDisplay(Exception):
    """There is no X server to connect to."""


class XConnection:
    """Calls `on_event` and, if the server goes away, `on_lost` on the connection's own thread."""

    def __init__(
        self, name: str, on_event: Callable[[rq.Event], None], on_lost: Callable[[], None], display: str | None = None
    ) -> None:
        """Connect.

        Args:
            name: of the thread.
            on_event: gets every event.
            on_lost: called once, last of all, unless it was `close` that ended the connection.
            display: such as ":0"; None takes the environment's.

        Raises:
            NoDisplay: no server answers there.
        """
        try:
            self._display = Display(display)
        except (error.DisplayError, error.XauthError, ConnectionLost, OSError) as refused:
            raise NoDisplay from refused
        self._display.set_error_handler(lambda _error, _request: None)
        self._on_event = on_event
        self._on_lost = on_lost
        self._last: Work[object] | None = None
        self._closing = False
        self._lock = threading.Lock()  # guards the three below, which other threads touch
        self._work: deque[Callable[[], object]] = deque()
        self._waiting: set[Future[object]] = set()
        self._wake: int | None = None
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def display(self) -> Display:
        """For the thread itself."""
        return self._display

    def post(self, work: Work[object]) -> bool:
        """Have work done on the thread; False if the connection is gone and it never will be."""
        return self._submit(lambda: work(self._display))

    def call(self, work: Work[T]) -> T:
        """Have work done on the thread; returns its result or raises its Fault.

        Raises:
            ConnectionLost: the connection is gone.
        """
        future: Future[T] = Future()

        def answer() -> None:
            try:
                future.set_result(work(self._display))
            except Fault as fault:
                future.set_exception(fault)
            self._waiting.discard(future)

        if not self._submit(answer, future):
            raise ConnectionLost("client")
        try:
            return future.result()
        except CancelledError:
            raise ConnectionLost("server") from None

    def close(self, last: Work[object] | None = None) -> None:
        """End the connection and wait for its thread. Every `pump` returns; then `last` is done."""

        def end() -> None:
            self._last = last
            self._closing = True

        self._submit(end)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def pump(self, until: Callable[[], bool] = lambda: False, deadline: float | None = None) -> bool:
        """Handle events and work until a condition holds; for the connection's own thread.

        Args:
            until: asked after each batch of events and work.
            deadline: time.monotonic() at which to stop waiting.

        Returns:
            Whether the condition held. False also when the connection is being closed.
        """
        while True:
            while self._display.pending_events():
                self._on_event(self._display.next_event())
            while self._work:
                self._work.popleft()()
            if until():
                return True
            left = None if deadline is None else deadline - time.monotonic()
            if self._closing or (left is not None and left <= 0):
                return False
            self._display.flush()
            if not self._display.display.event_queue:  # what the work above waited for may have brought events along
                select.select([self._display.fileno(), self._woken], [], [], left)
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)

    def _submit(self, work: Callable[[], object], future: Future[T] | None = None) -> bool:
        with self._lock:
            if self._wake is None:
                return False
            if future:
                self._waiting.add(future)  # type: ignore[arg-type]
            self._work.append(work)
            os.write(self._wake, b"w")
            return True

    def _run(self) -> None:
        asked = False
        try:
            self.pump()
            asked, self._closing = True, False
            if self._last:
                self._last(self._display)
        except ConnectionLost:
            pass
        finally:
            self._end()
            if not asked:  # by a bug of ours, too: whoever waits for keys must know that none will come
                self._on_lost()

    def _end(self) -> None:
        with self._lock:
            if self._wake is None:
                return
            os.close(self._wake)
            os.close(self._woken)
            self._wake = None
            self._work.clear()
            for future in self._waiting:
                future.cancel()
            self._waiting.clear()
        with contextlib.suppress(ConnectionLost, OSError):
            self._display.close()
