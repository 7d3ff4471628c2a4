"""The control socket: how `lysnrai VERB` speaks to the running app. One instance, one owner.

    client                                server (one thread per connection)
    {"verb": "status", "follow": true} ─▶ handler(request, reply, gone)
                                       ◀─ one JSON object per line, as many as the verb has to say
                                       ◀─ end of stream

The socket lies in a folder that only the owner can enter, and is itself 0600. Paths of Unix sockets end at 107 bytes,
homes need not: both sides reach it through the folder's descriptor. A lock beside it tells a running app from
what a killed one left behind, so two starts at the same moment cannot both win.

Imports: stdlib. May be imported by: app, cli.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

NAME = "control.sock"
LOCK = "lock"
REQUEST_BYTES = 16 << 20
"""The largest request: text for `insert`."""

Request = dict[str, Any]
Reply = Callable[[dict[str, Any]], None]
"""Sends one object; raises OSError once the client has gone."""


class Gone(threading.Event):
    """Set when the client or the server goes."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def then(self, call: Callable[[], None]) -> None:
        """Call this once it is set, on whichever thread notices; at once if it is by now."""
        self._calls.put(call)
        if self.is_set():
            self.set()

    def set(self) -> None:
        super().set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._calls.get_nowait()()


Handler = Callable[[Request, Reply, Gone], None]
"""Answers one request; long ones look at the third."""


class AlreadyRunning(Exception):
    """Another process of this user holds the lock."""


class NotRunning(Exception):
    """Nobody answers."""


class ControlServer:
    """Holds the lock from construction on; listens from `start` on."""

    def __init__(self, folder: Path) -> None:
        """Raises AlreadyRunning, or OSError where the folder cannot be written."""
        self._folder = folder
        self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise AlreadyRunning from error
        self._listener: socket.socket | None = None
        self._closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def start(self, handler: Handler) -> None:
        (self._folder / NAME).unlink(missing_ok=True)  # left by a killed app: we hold the lock
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _through(self._folder) as path:
            listener.bind(path)
        (self._folder / NAME).chmod(0o600)
        listener.listen(16)
        self._listener = listener
        thread = threading.Thread(target=self._accept, args=(listener, handler), name="control", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, handler: Handler) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed
            if self._closing.is_set():
                connection.close()
                return
            self._connections.add(connection)
            thread = threading.Thread(
                target=self._serve, args=(connection, handler), name="control-client", daemon=True
            )
            self._threads = [old for old in self._threads if old.is_alive()] + [thread]
            thread.start()

    def _serve(self, connection: socket.socket, handler: Handler) -> None:
        gone = Gone()

        def reply(answer: dict[str, Any]) -> None:
            connection.sendall(json.dumps(answer).encode() + b"\n")

        with connection, contextlib.suppress(OSError):
            request = _read_request(connection)
            if request is not None:
                watch = threading.Thread(target=_watch, args=(connection, gone), name="control-watch", daemon=True)
                watch.start()
                try:
                    handler(request, reply, gone)
                finally:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
                    watch.join()
        self._connections.discard(connection)

    def shut_down(self) -> None:
        """Stop listening, end every conversation, give up the lock."""
        self._closing.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            (self._folder / NAME).unlink(missing_ok=True)
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=2.0)
        os.close(self._lock)


def ask(folders: Iterable[Path], request: Request, timeout_s: float | None = None) -> Iterator[dict[str, Any]]:
    """Send one request to the app in the first of these folders that has one, and yield the answers as they come.

    Raises NotRunning where no app answers; TimeoutError where one that should has said nothing for `timeout_s`.
    """
    with _connected(folders, timeout_s) as connection:
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
        except ConnectionError as error:
            raise NotRunning from error
        with connection.makefile("rb") as lines, contextlib.suppress(ConnectionResetError):
            for line in lines:
                yield json.loads(line)


def _connected(folders: Iterable[Path], timeout_s: float | None) -> socket.socket:
    for folder in folders:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            with _through(folder) as path:
                connection.connect(path)
        except TimeoutError:
            connection.close()
            raise
        except OSError:
            connection.close()
        else:
            return connection
    raise NotRunning


@contextlib.contextmanager
def _through(folder: Path) -> Iterator[str]:
    """A short name of the socket, whatever the length of the folder's path."""
    direct = folder / NAME
    if len(os.fsencode(direct)) < 100:
        yield str(direct)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


def _read_request(connection: socket.socket) -> Request | None:
    data = bytearray()
    while not data.endswith(b"\n"):
        more = connection.recv(65536)
        if not more or len(data) + len(more) > REQUEST_BYTES:
            return None
        data += more
    try:
        request = json.loads(data)
    except ValueError:
        return None
    return request if isinstance(request, dict) else None


def _watch(connection: socket.socket, gone: Gone) -> None:
    """A client that hangs up is noticed even while its answer is being awaited."""
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass
    gone.set()
