"""The journal: what the microphone hears is on disk before anybody decides about it.

Rule 1. Each block is written by the journal's thread as it comes, together with the header that counts it. A process
        killed at any moment leaves a valid file that lacks only what was still in the queue: a block or two.
Rule 2. The queue has no bound and nobody waits for the disk. Readers see a block when it is written, not before.
Rule 3. Where the disk refuses, what is on it stays, the rest waits in memory, is read as if it were there, and is
        written as soon as the disk has changed its mind (tried each second, and at the end).
Rule 4. File descriptors belong to the journal's thread; removing files belongs to whoever calls `erase`, at once.

What is heard in the audio is not decided here (a muted microphone: core/silence.py), nor when a take begins or ends.
The files' format, and reading what earlier runs left, are in adapters/takes.py.

Imports: core, ports, adapters/takes. May be imported by: app, cli.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from lysnrai_desktop.adapters import takes
from lysnrai_desktop.adapters.takes import HEADER_BYTES, fault_of
from lysnrai_desktop.core import silence
from lysnrai_desktop.core.audio import SAMPLE_BYTES, Block
from lysnrai_desktop.core.dictation import MicrophoneLive, Outcome, Silence, TakeClosed
from lysnrai_desktop.core.takes import TakeRecord
from lysnrai_desktop.ports import Post

SYNC_S = 1.0
"""Between two fsyncs: what a power failure may cost. A crash of the process costs less (rule 1)."""
RETRY_S = 1.0
"""Between two attempts on a disk that refused."""
SHUT_DOWN_S = 2.0
_FULL_SCALE = 32768


class Journal:
    """One thread that writes all takes.

    Args:
        folder: where takes lie; made (0700) when the first block arrives.
        post: gets MicrophoneLive, Silence and TakeClosed.
        on_level: gets each block's loudest sample, 0 to 1, on the journal's thread.
        on_fault: gets the code of a DiskFault when the disk begins to refuse, not again until it has worked.
        now: the clock of the events.
        wall: seconds since 1970, for names and ages.
    """

    def __init__(
        self,
        folder: Path,
        post: Post,
        on_level: Callable[[float], None],
        on_fault: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.post = post
        self.on_level = on_level
        self.now = now
        self.dropped_blocks = 0
        """Blocks that came for a take after its end, and gaps that the sound card told of. In here load can cost none:
        there is no bound to run into."""
        self._on_fault = on_fault
        self.wall = wall
        self._refused = ""
        self._unfinished: set[RecordedTake] = set()
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def open(self, session: int) -> RecordedTake:
        started = self.wall()
        return RecordedTake(self, session, self._new_id(started), started)

    def shut_down(self) -> None:
        """Write what has arrived; at most 2 s. Takes under way stay on disk as interrupted."""
        self._work.put(None)
        self._thread.join(SHUT_DOWN_S)

    # --- for takes

    def soon(self, work: Callable[[], None]) -> None:
        """Run on the journal's thread, in order. Safe in an audio callback."""
        self._work.put(work)

    def begun(self, take: RecordedTake) -> None:
        self._unfinished.add(take)

    def done(self, take: RecordedTake) -> None:
        self._unfinished.discard(take)

    def refused(self, error: OSError) -> None:
        """The disk said no: tell the user, once."""
        code = fault_of(error).code
        if code != self._refused:
            self._refused = code
            self._on_fault(code)

    def worked(self) -> None:
        self._refused = ""

    # --- the thread

    def _run(self) -> None:
        while work := self._work.get():
            work()
        for take in tuple(self._unfinished):
            take.interrupt()

    def _new_id(self, started: float) -> str:
        """UTC time for people who look into the folder, and chance for two in one second."""
        stamp = datetime.fromtimestamp(started, UTC).strftime(takes.ID_TIME)
        return f"{stamp}-{secrets.token_hex(4)}"


class RecordedTake:
    """A take of this process: written by the journal's thread, read by any.

    Of the samples [0, readable) the first `stored` are in the file, those behind them in `pending`.
    """

    def __init__(self, journal: Journal, session: int, take_id: str, started: float) -> None:
        self._journal = journal
        self._session = session
        self._id = take_id
        self._started = started
        self._rate_hz = 0
        self._closed = False  # end() was called
        # Of the journal's thread:
        self._outcome: Outcome | None = None
        self._code = ""
        self._ended = 0.0
        self._synced_at = 0.0
        self._retry_at = 0.0
        self._sound = silence.Sound()
        # Of both; changed by the journal's thread and by erase(), under the lock:
        self._changed = threading.Condition()
        self._fd = -1
        self._stored = 0
        self._pending = bytearray()
        self._readable = 0
        self._complete = False
        self._erased = False

    @property
    def id(self) -> str:
        return self._id

    @property
    def rate_hz(self) -> int:
        return self._rate_hz

    # --- the microphone's side

    def block(self, block: Block) -> None:
        """Queue a block to be written.

        Raises:
            ValueError: a bug of the microphone: half a sample, or another rate than before.
        """
        if len(block.pcm) % SAMPLE_BYTES or block.rate_hz != (self._rate_hz or block.rate_hz):
            raise ValueError(f"want whole samples at {self._rate_hz} Hz, got {len(block.pcm)} B at {block.rate_hz} Hz")
        self._journal.dropped_blocks += (self._closed or block.after_gap) and not self._erased
        if self._closed:
            return
        self._rate_hz = block.rate_hz
        if block.pcm:
            self._journal.soon(partial(self._append, block.pcm))

    def end(self) -> None:
        if not self._closed:
            self._closed = True
            self._journal.soon(self._finish)

    # --- the readers' side

    def wait(self, beyond: int, timeout_s: float) -> tuple[int, bool]:
        with self._changed:
            self._changed.wait_for(lambda: self._readable > beyond or self._complete, timeout_s)
            return self._readable, self._complete

    def read(self, start: int, limit: int) -> bytes:
        """At most `limit` samples from `start` on; nothing of a take that was erased, or kept and ended.

        Raises:
            DiskFault: the disk cannot read what it took.
        """
        with self._changed:
            end = min(start + limit, self._readable)
            stored_end = min(end, self._stored)
            pcm = b""
            if start < stored_end:
                size, offset = (stored_end - start) * SAMPLE_BYTES, HEADER_BYTES + start * SAMPLE_BYTES
                try:
                    pcm = os.pread(self._fd, size, offset)
                except OSError as error:
                    raise fault_of(error) from error
            if end > self._stored:
                skipped = max(0, start - self._stored)
                pcm += self._pending[skipped * SAMPLE_BYTES : (end - self._stored) * SAMPLE_BYTES]
            return pcm

    # --- the end of it

    def erase(self) -> None:
        with self._changed:
            self._erased = self._complete = True
            self._readable = self._stored = 0
            self._pending = bytearray()  # another one: the journal's thread may be writing this
            try:
                takes.remove(self._journal.folder, self._id)
            except OSError as error:
                self._journal.refused(error)
            self._changed.notify_all()
        self._journal.soon(self._release)

    def keep(self, outcome: Outcome, code: str) -> None:
        self._journal.soon(partial(self._mark, outcome, code))

    # --- on the journal's thread

    def interrupt(self) -> None:
        """Leave it as a crash would, but whole."""
        self._complete_with_what_there_is()
        self._release()

    def _append(self, pcm: bytes) -> None:
        if self._erased:
            return
        first = not self._readable
        with self._changed:
            self._pending += pcm
        self._write()
        self._publish()
        if first:
            self._journal.begun(self)
            self._journal.post(MicrophoneLive(self._session, self._journal.now()))
        level = peak(pcm)
        self._journal.on_level(level)
        before, self._sound = self._sound, silence.hear(self._sound, level, len(pcm) // SAMPLE_BYTES, self._rate_hz)
        if self._sound.is_silent != before.is_silent:
            self._journal.post(Silence(self._session, self._journal.now(), self._sound.is_silent))

    def _publish(self) -> None:
        with self._changed:
            if not self._erased:
                self._readable = self._stored + len(self._pending) // SAMPLE_BYTES
            self._changed.notify_all()

    def _write(self) -> None:
        now = self._journal.now()
        if now < self._retry_at:
            return
        try:
            if self._fd < 0 and not self._create():
                return
            with memoryview(self._pending) as pending:
                takes.write_at(self._fd, HEADER_BYTES + self._stored * SAMPLE_BYTES, pending)
                stored = self._stored + len(pending) // SAMPLE_BYTES
            takes.write_at(self._fd, 0, takes.header(self._rate_hz, stored))
        except OSError as error:
            self._retry_at = now + RETRY_S
            self._journal.refused(error)
            return
        with self._changed:
            if not self._erased:
                self._stored = stored
            self._pending = bytearray()
        self._journal.worked()
        if now >= self._synced_at + SYNC_S:
            self._sync()

    def _sync(self) -> None:
        self._synced_at = self._journal.now()
        try:
            os.fsync(self._fd)
            if not os.fstat(self._fd).st_nlink:
                self._start_over()
        except OSError as error:
            self._journal.refused(error)

    def _start_over(self) -> None:
        """Somebody else removed the file: all of it waits to be written into another."""
        with self._changed:
            if self._erased:
                return
            pcm = os.pread(self._fd, self._stored * SAMPLE_BYTES, HEADER_BYTES)
            os.close(self._fd)
            self._fd = -1
            self._stored = 0
            self._pending[:0] = pcm

    def _create(self) -> bool:
        folder = self._journal.folder
        for missing in (folder.parent, folder):
            missing.mkdir(mode=0o700, exist_ok=True)
        with self._changed:  # so that erase() does not miss a file that is just being made
            if self._erased:
                return False
            self._fd = takes.create(folder, self._id)
        self._synced_at = self._journal.now()
        self._describe()
        return True

    def _finish(self) -> None:
        if self._erased:
            return
        self._complete_with_what_there_is()
        audio_s = self._readable / self._rate_hz if self._rate_hz else 0.0
        self._journal.post(TakeClosed(self._session, self._journal.now(), audio_s))
        self._release_when_done()

    def _mark(self, outcome: Outcome, code: str) -> None:
        self._outcome, self._code, self._ended = outcome, code, self._journal.wall()
        self._write_the_rest()
        self._describe()
        self._release_when_done()

    def _complete_with_what_there_is(self) -> None:
        self._write_the_rest()
        with self._changed:
            self._complete = True
            self._changed.notify_all()
        if self._fd >= 0:
            self._sync()
            self._write_the_rest()
        self._describe()

    def _write_the_rest(self) -> None:
        """Once more, if the disk has refused so far."""
        if self._pending:
            self._retry_at = 0.0
            self._write()

    def _describe(self) -> None:
        """Write the sidecar, whole or not at all."""
        if self._fd < 0:
            return
        outcome = self._outcome and self._outcome.value
        record = TakeRecord(self._id, self._started, self._rate_hz, self._stored, outcome, self._code, self._ended)
        with self._changed:  # so that erase() does not miss a file that is just being made
            if self._erased:
                return
            try:
                takes.write_sidecar(self._journal.folder, record)
            except OSError as error:
                self._journal.refused(error)

    def _release_when_done(self) -> None:
        if self._outcome and self._complete:
            self._release()

    def _release(self) -> None:
        with self._changed:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1
            self._readable = self._stored = 0
            self._pending = bytearray()
        self._journal.done(self)


def peak(pcm: bytes) -> float:
    """Loudest sample, 0 to 1."""
    if not pcm:
        return 0.0
    samples = memoryview(pcm).cast("h")
    high, low = max(samples), min(samples)
    return max(high, -low) / _FULL_SCALE
