"""What a dictation is made of: the events that happen to it, the effects it asks for, the states it is in.

              Start           MicrophoneLive            Stop │ quiet │ max_s        EngineDone
      Idle ──────────▶ Arming ───────────────▶ Recording ──────────────▶ Finishing ────────────▶ Inserting
        ▲                                                                                            │
        └────────────────────────────────────────────────────────────────────────────────────────────┘
                                              Inserted │ InsertFailed

Each dictation has a session number, each start of an engine for it an attempt number; what is posted about them
carries these. What is absent: every decision (core/machine.py; about engines core/failover.py).

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lysnrai_desktop.core.failover import Backend, Breaker, Relay
from lysnrai_desktop.core.speech import Segment, SpokenText, Transcript

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
class Prefer:
    """The user has chosen an engine: it stands in the settings. A dictation under way follows at once."""

    at: float


@dataclass(frozen=True, slots=True)
class AzureChanged:
    """Settings or key of Azure are known now, or are others: what is known of its failures is void."""

    at: float
    code: str
    """Why it cannot be asked; "" if it can be tried."""


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
    attempt: int = 1
    """Which start of an engine for this session noticed it."""


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
EngineChoice = Prefer | AzureChanged
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
Event = UserEvent | EngineChoice | SessionEvent


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
    backend: Backend
    from_sample: int
    attempt: int = 1
    """Comes back with what this engine posts: an earlier one that was given up may still have said something."""


@dataclass(frozen=True, slots=True)
class FinishEngine:
    """The take is complete: answer EngineDone when all of it has its finals."""

    session: int
    backend: Backend


@dataclass(frozen=True, slots=True)
class CancelEngine:
    session: int
    backend: Backend


@dataclass(frozen=True, slots=True)
class WarmEngine:
    """It may have to take over: have it ready."""

    session: int
    backend: Backend


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
    | WarmEngine
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
    azure: Breaker = Breaker()


@dataclass(frozen=True, slots=True)
class Arming:
    """Everything has been asked to open; no block has arrived."""

    session: int
    started_at: float
    relay: Relay = Relay()
    stop_at: float | None = None
    """The key was let go before the microphone was live: what it still delivers is recorded, then it ends."""


@dataclass(frozen=True, slots=True)
class Recording:
    session: int
    started_at: float
    live_at: float
    relay: Relay = Relay()
    transcript: Transcript = Transcript()
    quiet_since: float | None = None
    """When speech last ended; None while somebody speaks or nobody has spoken yet."""
    silence_told: bool = False


@dataclass(frozen=True, slots=True)
class Finishing:
    session: int
    stopped_at: float
    relay: Relay
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
    relay: Relay
    code: str
    audio_s: float
    again: bool = False


State = Idle | Arming | Recording | Finishing | Inserting
