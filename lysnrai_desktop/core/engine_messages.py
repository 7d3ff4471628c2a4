"""What the app and an engine process say to each other: frozen values, and their form on a pipe.

        app                                            engine process
         │ ◀──────────────────────────────────── Hello(version)
         │ Load │ Connect ─────────────────────▶
         │ ◀──────────────────────────────────── Ready │ Failed(0)
         │ Start, Audio, Audio … ──────────────▶
         │ ◀──────────────────────────────────── Started, then Voice, Partial, Final …
         │ Finish ─────────────────────────────▶
         │ ◀──────────────────────────────────── Final …, Done │ Failed(session)
         │ Ping ───────────────────────────────▶
         │ ◀──────────────────────────────────── Pong, at once, whatever else it is doing

The app need not wait for an answer before it goes on; messages are obeyed in order. `Cancel`, or another `Start`, ends
a session: the process soon says no more about it. So that a late word can be told, no session's number is used twice.
The end of the app's pipe, or `Quit`, ends the process.

A frame is the length of its body (4 bytes), a kind (1 byte) and the body: for `Audio` two numbers and the samples, for
all others a JSON list of the fields in order. Whatever does not fit is a ProtocolError: its sender is not to be trusted
any more. `VERSION` changes with every change in this file.

Absent here: pipes, processes, threads. Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from lysnrai_desktop.core.faults import AzureKeyRefused, AzureLost, AzureThrottled, AzureUnreachable
from lysnrai_desktop.core.secret import Secret
from lysnrai_desktop.core.speech import SpokenText

VERSION = 3

MAX_BODY_BYTES = 4 << 20
"""Far more than a second of audio or a page of text; a longer one is a stray print, read as a length."""

FINAL_WITHIN_S = 30.0
"""An engine says a Final for at least every so many seconds of audio, with empty text where nobody speaks: the app
feeds only so far ahead of them (a file is read faster than it is heard), and replays from the last after a failure."""


class ProtocolError(Exception):
    """The other side sent what is not a message."""


# --- what the app says ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    """Make the model ready. Comes once, first."""

    folder: str
    device: str
    compute_type: str
    threads: int
    beam: int = 5
    """These four as in core.settings.EngineSettings."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Make ready to hear through Azure Speech: `Load` for an engine whose model is elsewhere.

    The rest as in core.settings.AzureSettings. An engine that waits for a service uses no processor time.
    """

    endpoint: str
    """"": that of the region."""
    region: str
    key: Secret
    """Stands here and nowhere else: arguments and environment of a process are no secret."""
    certificate_pem: str
    """The text of the file; "": whom the system trusts."""
    proxy: str
    profanity: str
    segmentation_silence_ms: int
    dictation: bool
    preconnect: bool


@dataclass(frozen=True, slots=True)
class Start:
    """Hear a take. Its audio begins with the sample `from_sample`."""

    session: int
    from_sample: int
    language: str
    vocabulary: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audio:
    session: int
    rate_hz: int
    pcm: bytes
    """16-bit, mono; follows the audio before it without a gap."""


@dataclass(frozen=True, slots=True)
class Finish:
    """No audio will follow."""

    session: int


@dataclass(frozen=True, slots=True)
class Cancel:
    session: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks whether anybody is there."""


@dataclass(frozen=True, slots=True)
class Inject:
    """Something goes wrong, for testers: heeded where LYSNRAI_TESTER=1 is in the process's environment.

    `crash`, `mute` (nothing more is said) and `slow` (all but a Pong comes late) befall the process; `none` ends the
    latter two. Those in INJECTED fail the session, or if there is none the next.
    """

    fault: str


INJECTED = {
    "refuse": AzureUnreachable.code,
    "drop": AzureLost.code,
    "wrong_key": AzureKeyRefused.code,
    "throttle": AzureThrottled.code,
}
INJECTABLE = (*INJECTED, "mute", "slow", "crash", "none")


@dataclass(frozen=True, slots=True)
class Quit:
    pass


# --- what the engine process says -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    version: int
    engine: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded, or the service can be asked (which says nothing about whether it answers)."""

    device: str
    """cpu or cuda, what "auto" came to; azure."""
    compute_type: str


@dataclass(frozen=True, slots=True)
class Started:
    """The part that recognises is free of earlier sessions and has taken this one up."""

    session: int


@dataclass(frozen=True, slots=True)
class Voice:
    """Somebody began, or ceased, to speak."""

    session: int
    speaking: bool


@dataclass(frozen=True, slots=True)
class Partial:
    """What has been understood behind the last Final: for people to watch, in place of the Partial before."""

    session: int
    stable: SpokenText
    """What later Partials of the same piece will begin with."""
    tentative: SpokenText
    """What follows, and may change."""


@dataclass(frozen=True, slots=True)
class Final:
    """Text that will not change, for the samples [start, end) of the take.

    The first starts at `from_sample`, each of the others where the one before ended, the last ends with the take.
    """

    session: int
    start: int
    end: int
    text: SpokenText
    language: str


@dataclass(frozen=True, slots=True)
class Done:
    session: int


@dataclass(frozen=True, slots=True)
class Failed:
    """This session, or with session 0 the process, cannot go on."""

    session: int
    code: str
    """Of a fault (core/faults.py)."""


@dataclass(frozen=True, slots=True)
class Pong:
    worked_ms: int
    """Processor time that the process has used so far: one that hangs uses none, however long its work may take."""
    is_behind: bool
    """It has not done with all that it was given, as far as that is there to be worked on."""


Prepare = Load | Connect
FromApp = Prepare | Start | Audio | Finish | Cancel | Ping | Inject | Quit
FromEngine = Hello | Ready | Started | Voice | Partial | Final | Done | Failed | Pong
Message = FromApp | FromEngine

_KINDS: dict[int, type[Message]] = {
    1: Load,
    2: Start,
    3: Audio,
    4: Finish,
    5: Cancel,
    6: Quit,
    7: Ping,
    8: Connect,
    9: Inject,
    65: Hello,
    66: Ready,
    67: Started,
    68: Voice,
    69: Partial,
    70: Final,
    71: Done,
    72: Failed,
    73: Pong,
}
_KIND_OF = {message: kind for kind, message in _KINDS.items()}
_HEAD = struct.Struct("<IB")
_AUDIO = struct.Struct("<II")


def encode(message: Message) -> bytes:
    """One frame."""
    if isinstance(message, Audio):
        body = _AUDIO.pack(message.session, message.rate_hz) + message.pcm
    else:
        body = json.dumps([_plain(getattr(message, field.name)) for field in fields(message)]).encode()
    return _HEAD.pack(len(body), _KIND_OF[type(message)]) + body


class Decoder:
    """Takes the bytes of a pipe as they come and gives the messages in them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> Iterator[Message]:
        """Every message that is complete now.

        Raises:
            ProtocolError: the bytes are no message; nothing that follows can be understood.
        """
        rest, at = self._rest + received, 0
        while len(rest) - at >= _HEAD.size:
            length, kind = _HEAD.unpack_from(rest, at)
            if length > MAX_BODY_BYTES or kind not in _KINDS:
                raise ProtocolError("not a frame")
            end = at + _HEAD.size + length
            if len(rest) < end:
                break
            body, at = rest[at + _HEAD.size : end], end
            self._rest = rest[at:]  # before the message is given out: the reader may stop here
            yield _decoded(_KINDS[kind], body)
        self._rest = rest[at:]


def _decoded(kind: type[Message], body: bytes) -> Message:
    if kind is Audio:
        if len(body) < _AUDIO.size or len(body) % 2:
            raise ProtocolError("not audio")
        session, rate_hz = _AUDIO.unpack_from(body)
        return Audio(session, rate_hz, body[_AUDIO.size :])
    try:
        values = json.loads(body)
    except ValueError:
        raise ProtocolError("not a list of fields") from None
    wanted = fields(kind)
    if not isinstance(values, list) or len(values) != len(wanted):
        raise ProtocolError("not a list of its fields")
    construct: Callable[..., Message] = kind
    return construct(*(_typed(value, str(field.type)) for value, field in zip(values, wanted, strict=True)))


def _plain(value: object) -> object:
    return value.reveal() if isinstance(value, SpokenText | Secret) else value


def _typed(value: object, wanted: str) -> object:
    match wanted, value:
        case ("int", bool()):
            pass
        case ("int", int()) if value >= 0:
            return value
        case ("str", str()) | ("bool", bool()):
            return value
        case ("SpokenText", str()):
            return SpokenText(value)
        case ("Secret", str()) if value.isascii() and value.isprintable():
            return Secret(value)
        case ("tuple[str, ...]", list()) if all(isinstance(item, str) for item in value):
            return tuple(value)
        case _:
            pass
    raise ProtocolError(f"a field is not {wanted}")
