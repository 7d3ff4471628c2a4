"""The way to Azure Speech is gone step by step, and the step at which it ends is named."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.azure_probe import Step, look
from lysnrai_desktop.core.settings import AzureSettings
from tests.azure.network import Certificate, certificate

Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Listens on a port of this computer and does something with each connection until the test is over."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(do: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    do(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        listeners.append(listener)
        threads.append(thread)
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def file(own: Certificate, tmp_path: Path) -> Path:
    made = tmp_path / "own.pem"
    made.write_text(own.pem)
    return made


def with_tls(own: Certificate) -> Callable[[socket.socket], None]:
    def greet(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), own.server.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)  # or the client does not like the certificate

    return greet


def wait_for_the_end(connection: socket.socket) -> None:
    connection.recv(1)


def test_a_way_in_the_clear_has_two_steps(serve: Serve) -> None:
    port = serve(wait_for_the_end)

    way = look(AzureSettings(endpoint=f"ws://127.0.0.1:{port}/stt"))

    assert (way.host, way.failed, list(way.times_ms)) == ("127.0.0.1", None, [Step.NAME, Step.CONNECTION])


def test_a_name_that_is_none_is_where_it_ends() -> None:
    way = look(AzureSettings(region="a" * 64))

    assert (way.failed, way.host) == (Step.NAME, f"{'a' * 64}.stt.speech.microsoft.com")


def test_a_port_where_nobody_listens_is_where_it_ends() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        way = look(AzureSettings(endpoint=f"ws://127.0.0.1:{taken.getsockname()[1]}"))

    assert way.failed is Step.CONNECTION


@pytest.mark.parametrize("endpoint", ["wss://127.0.0.1:99999", "wss://[::1"])
def test_an_address_that_is_impossible_is_where_it_ends(endpoint: str) -> None:
    assert look(AzureSettings(endpoint=endpoint)).failed is not None


def test_a_certificate_that_the_settings_trust_is_good(serve: Serve, own: Certificate, file: Path) -> None:
    port = serve(with_tls(own))

    way = look(AzureSettings(endpoint=f"wss://localhost:{port}", certificate=str(file)))

    assert (way.failed, list(way.times_ms)) == (None, [Step.NAME, Step.CONNECTION, Step.TLS])


def test_a_certificate_may_be_named_from_the_users_home(
    serve: Serve, own: Certificate, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    port = serve(with_tls(own))

    way = look(AzureSettings(endpoint=f"wss://localhost:{port}", certificate=f"~/{file.name}"))

    assert way.failed is None


@pytest.mark.parametrize("trusted", ["", "/no/such/file"])
def test_a_certificate_that_nobody_trusts_is_where_it_ends(serve: Serve, own: Certificate, trusted: str) -> None:
    port = serve(with_tls(own))

    way = look(AzureSettings(endpoint=f"wss://localhost:{port}", certificate=trusted))

    assert way.failed is Step.TLS


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (b"HTTP/1.1 200 Connection established\r\n\r\n", None),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Step.PROXY),
        (b"", Step.PROXY),
        (b"x" * 10_000, Step.PROXY),
    ],
)
def test_a_proxy_is_asked_for_the_service(serve: Serve, answer: bytes, failed: Step | None) -> None:
    asked: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        asked.append(connection.recv(1000))
        connection.sendall(answer)

    port = serve(proxy)

    way = look(AzureSettings(endpoint="ws://localhost:4010", proxy=f"127.0.0.1:{port}"))

    assert (way.failed, way.host) == (failed, "localhost")
    assert asked == [b"CONNECT localhost:4010 HTTP/1.1\r\nHost: localhost:4010\r\n\r\n"]


def test_a_proxy_that_is_not_there_is_named() -> None:
    way = look(AzureSettings(endpoint="ws://localhost:4010", proxy=f"{'a' * 64}:3128"))

    assert (way.failed, way.host) == (Step.NAME, "a" * 64)
