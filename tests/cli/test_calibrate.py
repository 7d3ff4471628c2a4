"""`lysnrai calibrate` sets what it measured, keeps what the user wrote beside it, and says what is an estimate."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from lysnrai_desktop.adapters import takes
from lysnrai_desktop.cli import calibrate as verb, main
from lysnrai_desktop.cli.context import FAILED, OK
from lysnrai_desktop.core.calibration import AIM_S, ALSO_S, COSTS, Timed, Way, Windows
from lysnrai_desktop.core.takes import TakeRecord
from lysnrai_desktop.runtime.calibration import Recording, Result
from tests import speech
from tests.hearing import pcm


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_environment: dict[str, str]) -> Path:
    monkeypatch.setenv("LYSNRAI_HOME", str(tmp_path))
    monkeypatch.setenv("LYSNRAI_ENGINE_MODEL", "tiny.en")
    for name, value in models_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    return tmp_path


def measured(result: Result | str, monkeypatch: pytest.MonkeyPatch) -> list[Recording]:
    """Let this be the result; what was given to measure with."""
    given: list[Recording] = []

    def run(_folder: Path, _language: str, recordings: list[Recording], _progress: object) -> Result | str:
        given.extend(recordings)
        return result

    monkeypatch.setattr(verb, "run", run)
    return given


def test_what_is_better_is_written_and_the_rest_of_the_file_stays(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "settings.toml").write_text('# mine\n[engine]\nvocabulary = ["Anna"] # a friend\n')
    measured(Result(Timed(Way(), 0.5), Timed(Way("cpu", "float32", 3, 1), 0.2), Windows.MEASURED), monkeypatch)

    assert main(["calibrate"]) == OK

    text = (home / "settings.toml").read_text()
    assert tomllib.loads(text)["engine"] == {
        "vocabulary": ["Anna"],
        "device": "cpu",
        "compute_type": "float32",
        "threads": 3,
        "beam": 1,
    }
    assert text.startswith("# mine\n") and "# a friend" in text
    assert "was auto" in capsys.readouterr().out


def test_where_the_default_is_best_nothing_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(Result(Timed(Way(), 0.5), Timed(Way(), 0.5), Windows.MEASURED), monkeypatch)

    assert main(["calibrate"]) == OK
    assert not (home / "settings.toml").exists()


JUST_IN_TIME_S = 0.99 * (AIM_S - ALSO_S)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("read_s", "says"),
    [
        (JUST_IN_TIME_S, ": base."),
        (JUST_IN_TIME_S / COSTS["small"].short, ": small."),
        (JUST_IN_TIME_S / COSTS["large-v3"].short, ": large-v3."),
        (9.0, "None is expected"),
    ],
)
def test_the_largest_model_that_keeps_up_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], read_s: float, says: str
) -> None:
    monkeypatch.setenv("LYSNRAI_ENGINE_MODEL", "base")
    measured(Result(Timed(Way(), read_s), Timed(Way(), read_s), Windows.MEASURED), monkeypatch)

    assert main(["calibrate"]) == OK
    assert says in capsys.readouterr().out


def test_takes_that_are_kept_are_given_the_latest_first_and_not_too_much_of_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "takes"
    folder.mkdir()
    for name, duration_s in (("20260101T000000-0000", 400), ("20260102T000000-0000", 2), ("20260103T000000-0000", 90)):
        sound = pcm(np.full(duration_s * 8000, 0.1))
        (folder / f"{name}.wav").write_bytes(takes.header(8000, len(sound) // 2) + sound)
        takes.write_sidecar(folder, TakeRecord(name, 0.0, 8000, len(sound) // 2, "inserted"))
    given = measured(Result(Timed(Way(), 0.5), Timed(Way(), 0.5), Windows.MEASURED), monkeypatch)

    assert main(["calibrate"]) == OK
    assert [len(each.pcm) / 2 / each.rate_hz for each in given] == [60, 2, 58]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("code", ["model.damaged", "engine.died"])
def test_what_goes_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    measured(code, monkeypatch)

    assert main(["calibrate"]) == FAILED
    assert capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_a_busy_machine_is_remarked_upon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (3.0, 3.0, 3.0))
    measured(Result(Timed(Way(), 0.5), Timed(Way(), 0.5), Windows.MEASURED), monkeypatch)

    main(["calibrate"])
    assert "busy" in capsys.readouterr().err


def test_a_take_that_somebody_holds_is_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "takes"
    folder.mkdir()
    name = "20260101T000000-0000"
    sound = pcm(speech.samples(speech.librivox()[4]))
    (folder / f"{name}.wav").write_bytes(takes.header(16000, len(sound) // 2) + sound)
    given = measured(Result(Timed(Way(), 0.5), Timed(Way(), 0.5), Windows.MEASURED), monkeypatch)

    with takes.TakeFolder(folder).open(name):
        assert main(["calibrate"]) == OK
    assert given == []
