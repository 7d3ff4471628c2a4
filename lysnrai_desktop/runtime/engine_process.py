"""An engine process and the audio on its way into it: pipes and threads, for the link that owns them.

    Feed     reads a take as it grows and sends it, so far ahead of the finals and no further
    Process  the child; what it says, and its end, are put into the link's queue

What is absent: when to start, believe or end one (runtime/engine_link.py).

Imports: core, ports. May be imported by: engine_link.
"""

from __future__ import annotations

import logging
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.audio import SAMPLE_BYTES
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.ports import Audio
from lysnrai_desktop.runtime.effort import Effort

log = logging.getLogger(__name__)

CHUNK_S = 0.5
"""Most audio in one message."""
AHEAD_S = 120.0
"""How far the audio runs ahead of the finals when it comes from a file: several pieces, so the engine never waits."""
POLL_S = 0.2
"""How long a feeder that nobody wants any more may go on waiting for a microphone."""


@dataclass(frozen=True, slots=True)
class Said:
    process: Process
    message: wire.FromEngine


@dataclass(frozen=True, slots=True)
class Gone:
    """A process ended, or (`garbled`) said what is no message."""

    process: Process
    garbled: bool


@dataclass(frozen=True, slots=True)
class Unread:
    """The take could not be read: what the disk said."""

    session: Feed
    code: str


class Feed:
    """One take on its way into a process, fed by a thread of its own."""

    def __init__(self, number: int, attempt: int, key: int, take: Audio, from_sample: int, process: Process) -> None:
        self.number, self.attempt, self.key = number, attempt, key
        """The dictation's, its name for this try, and the process's."""
        self.final = self.fed = from_sample
        """Ends of what has its final and of what was sent, in samples of the take."""
        self.finish = threading.Event()
        """The take is complete."""
        self.taken_up = False
        self.fed_whole = False
        """All of it, and that it is all, was sent."""
        self.process = process
        self._take = take
        self._stopped = False
        self._moved = threading.Condition()
        self._thread = threading.Thread(target=self._feed, name="engine-feeder", daemon=True)
        self._thread.start()

    def advance(self, final: int) -> None:
        with self._moved:
            self.final = final
            self._moved.notify()

    def stop(self) -> None:
        """Nothing more is sent once this returns. The thread ends by itself, within POLL_S."""
        with self._moved:
            self._stopped = True
            self._moved.notify()
        self.finish.set()

    def _feed(self) -> None:
        try:
            self._feed_all()
        except Fault as fault:  # the disk cannot read what it took
            self.process.put(Unread(self, fault.code))

    def _feed_all(self) -> None:
        ended = False
        while not ended and not self._stopped:
            readable, ended = self._take.wait(self.fed, POLL_S)
            while self.fed < readable:
                if not self._feed_chunk(readable):
                    return
        self.finish.wait()
        with self._moved:
            if not self._stopped:
                self.process.send(wire.Finish(self.key))
                self.fed_whole = True

    def _feed_chunk(self, readable: int) -> bool:
        """Send some of what is readable; False when there is no more to be had, or wanted."""
        rate_hz = self._take.rate_hz
        pcm = self._take.read(self.fed, min(readable - self.fed, round(CHUNK_S * rate_hz)))
        with self._moved:
            self._moved.wait_for(lambda: self._stopped or self.fed - self.final < AHEAD_S * rate_hz)
            if self._stopped or not pcm:  # a take that was erased reads empty
                return False
            self.fed += len(pcm) // SAMPLE_BYTES
            self.process.send(wire.Audio(self.key, rate_hz, pcm))
            return True


@dataclass(eq=False)
class Process:
    """A child process with a thread for each pipe; neither is ever waited for by the link."""

    command: Sequence[str]
    settings: Settings
    """As last asked for."""
    needs: object
    """EngineKind.needs, as it was when this was started."""
    put: Callable[[Said | Gone | Unread], None]
    ready: bool = False
    unanswered: int = 0
    """Looks in a row without an answer."""
    lazy: int = 0
    """Looks in a row in which it owed us work and did none."""
    worked_ms: int = 0
    effort: Effort | None = None
    """As the system saw it at the last look, while it loads."""
    _outbox: queue.SimpleQueue[wire.FromApp | None] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self._child = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        threading.Thread(target=self._write, name="engine-writer", daemon=True).start()
        threading.Thread(target=self._read, name="engine-reader", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def send(self, message: wire.FromApp) -> None:
        self._outbox.put(message)

    def end(self, patience_s: float) -> None:
        """Ask it to end, kill it when the patience is over; it is gone on return."""
        if patience_s:
            self._outbox.put(wire.Quit())
            try:
                self._child.wait(patience_s)
            except subprocess.TimeoutExpired:
                log.warning("the engine process did not end by itself")
        self._child.kill()
        self._child.wait()
        self._outbox.put(None)

    def _write(self) -> None:
        pipe = self._child.stdin
        assert pipe is not None
        try:
            while (message := self._outbox.get()) is not None:
                frame = memoryview(wire.encode(message))
                while frame:
                    frame = frame[pipe.write(frame) or 0 :]
        except OSError:
            pass  # it is gone: the reader notices too
        finally:
            pipe.close()

    def _read(self) -> None:
        pipe = self._child.stdout
        assert pipe is not None
        decoder, garbled = wire.Decoder(), False
        with pipe:
            try:
                while received := pipe.read(1 << 16):
                    for message in decoder.feed(received):
                        if not isinstance(message, wire.FromEngine):
                            raise wire.ProtocolError("that is for the app to say")
                        self.put(Said(self, message))
            except wire.ProtocolError:
                garbled = True
        self.put(Gone(self, garbled))
