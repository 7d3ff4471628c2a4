"""The way to Azure Speech is gone step by step, and the step at which it ends is named."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lysnrai_desktop.adapters.azure_probe import Step, look
from lysnrai_desktop.core.settings import AzureSettings

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
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("certificate") / "both.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


def with_tls(certificate: Path) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def greet(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                wrapped.recv(1)
        except OSError:
            pass  # the client does not like the certificate

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


def test_a_certificate_that_the_settings_trust_is_good(serve: Serve, certificate: Path) -> None:
    port = serve(with_tls(certificate))

    way = look(AzureSettings(endpoint=f"wss://127.0.0.1:{port}", certificate=str(certificate)))

    assert (way.failed, list(way.times_ms)) == (None, [Step.NAME, Step.CONNECTION, Step.TLS])


@pytest.mark.parametrize("trusted", ["", "/no/such/file"])
def test_a_certificate_that_nobody_trusts_is_where_it_ends(serve: Serve, certificate: Path, trusted: str) -> None:
    port = serve(with_tls(certificate))

    way = look(AzureSettings(endpoint=f"wss://127.0.0.1:{port}", certificate=trusted))

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

    assert way.failed is failed
    assert asked == [b"CONNECT localhost:4010 HTTP/1.1\r\nHost: localhost:4010\r\n\r\n"]
