"""Azure Speech on loopback, as the real SDK sees it: its protocol, its faults on command, and a memory of all it got.

    with service() as azure:            the recogniser is the scripted engine: a phrase for each second, its number
        azure.trouble("drop", at_s=2)
        … azure.endpoint …
        azure.turns[0].audio

What it hears it gives to an engine of ours (engines/engine.py), so with Whisper behind it it really transcribes.
Everything is as measured with SDK 1.53 and the shapes in the sources of Microsoft's JavaScript SDK; whether the real
service does the same was never seen.

Troubles, each so many `times`, when a turn has got so much audio (positions in the stream as a whole):

    of the upgrade      status (value: HTTP status), stall, slow (value: seconds), reset; at_s is no time here, but how
                        many requests there were before
    of the connection   drop, close (value: code), gone (and nobody listens any more), mute, deaf
    of the turn         no_turn_start, no_turn_end, turn_end (in the middle), no_phrase, phrase (value: its status,
                        or "malformed")
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.engines.engine import Engine, Hearing, Say
from lysnrai_desktop.engines.scripted import ScriptedEngine
from tests.azure.websocket import Gone, Request, WebSocket
from tests.desktop.processes import DEADLINE_S

RATE_HZ = 16_000
TICKS = 625
"""Of 100 ns, in a sample."""
TICKS_PER_MS = 10_000
WAV_HEADER_BYTES = 44
BLOCK_BYTES = 3_200
HYPOTHESIS_S = 0.5
ALWAYS = 1 << 30

MakeRecogniser = Callable[[Say], Engine]


def scripted(say: Say) -> Engine:
    """Its phrases are the numbers of the seconds."""
    return ScriptedEngine(say, [], 2)


@dataclass
class Trouble:
    kind: str
    value: int | float | str = 0
    at_s: float = 0.0
    times: int = ALWAYS


@dataclass
class Turn:
    """One stretch of audio that the SDK sent, and how it asked for it."""

    request_id: str
    context: dict[str, Any]
    start: int
    """In samples of the stream: what was recognised before is not sent again."""
    audio: bytearray = field(default_factory=bytearray)
    has_ended: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.audio) // 2


class Service:
    """Everything that is public may be read from any thread; `until` waits for it to become true."""

    def __init__(self, make_recogniser: MakeRecogniser = scripted, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.configs: list[dict[str, Any]] = []
        self.turns: list[Turn] = []
        self.telemetry = 0
        self.complaints: list[str] = []
        """What the SDK does otherwise than it was measured to do."""
        self.connected = 0
        """Connections that are open now."""
        self._troubles: list[Trouble] = []
        self.over = threading.Event()
        """Nobody waits for anything any more."""
        self._changed = threading.Condition(threading.RLock())
        self._listeners: dict[int, Callable[[wire.FromEngine], None]] = {}
        self._sessions = 0
        self._recogniser = make_recogniser(self._recognised)
        self._tls = tls
        self._sockets: set[WebSocket] = set()
        self._threads: list[threading.Thread] = []
        self._listening = threading.Event()
        self.port = 0
        self.listen()
        self._start(self._accept)

    @property
    def endpoint(self) -> str:
        return f"wss://localhost:{self.port}" if self._tls else f"ws://127.0.0.1:{self.port}"

    def trouble(self, kind: str, value: float | str = 0, at_s: float = 0.0, times: int = ALWAYS) -> None:
        with self._changed:
            self._troubles.append(Trouble(kind, value, at_s, times))

    def well_again(self) -> None:
        """Without troubles, and without a memory of what was."""
        with self.change():
            self._troubles.clear()
            self.requests, self.configs, self.turns, self.telemetry = [], [], [], 0

    def drop_connections(self) -> None:
        with self._changed:
            for websocket in list(self._sockets):
                websocket.abort()

    def until(self, condition: Callable[[Service], bool], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), DEADLINE_S), f"the service never saw {what}"

    def shut_down(self) -> None:
        with self.change():
            self.over.set()
        self.stop_listening()
        self._listening.set()
        self.drop_connections()
        for thread in self._threads:
            thread.join(DEADLINE_S)

    # --- for connections

    def take_trouble(self, kinds: str, position: int = 0) -> Trouble | None:
        """The first trouble of these kinds that is due, counted as having happened."""
        with self._changed:
            for trouble in self._troubles:
                if trouble.kind in kinds.split() and trouble.at_s * RATE_HZ <= position and trouble.times > 0:
                    trouble.times -= 1
                    return trouble
        return None

    def wait_out(self, trouble: Trouble) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.over.is_set() or trouble not in self._troubles)

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        with self._changed:
            yield
            self._changed.notify_all()

    def recognise(self, from_sample: int, heard: Callable[[wire.FromEngine], None]) -> Hearing:
        with self._changed:
            self._sessions += 1
            session = self._sessions
            self._listeners[session] = heard
        return self._recogniser.start(wire.Start(session, from_sample, "en", ()), lambda: session in self._listeners)

    def forget(self, hearing_of: Callable[[wire.FromEngine], None]) -> None:
        with self._changed:
            for session in [number for number, each in self._listeners.items() if each == hearing_of]:
                del self._listeners[session]

    def _recognised(self, message: wire.FromEngine) -> None:
        session = getattr(message, "session", 0)
        with self._changed:
            heard = self._listeners.get(session)
        if heard is not None:
            heard(message)

    def listen(self) -> None:
        """Take connections once more, on the same port, after `stop_listening`."""
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]
        self._listening.set()

    def stop_listening(self) -> None:
        """From now on connections are refused."""
        self._listening.clear()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    @property
    def is_listening(self) -> bool:
        return self._listening.is_set()

    def _accept(self) -> None:
        while not self.over.is_set():
            self._listening.wait()
            try:
                accepted, _ = self._server.accept()
            except OSError:
                continue
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(lambda accepted=accepted: self._serve(accepted))  # type: ignore[misc]

    def _serve(self, accepted: socket.socket) -> None:
        if self._tls is not None:
            try:
                accepted = self._tls.wrap_socket(accepted, server_side=True)
            except OSError:  # it does not trust us
                accepted.close()
                return
        websocket = WebSocket(accepted)
        with self.change():
            self._sockets.add(websocket)
        try:
            _Connection(self, websocket).serve()
        except Gone:
            pass
        finally:
            websocket.close_socket()
            with self.change():
                self._sockets.discard(websocket)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name="azure-emulator", daemon=True)
        self._threads.append(thread)
        thread.start()


@contextlib.contextmanager
def service(make_recogniser: MakeRecogniser = scripted, tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    it = Service(make_recogniser, tls)
    try:
        yield it
    finally:
        it.shut_down()
    assert it.complaints == [], it.complaints


class _Connection:
    def __init__(self, azure: Service, websocket: WebSocket) -> None:
        self._azure, self._websocket = azure, websocket
        self._turn: _Turn | None = None
        self._context: dict[str, Any] | None = None

    def serve(self) -> None:
        request = self._websocket.request()
        with self._azure.change():
            self._azure.requests.append(request)
        if not self._upgrade(request):
            return
        with self._azure.change():
            self._azure.connected += 1
        try:
            for message in self._websocket.messages():
                if isinstance(message, str):
                    self._text(message)
                else:
                    self._binary(message)
                if trouble := self._azure.take_trouble("deaf", self._turn.turn.end if self._turn else 0):
                    self._azure.wait_out(trouble)
        finally:
            if self._turn is not None:
                self._azure.forget(self._turn.heard)
            with self._azure.change():
                self._azure.connected -= 1

    def _upgrade(self, request: Request) -> bool:
        trouble = self._azure.take_trouble("status stall slow reset", (len(self._azure.requests) - 1) * RATE_HZ)
        match trouble.kind if trouble else "":
            case "status":
                assert trouble is not None
                self._websocket.respond(int(trouble.value), {"Retry-After": "7", "Location": self._azure.endpoint})
            case "stall":
                for _ in self._websocket.messages():
                    pass
            case "reset":
                self._websocket.abort()
            case slow:
                if slow:
                    assert trouble is not None
                    self._azure.over.wait(float(trouble.value))
                self._websocket.upgrade(request)
                return True
        return False

    def _text(self, message: str) -> None:
        head, _, body = message.partition("\r\n\r\n")
        headers = _headers(head)
        match headers["Path"]:
            case "speech.config":
                with self._azure.change():
                    self._azure.configs.append(json.loads(body))
            case "speech.context":
                self._context = json.loads(body)
            case "telemetry":
                with self._azure.change():
                    self._azure.telemetry += 1
            case _:
                self._complain(f"a message {headers['Path']}")

    def _binary(self, message: bytes) -> None:
        (length,) = struct.unpack_from(">H", message)
        headers, body = _headers(message[2 : 2 + length].decode()), message[2 + length :]
        if headers["Path"] != "audio":
            self._complain(f"binary {headers['Path']}")
        if self._turn is None or self._turn.turn.request_id != headers["X-RequestId"]:
            self._begin_turn(headers["X-RequestId"])
        assert self._turn is not None
        self._turn.audio(body)
        for kind in ("drop", "close", "gone"):
            if trouble := self._azure.take_trouble(kind, self._turn.turn.end):
                self._end_badly(trouble)

    def _begin_turn(self, request_id: str) -> None:
        if self._turn is not None:
            self._azure.forget(self._turn.heard)
        context = self._context or {}
        continued = context.get("continuation", {}).get("audio", {}).get("streams", {}).get("1") or {}
        turn = Turn(request_id, context, int(continued.get("offset", 0)) // TICKS)
        with self._azure.change():
            self._azure.turns.append(turn)
        self._turn = _Turn(self._azure, self._websocket, turn)

    def _end_badly(self, trouble: Trouble) -> None:
        if trouble.kind == "close":
            self._websocket.close(int(trouble.value), "emulated")
            return
        if trouble.kind == "gone":
            self._azure.stop_listening()
        self._websocket.abort()
        raise Gone

    def _complain(self, what: str) -> None:
        with self._azure.change():
            self._azure.complaints.append(what)


class _Turn:
    """Audio in, and what the recogniser makes of it out again."""

    def __init__(self, azure: Service, websocket: WebSocket, turn: Turn) -> None:
        self._azure, self._websocket, self.turn = azure, websocket, turn
        self._has_header = False
        self._has_begun = False
        self._is_mute = False
        self._is_short = False
        self._phrase_end = turn.start
        self._speaking = False
        self._hypothesis = "…"
        self._hypothesis_end = turn.start
        self._hearing = azure.recognise(turn.start, self.heard)

    def audio(self, body: bytes) -> None:
        if not self._has_header:
            self._has_header = True
            if body[:4] != b"RIFF" or len(body) != WAV_HEADER_BYTES:
                self._complain("audio without a header")
            if struct.unpack_from("<I", body, 24) != (RATE_HZ,):
                self._complain("another rate")
            return
        if not body:
            with self._azure.change():
                self.turn.has_ended = True
            self._hearing.finish()
            return
        if self.turn.has_ended or self._is_short:
            self._complain(f"audio at {self.turn.end}, behind its end or a block that was not whole")
        with self._azure.change():
            self.turn.audio += body
        # blocks are those of the stream; what is sent again begins where it must, and so with the rest of one
        self._is_short = self.turn.end % (BLOCK_BYTES // 2) != 0
        self._mute_now()
        if not self._has_begun:
            self._has_begun = True
            if not self._azure.take_trouble("no_turn_start"):
                self._say("turn.start", {"context": {"serviceTag": "e" * 32}})
        if self._azure.take_trouble("turn_end", self.turn.end):
            self._say("turn.end", {})
        self._hearing.audio(wire.Audio(0, RATE_HZ, body))
        if self._speaking and self.turn.end - self._hypothesis_end >= HYPOTHESIS_S * RATE_HZ:
            self._suppose(self._hypothesis)  # the service does not wait for a pause, as Whisper does

    def heard(self, message: wire.FromEngine) -> None:
        match message:
            case wire.Voice(speaking=speaking):
                self._speaking = speaking
                if speaking:
                    self._say("speech.startDetected", {"Offset": self._ticks(self.turn.end)})
            case wire.Partial(stable=stable, tentative=tentative) if self.turn.end > self._phrase_end:
                self._suppose(f"{stable.reveal()} {tentative.reveal()}".strip())
            case wire.Final(text=text) if text:
                self._phrase(message)
            case wire.Done():
                self._end()
            case _:
                pass

    def _suppose(self, text: str) -> None:
        self._hypothesis, self._hypothesis_end = text, self.turn.end
        span = {"Offset": self._ticks(self.turn.end - RATE_HZ // 10), "Duration": RATE_HZ // 10 * TICKS}
        self._say("speech.hypothesis", {"Text": text, **span})

    def _phrase(self, final: wire.Final) -> None:
        self._phrase_end, self._hypothesis = final.end, "…"
        if self._azure.take_trouble("no_phrase", final.end):
            return
        trouble = self._azure.take_trouble("phrase", final.end)
        status, text = ("Success", final.text.reveal()) if trouble is None else (trouble.value, "")
        phrase = {"RecognitionStatus": status, "DisplayText": text, "Offset": self._ticks(final.start)}
        phrase |= {"Duration": (final.end - final.start) * TICKS, **self._language(final.language)}
        self._say("speech.phrase", "{" if status == "malformed" else phrase)

    def _language(self, code: str) -> dict[str, Any]:
        asked = self.turn.context.get("languageId", {}).get("languages", [])
        spoken = next((each for each in asked if each.startswith(code)), None)
        return {"PrimaryLanguage": {"Language": spoken, "Confidence": "High"}} if spoken else {}

    def _end(self) -> None:
        if self._azure.take_trouble("no_turn_end"):
            return
        # in whole milliseconds, rounded up: what the SDK thinks is behind it, it sends again as a turn of its own
        end = -(-self._ticks(self.turn.end) // TICKS_PER_MS) * TICKS_PER_MS
        self._say("speech.endDetected", {"Offset": end})
        status = {"RecognitionStatus": "EndOfDictation", "DisplayText": ""}
        self._say("speech.phrase", {**status, "Offset": end, "Duration": 0})
        self._say("turn.end", {})

    def _say(self, path: str, body: dict[str, Any] | str) -> None:
        self._mute_now()
        if self._is_mute:
            return
        head = f"X-RequestId:{self.turn.request_id}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}"
        self._websocket.send(f"{head}\r\n\r\n{body if isinstance(body, str) else json.dumps(body)}")

    def _mute_now(self) -> None:
        self._is_mute = self._is_mute or self._azure.take_trouble("mute", self.turn.end) is not None

    def _ticks(self, position: int) -> int:
        return max(0, position - self.turn.start) * TICKS

    def _complain(self, what: str) -> None:
        with self._azure.change():
            self._azure.complaints.append(what)


def _headers(head: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.split("\r\n") if line)
    return {name.strip(): value.strip() for name, _, value in pairs}
