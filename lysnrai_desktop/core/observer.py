"""Which steps of a dictation are usage events: looks on while core/machine.py decides, and changes nothing.

    observe(seen, before, event, after, effects) -> (seen, usage events)

`Seen` is what a later event tells of an earlier step. What is absent: everything but the dictation machine; the events
of the app's own life come from app.py.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from lysnrai_desktop.core import usage
from lysnrai_desktop.core.dictation import (
    Arming,
    Deadline,
    Effect,
    EngineDone,
    EngineFailed,
    Event,
    Final,
    Finishing,
    Idle,
    Insert,
    Inserting,
    MicrophoneFailed,
    MicrophoneLive,
    OpenTake,
    Outcome,
    Prefer,
    Recording,
    Report,
    State,
    TimedOut,
)
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.faults import EngineTimeout, MicrophoneDenied, MicrophoneStuck
from lysnrai_desktop.core.machine import believed
from lysnrai_desktop.core.usage import UsageEvent, Why, ms


@dataclass(frozen=True, slots=True)
class Seen:
    """Of the present dictation."""

    started_at: float = 0.0
    failing_since: float | None = None
    """When the engine failed first; None while none has, and once it gives text again."""
    restart: tuple[Backend, usage.Code] | None = None
    """Which engine was asked to start anew, and why, until it is ready."""
    words: int = 0
    characters: int = 0
    segments: int = 0


Live = Arming | Recording | Finishing | Inserting
Observation = tuple[Seen, tuple[UsageEvent, ...]]


def observe(seen: Seen, before: State, event: Event, after: State, effects: tuple[Effect, ...]) -> Observation:
    """What one step of the machine tells. A late event, which the machine drops, tells nothing."""
    events: list[UsageEvent] = []
    news = believed(before, event)
    if news is not None and not isinstance(before, Idle):
        seen = _event(seen, before, news, after, events)
    for effect in effects:
        match effect:
            case OpenTake() if isinstance(after, Arming):
                seen = Seen(event.at)
                backend, reason = after.relay.backend, after.relay.reason
                events.append(usage.DictationStarted(backend))
                events.append(usage.BackendSelected(backend, Why.UNAVAILABLE if reason else Why.PREFERRED))
            case Insert(text=text) if isinstance(before, Finishing):
                segments = len(before.transcript.segments)
                seen = replace(seen, words=text.word_count, characters=len(text), segments=segments)
            case Report():
                events += _report(seen, before, event, effect)
            case _:
                pass
    return seen, tuple(events)


def observe_engine(seen: Seen, backend: Backend, state: str) -> Observation:
    """An engine's process is off, starting or ready."""
    if seen.restart is None or (backend, state) != (seen.restart[0], "ready"):
        return seen, ()
    return replace(seen, restart=None), (usage.EngineRestarted(seen.restart[1]),)


def failed(state: State, code: str, audio_s: float = 0.0) -> UsageEvent:
    """A dictation ended here, without its text."""
    return usage.DictationFailed(_phase(state), ms(audio_s), usage.code(code))


def _event(seen: Seen, before: Live, event: Event, after: State, events: list[UsageEvent]) -> Seen:
    match before, event:
        case Arming(), MicrophoneLive(at=at):
            events.append(usage.RecognitionStarted(before.relay.backend, ms(at - seen.started_at)))
        case Arming(), MicrophoneFailed(code=code, at=at):
            if code == MicrophoneDenied.code:
                events.append(usage.MicPermissionDenied())
            events.append(usage.RecordingStartFailed(ms(at - seen.started_at), usage.code(code)))
        case Arming(), TimedOut(deadline=Deadline.ARMING, at=at):
            events.append(usage.RecordingStartFailed(ms(at - seen.started_at), usage.Code(MicrophoneStuck.code)))
        case Recording(), MicrophoneFailed(code=code):
            events.append(usage.MicrophoneLost(usage.code(code)))
        case Arming() | Recording() | Finishing(), EngineFailed(code=code, at=at):
            return _engine_failed(seen, before, usage.code(code), at, after, events)
        case Finishing(), TimedOut(deadline=Deadline.FINISHING, at=at):
            return _engine_failed(seen, before, usage.Code(EngineTimeout.code), at, after, events)
        case Recording() | Finishing(), Final(at=at) | EngineDone(at=at) if seen.failing_since is not None:
            events.append(usage.ErrorRecoverySucceeded(ms(at - seen.failing_since)))
            return replace(seen, failing_since=None)
        case _, Prefer() if isinstance(after, Live) and after.relay.backend is not before.relay.backend:
            events.append(usage.BackendSelected(after.relay.backend, Why.CHOSEN))
        case _:
            pass
    return seen


def _engine_failed(
    seen: Seen, before: Live, code: usage.Code, at: float, after: State, events: list[UsageEvent]
) -> Seen:
    failed, since = before.relay.backend, at if seen.failing_since is None else seen.failing_since
    events.append(usage.RecognitionFailed(failed, code))
    if after.session != before.session or isinstance(after, Idle) or after.relay.code:
        events.append(usage.ErrorRecoveryFailed(ms(at - since)))
        return replace(seen, failing_since=None, restart=None)
    follower = after.relay.backend
    events.append(usage.ErrorRecoveryAttempted(failed, follower, code))
    if follower is failed:
        return replace(seen, failing_since=since, restart=(failed, code))
    events.append(usage.BackendSelected(follower, Why.FAILED))
    return replace(seen, failing_since=since, restart=None)


def _report(seen: Seen, before: State, event: Event, report: Report) -> tuple[UsageEvent, ...]:
    audio_ms = ms(report.audio_s)
    match report.outcome:
        case Outcome.INSERTED | Outcome.PROBABLY_INSERTED | Outcome.ON_CLIPBOARD as outcome:
            completed = usage.DictationCompleted(
                usage.Result(outcome.value),
                ms(event.at - seen.started_at),
                ms(report.wait_s),
                seen.words,
                seen.segments,
                seen.characters,
                audio_ms,
            )
            if outcome is Outcome.ON_CLIPBOARD:
                return usage.TextKeptOnClipboard(usage.code(report.code)), completed
            return (completed,)
        case Outcome.NOTHING_HEARD:
            return (usage.InsertNoop(audio_ms),)
        case Outcome.CANCELLED:
            return (usage.DictationCancelled(_phase(before)),)
        case Outcome.FAILED:
            return (failed(before, report.code, report.audio_s),)
        case _:
            assert_never(report.outcome)


def _phase(state: State) -> usage.Phase:
    return usage.phase(type(state).__name__.lower())
