"""Whatever the other side does, a call ends in time with an answer, and no secret shows."""

import gzip
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.identity import Install
from telemetry.policy import READ_S, Answer
from telemetry.sender import Sender
from telemetry.testing import PRODUCT_KEY, Service, lies

INSTALL = Install("7f9c24e8-3b12-4fef-91e0-6bb0a2f5f2b1", "s" * 43)
BATCH = json.dumps({"batchId": INSTALL.id, "sentAt": None, "events": []}).encode()


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as running:
        yield running


@pytest.fixture
def sender(service: Service, tmp_path: Path) -> Iterator[Sender]:
    made = Sender(tmp_path, service.url, PRODUCT_KEY)
    yield made
    made.close()


def registered(sender: Sender) -> Install:
    answer = sender.register(INSTALL, "desktop", sender.ticket)
    assert answer.status == 201, answer
    return Install(INSTALL.id, INSTALL.secret, json.loads(answer.body)["installToken"])


def test_all_four_calls_reach_an_honest_service(service: Service, sender: Sender) -> None:
    install = registered(sender)
    query = dict.fromkeys(("productId", "platform", "channel", "osFamily", "appVersion", "releaseChannel"), "x") | {
        "anonymousInstallId": install.id
    }

    uploaded = sender.upload(install, BATCH, sender.ticket)
    configured = sender.configuration(install, query, None, sender.ticket)
    again = sender.configuration(install, query, configured.headers["etag"], sender.ticket)
    erased = sender.erase(install, sender.ticket)

    assert [uploaded.status, configured.status, again.status, erased.status] == [200, 200, 304, 200]
    assert service.calls[1].raw[:2] == gzip.compress(b"")[:2]


def test_calls_share_one_connection(service: Service, sender: Sender) -> None:
    install = registered(sender)
    for _ in range(3):
        assert sender.upload(install, BATCH, sender.ticket).status == 200

    assert len(service._server._open) == 1


@pytest.mark.parametrize(
    ("lie", "fault"),
    [
        (lies.cut_off_after_committing, "broken"),
        (lies.half_a_body, "broken"),
        (lies.not_http, "broken"),
        (lies.endless_body, "too_large"),
    ],
)
def test_a_broken_answer_is_no_answer(service: Service, sender: Sender, lie: object, fault: str) -> None:
    install = registered(sender)
    service.lie(lie)  # type: ignore[arg-type]

    answer = sender.upload(install, BATCH, sender.ticket)

    assert (answer.status, answer.fault) == (0, fault)
    assert sender.upload(install, BATCH, sender.ticket).status == 200


def test_a_redirect_is_told_and_not_followed(service: Service, sender: Sender) -> None:
    install = registered(sender)
    service.lie(lies.answer(307, Location=service.url + "/api/telemetry/elsewhere"))

    answer = sender.upload(install, BATCH, sender.ticket)

    assert answer.status == 307
    assert len(service.calls) == 2


@pytest.mark.parametrize("lie", [lies.trickle(0.05), lies.silence])
def test_an_answer_that_never_ends_is_given_up_at_the_deadline(service: Service, lie: object, tmp_path: Path) -> None:
    patient = Sender(tmp_path, service.url, PRODUCT_KEY)
    install = registered(patient)
    patient.close()
    sender = Sender(tmp_path, service.url, PRODUCT_KEY, exchange_s=0.5)
    service.lie(lie)  # type: ignore[arg-type]

    answer = sender.upload(install, BATCH, sender.ticket)
    sender.close()

    assert answer == Answer(fault="timeout")


def test_stop_ends_a_call_in_mid_flight(service: Service, tmp_path: Path) -> None:
    sender = Sender(tmp_path, service.url, PRODUCT_KEY, exchange_s=60)
    install = registered(sender)
    service.lie(lies.silence)
    answers: list[Answer] = []
    caller = threading.Thread(target=lambda: answers.append(sender.upload(install, BATCH, sender.ticket)))
    caller.start()
    assert service.wait_for(lambda: len(service.calls) == 2)

    sender.stop()
    caller.join(5)
    sender.close()

    assert answers == [Answer(fault="stopped")]


def test_a_call_decided_on_before_a_stop_is_never_made(service: Service, sender: Sender) -> None:
    install = registered(sender)
    ticket = sender.ticket

    sender.stop()

    assert sender.upload(install, BATCH, ticket) == Answer(fault="stopped")
    assert len(service.calls) == 1
    assert sender.upload(install, BATCH, sender.ticket).status == 200


def test_nobody_listening_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        sender = Sender(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}", PRODUCT_KEY)
        answer = sender.register(INSTALL, "desktop", sender.ticket)
        sender.close()

    assert answer == Answer(fault="unreachable")


def test_an_address_that_is_none_is_an_answer_too(tmp_path: Path) -> None:
    for url in ("", "nonsense", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999"):
        sender = Sender(tmp_path, url, PRODUCT_KEY)
        answer = sender.register(INSTALL, "desktop", sender.ticket)
        sender.close()
        assert answer.status == 0
        assert answer.fault


def test_no_secret_is_logged_and_netrc_and_cookies_are_not_used(
    service: Service, sender: Sender, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login anna password hidden\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    caplog.set_level(logging.DEBUG)
    install = registered(sender)
    service.lie(lies.answer(503, set_cookie="spy=1"))

    sender.upload(install, BATCH, sender.ticket)
    sender.upload(install, BATCH, sender.ticket)

    assert install.token
    for secret in (install.token, install.secret, PRODUCT_KEY):
        assert secret not in caplog.text
        assert secret not in repr(install)
    for call in service.calls:
        assert not {"authorization", "cookie"} & call.headers.keys()


def test_the_system_proxy_is_used(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", service.url)
    monkeypatch.delenv("no_proxy", raising=False)
    sender = Sender(tmp_path, "http://telemetry.example", PRODUCT_KEY)

    sender.register(INSTALL, "desktop", sender.ticket)
    sender.close()

    assert service.calls[0].path == "http://telemetry.example/api/telemetry/installs"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate for 127.0.0.1, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "30", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate with")
    return folder


def test_an_unknown_certificate_is_refused_and_a_known_one_taken(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with Service(tls=context) as service:
        stranger = Sender(tmp_path, service.url, PRODUCT_KEY)
        refused = stranger.register(INSTALL, "desktop", stranger.ticket)
        stranger.close()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate / "cert.pem"))
        friend = Sender(tmp_path, service.url, PRODUCT_KEY)
        taken = friend.register(INSTALL, "desktop", friend.ticket)
        friend.close()

        assert refused == Answer(fault="tls")
        assert taken.status == 201
        assert len(service.calls) == 1


def test_a_tls_handshake_that_hangs_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sender = Sender(tmp_path, f"https://127.0.0.1:{listening.getsockname()[1]}", PRODUCT_KEY, exchange_s=0.3)
        began = time.monotonic()
        answer = sender.register(INSTALL, "desktop", sender.ticket)
        sender.close()

    assert answer == Answer(fault="timeout")
    assert time.monotonic() - began < READ_S, "the handshake's own time-out ended it"


def test_requests_is_imported_with_the_first_call_and_not_before() -> None:
    program = (
        "import sys; from pathlib import Path; from telemetry.sender import Sender;"
        "Sender(Path(), 'http://x', ''); print('requests' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)

    assert told.stdout == "False\n"
