"""The microphone: opened, listened to and closed without anybody waiting for it.

      dictation thread          `microphone` thread              `portaudio` thread
      open, close ─────queue───▶ owns all that is      ──job──▶ does one thing at a time and
                                 decided here           ◀─end─── may hang: then it is left behind
                                     │ attach, detach            and another takes its place
                                     ▼
      PortAudio's callback ───────▶ Line ─────▶ the take

Decided here: when a stream is opened and closed, which recording gets what it hears, and when a microphone counts as
lost. How a stream is opened is in adapters/portaudio.py; what becomes of a recording, in core/machine.py.

A sound server that hangs answers neither abort() nor close(), and PortAudio then sees no error at all; one that loses a
microphone moves the stream to the loudspeakers' monitor without a word. So while it records, the thread looks every
half second whether blocks come, and each second from where.

One microphone per process: PortAudio cannot look for new devices without ending every stream.

Imports: core, ports, adapters/portaudio, adapters/pulse. May be imported by: app, cli.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

from lysnrai_desktop.adapters import portaudio, pulse
from lysnrai_desktop.core.audio import Block, Device
from lysnrai_desktop.core.dictation import MicrophoneFailed
from lysnrai_desktop.core.faults import MicrophoneFault, MicrophoneLost
from lysnrai_desktop.ports import BlockSink, Post

T = TypeVar("T")

TAIL_S = 0.1
"""Recorded after `close`: the sound on its way through server and buffers (35 ms with PulseAudio, more with
Bluetooth), and the end of a last syllable that the finger was faster than."""
PREROLL_S = 0.3
"""Kept while the microphone is warm and nobody records, so that a word begun while the key went down is whole."""
GIVE_UP_S = 1.0
"""Longest wait for PortAudio when nobody needs the answer any more."""
LIST_S = 2.0
TICK_S = 0.5
SILENT_TICKS = 3
"""So many looks in a row without a new block, and the microphone is lost. Counted in looks, not in time: after the
whole process was stopped, or the computer asleep, the first look comes before the first block."""
LOOK_TICKS = 2
"""Every so many looks the sound server is asked where the stream is connected (4 ms)."""


class PortAudioMicrophone:
    """The microphones of this computer.

    Args:
        post: gets MicrophoneFailed.
        warm_s: how long the stream stays open after a recording (`recording.warm_s`), asked each time.
        on_name: gets the label of the microphone that records, when the sound server has told it and when it is
            another than before.
    """

    def __init__(
        self,
        post: Post,
        warm_s: Callable[[], float],
        on_name: Callable[[str], None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post = post
        self._warm_s = warm_s
        self._on_name = on_name
        self._now = now
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="microphone", daemon=True)
        # Of the microphone thread:
        self._recording: _Recording | None = None
        self._line: _Line | None = None
        self._warm_until = 0.0
        self._name = ""
        self._to_close: list[portaudio.Input] = []
        self._lists: deque[SimpleQueue[Sequence[Device]]] = deque()
        self._worker = _Worker()
        self._left_behind: list[_Worker] = []
        self._job: _Job | None = None
        self._shutting_down = False
        self._thread.start()

    def open(self, session: int, device: str, sink: BlockSink) -> None:
        self._work.put(partial(self._begin, _Recording(session, device, sink)))

    def close(self, session: int) -> None:
        self._work.put(partial(self._close, session, self._now()))

    def devices(self) -> Sequence[Device]:
        """The microphones there are now; none if the system does not answer in 2 s."""
        answer: SimpleQueue[Sequence[Device]] = SimpleQueue()
        self._work.put(partial(self._lists.append, answer))
        try:
            return answer.get(timeout=LIST_S)
        except Empty:
            return ()

    def shut_down(self) -> None:
        """End the recording under way and close the stream; blocks for 2 s at most."""
        self._work.put(self._shut_down)
        self._thread.join(2 * GIVE_UP_S)

    # --- the microphone thread

    def _run(self) -> None:
        self._start(portaudio.load, lambda _: None, give_up=False)
        while not self._shutting_down or self._job or self._line or self._to_close:
            due = self._due()
            try:
                work = self._work.get(timeout=None if due is None else max(0.0, due - self._now()))
            except Empty:
                pass
            else:
                work()
            self._decide()
        self._worker.leave()

    def _due(self) -> float | None:
        """When to look again although nothing was asked for."""
        times = []
        if self._job and self._job.give_up_at is not None:
            times.append(self._job.give_up_at)
        if self._recording:
            if self._recording.ends_at is not None:
                times.append(self._recording.ends_at)
            elif self._recording.attached:
                times.append(self._recording.look_at)
        elif self._line and not self._job:
            times.append(self._warm_until)
        return min(times, default=None)

    def _decide(self) -> None:
        """Do what is due, and have PortAudio do the next thing: one at a time."""
        now = self._now()
        recording = self._recording
        if recording and recording.ends_at is not None and now >= recording.ends_at:
            self._end_recording()
        elif recording and recording.attached and now >= recording.look_at:
            self._watch(recording, now)
        recording = self._recording
        if self._job:
            if self._job.give_up_at is None or now < self._job.give_up_at:
                return
            self._leave_worker_behind()
        if self._to_close:
            self._start(self._to_close.pop().close, lambda _: None)
        elif self._line and not self._is_wanted(self._line, now):
            line, self._line = self._line, None
            self._start(line.input.close, lambda _: None)
        elif recording and not self._line:
            self._open(recording)
        elif recording and self._line and not recording.attached:
            self._attach(recording, self._line, now)
        elif self._lists:
            reply = self._lists.popleft()
            self._start(partial(portaudio.inputs, self._may_look_again()), reply.put)

    def _is_wanted(self, line: _Line, now: float) -> bool:
        if line.finished:
            return False
        if not self._recording:
            return now < self._warm_until and not self._shutting_down
        if self._recording.attached:
            return True
        return line.device == self._recording.device and line.hears(now)

    # recordings

    def _begin(self, recording: _Recording) -> None:
        self._end_recording()
        if self._shutting_down:
            recording.sink.end()
        else:
            self._recording = recording
            if self._job and self._job.opens == recording.device:
                self._job.give_up_at = None  # wanted again

    def _close(self, session: int, at: float) -> None:
        recording = self._recording
        if not recording or recording.session != session or recording.ends_at is not None:
            return
        recording.ends_at = at + TAIL_S if recording.attached else at

    def _attach(self, recording: _Recording, line: _Line, now: float) -> None:
        recording.attached = True
        recording.look_at = now + TICK_S
        recording.blocks = line.blocks
        line.attach(recording.sink)

    def _end_recording(self) -> None:
        recording, self._recording = self._recording, None
        if not recording:
            return
        if self._line and recording.attached:
            self._line.detach()
        recording.sink.end()
        now = self._now()
        self._warm_until = now + self._warm_s()
        if self._job and self._job.opens is not None:
            self._job.give_up_at = now + GIVE_UP_S

    def _fail(self, code: str) -> None:
        """End the recording for the microphone's sake. One that was about to end anyway just ends."""
        if self._recording and self._recording.ends_at is None:
            self._post(MicrophoneFailed(self._recording.session, self._now(), code))
        self._end_recording()

    def _lost(self, line: _Line) -> None:
        line.finished = True
        if line is self._line and self._recording and self._recording.attached:
            self._fail(MicrophoneLost.code)

    # the watch

    def _watch(self, recording: _Recording, now: float) -> None:
        line = self._line
        if not line:
            return
        recording.look_at = now + TICK_S
        recording.looks += 1
        came, recording.blocks = line.blocks - recording.blocks, line.blocks
        # A microphone that has not begun is not lost; how long to wait for it is the dictation's decision.
        recording.silent = 0 if came or not recording.live else recording.silent + 1
        recording.live = recording.live or bool(came)
        if recording.silent >= SILENT_TICKS:
            self._lost(line)
        elif line.input.by_server and not self._job and recording.looks % LOOK_TICKS == 0:
            self._start(_sources, partial(self._looked, line))

    def _looked(self, line: _Line, found: pulse.Sources | None) -> None:
        if found is None:
            return  # a server that does not answer is noticed by the blocks that do not come
        ours = found.find(found.ours)
        moved_to_loudspeaker = ours is not None and ours.is_monitor and not line.input.is_monitor
        if moved_to_loudspeaker or (line.device and not found.find(line.device)):
            self._lost(line)
        elif ours and ours.label != self._name:
            self._name = ours.label
            self._on_name(self._name)

    # streams

    def _open(self, recording: _Recording) -> None:
        line = _Line(recording.device, self._now)
        finished = partial(self._work.put, partial(self._lost, line))
        work = partial(_try_to_open, recording.device, line.hear, finished, self._may_look_again())
        self._start(work, partial(self._opened, line), give_up=False, opens=recording.device)

    def _opened(self, line: _Line, result: portaudio.Input | MicrophoneFault) -> None:
        if not isinstance(result, MicrophoneFault):
            line.input = result
            self._line = line
        elif self._recording and self._recording.device == line.device:
            self._fail(result.code)

    def _may_look_again(self) -> bool:
        self._left_behind = [worker for worker in self._left_behind if worker.is_busy()]
        return not self._line and not self._left_behind

    # jobs

    def _start(
        self, work: Callable[[], T], then: Callable[[T], None], *, give_up: bool = True, opens: str | None = None
    ) -> None:
        job = _Job(self._now() + GIVE_UP_S if give_up else None, opens)

        def run() -> None:
            result = work()
            self._work.put(partial(self._done, job, result, then))

        self._job = job
        self._worker.do(run)

    def _done(self, job: _Job, result: T, then: Callable[[T], None]) -> None:
        if job is self._job:
            self._job = None
            then(result)
        elif isinstance(result, portaudio.Input):
            self._to_close.append(result)  # opened at last, when nobody waited any more

    def _leave_worker_behind(self) -> None:
        self._worker.leave()
        self._left_behind.append(self._worker)
        self._worker = _Worker()
        self._job = None

    def _shut_down(self) -> None:
        self._shutting_down = True
        self._end_recording()
        if self._job:
            self._job.give_up_at = self._now() + GIVE_UP_S


class _Recording:
    """One session's wish for a microphone; of the microphone thread."""

    def __init__(self, session: int, device: str, sink: BlockSink) -> None:
        self.session = session
        self.device = device
        self.sink = sink
        self.attached = False
        self.ends_at: float | None = None
        """Set by `close`: when the tail is over."""
        self.live = False
        """The watch has seen a block come."""
        self.look_at = 0.0
        self.looks = 0
        self.silent = 0
        """Looks in a row without a new block."""
        self.blocks = 0
        """The line's count at the last look."""


class _Line:
    """What comes out of one stream, and who gets it. `hear` is PortAudio's callback, the rest the microphone thread's.

    The lock is held for as long as it takes to put a block into a queue. Without it a block could come after `end`.
    """

    input: portaudio.Input

    def __init__(self, device: str, now: Callable[[], float]) -> None:
        self.device = device
        self.finished = False
        self.blocks = 0
        self._now = now
        self._heard_at = 0.0
        self._lock = threading.Lock()
        self._sink: BlockSink | None = None
        self._preroll: deque[Block] = deque(maxlen=round(PREROLL_S / portaudio.BLOCK_S))

    def hear(self, block: Block) -> None:
        with self._lock:
            self.blocks += 1
            self._heard_at = self._now()
            if self._sink:
                self._sink.block(block)
            else:
                self._preroll.append(block)

    def hears(self, now: float) -> bool:
        """Whether it can be expected to go on delivering: it has just done so, or has only been opened."""
        return not self.blocks or now < self._heard_at + TICK_S

    def attach(self, sink: BlockSink) -> None:
        with self._lock:
            for block in self._preroll:
                sink.block(block)
            self._preroll.clear()
            self._sink = sink

    def detach(self) -> None:
        with self._lock:
            self._sink = None


@dataclass(eq=False, slots=True)
class _Job:
    """The one thing that PortAudio is doing."""

    give_up_at: float | None
    """None while somebody needs the result, however long it takes."""
    opens: str | None
    """The device that it opens, if it does."""


class _Worker:
    """A thread that does one job after the other, and can be left behind in the middle of one."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="portaudio", daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)

    def leave(self) -> None:
        """It ends after the job it is at."""
        self._jobs.put(None)

    def is_busy(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while job := self._jobs.get():
            job()


def _try_to_open(
    device: str, hear: portaudio.Hear, finished: Callable[[], None], may_look_again: bool
) -> portaudio.Input | MicrophoneFault:
    try:
        return portaudio.open_input(device, hear, finished, may_look_again)
    except MicrophoneFault as fault:
        return fault


def _sources() -> pulse.Sources | None:
    try:
        return pulse.sources()
    except pulse.NoServer:
        return None
