"""A platform service for tests: real HTTP on loopback, that keeps the contract, and breaks it on command.

    with Service() as service:
        service.lie(lies.answer(503, retry_after="2"), lies.cut_off_after_committing)
        …
        assert service.events.keys() == what_was_recorded

Each lie is told once, to the next call of the kind it fits; then the service is honest again. `events` holds what was
stored, once by id, in the order of arrival: the "set of ids" against which exactly-once is measured.

Imports: wire. May be imported by: tests, this package's and others'.
"""

from __future__ import annotations

import gzip
import json
import re
import secrets
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import msgspec

from telemetry import wire

__all__ = ["PRODUCT_KEY", "Call", "Lie", "Reply", "Service", "lies"]

PRODUCT_KEY: Final = "pk_test"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    at: float

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    """Send only so many bytes of the body, then close."""

    raw: bytes | None = None
    """Send these bytes instead of an HTTP answer."""

    byte_every_s: float | None = None
    silent: bool = False
    """Say nothing until the client goes away."""


Lie = Callable[[Call, Callable[[], Reply]], Reply | None]
"""Given a call and how to answer it honestly; None where the lie does not fit this call."""


class lies:  # noqa: N801  # a namespace
    """The menu. Every lie but those about registration and configuration fits POST /events alone."""

    @staticmethod
    def answer(status: int, body: bytes = b"{}", path: str = "/events", **headers: str) -> Lie:
        """Answer so without having done anything."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return _fits(path, lambda _call, _honest: Reply(status, body, named))

    @staticmethod
    def cut_off_after_committing(call: Call, honest: Callable[[], Reply]) -> Reply | None:
        """Store the events, then close without a word."""
        return _fits("/events", lambda _call, honest: _do(honest, Reply(200, raw=b"")))(call, honest)

    @staticmethod
    def half_a_body(call: Call, honest: Callable[[], Reply]) -> Reply | None:
        def half(_call: Call, honest: Callable[[], Reply]) -> Reply:
            reply = honest()
            return Reply(reply.status, reply.body, reply.headers, cut_at=len(reply.body) // 2)

        return _fits("/events", half)(call, honest)

    @staticmethod
    def nonsense(call: Call, honest: Callable[[], Reply]) -> Reply | None:
        """A hotel's sign-in page with status 200."""
        return _fits("/events", lambda _call, _honest: Reply(200, b"<html>Please sign in</html>"))(call, honest)

    @staticmethod
    def wrong_ids(call: Call, honest: Callable[[], Reply]) -> Reply | None:
        """Verdicts on events that were never sent; nothing is stored."""

        def wrong(call: Call, _honest: Callable[[], Reply]) -> Reply:
            results = [{"id": "00000000-0000-4000-8000-000000000000", "status": "accepted"}]
            return Reply(200, json.dumps({"batchId": call.json["batchId"], "results": results}).encode())

        return _fits("/events", wrong)(call, honest)

    @staticmethod
    def not_http(call: Call, honest: Callable[[], Reply]) -> Reply | None:
        return _fits("/events", lambda _call, _honest: Reply(200, raw=b"SSH-2.0-OpenSSH_9.2\r\n"))(call, honest)

    @staticmethod
    def silence(call: Call, honest: Callable[[], Reply]) -> Reply | None:
        """A black hole: the request is read, nothing comes back."""
        return _fits("/events", lambda _call, _honest: Reply(200, silent=True))(call, honest)

    @staticmethod
    def trickle(every_s: float, path: str = "/events") -> Lie:
        """One byte at a time, so that no timeout between bytes ever strikes."""
        return _fits(path, lambda _call, _honest: Reply(200, b" " * 10_000, byte_every_s=every_s))

    @staticmethod
    def endless_body(call: Call, honest: Callable[[], Reply]) -> Reply | None:
        """A small gzip body that inflates to 64 MiB."""
        bomb = gzip.compress(b" " * (64 * 2**20))
        return _fits("/events", lambda _call, _honest: Reply(200, bomb, {"Content-Encoding": "gzip"}))(call, honest)

    @staticmethod
    def verdict(status: str, **more: Any) -> Lie:
        """This verdict on every event, which is not stored."""

        def told(call: Call, _honest: Callable[[], Reply]) -> Reply:
            results = [{"id": each["id"], "status": status, **more} for each in call.json["events"]]
            return Reply(200, json.dumps({"batchId": call.json["batchId"], "results": results}).encode())

        return _fits("/events", told)


def _fits(path: str, tell: Callable[[Call, Callable[[], Reply]], Reply]) -> Lie:
    def lie(call: Call, honest: Callable[[], Reply]) -> Reply | None:
        return tell(call, honest) if path in call.path else None

    return lie


def _do(honest: Callable[[], Reply], reply: Reply) -> Reply:
    honest()
    return reply


class Service:
    """The service in memory: installs, events, verdicts, configuration, erasure, rate limits."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, clock: Callable[[], float] = time.time) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.arrivals: list[str] = []
        """The id of each event that came, as often as it came."""

        self.calls: list[Call] = []
        self.left: list[Call] = []
        """Those that were told nothing, and whose client went away: the connection is closed."""

        self.batches: dict[str, set[str]] = {}
        """The set of ids that came under each batch id."""

        self.config: dict[str, Any] = msgspec.to_builtins(wire.Config())
        self.erased: set[str] = set()
        self.ledgers: list[dict[str, int]] = []
        self.max_events = wire.MAX_BATCH_EVENTS
        self.poison: set[str] = set()
        """Events for whose sake a whole batch is answered 413."""

        self.rate_per_minute: dict[str, int] | None = None
        """For example {"live": 100, "backlog": 600}; None: no limit."""

        self.clock = clock
        self._tokens: dict[str, str] = {}
        self._secrets: dict[str, str] = {}
        self._accepted_at: dict[str, deque[float]] = {"live": deque(), "backlog": deque()}
        self._lies: deque[Lie] = deque()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._ending = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.service = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="test service")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    def lie(self, *told: Lie, times: int = 1) -> None:
        """Tell these lies, in this order, to the next calls they fit."""
        with self._lock:
            self._lies.extend(told * times)

    def be_honest(self) -> None:
        """Forget the lies that were not told yet."""
        with self._lock:
            self._lies.clear()

    def revoke_tokens(self) -> None:
        with self._lock:
            self._tokens.clear()

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
        """Whether the condition came true in time; looked at whenever a call was answered."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    @property
    def paths(self) -> list[str]:
        """Method and last part of the path of each call."""
        with self._lock:
            return [f"{call.method} {urlsplit(call.path).path.removeprefix('/api/telemetry')}" for call in self.calls]

    # ------------------------------------------------------------------------------------------------------ answers

    def answer(self, call: Call) -> Reply:
        with self._changed:
            self.calls.append(call)
            for lie in self._lies:
                reply = lie(call, lambda: self._honest(call))
                if reply is not None:
                    self._lies.remove(lie)
                    break
            else:
                reply = self._honest(call)
            self._changed.notify_all()
            return reply

    def _honest(self, call: Call) -> Reply:
        url = urlsplit(call.path)
        path = url.path.removeprefix("/api/telemetry")
        if path == "/installs" and call.method == "POST":
            return self._register(call)
        install = next(
            (each for each, token in self._tokens.items() if token == call.headers.get("x-install-token")), None
        )
        if install is None:
            return _problem(401)
        if path == "/events" and call.method == "POST":
            return self._ingest(call, install)
        if path == "/config" and call.method == "GET":
            return self._configure(call, {key: values[0] for key, values in parse_qs(url.query).items()}, install)
        if path.startswith("/install/") and call.method == "DELETE":
            return self._erase(path.removeprefix("/install/"), install)
        return _problem(404)

    def _register(self, call: Call) -> Reply:
        try:
            told = msgspec.json.decode(call.body, type=wire.Install)
        except msgspec.MsgspecError:
            return _problem(400)
        if told.product_key != PRODUCT_KEY:
            return _problem(401)
        install = told.install_id.lower()
        if self._secrets.setdefault(install, told.install_secret) != told.install_secret:
            return _problem(409)
        token = self._tokens.setdefault(install, secrets.token_urlsafe(24))
        return _json(201, {"installToken": token})

    def _configure(self, call: Call, query: Mapping[str, str], install: str) -> Reply:
        required = (
            "productId",
            "platform",
            "channel",
            "osFamily",
            "appVersion",
            "releaseChannel",
            "anonymousInstallId",
        )
        if missing := [key for key in required if key not in query]:
            return _problem(400, missing[0])
        if query["anonymousInstallId"].lower() != install:
            return _problem(403)
        if call.headers.get("if-none-match") == self.etag:
            return Reply(304, headers={"ETag": self.etag})
        return _json(200, self.config, ETag=self.etag)

    @property
    def etag(self) -> str:
        return f'"{hash(json.dumps(self.config, sort_keys=True)) & 0xFFFFFFFF:08x}"'

    def _erase(self, path_id: str, install: str) -> Reply:
        if path_id.lower() != install:
            return _problem(403)
        mine = [each for each, event in self.events.items() if event["anonymousInstallId"].lower() == install]
        for each in mine:
            del self.events[each]
        self.erased.add(install)
        return _json(200, {"before": len(mine), "after": 0, "tombstone": True})

    def _ingest(self, call: Call, install: str) -> Reply:
        if call.headers.get("content-type") != "application/json":
            return _problem(415)
        if len(call.raw) > wire.MAX_BATCH_GZIP_BYTES:
            return _problem(413)
        try:
            batch = wire.parse_batch(call.body)
        except wire.Refused as refused:
            return _problem(400, refused.field)
        sent = [json.loads(bytes(raw)) for raw in batch.events]
        if len(sent) > self.max_events or any(each.get("id") in self.poison for each in sent):
            return _problem(413)
        ids = {each["id"] for each in sent}
        assert self.batches.setdefault(batch.batch_id, ids) == ids, "another set under the same batch id"
        if isinstance(batch.ledger, dict):
            self.ledgers.append(batch.ledger)
        results = [self._judge(bytes(raw), batch.sent_at, install) for raw in batch.events]
        counts = {status: sum(each["status"] == status for each in results) for status in wire.STATUSES}
        told = {
            "batchId": batch.batch_id,
            "receivedAt": wire.format_time(self.clock()),
            "counts": counts,
            "results": results,
            "configEtag": self.etag,
        }
        return _json(200, told)

    def _judge(self, raw: bytes, sent_at: object, install: str) -> dict[str, Any]:
        value = json.loads(raw)
        each = value.get("id") if isinstance(value, dict) else None
        if isinstance(each, str):
            self.arrivals.append(each)
        try:
            event = wire.parse_event(raw)
            if event.anonymous_install_id.lower() != install:
                raise wire.Refused("wrong_install", "anonymousInstallId")
            if install in self.erased:
                raise wire.Refused("erased_subject")
            if event.id.lower() in self.events:
                return {"id": each, "status": "duplicate"}
            if not self.config["enabled"]:
                raise wire.Refused("tenant_disabled")
            wire.judge_privacy(value)
            occurred, sent, now = wire.parse_time(event.occurred_at) or 0.0, wire.parse_time(sent_at), self.clock()
            if (reason := wire.judge_time(occurred, now, sent)) is not None:
                raise wire.Refused(reason, "occurredAt")
        except wire.Refused as refused:
            told = {"reason": refused.reason, "field": refused.field, "rule": refused.rule}
            return {"id": each, "status": "rejected", **{key: item for key, item in told.items() if item is not None}}
        age_s = (now if sent is None else sent) - occurred
        if (wait_s := self._over_rate("backlog" if age_s > 60 else "live", now)) > 0:
            told_ms = max(1, min(60_000, int(wait_s * 1000)))
            return {"id": each, "status": "retry", "reason": "rate_limited", "retryAfterMs": told_ms}
        self.events[event.id.lower()] = value
        return {"id": each, "status": "accepted"}

    def _over_rate(self, kind: str, now: float) -> float:
        """Seconds until a place is free in the sliding minute; 0 takes one."""
        if self.rate_per_minute is None:
            return 0.0
        taken = self._accepted_at[kind]
        while taken and taken[0] <= now - 60:
            taken.popleft()
        if len(taken) >= self.rate_per_minute[kind]:
            return taken[0] + 60 - now
        taken.append(now)
        return 0.0

    def ends_within(self, seconds: float) -> bool:
        return self._ending.wait(seconds)

    def wait_for_end(self, call: Call, connection: socket.socket) -> None:
        """Until the client, or this service, goes away."""
        connection.settimeout(0.05)
        while not self._ending.is_set():
            try:
                if connection.recv(1):
                    continue
            except TimeoutError:
                continue
            except OSError:
                pass  # reset is gone too
            with self._changed:
                self.left.append(call)
                self._changed.notify_all()
            return


def _json(status: int, value: object, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def _problem(status: int, field_name: str | None = None) -> Reply:
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if field_name is not None:
        problem["field"] = field_name
    return _json(status, problem)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64
    service: Service

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """End the kept-alive connections, so that their threads end."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        service = self.server.service
        size = self.headers.get("Content-Length", "0")
        raw = self.rfile.read(int(size) if re.fullmatch("[0-9]{1,9}", size) else 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, self.path, headers, raw, time.monotonic())
        reply = service.answer(call)
        if reply.raw is not None:
            self.wfile.write(reply.raw)
            self.close_connection = True
        elif reply.silent:
            service.wait_for_end(call, self.connection)
            self.close_connection = True
        else:
            self._send(reply, service)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815  # the names are the library's

    def _send(self, reply: Reply, service: Service) -> None:
        """Head and body in one write: two would wait 40 ms for each other on a kept-alive connection."""
        lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}", f"Content-Length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        body = reply.body if reply.cut_at is None else reply.body[: reply.cut_at]
        whole = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        if reply.byte_every_s is None:
            self.wfile.write(whole)
        else:
            self._trickle(whole, reply.byte_every_s, service)
        self.close_connection = self.close_connection or reply.cut_at is not None or reply.byte_every_s is not None

    def _trickle(self, whole: bytes, every_s: float, service: Service) -> None:
        for number in range(len(whole)):
            self.wfile.write(whole[number : number + 1])
            if service.ends_within(every_s):
                return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
