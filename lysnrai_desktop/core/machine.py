"""The dictation machine: what happens next, and nothing else.

Rule 1. Every decision about the life of a dictation is made in this file; which engine hears it, in core/failover.py.
Rule 2. This file performs nothing. Time arrives inside events; work leaves as effects (core/dictation.py).
Rule 3. Every state decides every event. An event a state does not care about is listed there by name, so the
        type checker refuses a new event until each state has answered it.

`Cancel`, a fault that ends the dictation, and each state's own deadline lead back to Idle. Every state but Idle
has a deadline, so the machine cannot get stuck. "Recording" begins with the first block that arrived, never with
the opening of the device: a cold sound server was seen to take 2 s between the two.

What carries the number of another session, or of an engine's start that was given up, is late: it is dropped in
`believed`, once, so no other module needs to reason about races.

A `Start` during Finishing or Inserting is remembered (`again`) and begins the next dictation as soon as this one
has ended; a `Stop` before that forgets it.

Imports: core only. May be imported by: runtime.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar, assert_never

from lysnrai_desktop.core import failover
from lysnrai_desktop.core.dictation import (
    Arming,
    AzureChanged,
    Cancel,
    CancelEngine,
    CaptureTarget,
    CloseMicrophone,
    Cue,
    Deadline,
    Effect,
    EngineChoice,
    EngineDone,
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
    MicrophoneLive,
    OpenMicrophone,
    OpenTake,
    Outcome,
    Recording,
    Report,
    SessionEvent,
    Settled,
    Silence,
    Sound,
    Start,
    StartEngine,
    StartTimer,
    State,
    Stop,
    TakeClosed,
    Tell,
    TimedOut,
    UserEvent,
    Voice,
    WarmEngine,
    WatchCancelKey,
)
from lysnrai_desktop.core.failover import NEEDS_USER, Breaker, Relay
from lysnrai_desktop.core.faults import EngineDied, EngineTimeout
from lysnrai_desktop.core.polish import polish
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import Segment

ARMING_S = 8.0
"""Longest wait for the first block. PulseAudio started cold needed up to 2.2 s (measured); Bluetooth more."""
FINISHING_S = 60.0
"""Longest wait for the engine between two finals after the end of speech; each final starts it anew."""
INSERTING_S = 20.0
"""The inserter's own bounds (modifiers held, window activation, receipt) add up to less."""
Effects = tuple[Effect, ...]
Happening = UserEvent | SessionEvent
Step = tuple[State, Effects]
Heard = TypeVar("Heard", Arming, Recording, Finishing)
"""An engine hears the take."""
Speaking = TypeVar("Speaking", Recording, Finishing)
"""It gives text."""


def step(state: State, event: Event, settings: Settings) -> Step:
    """Answer one event: the next state, and what is to be done, in this order.

    Total: every state answers every event.
    """
    news = believed(state, event)
    if news is None:
        return state, ()
    if isinstance(news, EngineChoice):
        return _engine_chosen(state, news, settings)
    match state:
        case Idle():
            return _idle(state, news, settings)
        case Arming():
            return _arming(state, news, settings)
        case Recording():
            return _recording(state, news, settings)
        case Finishing():
            return _finishing(state, news, settings)
        case Inserting():
            return _inserting(state, news, settings)
        case _:
            assert_never(state)


def believed(state: State, event: Event) -> Event | None:
    """The event as it is decided on: None for one that is late.

    A final that does not begin where the one before ended would lose or double something: its engine has failed.
    """
    if isinstance(event, UserEvent | EngineChoice):
        return event
    if isinstance(state, Idle) or event.session != state.session:
        return None
    if isinstance(event, Voice | Final | EngineDone | EngineFailed):
        if isinstance(state, Inserting) or state.relay.code or event.attempt != state.relay.attempt:
            return None
        if isinstance(event, Final) and not event.segment.start == _heard(state) <= event.segment.end:
            return EngineFailed(event.session, event.at, EngineDied.code, event.attempt)
    return event


def _idle(state: Idle, event: Happening, settings: Settings) -> Step:
    return _begin(state.session + 1, event.at, settings, state.azure) if isinstance(event, Start) else (state, ())


def _begin(session: int, at: float, settings: Settings, azure: Breaker) -> tuple[Arming, Effects]:
    relay = failover.begin(settings.engine, azure, at)
    return Arming(session, at, relay), (
        CaptureTarget(session),
        OpenTake(session),
        OpenMicrophone(session),
        StartEngine(session, relay.backend, from_sample=0),
        WatchCancelKey(on=True),
        StartTimer(session, Deadline.ARMING, at + ARMING_S),
        *(WarmEngine(session, backend) for backend in relay.choice.order[1:]),
    )


def _arming(state: Arming, event: Happening, settings: Settings) -> Step:
    session = state.session
    match event:
        case MicrophoneLive(at=at):
            recording = Recording(session, state.started_at, at, state.relay)
            timer = StartTimer(session, Deadline.MAX_LENGTH, at + settings.recording.max_s)
            if state.stop_at is None:
                return recording, (Cue(Sound.LIVE), timer)
            finishing, effects = _stop(recording, at)
            return replace(finishing, code="microphone.late"), effects
        case Stop(at=at):
            return replace(state, stop_at=at), ()
        case Cancel():
            return _cancelled(state)
        case MicrophoneFailed(code=code, at=at):
            return _never_live(state, code, at)
        case TimedOut(deadline=Deadline.ARMING, at=at):
            return _never_live(state, "microphone.no_audio", at)
        case EngineFailed(code=code, at=at):
            return _engine_failed(state, code, at)
        case Start():
            return replace(state, stop_at=None), ()  # pressed again before it was live: go on
        case Voice() | Silence() | TakeClosed() | Final() | EngineDone() | Inserted() | InsertFailed() | TimedOut():
            return state, ()
        case _:
            assert_never(event)


def _recording(state: Recording, event: Happening, settings: Settings) -> Step:
    session = state.session
    quiet_s = settings.recording.stop_at_silence_s
    match event:
        case Stop(at=at) | TimedOut(deadline=Deadline.MAX_LENGTH, at=at):
            return _stop(state, at)
        case TimedOut(deadline=Deadline.QUIET, at=at):
            if quiet_s and state.quiet_since is not None and at >= state.quiet_since + quiet_s:
                return _stop(state, at)
            return state, ()  # somebody spoke again
        case Voice(speaking=True):
            return replace(state, quiet_since=None), ()
        case Voice(at=at):
            timers = (StartTimer(session, Deadline.QUIET, at + quiet_s),) if quiet_s else ()
            return replace(state, quiet_since=at), timers
        case Silence(on=on):
            return _silence(state, on)
        case Final(segment=segment):
            return _final(state, segment), ()
        case Cancel():
            return _cancelled(state)
        case MicrophoneFailed(code=code, at=at):
            finishing, effects = _stop(state, at)
            return replace(finishing, code=code), (*effects, Tell(session, code))
        case EngineFailed(code=code, at=at):
            # whether somebody speaks is not known until the next engine has caught up
            return _engine_failed(replace(state, quiet_since=None), code, at)
        case Start() | MicrophoneLive() | TakeClosed() | EngineDone() | Inserted() | InsertFailed() | TimedOut():
            return state, ()
        case _:
            assert_never(event)


def _silence(state: Recording, on: bool) -> Step:
    if not on:
        return state, (Settled(state.session, "microphone.silent"),)
    if state.silence_told:  # some microphones fall silent in every pause
        return state, ()
    return replace(state, silence_told=True), (Tell(state.session, "microphone.silent"),)


def _stop(state: Recording, at: float) -> tuple[Finishing, Effects]:
    finishing = Finishing(state.session, at, state.relay, state.transcript)
    return finishing, (
        CloseMicrophone(state.session),
        WatchCancelKey(on=False),
        Cue(Sound.STOPPED),
        _finishing_timer(finishing, at),
    )


def _finishing(state: Finishing, event: Happening, settings: Settings) -> Step:
    match event:
        case TakeClosed(audio_s=audio_s, at=at):
            closed = replace(state, audio_s=audio_s)
            if state.relay.code:
                return _failed(closed, at, settings)
            return closed, (FinishEngine(state.session, state.relay.backend),)
        case Final(segment=segment, at=at):
            return _final(state, segment), (_finishing_timer(state, at),)
        case EngineDone(at=at):
            if state.audio_s is None:
                return state, ()  # done with what? The take is still open.
            return _insert(replace(state, relay=state.relay.heard()), state.audio_s, at, settings)
        case EngineFailed(code=code, at=at):
            return _finishing_failed(state, code, at, settings)
        case TimedOut(deadline=Deadline.FINISHING, at=at):
            return _finishing_failed(state, EngineTimeout.code, at, settings)
        case Cancel():
            return _cancelled(state)
        case Start():
            return replace(state, again=True), ()
        case Stop():
            return replace(state, again=False), ()
        case MicrophoneFailed() | MicrophoneLive() | Voice() | Silence() | Inserted() | InsertFailed() | TimedOut():
            return state, ()
        case _:
            assert_never(event)


def _finishing_timer(state: Finishing, at: float) -> StartTimer:
    return StartTimer(state.session, Deadline.FINISHING, at + FINISHING_S)


def _finishing_failed(state: Finishing, code: str, at: float, settings: Settings) -> Step:
    after, effects = _engine_failed(state, code, at)
    if not after.relay.code:
        return after, effects
    end, last = _failed(after, at, settings)
    return end, (*effects, *last)


# --- engines: each hears from where the one before gave its last final


def _heard(state: Arming | Recording | Finishing) -> int:
    return 0 if isinstance(state, Arming) else state.transcript.end


def _final(state: Speaking, segment: Segment) -> Speaking:
    segment = replace(segment, engine=state.relay.backend.value, reason=state.relay.reason)
    relay = state.relay.heard() if segment.text else state.relay  # of silence an engine knows by itself
    return replace(state, relay=relay, transcript=state.transcript.plus(segment))


def _engine_failed(state: Heard, code: str, at: float) -> tuple[Heard, Effects]:
    """The next takes over, and the user is told if nobody else can mend it. After the last the take is kept."""
    relay: Relay = state.relay.failed(code, at)
    told: Effects = (Tell(state.session, code),) if relay.code or code in NEEDS_USER else ()
    return replace(state, relay=relay), (*told, *_hand_over(state, relay, at))


def _engine_chosen(state: State, event: EngineChoice, settings: Settings) -> Step:
    if isinstance(event, AzureChanged):
        azure = failover.breaker(event.code)
        if isinstance(state, Idle):
            return replace(state, azure=azure), ()
        return replace(state, relay=replace(state.relay, azure=azure)), ()
    if isinstance(state, Idle | Inserting):
        return state, ()  # for the next dictation to ask
    relay = state.relay.chosen(settings.engine, event.at)
    effects = _hand_over(state, relay, event.at)
    if isinstance(state, Recording) and effects:
        state = replace(state, quiet_since=None)
    return replace(state, relay=relay), effects


def _hand_over(state: Arming | Recording | Finishing, relay: Relay, at: float) -> Effects:
    """Let the engine that this relay has now hear the take; nothing if that is the present one."""
    session, before = state.session, state.relay
    if relay.attempt == before.attempt:
        return ()
    effects: Effects = (StartEngine(session, relay.backend, _heard(state), relay.attempt),)
    if relay.backend is not before.backend:
        effects = (CancelEngine(session, before.backend), *effects)
    if not isinstance(state, Finishing):
        return effects
    finish = (FinishEngine(session, relay.backend),) if state.audio_s is not None else ()
    return (*effects, _finishing_timer(state, at), *finish)


# --- its end


def _insert(state: Finishing, audio_s: float, at: float, settings: Settings) -> Step:
    text = polish(state.transcript, settings.polish)
    if not text:
        outcome = Outcome.NOTHING_HEARD
        report = Report(state.session, outcome, state.code, audio_s, at - state.stopped_at)
        return _end(state, at, settings, KeepTake(state.session, outcome, state.code), report)
    inserting = Inserting(state.session, state.stopped_at, state.relay, state.code, audio_s, state.again)
    return inserting, (
        Insert(state.session, text),
        StartTimer(state.session, Deadline.INSERTING, at + INSERTING_S),
    )


def _inserting(state: Inserting, event: Happening, settings: Settings) -> Step:
    session = state.session
    match event:
        case Inserted(delivery=delivery, code=code, at=at):
            outcome = Outcome(delivery.value)
            report = Report(session, outcome, code or state.code, state.audio_s, at - state.stopped_at)
            erase = outcome is Outcome.INSERTED and not settings.takes.keep_s
            take = EraseTake(session) if erase else KeepTake(session, outcome, report.code)
            return _end(state, at, settings, take, report)
        case InsertFailed(code=code, at=at):
            return _insert_failed(state, code, at, settings)
        case TimedOut(deadline=Deadline.INSERTING, at=at):
            return _insert_failed(state, "insert.not_delivered", at, settings)
        case Start():
            return replace(state, again=True), ()
        case Stop():
            return replace(state, again=False), ()
        case Cancel():
            return replace(state, again=False), ()  # too late for this one: the keys are on their way
        case (
            MicrophoneLive()
            | MicrophoneFailed()
            | Voice()
            | Silence()
            | TakeClosed()
            | Final()
            | EngineDone()
            | EngineFailed()
            | TimedOut()
        ):
            return state, ()
        case _:
            assert_never(event)


def _insert_failed(state: Inserting, code: str, at: float, settings: Settings) -> Step:
    report = Report(state.session, Outcome.FAILED, code, state.audio_s, at - state.stopped_at)
    keep = KeepTake(state.session, Outcome.FAILED, code)
    return _end(state, at, settings, keep, Cue(Sound.FAILED), report)


def _failed(state: Finishing, at: float, settings: Settings) -> Step:
    """No engine is left."""
    session, code = state.session, state.relay.code
    report = Report(session, Outcome.FAILED, code, state.audio_s or 0.0, at - state.stopped_at)
    return _end(
        state,
        at,
        settings,
        CancelEngine(session, state.relay.backend),
        KeepTake(session, Outcome.FAILED, code),
        Cue(Sound.FAILED),
        report,
    )


def _never_live(state: Arming, code: str, at: float) -> Step:
    session = state.session
    return Idle(session, state.relay.azure), (
        CloseMicrophone(session),
        WatchCancelKey(on=False),
        CancelEngine(session, state.relay.backend),
        KeepTake(session, Outcome.FAILED, code),  # empty, but for blocks that a slow disk has not taken yet
        Cue(Sound.FAILED),
        Report(session, Outcome.FAILED, code, wait_s=at - state.started_at),
    )


def _cancelled(state: Arming | Recording | Finishing) -> Step:
    session = state.session
    close: Effects = (CloseMicrophone(session), WatchCancelKey(on=False))
    if isinstance(state, Finishing):
        close = ()  # closed when it began to finish
    return Idle(session, state.relay.azure), (
        *close,
        CancelEngine(session, state.relay.backend),
        EraseTake(session),
        Report(session, Outcome.CANCELLED),
    )


def _end(state: Finishing | Inserting, at: float, settings: Settings, *last: Effect) -> Step:
    if not state.again:
        return Idle(state.session, state.relay.azure), last
    begun, first = _begin(state.session + 1, at, settings, state.relay.azure)
    return begun, (*last, *first)
