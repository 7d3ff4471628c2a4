"""The dictation machine: what happens next, and nothing else.

Rule 1. Every decision about the life of a dictation is made in this file.
Rule 2. This file performs nothing. Time arrives inside events; work leaves as effects.
Rule 3. Every state decides every event. An event a state does not care about is listed there by name, so the
        type checker refuses a new event until each state has answered it.

              Start           MicrophoneLive            Stop │ quiet │ max_s        EngineDone
      Idle ──────────▶ Arming ───────────────▶ Recording ──────────────▶ Finishing ────────────▶ Inserting
        ▲                                                                                            │
        └────────────────────────────────────────────────────────────────────────────────────────────┘
                                              Inserted │ InsertFailed

`Cancel`, a fault that ends the dictation, and each state's own deadline lead back to Idle. Every state but Idle
has a deadline, so the machine cannot get stuck. "Recording" begins with the first block that arrived, never with
the opening of the device: a cold sound server was seen to take 2 s between the two.

Each dictation has a session number. A result that carries another number is late: it is dropped in `step`, once,
so no other module needs to reason about races.

A `Start` during Finishing or Inserting is remembered (`again`) and begins the next dictation as soon as this one
has ended; a `Stop` before that forgets it.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar, assert_never

from lysnrai_desktop.core.polish import polish
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import Segment, SpokenText, Transcript

ARMING_S = 8.0
"""Longest wait for the first block. PulseAudio started cold needed up to 2.2 s (measured); Bluetooth more."""
FINISHING_S = 60.0
"""Longest wait for the engine between two finals after the end of speech; each final starts it anew."""
INSERTING_S = 20.0
"""The inserter's own bounds (modifiers held, window activation, receipt) add up to less."""
ENGINE_TRIES = 3
"""Starts of an engine for one take: the first, and two more that hear it again from the last final on."""


# --- events: what the world did ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """The user wants to dictate."""

    at: float


@dataclass(frozen=True, slots=True)
class Stop:
    """The user has finished speaking."""

    at: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """The user wants it not to have happened."""

    at: float


@dataclass(frozen=True, slots=True)
class MicrophoneLive:
    """The first block of this session is in the journal."""

    session: int
    at: float


@dataclass(frozen=True, slots=True)
class MicrophoneFailed:
    session: int
    at: float
    code: str


@dataclass(frozen=True, slots=True)
class Voice:
    """Voice activity changed: an annotation, it never discards audio."""

    session: int
    at: float
    speaking: bool


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing but zeros has come for a while, or (`on` is false) sound comes again. No room is that quiet."""

    session: int
    at: float
    on: bool


@dataclass(frozen=True, slots=True)
class TakeClosed:
    """The microphone is closed and every block it delivered is in the journal."""

    session: int
    at: float
    audio_s: float


@dataclass(frozen=True, slots=True)
class Final:
    """Text that will not change, for samples that follow those of the final before."""

    session: int
    at: float
    segment: Segment
    attempt: int = 1
    """Which start of an engine for this session said so."""


@dataclass(frozen=True, slots=True)
class EngineDone:
    """The engine has heard the whole take; all its finals have been posted."""

    session: int
    at: float
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class EngineFailed:
    session: int
    at: float
    code: str
    attempt: int = 1


class Delivery(StrEnum):
    """Where the text is, as truthfully as it can be known."""

    INSERTED = "inserted"
    """The target fetched it."""
    PROBABLY_INSERTED = "probably_inserted"
    """Keys were sent; no receipt is possible."""
    ON_CLIPBOARD = "on_clipboard"
    """Not in the target; kept on the clipboard for the user to paste."""


@dataclass(frozen=True, slots=True)
class Inserted:
    session: int
    at: float
    delivery: Delivery
    code: str = ""
    """Why it was not simply inserted, "" when it was."""


@dataclass(frozen=True, slots=True)
class InsertFailed:
    session: int
    at: float
    code: str


class Deadline(StrEnum):
    ARMING = "arming"
    MAX_LENGTH = "max_length"
    QUIET = "quiet"
    FINISHING = "finishing"
    INSERTING = "inserting"


@dataclass(frozen=True, slots=True)
class TimedOut:
    session: int
    at: float
    deadline: Deadline


UserEvent = Start | Stop | Cancel
SessionEvent = (
    MicrophoneLive
    | MicrophoneFailed
    | Voice
    | Silence
    | TakeClosed
    | Final
    | EngineDone
    | EngineFailed
    | Inserted
    | InsertFailed
    | TimedOut
)
Event = UserEvent | SessionEvent


# --- effects: what is to be done ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CaptureTarget:
    """Remember the window that has the focus now."""

    session: int


@dataclass(frozen=True, slots=True)
class OpenTake:
    session: int


@dataclass(frozen=True, slots=True)
class OpenMicrophone:
    """Record into the session's take."""

    session: int


@dataclass(frozen=True, slots=True)
class CloseMicrophone:
    """Answered by TakeClosed, unless the take was erased."""

    session: int


@dataclass(frozen=True, slots=True)
class StartEngine:
    """Let an engine hear the take from this sample on, while it grows."""

    session: int
    from_sample: int
    attempt: int = 1
    """Comes back with what this engine posts: an earlier one that was given up may still have said something."""


@dataclass(frozen=True, slots=True)
class FinishEngine:
    """The take is complete: answer EngineDone when all of it has its finals."""

    session: int


@dataclass(frozen=True, slots=True)
class CancelEngine:
    session: int


@dataclass(frozen=True, slots=True)
class Insert:
    session: int
    text: SpokenText


@dataclass(frozen=True, slots=True)
class EraseTake:
    session: int


@dataclass(frozen=True, slots=True)
class KeepTake:
    """The audio stays; `outcome` and `code` say why, and so for how long and whether it is offered."""

    session: int
    outcome: Outcome
    code: str


@dataclass(frozen=True, slots=True)
class WatchCancelKey:
    """Take Esc from the desktop while `on`, and only then."""

    on: bool


class Sound(StrEnum):
    LIVE = "live"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Cue:
    sound: Sound


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Post TimedOut at this time; a timer of the same deadline replaces an earlier one."""

    session: int
    deadline: Deadline
    at: float


@dataclass(frozen=True, slots=True)
class Tell:
    """Something went wrong that does not end the dictation."""

    session: int
    code: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What was told under this code is over."""

    session: int
    code: str


class Outcome(StrEnum):
    INSERTED = "inserted"
    PROBABLY_INSERTED = "probably_inserted"
    ON_CLIPBOARD = "on_clipboard"
    NOTHING_HEARD = "nothing_heard"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """Exactly one per session, when it ends."""

    session: int
    outcome: Outcome
    code: str = ""
    """Fault code; "" when all went well."""
    audio_s: float = 0.0
    wait_s: float = 0.0
    """From the end of speech to this outcome, as the user felt it."""


Effect = (
    CaptureTarget
    | OpenTake
    | OpenMicrophone
    | CloseMicrophone
    | StartEngine
    | FinishEngine
    | CancelEngine
    | Insert
    | EraseTake
    | KeepTake
    | WatchCancelKey
    | Cue
    | StartTimer
    | Tell
    | Settled
    | Report
)


# --- states -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Idle:
    session: int = 0
    """The last session's number; the next one's is one more."""


@dataclass(frozen=True, slots=True)
class Arming:
    """Everything has been asked to open; no block has arrived."""

    session: int
    started_at: float
    tries: int = 1
    engine_code: str = ""
    """The engine's last fault once all its tries are used up."""
    stop_at: float | None = None
    """The key was let go before the microphone was live: what it still delivers is recorded, then it ends."""


@dataclass(frozen=True, slots=True)
class Recording:
    session: int
    started_at: float
    live_at: float
    tries: int = 1
    engine_code: str = ""
    transcript: Transcript = Transcript()
    quiet_since: float | None = None
    """When speech last ended; None while somebody speaks or nobody has spoken yet."""
    silence_told: bool = False


@dataclass(frozen=True, slots=True)
class Finishing:
    session: int
    stopped_at: float
    tries: int
    engine_code: str
    transcript: Transcript
    code: str = ""
    """What cut the recording short; the user has been told."""
    audio_s: float | None = None
    """Known when the take is closed."""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Inserting:
    session: int
    stopped_at: float
    code: str
    audio_s: float
    again: bool = False


State = Idle | Arming | Recording | Finishing | Inserting
Step = tuple[State, tuple[Effect, ...]]


# --- the machine --------------------------------------------------------------------------------------------


def step(state: State, event: Event, settings: Settings) -> Step:
    """Answer one event: the next state, and what is to be done, in this order.

    Total: every state answers every event. Results of another session, or of an engine that was given up, are dropped
    here.
    """
    if _is_late(state, event):
        return state, ()
    match state:
        case Idle():
            return _idle(state, event)
        case Arming():
            return _arming(state, event, settings)
        case Recording():
            return _recording(state, event, settings)
        case Finishing():
            return _finishing(state, event, settings)
        case Inserting():
            return _inserting(state, event, settings)
        case _:
            assert_never(state)


def _is_late(state: State, event: Event) -> bool:
    if isinstance(event, Start | Stop | Cancel):
        return False
    if isinstance(state, Idle) or event.session != state.session:
        return True
    if isinstance(event, Final | EngineDone | EngineFailed) and not isinstance(state, Inserting):
        return event.attempt != state.tries
    return False


def _idle(state: Idle, event: Event) -> Step:
    return _begin(state.session + 1, event.at) if isinstance(event, Start) else (state, ())


def _begin(session: int, at: float) -> Step:
    return Arming(session, at), (
        CaptureTarget(session),
        OpenTake(session),
        OpenMicrophone(session),
        StartEngine(session, from_sample=0),
        WatchCancelKey(on=True),
        StartTimer(session, Deadline.ARMING, at + ARMING_S),
    )


def _arming(state: Arming, event: Event, settings: Settings) -> Step:
    session = state.session
    match event:
        case MicrophoneLive(at=at):
            recording = Recording(session, state.started_at, at, state.tries, state.engine_code)
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
        case EngineFailed(code=code):
            return _engine_failed(state, 0, code)
        case Start():
            return replace(state, stop_at=None), ()  # pressed again before it was live: go on
        case Voice() | Silence() | TakeClosed() | Final() | EngineDone() | Inserted() | InsertFailed() | TimedOut():
            return state, ()
        case _:
            assert_never(event)


def _recording(state: Recording, event: Event, settings: Settings) -> Step:
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
            return replace(state, transcript=state.transcript.plus(segment)), ()
        case Cancel():
            return _cancelled(state)
        case MicrophoneFailed(code=code, at=at):
            finishing, effects = _stop(state, at)
            return replace(finishing, code=code), (*effects, Tell(session, code))
        case EngineFailed(code=code):
            # whether somebody speaks is not known until the next engine has caught up
            return _engine_failed(replace(state, quiet_since=None), state.transcript.end, code)
        case Start() | MicrophoneLive() | TakeClosed() | EngineDone() | Inserted() | InsertFailed() | TimedOut():
            return state, ()
        case _:
            assert_never(event)


R = TypeVar("R", Arming, Recording)


def _engine_failed(state: R, heard: int, code: str) -> tuple[R, tuple[Effect, ...]]:
    """Another hears the take from the end of its last final on; after the last try it is only recorded, and kept."""
    if state.tries < ENGINE_TRIES:
        tries = state.tries + 1
        return replace(state, tries=tries), (StartEngine(state.session, heard, tries),)
    return replace(state, engine_code=code), (Tell(state.session, code),)


def _silence(state: Recording, on: bool) -> Step:
    if not on:
        return state, (Settled(state.session, "microphone.silent"),)
    if state.silence_told:  # some microphones fall silent in every pause
        return state, ()
    return replace(state, silence_told=True), (Tell(state.session, "microphone.silent"),)


def _stop(state: Recording, at: float) -> tuple[Finishing, tuple[Effect, ...]]:
    finishing = Finishing(state.session, at, state.tries, state.engine_code, state.transcript)
    return finishing, (
        CloseMicrophone(state.session),
        WatchCancelKey(on=False),
        Cue(Sound.STOPPED),
        StartTimer(state.session, Deadline.FINISHING, at + FINISHING_S),
    )


def _finishing(state: Finishing, event: Event, settings: Settings) -> Step:
    session = state.session
    match event:
        case TakeClosed(audio_s=audio_s, at=at):
            closed = replace(state, audio_s=audio_s)
            if state.engine_code:
                return _failed(closed, state.engine_code, at)
            return closed, (FinishEngine(session),)
        case Final(segment=segment, at=at):
            transcript = state.transcript.plus(segment)
            return replace(state, transcript=transcript), (StartTimer(session, Deadline.FINISHING, at + FINISHING_S),)
        case EngineDone(at=at):
            if state.audio_s is None:
                return state, ()  # done with what? The take is still open.
            return _insert(state, state.audio_s, at, settings)
        case EngineFailed(code=code, at=at):
            return _engine_again(state, code, at)
        case TimedOut(deadline=Deadline.FINISHING, at=at):
            return _engine_again(state, "engine.timeout", at)
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


def _engine_again(state: Finishing, code: str, at: float) -> Step:
    if state.tries >= ENGINE_TRIES:
        return _failed(state, code, at)
    restart: tuple[Effect, ...] = (
        StartEngine(state.session, state.transcript.end, state.tries + 1),
        StartTimer(state.session, Deadline.FINISHING, at + FINISHING_S),
    )
    if state.audio_s is not None:
        restart = (*restart, FinishEngine(state.session))
    return replace(state, tries=state.tries + 1), restart


def _insert(state: Finishing, audio_s: float, at: float, settings: Settings) -> Step:
    text = polish(state.transcript, settings.polish)
    if not text:
        outcome = Outcome.NOTHING_HEARD
        report = Report(state.session, outcome, state.code, audio_s, at - state.stopped_at)
        return _end(state.session, state.again, at, KeepTake(state.session, outcome, state.code), report)
    inserting = Inserting(state.session, state.stopped_at, state.code, audio_s, state.again)
    return inserting, (
        Insert(state.session, text),
        StartTimer(state.session, Deadline.INSERTING, at + INSERTING_S),
    )


def _inserting(state: Inserting, event: Event, settings: Settings) -> Step:
    session = state.session
    match event:
        case Inserted(delivery=delivery, code=code, at=at):
            outcome = Outcome(delivery.value)
            report = Report(session, outcome, code or state.code, state.audio_s, at - state.stopped_at)
            erase = outcome is Outcome.INSERTED and not settings.takes.keep_s
            take = EraseTake(session) if erase else KeepTake(session, outcome, report.code)
            return _end(session, state.again, at, take, report)
        case InsertFailed(code=code, at=at):
            return _insert_failed(state, code, at)
        case TimedOut(deadline=Deadline.INSERTING, at=at):
            return _insert_failed(state, "insert.not_delivered", at)
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


def _insert_failed(state: Inserting, code: str, at: float) -> Step:
    report = Report(state.session, Outcome.FAILED, code, state.audio_s, at - state.stopped_at)
    keep = KeepTake(state.session, Outcome.FAILED, code)
    return _end(state.session, state.again, at, keep, Cue(Sound.FAILED), report)


def _failed(state: Finishing, code: str, at: float) -> Step:
    report = Report(state.session, Outcome.FAILED, code, state.audio_s or 0.0, at - state.stopped_at)
    return _end(
        state.session,
        state.again,
        at,
        CancelEngine(state.session),
        KeepTake(state.session, Outcome.FAILED, code),
        Cue(Sound.FAILED),
        report,
    )


def _never_live(state: Arming, code: str, at: float) -> Step:
    session = state.session
    return Idle(session), (
        CloseMicrophone(session),
        WatchCancelKey(on=False),
        CancelEngine(session),
        KeepTake(session, Outcome.FAILED, code),  # empty, but for blocks that a slow disk has not taken yet
        Cue(Sound.FAILED),
        Report(session, Outcome.FAILED, code, wait_s=at - state.started_at),
    )


def _cancelled(state: Arming | Recording | Finishing) -> Step:
    session = state.session
    close: tuple[Effect, ...] = (CloseMicrophone(session), WatchCancelKey(on=False))
    if isinstance(state, Finishing):
        close = ()  # closed when it began to finish
    return Idle(session), (
        *close,
        CancelEngine(session),
        EraseTake(session),
        Report(session, Outcome.CANCELLED),
    )


def _end(session: int, again: bool, at: float, *last: Effect) -> Step:
    if not again:
        return Idle(session), last
    state, first = _begin(session + 1, at)
    return state, (*last, *first)
