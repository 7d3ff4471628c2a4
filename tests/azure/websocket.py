"""The server's side of a WebSocket (RFC 6455), as much of it as the Speech SDK uses; and ways to end it badly."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""


class Gone(Exception):
    """The other side is not there any more."""


class WebSocket:
    """One connection, first as HTTP, after `upgrade` as WebSocket. `send` is safe from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._rest = b""
        self._lock = threading.Lock()

    def request(self) -> Request:
        """The head of the request. Raises Gone."""
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = (line.partition(":") for line in lines)
        return Request(method, path, {name.strip().lower(): value.strip() for name, _, value in headers})

    def respond(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Refuse."""
        lines = [f"HTTP/1.1 {status} Emulated", "Content-Length: 0", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._write("\r\n".join([*lines, "", ""]).encode())
        self.close_socket()

    def upgrade(self, request: Request) -> None:
        key = request.headers["sec-websocket-key"] + _GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Accept: {accept}", "Sec-WebSocket-Protocol: USP", "", ""]
        self._write("\r\n".join(lines).encode())

    def messages(self) -> Iterator[str | bytes]:
        """Until the other side closes, or is gone."""
        parts: list[bytes] = []
        kind = 0
        with contextlib.suppress(Gone):
            while True:
                final, opcode, payload = self._frame()
                if opcode == _CLOSE:
                    self._send(_CLOSE, payload)
                    return
                if opcode == _PING:
                    self._send(_PONG, payload)
                elif opcode != _PONG:
                    kind = opcode or kind
                    parts.append(payload)
                    if final:
                        whole, parts = b"".join(parts), []
                        yield whole.decode() if kind == _TEXT else whole

    def send(self, text: str) -> None:
        """Nothing happens if nobody is there any more."""
        with contextlib.suppress(Gone):
            self._send(_TEXT, text.encode())

    def close(self, code: int, reason: str) -> None:
        with contextlib.suppress(Gone):
            self._send(_CLOSE, struct.pack(">H", code) + reason.encode())

    def abort(self) -> None:
        """Drop the connection as a failing network does."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_socket()

    def close_socket(self) -> None:
        """Whoever reads from it is woken."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)
        self._socket.close()

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._take(2)
        length = second & 0x7F
        if length >= 126:
            (length,) = struct.unpack(">H", self._take(2)) if length == 126 else struct.unpack(">Q", self._take(8))
        mask, payload = self._take(4), self._take(length)  # a client always masks
        keys = (mask * (length // 4 + 1))[:length]
        plain = int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")
        return bool(first & 0x80), first & 0x0F, plain.to_bytes(length, "little")

    def _send(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        head = bytes([0x80 | opcode, length]) if length < 126 else struct.pack(">BBH", 0x80 | opcode, 126, length)
        self._write(head + payload)

    def _take(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._receive()
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def _receive(self) -> None:
        try:
            received = self._socket.recv(1 << 16)
        except OSError:
            received = b""
        if not received:
            raise Gone
        self._rest += received

    def _write(self, data: bytes) -> None:
        with self._lock:
            try:
                self._socket.sendall(data)
            except OSError:
                raise Gone from None
