"""The app's end of an engine process: start, feed, answer, kill, restart.

    dictation thread ──start finish cancel warm──▶ ┌──────┐ ──▶ writer thread ──▶ stdin  ┌────────────────┐
    post, on_partial, on_state ◀────────────────── │ link │                              │ engine process │
                          feeder thread (a take) ─▶└──────┘ ◀── reader thread ◀── stdout └────────────────┘

What is decided here: when there is a process, what a session is told when there is none any more, how far ahead of the
finals audio is fed. What is absent: recognition, and who is tried next, which core/failover.py decides; what one engine
needs and another does not (runtime/engine_kinds.py); pipes (runtime/engine_process.py).

All state belongs to the link's one thread; calls and the other threads put items into its queue. What a process that
was given up still says is dropped, and so is what a process says about another session than the present one: after
EngineFailed nothing more comes of that try.

A process is given up when it ends, breaks the protocol, does not become ready in `start_s` or stands still on its way
there, does not take up a session within `take_up_s` (it hangs in an earlier one), does not answer a ping or does not
work on what it has or owes us (see LOOKS), or is asked to start the very session it is working on (somebody lost
patience). It is ended politely when nobody dictated for `idle_s`, and when other settings need another.

Imports: core, ports. May be imported by: app.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from lysnrai_desktop.core import dictation, engine_messages as wire
from lysnrai_desktop.core.faults import EngineDied, EngineOutOfMemory, EngineStartFailed, EngineTimeout, Fault
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import Segment, SpokenText
from lysnrai_desktop.ports import Audio, Post
from lysnrai_desktop.runtime import effort
from lysnrai_desktop.runtime.engine_kinds import EngineKind
from lysnrai_desktop.runtime.engine_process import Feed, Gone, Process, Said, Unread

log = logging.getLogger(__name__)

START_S = 60.0
"""base is ready in under 2 s here; large-v3 (3 GB) from a slow disk is not."""
TAKE_UP_S = 10.0
"""A session that was given up may be in the middle of a piece; a large model without a GPU needs seconds for it."""
QUIT_S = 2.0
LOOK_S = 0.4
"""While there is a session, the process is pinged so often; a round trip costs a tenth of a millisecond. While it loads
it is looked at so often."""
LOOKS = 4
"""So many looks in a row without an answer, or with work to do and none done, and the process hangs: two seconds at
most. Counted in looks, not in time: after the computer slept the first look comes before the first answer."""
WORK_MS = 20
"""Of processor time between two looks: more than it costs to listen for speech (3 ms), less than any reading does."""

OnPartial = Callable[[int, SpokenText, SpokenText], None]
"""Hears the session, and of the unfinished piece what stays and what may change."""
OnState = Callable[[str, str], None]
"""Hears "off", "starting" or "ready", and the model's name, "" for an engine that has none."""


# --- items of the link's queue -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Warm:
    settings: Settings


@dataclass(frozen=True, slots=True)
class _Start:
    session: int
    take: Audio
    from_sample: int
    settings: Settings
    attempt: int


@dataclass(frozen=True, slots=True)
class _Finish:
    session: int


@dataclass(frozen=True, slots=True)
class _Cancel:
    session: int


@dataclass(frozen=True, slots=True)
class _Inject:
    fault: str


@dataclass(frozen=True, slots=True)
class _ShutDown:
    pass


_Request = _Warm | _Start | _Finish | _Cancel | _Inject
_Answer = Said | Gone | Unread
_Item = _Request | _Answer | _ShutDown


class EngineLink:
    """Implements ports.Engine. Times are seconds."""

    def __init__(
        self,
        post: Post,
        on_partial: OnPartial,
        on_state: OnState,
        kind: EngineKind,
        *,
        start_s: float = START_S,
        take_up_s: float = TAKE_UP_S,
    ) -> None:
        self._post, self._on_partial, self._on_state = post, on_partial, on_state
        self._kind = kind
        self._start_s, self._take_up_s = start_s, take_up_s
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._process: Process | None = None
        self._session: Feed | None = None
        self._tries = 0
        """Starts so far; what the process knows a session by, so that a late word about an earlier try of the same
        dictation is not taken for one about this."""
        self._deadline: float | None = None
        """When the process must be ready, have taken up the session, or be ended for idleness: one at a time."""
        self._look_at = 0.0
        self._thread = threading.Thread(target=self._run, name="engine-link", daemon=True)
        self._thread.start()

    # --- ports.Engine: any thread, at once

    def warm(self, settings: Settings) -> None:
        self._items.put(_Warm(settings))

    def start(self, session: int, take: Audio, from_sample: int, settings: Settings, attempt: int = 1) -> None:
        self._items.put(_Start(session, take, from_sample, settings, attempt))

    def finish(self, session: int) -> None:
        self._items.put(_Finish(session))

    def cancel(self, session: int) -> None:
        self._items.put(_Cancel(session))

    def inject(self, fault: str) -> None:
        """Make something go wrong in its process, if there is one: for testers (core.engine_messages.Inject)."""
        self._items.put(_Inject(fault))

    def shut_down(self) -> None:
        self._items.put(_ShutDown())
        self._thread.join()

    # --- the link's thread

    def _run(self) -> None:
        while True:
            now = time.monotonic()
            if self._deadline is not None and now >= self._deadline:
                self._deadline_passed()
            elif self._watched() is not None and now >= self._look_at:
                self._look(now)
            due = [self._deadline] if self._deadline is not None else []
            due += [self._look_at] if self._watched() is not None else []
            try:
                item = self._items.get(timeout=max(0.0, min(due) - time.monotonic()) if due else None)
            except queue.Empty:
                continue
            if isinstance(item, _ShutDown):
                self._give_up_session()
                self._end_process(QUIT_S)
                return
            self._handle(item)

    def _handle(self, item: _Request | _Answer) -> None:  # noqa: C901  a table, one line per item
        match item:
            case _Warm(settings=settings):
                self._warm(settings)
            case _Start():
                self._begin(item)
            case _Finish(session=number):
                if self._session is not None and self._session.number == number:
                    self._session.finish.set()
            case _Cancel(session=number):
                if self._session is not None and self._session.number == number:
                    self._give_up_session()
                    self._rest()
            case _Inject(fault=fault):
                if self._process is not None:
                    self._process.send(wire.Inject(fault))
            case Said(process=process, message=message) if process is self._process:
                self._heard(process, message)
            case Gone(process=process) if process is self._process:
                log.warning("the engine process %s", "is garbled" if item.garbled else "ended")
                self._fail(EngineDied.code if process.ready else EngineStartFailed.code)
            case Unread(session=session, code=code) if session is self._session:
                self._give_up_session()
                self._post(dictation.EngineFailed(session.number, time.monotonic(), code, session.attempt))
                self._rest()
            case Said() | Gone() | Unread():
                pass  # of a process or a session that was given up
            case _:
                assert_never(item)

    def _warm(self, settings: Settings) -> None:
        if self._session is None:
            try:
                if self._require_process(settings).ready:
                    self._rest()  # whoever may have to take over is kept as whoever hears
            except Fault as fault:
                log.warning("the engine cannot be warmed: %s", fault.code)

    def _begin(self, start: _Start) -> None:
        if self._session is not None:
            if self._session.number == start.session:
                self._end_process(0.0)  # it does not answer
            self._give_up_session()
        try:
            process = self._require_process(start.settings)
        except Fault as fault:
            self._post(dictation.EngineFailed(start.session, time.monotonic(), fault.code, start.attempt))
            return
        self._tries += 1
        engine = start.settings.engine
        process.send(wire.Start(self._tries, start.from_sample, engine.language, engine.vocabulary))
        self._session = Feed(start.session, start.attempt, self._tries, start.take, start.from_sample, process)
        process.unanswered = process.lazy = 0
        if process.ready:
            self._look_at = time.monotonic()
            self._deadline = self._look_at + self._take_up_s

    def _require_process(self, settings: Settings) -> Process:
        """The process for these settings, started if there is none. Raises Fault."""
        kind = self._kind
        needs = kind.needs(settings)
        if self._process is not None:
            if self._process.needs != needs:
                self._end_process(QUIT_S)
            else:
                self._process.settings = settings  # idle_s may be another
                return self._process
        first = kind.prepare(settings)
        self._on_state("starting", kind.model(settings))
        try:
            self._process = Process(kind.command, settings, needs, self._items.put)
        except OSError:
            self._on_state("off", kind.model(settings))
            raise EngineStartFailed("the command cannot be run") from None
        self._process.send(first)
        self._look_at = time.monotonic()
        self._deadline = self._look_at + self._start_s
        return self._process

    def _heard(self, process: Process, message: wire.FromEngine) -> None:
        match message:
            case wire.Hello(version=version):
                if version != wire.VERSION:
                    log.warning("the engine process speaks version %d, not %d", version, wire.VERSION)
                    self._fail(EngineStartFailed.code)
            case wire.Ready():
                process.ready = True
                process.lazy = 0
                self._deadline = None
                self._look_at = time.monotonic()
                self._on_state("ready", self._kind.model(process.settings))
                if self._session is not None:
                    self._deadline = time.monotonic() + self._take_up_s
                else:
                    self._rest()
            case wire.Failed(session=0, code=code):
                self._fail(code)
            case wire.Pong():
                self._answered(process, message)
            case _:
                if self._session is not None and message.session == self._session.key:
                    self._heard_of_session(self._session, message)

    def _heard_of_session(self, session: Feed, message: _OfSession) -> None:
        number, at = session.number, time.monotonic()
        session.process.lazy = 0
        match message:
            case wire.Started():
                session.taken_up = True
                self._deadline = None
            case wire.Voice(speaking=speaking):
                self._post(dictation.Voice(number, at, speaking, session.attempt))
            case wire.Partial(stable=stable, tentative=tentative):
                self._on_partial(number, stable, tentative)
            case wire.Final(start=start, end=end, text=text, language=language):
                if start != session.final or not start <= end <= session.fed:
                    log.warning("the engine process gave a final for audio it was not given")
                    self._fail(EngineDied.code)
                    return
                session.advance(end)
                self._post(dictation.Final(number, at, Segment(start, end, text, language), session.attempt))
            case wire.Done():
                if session.final != session.fed or not session.finish.is_set():
                    log.warning("the engine process was done before the end")
                    self._fail(EngineDied.code)
                    return
                self._post(dictation.EngineDone(number, at, session.attempt))
                session.stop()
                self._session = None
                self._rest()
            case wire.Failed(code=EngineOutOfMemory.code):
                self._fail(EngineOutOfMemory.code)  # a process gives its memory back when it ends, not before
            case wire.Failed(code=code):
                self._post(dictation.EngineFailed(number, at, code, session.attempt))
                self._give_up_session()
                self._rest()
            case _:
                assert_never(message)

    def _deadline_passed(self) -> None:
        self._deadline = None
        if self._process is None:
            return
        if not self._process.ready:
            log.warning("the engine process did not come up")
            self._fail(EngineStartFailed.code)
        elif self._session is not None:
            log.warning("the engine process did not take up a session")
            self._fail(EngineTimeout.code)
        else:
            self._end_process(QUIT_S)

    # --- the watch: whether a process that loads, or has a session, lives

    def _watched(self) -> Process | None:
        process = self._process
        if process is None or (process.ready and self._session is None):
            return None
        return process if process.ready or self._kind.computes else None

    def _look(self, now: float) -> None:
        process = self._watched()
        assert process is not None
        self._look_at = now + LOOK_S
        if not process.ready:
            self._look_at_loading(process)
        elif process.unanswered >= LOOKS:
            log.warning("the engine process does not answer")
            self._fail(EngineTimeout.code)
        else:
            if process.lazy and effort.is_held_up(process.pid):
                process.lazy = 0
            process.unanswered += 1
            process.send(wire.Ping())

    def _look_at_loading(self, process: Process) -> None:
        """It cannot answer while a library comes in, so it is looked at from outside. A disk may be slow."""
        before, process.effort = process.effort, effort.effort(process.pid)
        process.lazy = process.lazy + 1 if effort.is_idle(before, process.effort) else 0
        if process.lazy >= LOOKS:
            log.warning("the engine process does nothing, and has no model yet")
            self._fail(EngineStartFailed.code)

    def _answered(self, process: Process, pong: wire.Pong) -> None:
        process.unanswered = 0
        worked, process.worked_ms = pong.worked_ms - process.worked_ms, pong.worked_ms
        session = self._session
        owes = session is not None and (pong.is_behind or session.fed_whole or not session.taken_up)
        process.lazy = process.lazy + 1 if self._kind.computes and owes and worked < WORK_MS else 0
        if process.lazy >= LOOKS:
            log.warning("the engine process does nothing")
            self._fail(EngineTimeout.code)

    def _rest(self) -> None:
        """Nobody dictates: let the process go some time from now."""
        if self._process is not None and self._process.ready:
            idle_s = self._process.settings.engine.idle_s
            self._deadline = time.monotonic() + idle_s if idle_s else None

    def _fail(self, code: str) -> None:
        """Give the process up, and the session with it."""
        self._end_process(0.0)
        if self._session is not None:
            number, attempt = self._session.number, self._session.attempt
            self._give_up_session()
            self._post(dictation.EngineFailed(number, time.monotonic(), code, attempt))

    def _give_up_session(self) -> None:
        if self._session is not None:
            self._session.stop()
            if self._process is not None:
                self._process.send(wire.Cancel(self._session.key))
            self._session = None

    def _end_process(self, patience_s: float) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            self._deadline = None
            process.end(patience_s)
            self._on_state("off", self._kind.model(process.settings))


_OfSession = wire.Started | wire.Voice | wire.Partial | wire.Final | wire.Done | wire.Failed
