"""What may stand between an app and the service: certificates of one's own, and a proxy."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """Signed by itself, for one host."""

    pem: str
    server: ssl.SSLContext


def certificate(folder: Path, host: str = "localhost") -> Certificate:
    key, pem = folder / f"{host}.key", folder / f"{host}.pem"
    new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    name = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    subprocess.run(["openssl", *new.split(), *name, "-keyout", key, "-out", pem], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, key)
    return Certificate(pem.read_text(), server)


@dataclass
class Proxy:
    """Leads on to wherever it is asked to, on this computer."""

    address: str = ""
    asked: list[str] = field(default_factory=list)
    """"host:port" of each connection."""


@contextlib.contextmanager
def proxy() -> Iterator[Proxy]:
    it = Proxy()
    server = socket.create_server(("127.0.0.1", 0))
    it.address = f"127.0.0.1:{server.getsockname()[1]}"
    ends: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, name="proxy", daemon=True)  # type: ignore[arg-type]
        threads.append(thread)
        thread.start()

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while received := source.recv(1 << 16):
                target.sendall(received)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(1 << 12)
            wanted = head.split(b" ")[1].decode()
            it.asked.append(wanted)
            target = socket.create_connection(("127.0.0.1", int(wanted.rpartition(":")[2])))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends.extend((client, target))
            start(pump, client, target)
            start(pump, target, client)

    start(accept)
    try:
        yield it
    finally:
        for end in (server, *ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in threads:
            thread.join()
