"""`lysnrai azure` takes a key and never shows it; `lysnrai backend` works whether the app runs or not."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lysnrai_desktop.adapters.control_socket import ControlServer, Reply, Request
from lysnrai_desktop.cli import azure, main
from lysnrai_desktop.cli.context import FAILED, OK, USAGE
from tests.desktop.keyring import StandIn

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LYSNRAI_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "run").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn(tmp_path)
    monkeypatch.setattr(azure, "Keyring", lambda: stand_in.keyring)
    return stand_in


class App:
    """What the running app is asked, and what it answers."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.reply: dict[str, Any] = {}

    def answer(self, request: Request, reply: Reply, _gone: object) -> None:
        self.requests.append(request)
        reply(self.reply)


@pytest.fixture
def app(home: Path) -> Iterator[App]:
    running = App()
    server = ControlServer(home / "run")
    server.start(running.answer)
    yield running
    server.shut_down()


def give(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_key_from_standard_input_is_kept_and_not_shown(
    keyring: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give(monkeypatch, f"{KEY}\n")

    assert main(["azure", "key"]) == OK
    assert main(["azure", "status"]) == FAILED  # where the service is, nobody has said

    said = capsys.readouterr()
    assert keyring.kept.read_text() == KEY
    assert "in the system's keyring" in said.out
    assert KEY not in said.out + said.err


def test_a_key_that_is_typed_is_not_shown(home: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "LYSNRAI_HOME": str(home), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", sys.executable, "-m", "lysnrai_desktop", "azure", "key"],
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"Key of Azure Speech: " not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, f"{KEY}\n".encode())
        with contextlib.suppress(OSError):  # which is how a terminal ends
            while received := os.read(ours, 1000):
                shown += received
    os.close(ours)

    assert process.returncode == FAILED  # that keyring keeps nothing
    assert b"keyring" in shown
    assert KEY.encode() not in shown


@pytest.mark.parametrize("text", ["", "  \n", f"{KEY}\nX-Evil: 1", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_and_changes_nothing(
    text: str, keyring: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keyring.kept.write_text("the old key")
    give(monkeypatch, text)

    assert main(["azure", "key"]) == USAGE

    said = capsys.readouterr()
    assert keyring.kept.read_text() == "the old key"
    assert not text.strip() or text.strip() not in said.err + said.out


def test_the_running_app_is_told_of_another_key(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, KEY)

    assert main(["azure", "key"]) == OK
    assert main(["azure", "forget"]) == OK

    assert app.requests == [{"verb": "azure-key"}] * 2


def test_a_key_is_forgotten_once(keyring: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    keyring.kept.write_text(KEY)

    assert main(["azure", "forget"]) == OK
    assert main(["azure", "forget"]) == OK

    assert capsys.readouterr().out.splitlines() == [
        "The key is gone from the system's keyring.",
        "There was none in the system's keyring.",
    ]


@pytest.mark.parametrize(
    ("region", "key", "status", "shown"),
    [
        ("westeurope", KEY, OK, {"place": "westeurope", "key": "keyring", "code": ""}),
        ("", KEY, FAILED, {"place": "", "key": "keyring", "code": "azure.not_configured"}),
        ("westeurope", "", FAILED, {"place": "westeurope", "key": "nowhere", "code": "azure.not_configured"}),
    ],
)
def test_what_is_missing_is_told(
    region: str,
    key: str,
    status: int,
    shown: dict[str, str],
    keyring: StandIn,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (home / "settings.toml").write_text(f'[azure]\nregion = "{region}"\n')
    if key:
        keyring.kept.write_text(key)

    assert main(["azure", "--json"]) == status
    assert main(["azure", "status", "--json"]) == status

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"backend": "auto", **shown}] * 2


def test_a_key_in_the_environment_comes_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZURE_SPEECH_KEY", KEY)
    monkeypatch.setenv("AZURE_SPEECH_REGION", "westeurope")

    assert main(["azure"]) == OK

    said = capsys.readouterr().out
    assert "AZURE_SPEECH_KEY" in said
    assert "westeurope" in said
    assert KEY not in said


def test_without_the_app_the_engine_is_chosen_in_the_settings(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backend", "local"]) == OK
    assert main(["backend"]) == OK

    assert 'backend = "local"' in (home / "settings.toml").read_text()
    assert capsys.readouterr().out == "local: This computer\n"


def test_the_running_app_is_asked_to_choose_and_may_refuse(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backend", "azure"]) == OK
    app.reply = {"error": "disk.read_only"}
    assert main(["backend", "auto"]) == FAILED

    assert app.requests == [{"verb": "backend", "name": "azure"}, {"verb": "backend", "name": "auto"}]
    assert "cannot write" in capsys.readouterr().err


def test_an_engine_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["backend", "whisper"])

    assert ended.value.code == USAGE
    assert "auto" in capsys.readouterr().err
