"""`lysnrai doctor azure` goes the whole way to the service, and says where it ends and how long it took."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lysnrai_desktop.cli import main
from lysnrai_desktop.cli.context import FAILED, OK
from tests.azure.service import Service, service

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    monkeypatch.setenv("LYSNRAI_HOME", str(tmp_path))
    with service() as emulated:
        monkeypatch.setenv("AZURE_SPEECH_KEY", KEY)
        monkeypatch.setenv("AZURE_SPEECH_ENDPOINT", emulated.endpoint)
        yield emulated


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the doctor: what it found, part by part; all that it said; its exit status."""

    def run() -> tuple[dict[str, dict[str, str]], str, int]:
        status = main(["doctor", "azure", "--json"])
        text = capsys.readouterr().out
        return {finding["part"]: finding for finding in json.loads(text)}, text, status

    return run


def test_when_all_is_well_it_says_how_long_each_step_took(azure: Service, said: Any) -> None:
    findings, text, status = said()

    assert {part: finding["grade"] for part, finding in findings.items()} == dict.fromkeys(
        ("key", "software", "network", "service"), "ok"
    )
    assert re.search(r"127\.0\.0\.1 can be reached: name \d+ ms, connection \d+ ms\.", text)
    assert re.search(r"understood \d+ words in 3\.1 s of speech: the first after \d+ ms, all after \d+ ms\.", text)
    assert status == OK
    assert KEY not in text
    assert b"".join(bytes(turn.audio) for turn in azure.turns)  # it really heard something


def test_a_key_that_is_refused_is_told_from_a_service_that_is_not_there(azure: Service, said: Any) -> None:
    azure.trouble("status", 401)
    findings, _, status = said()
    assert (findings["network"]["grade"], findings["service"]["code"], status) == ("ok", "azure.key", FAILED)

    azure.stop_listening()
    findings, _, status = said()
    assert (findings["network"]["code"], status) == ("azure.unreachable", FAILED)
    assert "service" not in findings


def test_what_is_not_set_is_told_and_nobody_is_asked(
    azure: Service, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_SPEECH_KEY")
    monkeypatch.delenv("AZURE_SPEECH_ENDPOINT")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")

    findings, _, status = said()

    assert (findings["key"]["code"], findings["network"]["code"]) == ("azure.not_configured",) * 2
    assert status == FAILED
    assert azure.requests == []


def test_people_read_it_as_they_read_what_the_doctor_says_otherwise(
    azure: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.stop_listening()

    assert main(["doctor", "azure"]) == FAILED

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok   key: ")
    assert lines[2].startswith("BAD  network: 127.0.0.1 cannot be reached.")
    assert "proxy" in lines[3]
