"""The dictation thread: one queue, one step, effects performed, deadlines kept.

    everybody ── post(item) ──▶ queue ──▶ handle ──▶ core.machine.step ──▶ effects ──▶ ports
                                            ▲                                              │
                                            └──────────── events (adapters' threads) ◀─────┘

What is absent: decisions (core/machine.py, core/hotkey.py), and anything that could block: every port hands its
work to a thread of its own. What the world refuses at once (a Fault) becomes the event that the port would have
posted later. What is raised and is no Fault is a bug of ours: it is logged with its traceback, the take is kept, the
user is told, and the machine is Idle again. This is the only place that catches everything.

Imports: core, ports. May be imported by: app.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from lysnrai_desktop.core.dictation import (
    Arming,
    Cancel,
    CancelEngine,
    CaptureTarget,
    CloseMicrophone,
    Cue,
    Deadline,
    Effect,
    EngineFailed,
    EraseTake,
    Event,
    Final,
    FinishEngine,
    Finishing,
    Idle,
    Insert,
    Inserted,
    InsertFailed,
    Inserting,
    KeepTake,
    MicrophoneFailed,
    OpenMicrophone,
    OpenTake,
    Outcome,
    Recording,
    Report,
    Settled,
    Sound,
    Start,
    StartEngine,
    StartTimer,
    State,
    Stop,
    Tell,
    TimedOut,
    WarmEngine,
    WatchCancelKey,
)
from lysnrai_desktop.core.failover import Backend, choose
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.hotkey import Deed, Edge, Hotkey, Key, Wishes, hotkeys, press, tick
from lysnrai_desktop.core.insertion import Undone
from lysnrai_desktop.core.machine import step
from lysnrai_desktop.core.observer import Observation, Seen, failed, observe, observe_engine
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import Leg, SpokenText, joined
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ports import (
    Delivered,
    Engine,
    Hotkeys,
    Inserter,
    Journal,
    Microphone,
    Screen,
    Take,
    Target,
    Usage,
)
from lysnrai_desktop.runtime.items import (
    EngineState,
    Item,
    Partial,
    Quit,
    RecordsFrom,
    Recovered,
    Toggle,
    Trouble,
    Unwatch,
    Watch,
)

log = logging.getLogger(__name__)

BUG = "bug"
"""Fault code of our own mistakes."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside that a dictation needs. `hotkeys` and `inserter` are None where the desktop offers none.

    `usage` is None where nobody counts.
    """

    microphone: Microphone
    journal: Journal
    engines: Mapping[Backend, Engine]
    inserter: Inserter | None
    hotkeys: Hotkeys | None
    screen: Screen
    usage: Usage | None = None


@dataclass(slots=True)
class _Session:
    """What belongs to one dictation and is not the machine's to decide about."""

    take: Take | None = None
    target: Target | None = None
    stable: SpokenText = SpokenText()
    tentative: SpokenText = SpokenText()
    """Behind the finals."""
    language: str = ""
    """What its hotkey asked for, "" for that of the settings."""


class DictationLoop:
    """Owns the state, the deadlines and the open take. Only what is public is for other threads."""

    def __init__(
        self,
        ports: Ports,
        settings: Callable[[], Settings],
        inbox: queue.SimpleQueue[Item],
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._ports = ports
        self._settings = settings
        self._inbox = inbox
        self._now = now
        self._wall = wall
        self._state: State = Idle()
        self._keys: dict[str, Key] = {}
        """What the finger on each hotkey is doing, by its name."""
        self._language = ""
        """Of the next dictation, if its hotkey asks for one."""
        self._session = _Session()
        self._seen = Seen()
        """Of the dictation, for usage events."""
        self._timers: dict[Deadline, StartTimer] = {}
        self._engines: dict[Backend, EngineState] = {}
        """The last word of each."""
        self._thread: threading.Thread | None = None
        self.status = Status("idle", since=wall())
        """The latest, as one immutable value: may be read from any thread."""
        self.last_text = SpokenText()
        """What was last dictated, for "copy last text"."""
        self._watchers: tuple[Callable[[Status], None], ...] = ()

    def post(self, item: Item) -> None:
        """Hand an item to the dictation thread. Never blocks."""
        self._inbox.put(item)

    def watch(self, watcher: Callable[[Status], None]) -> Callable[[], None]:
        """Call `watcher` with the present status and each new one, on the dictation thread; returns the way out."""
        self.post(Watch(watcher))
        return lambda: self.post(Unwatch(watcher))

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="dictation", daemon=True)
        self._thread.start()

    def shut_down(self) -> None:
        """End the thread; a take under way is kept. Blocks for as long as the last effects take."""
        self.post(Quit())
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self.wake()
            try:
                item = self._inbox.get(timeout=self._patience_s())
            except queue.Empty:
                continue
            self.handle(item)
            if isinstance(item, Quit):
                return

    @contextlib.contextmanager
    def _surviving(self, what: str, *, onlooker: bool = False) -> Iterator[None]:
        """A bug of ours in there ends the dictation, an onlooker's not even that, and none of them the thread."""
        try:
            yield
        except Exception:
            if onlooker:
                log.exception("a bug in %s", what)
            else:
                log.exception("a bug ended dictation %d at %s", self._state.session, what)
                self._abandon()

    def _patience_s(self) -> float | None:
        due = [timer.at for timer in self._timers.values()]
        due += [key.deadline for key in self._keys.values() if key.deadline is not None]
        return max(0.0, min(due) - self._now()) if due else None

    def wake(self) -> None:
        """Let everything happen whose time has come."""
        with self._surviving("a deadline"):
            self._wake()

    def _wake(self) -> None:
        now, settings = self._now(), self._settings().hotkey
        wanted = hotkeys(settings)
        for name, key in list(self._keys.items()):
            if name in wanted:
                self._keys[name], wishes = tick(key, now, wanted[name].mode, settings.hold_s)
                self._grant(wanted[name], wishes)
            else:
                del self._keys[name]
        for timer in sorted(self._timers.values(), key=lambda timer: timer.at):
            if timer.at <= now and self._timers.get(timer.deadline) is timer:
                del self._timers[timer.deadline]
                self._advance(TimedOut(timer.session, now, timer.deadline))

    def handle(self, item: Item) -> None:
        """Take one item to its end: every effect is performed before the next item is looked at."""
        with self._surviving(type(item).__name__):
            self._handle(item)

    def _handle(self, item: Item) -> None:
        match item:
            case Edge():
                self._take_edge(item)
            case Toggle(at=at):
                self.handle(Stop(at) if self._dictating() else Start(at))
            case Start():
                self._language = ""
                self._advance(item)
            case Partial():
                self._take_partial(item)
            case EngineState(backend=backend, state=state):
                self._engines[backend] = item
                self._count(observe_engine(self._seen, backend, state))
                self._show()
            case RecordsFrom(microphone=microphone):
                self._show(microphone=microphone)
            case Trouble(code=code):
                self._tell(code)
            case Recovered(text=text):
                self.last_text = text
            case Watch(watcher=watcher):
                self._watchers = (*self._watchers, watcher)
                self._show_to(watcher)
            case Unwatch(watcher=watcher):
                self._watchers = tuple(other for other in self._watchers if other is not watcher)
            case Quit():
                self._quit()
            case _:
                self._advance(item)

    def _take_partial(self, partial: Partial) -> None:
        if partial.session == self._state.session and not isinstance(self._state, Idle):
            self._session.stable, self._session.tentative = partial.stable, partial.tentative
            self._show()

    def _take_edge(self, edge: Edge) -> None:
        settings = self._settings().hotkey
        hotkey = hotkeys(settings).get(edge.hotkey)
        if hotkey is None:
            return  # it was let go of meanwhile
        dictating = hotkey.deed is Deed.DICTATE and self._dictating()
        key = self._keys.get(edge.hotkey, Key())
        self._keys[edge.hotkey], wishes = press(key, edge, hotkey.mode, settings.hold_s, dictating)
        self._grant(hotkey, wishes)

    def _grant(self, hotkey: Hotkey, wishes: Wishes) -> None:
        for wish in wishes:
            match hotkey.deed:
                case Deed.DICTATE:
                    if isinstance(wish, Start):
                        self._language = hotkey.language
                    self._advance(wish)
                case Deed.CANCEL if isinstance(wish, Start):  # the press itself
                    self._advance(Cancel(wish.at))
                case Deed.PASTE_LAST if isinstance(wish, Start):
                    self._paste_last()
                case Deed.UNDO if isinstance(wish, Start):
                    self._undo()
                case _:
                    pass

    def _paste_last(self) -> None:
        inserter = self._ports.inserter
        if inserter is not None and self.last_text:
            inserter.insert(self.last_text, inserter.capture(), self._tell_later, fit=True)

    def _undo(self) -> None:
        if self._ports.inserter is not None:
            self._ports.inserter.undo(self._tell_later)

    def _tell_later(self, answer: Delivered | Undone | Fault) -> None:
        if not isinstance(answer, Undone) and answer.code:
            self.post(Trouble(answer.code))

    def _dictating(self) -> bool:
        """Whether the user's next press means "stop": somebody is recorded, or will be without another press."""
        match self._state:
            case Recording():
                return True
            case Arming(stop_at=stop_at):
                return stop_at is None
            case Finishing(again=again) | Inserting(again=again):
                return again
            case Idle():
                return False
            case _:
                assert_never(self._state)

    def _advance(self, event: Event) -> None:
        pending: list[Event] = [event]
        while pending:
            event = pending.pop(0)
            if isinstance(event, Final):  # it takes their place
                self._session.stable = self._session.tentative = SpokenText()
            before = self._state
            self._state, effects = step(before, event, self._settings())
            with self._surviving("what is counted", onlooker=True):
                self._count(observe(self._seen, before, event, self._state, effects))
            for effect in effects:
                try:
                    self._perform(effect)
                except Fault as fault:
                    pending += self._answer(effect, fault.code)
            self._show()

    def _count(self, observation: Observation) -> None:
        self._seen, events = observation
        if self._ports.usage is not None:
            for event in events:
                self._ports.usage.record(event)

    def _begin(self) -> None:
        target = self._ports.inserter.capture() if self._ports.inserter else None
        self._session = _Session(target=target, language=self._language)
        self._timers.clear()
        self._show(fault=None, outcome=None)

    def _perform(self, effect: Effect) -> None:  # noqa: C901  a table, one line per effect
        ports, settings, session = self._ports, self._settings(), self._session
        match effect:
            case CaptureTarget():
                self._begin()
            case OpenTake(session=number):
                session.take = ports.journal.open(number)
            case OpenMicrophone(session=number):
                ports.microphone.open(number, settings.recording.device, self._take())
            case CloseMicrophone(session=number):
                ports.microphone.close(number)
            case StartEngine(session=number, backend=backend, from_sample=start, attempt=attempt):
                session.stable = session.tentative = SpokenText()
                if session.language:
                    settings = replace(settings, engine=replace(settings.engine, language=session.language))
                ports.engines[backend].start(number, self._take(), start, settings, attempt)
            case FinishEngine(session=number, backend=backend):
                ports.engines[backend].finish(number)
            case CancelEngine(session=number, backend=backend):
                ports.engines[backend].cancel(number)
            case WarmEngine(backend=backend):
                ports.engines[backend].warm(settings)
            case Insert(session=number, text=text):
                self._insert(number, text)
            case EraseTake():
                if session.take is not None:
                    session.take.erase()
            case KeepTake(outcome=outcome, code=code):
                if session.take is not None:
                    session.take.keep(outcome, code)
            case WatchCancelKey(on=on):
                if ports.hotkeys is not None:
                    ports.hotkeys.watch_cancel(on)
            case Cue(sound=sound):
                if settings.recording.cues:
                    ports.screen.cue(sound)
            case StartTimer(deadline=deadline):
                self._timers[deadline] = effect
            case Tell(code=code):
                self._tell(code)
            case Settled(code=code):
                if self.status.fault == code:
                    self._show(fault=None)
            case Report():
                self._report(effect)
            case _:
                assert_never(effect)

    def _take(self) -> Take:
        assert self._session.take is not None, "the machine opens a take before anything that needs one"
        return self._session.take

    def _insert(self, session: int, text: SpokenText) -> None:
        self.last_text = text
        if self._ports.inserter is None:
            self.post(InsertFailed(session, self._now(), "insert.unavailable"))
            return

        def done(result: Delivered | Fault) -> None:
            if isinstance(result, Fault):
                self.post(InsertFailed(session, self._now(), result.code))
            else:
                self.post(Inserted(session, self._now(), result.delivery, result.code))

        self._ports.inserter.insert(text, self._session.target, done, fit=True)

    def _answer(self, effect: Effect, code: str) -> list[Event]:
        """What a refused effect means to the machine."""
        session, now = self._state.session, self._now()
        match effect:
            case OpenTake() | OpenMicrophone():
                return [MicrophoneFailed(session, now, code)]
            case StartEngine(attempt=attempt):
                return [EngineFailed(session, now, code, attempt)]
            case Insert():
                return [InsertFailed(session, now, code)]
            case _:
                self._tell(code)
                return []

    def _report(self, report: Report) -> None:
        self._session.take = None  # by now it is kept or erased: no bug that comes later changes that
        log.info(
            "dictation %d: %s%s, %.1f s of audio, %.2f s after its end",
            report.session,
            report.outcome,
            f" ({report.code})" if report.code else "",
            report.audio_s,
            report.wait_s,
        )
        self._timers.clear()
        untold = bool(report.code) and report.code != self.status.fault
        self._show(outcome=report.outcome.value, fault=report.code or self.status.fault)
        if untold:
            self._tell(report.code)

    def _tell(self, code: str) -> None:
        log.info("told the user: %s", code)
        self._ports.screen.tell(code)
        self._show(fault=code)

    def _show(self, **changes: str | None) -> None:
        state = type(self._state).__name__.lower()
        since = self.status.since if state == self.status.state else self._wall()
        take = self._session.take
        dictating = not isinstance(self._state, Idle) and take is not None
        status = replace(
            self.status,
            state=state,
            since=since,
            take=take.id if dictating and take else None,
            **self._engine(),
            legs=self._legs(),
            dropped_blocks=self._ports.journal.dropped_blocks,
            text=self._text(),
            tentative=self._tentative(),
            **changes,  # type: ignore[arg-type]
        )
        if status != self.status:
            self.status = status
            self._ports.screen.show(status)
            for watcher in self._watchers:
                self._show_to(watcher)

    def _show_to(self, watcher: Callable[[Status], None]) -> None:
        with self._surviving("who watches the status", onlooker=True):
            watcher(self.status)

    def _engine(self) -> dict[str, str]:
        """Who hears the dictation, and why; while there is none, the state of who would hear the next."""
        shown = {"backend": "", "backend_reason": ""}
        if isinstance(self._state, Idle):
            first = choose(self._settings().engine, self._state.azure, self._now()).order[0]
        else:
            first = self._state.relay.backend
            shown |= {"backend": first.value, "backend_reason": self._state.relay.reason}
        if engine := self._engines.get(first):
            shown |= {"engine": f"{first.value}:{engine.state}", "model": engine.model}
        return shown

    def _legs(self) -> tuple[Leg, ...]:
        match self._state:
            case Recording(transcript=transcript) | Finishing(transcript=transcript) if transcript.segments:
                return transcript.legs(self._take().rate_hz)
            case Arming():
                return ()
            case _:
                return self.status.legs

    def _text(self) -> SpokenText:
        match self._state:
            case Recording(transcript=transcript) | Finishing(transcript=transcript):
                return joined((transcript.text(), self._session.stable))
            case Inserting():
                return self.last_text
            case Idle() | Arming():
                return SpokenText()
            case _:
                assert_never(self._state)

    def _tentative(self) -> SpokenText:
        return self._session.tentative if isinstance(self._state, Recording | Finishing) else SpokenText()

    def _abandon(self) -> None:
        """After a bug: let go of everything, keep the audio, tell the user. Each step whether or not another fails."""
        session = self._state.session
        if isinstance(self._state, Idle):
            azure = self._state.azure
        else:  # else its end is counted
            azure = self._state.relay.azure
            with self._surviving("what is counted", onlooker=True):
                self._count((Seen(), (failed(self._state, BUG),)))
        self._state = Idle(session, azure)
        self._timers.clear()
        self._keys.clear()  # what they wait for may be what raised
        effects: tuple[Effect, ...] = (
            CloseMicrophone(session),
            WatchCancelKey(on=False),
            *(CancelEngine(session, backend) for backend in self._ports.engines),
            KeepTake(session, Outcome.FAILED, BUG),
            Cue(Sound.FAILED),
            Report(session, Outcome.FAILED, BUG),
        )
        for effect in effects:
            with self._surviving(f"{type(effect).__name__} after a bug", onlooker=True):
                self._perform(effect)

    def _quit(self) -> None:
        """Stop recording without inserting; what was spoken stays on the disk and is offered at the next start."""
        if isinstance(self._state, Idle):
            return
        session = self._state.session
        log.info("dictation %d is interrupted by the end of the app; its take is kept", session)
        self._state = Idle(session)
        self._ports.microphone.close(session)
        for engine in self._ports.engines.values():
            engine.cancel(session)
