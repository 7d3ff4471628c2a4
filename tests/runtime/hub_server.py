"""A server on loopback laid out like the model hub: /OWNER/NAME/resolve/REVISION/FILE leads on to where the bytes are.

It answers ranges, remembers what it was asked, and can break, hang and lie when told to.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class HubServer:
    files: dict[str, bytes]
    """"OWNER/NAME/resolve/REVISION/FILE" -> what is served."""
    address: str = ""
    requests: list[str] = field(default_factory=list)
    """File, and where in it the answer was to begin, as in "model.bin 65536"."""
    headers: list[str] = field(default_factory=list)
    """Of every request, in one text."""
    ranges: bool = True
    """False: always sends the whole."""
    break_after_bytes: int | None = None
    """Close the connection once, when so many bytes of one answer were sent."""
    hang_after_bytes: int | None = None
    """Send no more in answers that got this far, until `let_go`."""
    hanging: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hub_server(files: dict[str, bytes]) -> Iterator[HubServer]:
    hub = HubServer(files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *arguments: _Handler(hub, *arguments))
    server.daemon_threads = False  # so that closing waits for them
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="hub")
    thread.start()
    try:
        yield hub
    finally:
        hub.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20

    def __init__(self, hub: HubServer, *arguments: object) -> None:
        self._hub = hub
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self._hub.headers.append(str(self.headers))
        path = self.path.lstrip("/")
        stored = path.removeprefix("storage/")
        if stored not in self._hub.files:
            self._answer(404, b"")
        elif stored == path:
            self.send_response(302)
            self.send_header("Location", f"/storage/{path}")
            self.send_header("X-Repo-Commit", path.split("/")[3])
            self.send_header("ETag", '"made"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send(stored)

    def _send(self, stored: str) -> None:
        content = self._hub.files[stored]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and self._hub.ranges else 0
        self._hub.requests.append(f"{stored.rsplit('/', 1)[1]} {start}")
        if start and start >= len(content):
            self._answer(416, b"")
        elif start:
            self._answer(206, content[start:], f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self._answer(200, content)

    def _answer(self, status: int, body: bytes, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self._send_body(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the other side was killed

    def _send_body(self, body: bytes) -> None:
        hub = self._hub
        if hub.break_after_bytes is not None and len(body) > hub.break_after_bytes:
            self.wfile.write(body[: hub.break_after_bytes])
            hub.break_after_bytes = None
            self.close_connection = True
        elif hub.hang_after_bytes is not None and len(body) > hub.hang_after_bytes:
            self.wfile.write(body[: hub.hang_after_bytes])
            hub.hanging.set()
            hub.let_go.wait(20)
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Nothing: `requests` tells it."""
