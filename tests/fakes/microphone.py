"""A microphone that hears what the test says, and a sink that remembers what it got."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from lysnrai_desktop.core.audio import Block, Device
from lysnrai_desktop.core.dictation import MicrophoneFailed
from lysnrai_desktop.core.faults import MicrophoneLost, MicrophoneMissing
from lysnrai_desktop.ports import BlockSink, Post


class FakeMicrophone:
    """Nothing comes until the test lets it `hear`."""

    def __init__(
        self,
        post: Post,
        now: Callable[[], float] = time.monotonic,
        devices: Sequence[Device] = (Device("fake", "Fake microphone", is_default=True),),
    ) -> None:
        self.plugged_in = list(devices)
        self.is_shut_down = False
        self._post = post
        self._now = now
        self._recording: tuple[int, str, BlockSink] | None = None

    @property
    def session(self) -> int | None:
        """Who records."""
        return self._recording[0] if self._recording else None

    def open(self, session: int, device: str, sink: BlockSink) -> None:
        self._end()
        self._recording = (session, device, sink)
        found = device in [known.name for known in self.plugged_in] if device else bool(self.plugged_in)
        if not found:
            self.fail(MicrophoneMissing.code)

    def close(self, session: int) -> None:
        if session == self.session:
            self._end()

    def devices(self) -> Sequence[Device]:
        return tuple(self.plugged_in)

    def shut_down(self) -> None:
        self.is_shut_down = True
        self._end()

    def hear(self, pcm: bytes, rate_hz: int = 48_000) -> None:
        if self._recording:
            self._recording[2].block(Block(pcm, rate_hz))

    def unplug(self, name: str) -> None:
        """Take a microphone away, also from who records from it."""
        self.plugged_in = [device for device in self.plugged_in if device.name != name]
        if self._recording and self._recording[1] == name:
            self.fail(MicrophoneLost.code)

    def fail(self, code: str) -> None:
        if self._recording:
            self._post(MicrophoneFailed(self._recording[0], self._now(), code))
            self._end()

    def _end(self) -> None:
        recording, self._recording = self._recording, None
        if recording:
            recording[2].end()


class Heard:
    """A sink that remembers, and knows when its promises were broken."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.ends = 0
        self.late_blocks = 0
        self.first = threading.Event()
        self.ended = threading.Event()

    def block(self, block: Block) -> None:
        if self.ends:
            self.late_blocks += 1
        self.blocks.append(block)
        self.first.set()

    def end(self) -> None:
        self.ends += 1
        self.ended.set()

    @property
    def pcm(self) -> bytes:
        return b"".join(block.pcm for block in self.blocks)
