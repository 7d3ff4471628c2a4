"""The catalogue of usage events: all that may ever be told about how the app is used. Nothing else can leave.

An event is a frozen value. Its fields are of four kinds only, and none of them can carry free text:

    a word of a closed list   Phase, Backend, Model, Setting, …      told as a tag
    Code                      a released fault's code                told as error domain and code
    Stack                     names of functions of programs         told as a tag
    int                       a number from 0 to MOST                told as a metric

so that transcripts, audio, window titles, paths and the names of devices have no way in. `told` refuses whatever else a
later change might bring. docs/telemetry.md lists this file, and a test compares the two.

What is absent: when an event happens (core/observer.py, app.py), and whether it is recorded (ports.Usage).

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import ClassVar

from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.faults import leaves
from lysnrai_desktop.core.settings import Settings

MOST = 2**31 - 1
"""What is larger is told as this much: 24 days in milliseconds."""
BUG = "bug"
_CODES = frozenset({BUG, *(fault.code for fault in leaves())})
_SETTINGS = frozenset(
    f"{section.name}.{each.name}"
    for section in fields(Settings)
    if is_dataclass(value := getattr(Settings(), section.name))
    for each in fields(value)
)


# --- the words ----------------------------------------------------------------------------------------------


class Area(StrEnum):
    LIFECYCLE = "lifecycle"
    DICTATION = "dictation"
    RECOVERY = "recovery"


class Level(StrEnum):
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    FATAL = "fatal"


class Start(StrEnum):
    COLD = "cold"
    """The first since the computer was switched on."""
    WARM = "warm"
    AFTER_CRASH = "after_crash"


class Phase(StrEnum):
    STARTING = "starting"
    IDLE = "idle"
    ARMING = "arming"
    RECORDING = "recording"
    FINISHING = "finishing"
    INSERTING = "inserting"
    UNKNOWN = "unknown"


class Why(StrEnum):
    """An engine was selected."""

    PREFERRED = "preferred"
    """The settings name it, and nothing speaks against it."""
    UNAVAILABLE = "unavailable"
    """The preferred one is known not to work at the moment."""
    FAILED = "failed"
    """The one before failed during this dictation."""
    CHOSEN = "chosen"
    """The user made another choice during this dictation."""


class Result(StrEnum):
    INSERTED = "inserted"
    PROBABLY_INSERTED = "probably_inserted"
    ON_CLIPBOARD = "on_clipboard"


class Heard(StrEnum):
    TEXT = "text"
    NOTHING = "nothing"


class Model(StrEnum):
    """A model of the catalogue, or OWN: a folder of the user's, whose name is nobody's business."""

    TINY = "tiny"
    TINY_EN = "tiny.en"
    BASE = "base"
    BASE_EN = "base.en"
    SMALL = "small"
    SMALL_EN = "small.en"
    MEDIUM = "medium"
    LARGE_V3 = "large-v3"
    LARGE_V3_TURBO = "large-v3-turbo"
    DISTIL_LARGE_V3 = "distil-large-v3"
    OWN = "own"


_MODELS = frozenset(each.value for each in Model)
_PHASES = frozenset(each.value for each in Phase)


def model(name: str) -> Model:
    return Model(name) if name in _MODELS else Model.OWN


def phase(name: str) -> Phase:
    return Phase(name) if name in _PHASES else Phase.UNKNOWN


@dataclass(frozen=True, slots=True)
class Setting:
    """The name of a setting, such as "engine.model"; never its value. ValueError for any other text."""

    key: str

    def __post_init__(self) -> None:
        if self.key not in _SETTINGS:
            raise ValueError("not the name of a setting")

    def __str__(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class Code:
    """A released fault's code, or "bug". ValueError for any other text."""

    text: str

    def __post_init__(self) -> None:
        if self.text not in _CODES:
            raise ValueError("not the code of a fault")

    @property
    def domain(self) -> str:
        """The part that it concerns, such as "microphone"."""
        return self.text.partition(".")[0]


def code(text: str) -> Code:
    """The code, BUG for a text that is none."""
    return Code(text if text in _CODES else BUG)


_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}\.[A-Za-z_<][A-Za-z0-9_>]{0,29}")
_INNERMOST = 3
"""More would not fit into a tag."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Where a program crashed: "module.function", innermost first. ValueError for what is not the name of a function.

    Names of code alone: neither what a function was given, nor the folder that its file lies in.
    """

    functions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.functions) > _INNERMOST or not all(_FUNCTION.fullmatch(each) for each in self.functions):
            raise ValueError("not the names of functions")

    def __str__(self) -> str:
        return " < ".join(self.functions) or "unknown"


def stack(functions: Sequence[str]) -> Stack:
    """The innermost functions, but for what is not the name of one."""
    return Stack(tuple(each for each in functions if _FUNCTION.fullmatch(each))[:_INNERMOST])


# --- the events ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """Base of all events. Never recorded itself."""

    name: ClassVar[str]
    """A released name is never changed or reused."""
    area: ClassVar[Area]
    level: ClassVar[Level] = Level.INFO
    says: ClassVar[str]
    """For people: what has happened when this is recorded."""


@dataclass(frozen=True, slots=True)
class AppStarted(UsageEvent):
    name, area = "app_started", Area.LIFECYCLE
    says = "The app was started, and a dictation could begin."
    start: Start
    ready_ms: int


@dataclass(frozen=True, slots=True)
class AppStopped(UsageEvent):
    name, area = "app_stopped", Area.LIFECYCLE
    says = "The app was ended as it should be."
    uptime_s: int


@dataclass(frozen=True, slots=True)
class AppCrashed(UsageEvent):
    name, area, level = "app_crashed", Area.LIFECYCLE, Level.FATAL
    says = "The time before, the app ended without saying goodbye; seen at the next start."
    phase: Phase
    stack: Stack
    """Of the thread that crashed in native code; of no other end is it known."""
    uptime_s: int
    """To its last sign of life."""


@dataclass(frozen=True, slots=True)
class SettingsChanged(UsageEvent):
    name, area = "settings_changed", Area.LIFECYCLE
    says = "A setting was changed: which one, not to what."
    key: Setting


@dataclass(frozen=True, slots=True)
class ModelDownloadStarted(UsageEvent):
    name, area = "model_download_started", Area.LIFECYCLE
    says = "A model that is not on this disk was chosen in the menu."
    model: Model


@dataclass(frozen=True, slots=True)
class ModelDownloadCompleted(UsageEvent):
    name, area = "model_download_completed", Area.LIFECYCLE
    says = "It is here, and whole."
    model: Model
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ModelDownloadFailed(UsageEvent):
    name, area, level = "model_download_failed", Area.LIFECYCLE, Level.ERROR
    says = "It could not be fetched."
    model: Model
    code: Code


@dataclass(frozen=True, slots=True)
class DictationStarted(UsageEvent):
    name, area = "dictation_started", Area.DICTATION
    says = "Somebody wants to dictate: a key, the menu or the command line said so."
    backend: Backend


@dataclass(frozen=True, slots=True)
class BackendSelected(UsageEvent):
    name, area = "backend_selected", Area.DICTATION
    says = "An engine hears a dictation from its beginning, or from here on."
    backend: Backend
    why: Why


@dataclass(frozen=True, slots=True)
class RecognitionStarted(UsageEvent):
    name, area = "recognition_started", Area.DICTATION
    says = "The first sound has arrived from the microphone, so the engine can hear."
    backend: Backend
    wait_ms: int
    """Since the wish."""


@dataclass(frozen=True, slots=True)
class DictationCompleted(UsageEvent):
    name, area = "dictation_completed", Area.DICTATION
    says = "The text is where it was wanted, or on the clipboard."
    result: Result
    duration_ms: int
    """From the wish to the end."""
    latency_ms: int
    """From the end of speech to the end."""
    word_count: int
    segment_count: int
    transcript_length: int
    """In characters."""
    audio_ms: int


@dataclass(frozen=True, slots=True)
class DictationCancelled(UsageEvent):
    name, area = "dictation_cancelled", Area.DICTATION
    says = "The user threw a dictation away."
    phase: Phase


@dataclass(frozen=True, slots=True)
class DictationFailed(UsageEvent):
    name, area, level = "dictation_failed", Area.DICTATION, Level.ERROR
    says = "A dictation ended without its text; the audio is kept if there is any."
    phase: Phase
    audio_ms: int
    code: Code


@dataclass(frozen=True, slots=True)
class RecognitionFailed(UsageEvent):
    name, area, level = "recognition_failed", Area.DICTATION, Level.ERROR
    says = "The engine failed during a dictation; it may be tried again."
    backend: Backend
    code: Code


@dataclass(frozen=True, slots=True)
class InsertNoop(UsageEvent):
    name, area = "insert_noop", Area.DICTATION
    says = "Nothing was heard, so there was nothing to insert."
    audio_ms: int


@dataclass(frozen=True, slots=True)
class TextKeptOnClipboard(UsageEvent):
    name, area, level = "text_kept_on_clipboard", Area.DICTATION, Level.WARN
    says = "The text could not be inserted and is on the clipboard."
    code: Code


@dataclass(frozen=True, slots=True)
class MicPermissionDenied(UsageEvent):
    name, area, level = "mic_permission_denied", Area.DICTATION, Level.ERROR
    says = "The system does not let the app use the microphone."


@dataclass(frozen=True, slots=True)
class RecordingStartFailed(UsageEvent):
    name, area, level = "recording_start_failed", Area.DICTATION, Level.ERROR
    says = "The microphone could not be opened, or no sound came from it."
    wait_ms: int
    code: Code


@dataclass(frozen=True, slots=True)
class MicrophoneLost(UsageEvent):
    name, area, level = "microphone_lost", Area.DICTATION, Level.ERROR
    says = "The recording was cut short: the microphone vanished, or the disk refused."
    code: Code


@dataclass(frozen=True, slots=True)
class ErrorRecoveryAttempted(UsageEvent):
    name, area, level = "error_recovery_attempted", Area.RECOVERY, Level.WARN
    says = "An engine failed, and another hears the dictation from its last final on."
    from_: Backend
    to: Backend
    reason: Code


@dataclass(frozen=True, slots=True)
class ErrorRecoverySucceeded(UsageEvent):
    name, area = "error_recovery_succeeded", Area.RECOVERY
    says = "It gave text again."
    duration_ms: int
    """Since the first failure."""


@dataclass(frozen=True, slots=True)
class ErrorRecoveryFailed(UsageEvent):
    name, area, level = "error_recovery_failed", Area.RECOVERY, Level.ERROR
    says = "It failed too, the last time it was tried; the audio is kept."
    duration_ms: int


@dataclass(frozen=True, slots=True)
class EngineRestarted(UsageEvent):
    name, area, level = "engine_restarted", Area.RECOVERY, Level.WARN
    says = "The engine's process was started anew during a dictation and is ready."
    reason: Code


@dataclass(frozen=True, slots=True)
class TakeRecovered(UsageEvent):
    name, area = "take_recovered", Area.RECOVERY
    says = "An interrupted dictation was transcribed after all."
    heard: Heard


@dataclass(frozen=True, slots=True)
class TakeDiscarded(UsageEvent):
    name, area = "take_discarded", Area.RECOVERY
    says = "The user removed an interrupted dictation."


@dataclass(frozen=True, slots=True)
class QueueRecovered(UsageEvent):
    name, area, level = "queue_recovered", Area.RECOVERY, Level.WARN
    says = "The file of queued usage events was damaged at the start and was begun anew."


def catalogue() -> tuple[type[UsageEvent], ...]:
    """Every event there is, in the order of this file."""
    # By name: a class with slots is made twice, and the first lives until it is collected.
    return tuple({event.name: event for event in UsageEvent.__subclasses__()}.values())


# --- what is told of an event -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """An event taken apart, as the service wants it."""

    error: Code | None
    tags: dict[str, str]
    metrics: dict[str, float]


def told(event: UsageEvent) -> Told:
    """Take an event apart. TypeError for a value that is none of the four kinds: a mistake of ours."""
    error: Code | None = None
    tags: dict[str, str] = {}
    metrics: dict[str, float] = {}
    for each in fields(event):
        name, value = each.name.rstrip("_"), getattr(event, each.name)
        match value:
            case Code(text=text):
                error = value
                if name != "code":
                    tags[name] = text
            case StrEnum() | Setting() | Stack():
                tags[name] = str(value)
            case int() if not isinstance(value, bool):
                metrics[name] = min(max(value, 0), MOST)
            case _:
                raise TypeError(f"{event.name}.{name} cannot be told")
    return Told(error, tags, metrics)


def ms(seconds: float) -> int:
    """Seconds as the whole milliseconds that events carry."""
    return round(max(0.0, seconds) * 1000)
