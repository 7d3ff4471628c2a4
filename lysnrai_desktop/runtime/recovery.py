"""Takes that an earlier dictation left, transcribed after all: when nobody dictates, and out of a dictation's way.

    transcribe(id) ──▶ ┌──────────┐ ◀── events ──── an engine of its own, while there is work
    status(…)      ──▶ │ recovery │
                       └──────────┘ ──▶ give(text), nothing(), failed(code)

What is decided here: one take after the other. When a dictation begins, the engine is ended, and after the dictation
another goes on with the take from its last final. Texts of takes that waited together are given together. A take whose
text was given, or in which nothing was heard, is marked so; whatever goes wrong, it stays as it was and is offered.

An engine of its own, for the app's own must not be busy when somebody begins to speak. The price is the model twice in
memory, for as long as a take is transcribed.

Imports: core, ports. May be imported by: app.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lysnrai_desktop.core.dictation import EngineDone, EngineFailed, Event, Final, Outcome
from lysnrai_desktop.core.failover import ENGINE_TRIES
from lysnrai_desktop.core.faults import EngineTimeout, Fault
from lysnrai_desktop.core.machine import FINISHING_S
from lysnrai_desktop.core.polish import polish
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import SpokenText, Transcript
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.core.takes import TRANSCRIBED, TakeRecord
from lysnrai_desktop.ports import Engine, Post, StoredTake, TakeStore


@dataclass(frozen=True, slots=True)
class _Wanted:
    take_id: str


@dataclass(frozen=True, slots=True)
class _Dictating:
    """Somebody dictates, or does so no more."""

    on: bool


@dataclass(frozen=True, slots=True)
class _ShutDown:
    pass


@dataclass(slots=True)
class _Work:
    """The take that is being transcribed."""

    take: StoredTake
    transcript: Transcript
    session: int = 0
    """0 while no engine hears it."""
    tries: int = 0


class Recovery:
    """Owns the stored take that is open and its engine. Public calls are safe from any thread and return at once.

    Args:
        takes: where they lie.
        engine: makes an engine that posts to the given function.
        give: brings the text to the user. May raise Fault: the take is then kept.
        nothing: tells the user that nothing was heard in it.
        failed: tells the user a fault's code.
        patience_s: longest wait between two finals.
    """

    def __init__(
        self,
        takes: TakeStore,
        engine: Callable[[Post], Engine],
        settings: Callable[[], Settings],
        give: Callable[[SpokenText], None],
        nothing: Callable[[], None],
        failed: Callable[[str], None],
        patience_s: float = FINISHING_S,
    ) -> None:
        self._takes = takes
        self._make_engine = engine
        self._settings = settings
        self._give, self._nothing, self._failed = give, nothing, failed
        self._patience_s = patience_s
        self._items: queue.SimpleQueue[_Wanted | _Dictating | _ShutDown | Event] = queue.SimpleQueue()
        self._waiting: deque[str] = deque()
        self._work: _Work | None = None
        self._engine: Engine | None = None
        self._sessions = 0
        self._dictating = False
        self._texts: list[SpokenText] = []
        """Given since there was last nothing to do."""
        self.present: TakeRecord | None = None
        """The take that is being transcribed. May be read from any thread."""
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)
        self._thread.start()

    def transcribe(self, take_id: str) -> None:
        """Transcribe a take as soon as nobody dictates; `give`, `nothing` or `failed` is called then."""
        self._items.put(_Wanted(take_id))

    def status(self, status: Status) -> None:
        """Says whether somebody dictates: to be called with each new status."""
        self._items.put(_Dictating(status.state != "idle"))

    def shut_down(self) -> None:
        """Leave the take as it is; blocks until the engine is gone."""
        self._items.put(_ShutDown())
        self._thread.join()

    # --- the thread

    def _run(self) -> None:
        while True:
            self._go_on()
            hears = self._work is not None and self._work.session
            try:
                item = self._items.get(timeout=self._patience_s if hears else None)
            except queue.Empty:
                self._engine_failed(EngineTimeout.code)
                continue
            if isinstance(item, _ShutDown):
                self._end_engine()
                self._close()
                return
            self._handle(item)

    def _handle(self, item: _Wanted | _Dictating | Event) -> None:
        work = self._work
        match item:
            case _Wanted(take_id=take_id):
                if take_id not in self._waiting and (work is None or work.take.record.id != take_id):
                    self._waiting.append(take_id)
            case _Dictating(on=on):
                self._dictating = on
                if on:
                    self._end_engine()
            case Final(session=session, segment=segment) if work and session == work.session:
                work.transcript = work.transcript.plus(segment)
            case EngineDone(session=session) if work and session == work.session:
                self._done(work)
            case EngineFailed(session=session, code=code) if work and session == work.session:
                self._engine_failed(code)
            case _:
                pass  # voice edges, and what an engine said that was given up

    def _go_on(self) -> None:
        """Have an engine hear what is to be heard now, or have none."""
        while not self._dictating and self._work is None and self._waiting:
            self._open(self._waiting.popleft())
        if self._dictating or (self._work and self._work.session):
            return
        if self._work is None:
            self._texts.clear()
            self._end_engine()
            return
        work = self._work
        if self._engine is None:
            self._engine = self._make_engine(self._items.put)
        self._sessions += 1
        work.session = self._sessions
        work.tries += 1
        self._engine.start(work.session, work.take, work.transcript.end, self._settings())
        self._engine.finish(work.session)

    def _open(self, take_id: str) -> None:
        try:
            self._work = _Work(self._takes.open(take_id), Transcript())
        except Fault as fault:
            self._failed(fault.code)
        else:
            self.present = self._work.take.record

    def _engine_failed(self, code: str) -> None:
        self._end_engine()
        if self._work is not None and self._work.tries >= ENGINE_TRIES:
            self._close()
            self._failed(code)

    def _done(self, work: _Work) -> None:
        text = polish(work.transcript, self._settings().polish)
        try:
            if text:
                self._give(SpokenText("\n".join(each.reveal() for each in (*self._texts, text))))
                self._texts.append(text)
                work.take.mark(TRANSCRIBED, time.time())
            else:
                self._nothing()
                work.take.mark(Outcome.NOTHING_HEARD, time.time())
        except Fault as fault:
            self._failed(fault.code)
        self._close()

    def _end_engine(self) -> None:
        """It is gone on return; what it has not answered is asked again by the next one."""
        if self._work is not None and self._work.session:
            if self._dictating:
                self._work.tries -= 1  # it did not fail
            self._work.session = 0
        if self._engine is not None:
            self._engine.shut_down()
            self._engine = None

    def _close(self) -> None:
        if self._work is not None:
            self._work.take.close()
        self._work = self.present = None
