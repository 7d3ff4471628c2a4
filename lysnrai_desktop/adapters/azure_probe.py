"""How far one gets on the way to Azure Speech, for `lysnrai doctor azure`: name, connection, certificate, and times.

Nothing is said to the service, and the key is not needed: whether it is accepted, the engine finds out.

Imports: core. May be imported by: doctor.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lysnrai_desktop.core.settings import AzureSettings

STEP_S = 5.0
"""The longest wait for one step."""
_REGION_HOST = "{region}.stt.speech.microsoft.com"
"""Source: the Speech SDK's own error texts name it (1.53)."""
_MOST_BYTES = 8192
_Address = tuple[Any, Any, int, str, Any]
"""As socket.getaddrinfo has them."""


class Step(StrEnum):
    """What is tried, in this order; PROXY and TLS only where the way leads through them."""

    NAME = "name"
    CONNECTION = "connection"
    PROXY = "proxy"
    TLS = "TLS"


@dataclass(frozen=True, slots=True)
class Way:
    """What came of it."""

    host: str
    """Whom the last step was about: the service, or the proxy on the way."""
    times_ms: dict[Step, int]
    """Of the steps that were taken."""
    failed: Step | None = None
    """The step that could not be."""


@dataclass(frozen=True, slots=True)
class _Place:
    host: str
    port: int
    encrypted: bool


def look(settings: AzureSettings) -> Way:
    """Go the way that the settings name, as far as it leads.

    Blocks: for the name as long as the system has patience, then STEP_S for each step.
    """
    times_ms: dict[Step, int] = {}
    step, host = Step.NAME, ""

    @contextlib.contextmanager
    def timed(name: Step, about: _Place) -> Iterator[None]:
        nonlocal step, host
        step, host, began = name, about.host, time.monotonic()
        yield
        times_ms[name] = round((time.monotonic() - began) * 1000)

    try:
        goal = _goal(settings)
        proxy = _Place(*_split(settings.proxy), encrypted=False) if settings.proxy else None
        first = proxy or goal
        with contextlib.ExitStack() as open_:
            with timed(Step.NAME, first):
                found = socket.getaddrinfo(first.host, first.port, type=socket.SOCK_STREAM)
            with timed(Step.CONNECTION, first):
                connection = open_.enter_context(_connected(found))
            if proxy:
                with timed(Step.PROXY, goal):
                    _ask_through(connection, goal)
            if goal.encrypted:
                with timed(Step.TLS, goal):
                    trusted = Path(settings.certificate).expanduser() if settings.certificate else None
                    context = ssl.create_default_context(cafile=trusted)
                    open_.enter_context(context.wrap_socket(connection, server_hostname=goal.host))
    except (OSError, ValueError, OverflowError):  # TLS refuses with an OSError; a name or a port may be impossible
        return Way(host, times_ms, step)
    return Way(host, times_ms)


def _goal(settings: AzureSettings) -> _Place:
    if not settings.endpoint:
        return _Place(_REGION_HOST.format(region=settings.region), 443, encrypted=True)
    parts = urlsplit(settings.endpoint)
    encrypted = parts.scheme in ("wss", "https")
    return _Place(parts.hostname or "", parts.port or (443 if encrypted else 80), encrypted)


def _split(host_and_port: str) -> tuple[str, int]:
    host, _, port = host_and_port.rpartition(":")
    return host, int(port)


def _connected(found: Sequence[_Address]) -> socket.socket:
    """A connection to the first of the addresses that takes one. Raises OSError."""
    refused = OSError()
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(STEP_S)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            refused = error
        else:
            return connection
    raise refused


def _ask_through(connection: socket.socket, goal: _Place) -> None:
    """Let a proxy connect us. Raises OSError."""
    connection.sendall(f"CONNECT {goal.host}:{goal.port} HTTP/1.1\r\nHost: {goal.host}:{goal.port}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        received = connection.recv(1)  # not one byte of what follows is ours to take
        if not received or len(answer) > _MOST_BYTES:
            raise ConnectionAbortedError
        answer += received
    if answer.split(b" ", 2)[1:2] != [b"200"]:
        raise ConnectionRefusedError
