"""The command line: quick, honest in its exit status, and usable without an app or a screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lysnrai_desktop.cli import main
from lysnrai_desktop.cli.context import FAILED, NO_SCREEN, NOT_RUNNING, OK, USAGE


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_environment: dict[str, str]) -> None:
    monkeypatch.setenv("LYSNRAI_HOME", str(tmp_path / "home"))
    for name, value in models_environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("verb", ["toggle", "start", "stop", "cancel", "status", "quit"])
def test_a_verb_for_an_app_that_does_not_run_says_so(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb]) == NOT_RUNNING
    assert "not running" in capsys.readouterr().err


def test_without_a_screen_the_app_says_so_and_what_works_nevertheless(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)

    assert main([]) == NO_SCREEN
    assert "transcribe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["dance"], "toggle"),
        (["--set", "engine.modell=base"], "engine.modell is not a known setting"),
        (["--set", "recording.max_s=long"], "recording.max_s must be a number"),
        (["transcribe"], "FILE"),
        (["models", "get"], "NAME"),
    ],
)
def test_wrong_usage_is_said_with_what_is_right(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == USAGE
    assert says in capsys.readouterr().err


def test_models_are_listed_with_the_chosen_one_marked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == OK
    lines = capsys.readouterr().out.splitlines()

    assert [line.split()[1] for line in lines if line.startswith("*")] == ["base"]
    assert len(lines) == 10
    assert main(["models", "list", "--json"]) == OK
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["tiny.en"]["state"], rows["large-v3"]["state"]) == ("ready", "absent")


def test_a_model_can_be_got_used_verified_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LYSNRAI_MODELS", str(tmp_path / "models"))

    assert main(["models", "use", "tiny.en"]) == FAILED  # not here yet
    assert main(["models", "get", "tiny.en"]) == OK
    assert main(["models", "verify", "tiny.en"]) == OK
    assert main(["models", "use", "tiny.en"]) == OK
    assert 'model = "tiny.en"' in (tmp_path / "home" / "settings.toml").read_text()

    (tmp_path / "models" / "tiny.en" / "config.json").write_text("{}")
    capsys.readouterr()
    assert main(["models", "verify", "tiny.en"]) == FAILED
    assert "config.json" in capsys.readouterr().err
    assert main(["models", "remove", "tiny.en"]) == OK
    assert not (tmp_path / "models" / "tiny.en").exists()


def test_a_model_that_needs_the_network_is_not_fetched_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "get", "small"]) == FAILED
    assert "model.missing" in capsys.readouterr().err


def test_an_unknown_model_is_named_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "get", "enormous"]) == FAILED
    assert "model.unknown" in capsys.readouterr().err


def test_no_microphone_is_a_fault_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == FAILED
    assert "Plug one in" in capsys.readouterr().err


def test_a_verb_bound_to_a_key_loads_nothing_heavy() -> None:
    code = "import sys; from lysnrai_desktop.cli import main; main(['toggle']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)

    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"PySide6", "numpy", "sounddevice", "Xlib", "av", "faster_whisper", "tomlkit", "requests"}
    assert not loaded & {"telemetry", "msgspec", "rich"}


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == OK
    assert capsys.readouterr().out.split()[1][0].isdigit()
