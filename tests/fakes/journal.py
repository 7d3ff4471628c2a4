"""A journal in memory, without a thread: what comes can be read at once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from lysnrai_desktop.core.audio import SAMPLE_BYTES, Block
from lysnrai_desktop.core.dictation import MicrophoneLive, Outcome, TakeClosed
from lysnrai_desktop.ports import Post


class FakeJournal:
    def __init__(self, post: Post, now: Callable[[], float] = time.monotonic) -> None:
        self.dropped_blocks = 0
        self.takes: list[FakeTake] = []
        self.is_shut_down = False
        self._post = post
        self._now = now
        self._numbers = itertools.count(1)

    def open(self, session: int) -> FakeTake:
        take = FakeTake(f"take-{next(self._numbers)}", session, self._post, self._now)
        self.takes.append(take)
        return take

    def shut_down(self) -> None:
        self.is_shut_down = True
        for take in self.takes:
            take.interrupt()


class FakeTake:
    def __init__(self, take_id: str, session: int, post: Post, now: Callable[[], float]) -> None:
        self.id = take_id
        self.rate_hz = 0
        self.erased = False
        self.kept: tuple[Outcome, str] | None = None
        self._session = session
        self._post = post
        self._now = now
        self._pcm = b""
        self._complete = False
        self._changed = threading.Condition()

    def block(self, block: Block) -> None:
        if block.rate_hz != (self.rate_hz or block.rate_hz):
            raise ValueError("the rate has changed")
        with self._changed:
            if self._complete or not block.pcm:
                return
            first = not self._pcm
            self.rate_hz = block.rate_hz
            self._pcm += block.pcm
            self._changed.notify_all()
        if first:
            self._post(MicrophoneLive(self._session, self._now()))

    def end(self) -> None:
        if not self._complete:
            self.interrupt()
            audio_s = len(self._pcm) / SAMPLE_BYTES / self.rate_hz if self.rate_hz else 0.0
            self._post(TakeClosed(self._session, self._now(), audio_s))

    def interrupt(self) -> None:
        """No more will come."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()

    def wait(self, beyond: int, timeout_s: float) -> tuple[int, bool]:
        with self._changed:
            self._changed.wait_for(lambda: self._readable > beyond or self._complete, timeout_s)
            return self._readable, self._complete

    def read(self, start: int, limit: int) -> bytes:
        with self._changed:
            return self._pcm[start * SAMPLE_BYTES : (start + limit) * SAMPLE_BYTES]

    def erase(self) -> None:
        self.erased = True
        self._pcm = b""
        self.interrupt()

    def keep(self, outcome: Outcome, code: str) -> None:
        self.kept = (outcome, code)

    @property
    def _readable(self) -> int:
        return len(self._pcm) // SAMPLE_BYTES
