"""`lysnrai takes` brings back what was recorded and kept, and touches nothing that is under way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lysnrai_desktop.adapters import playback
from lysnrai_desktop.adapters.takes import TakeFolder, create, header, write_at, write_sidecar
from lysnrai_desktop.cli import main
from lysnrai_desktop.cli.context import FAILED, OK, USAGE
from lysnrai_desktop.core.takes import TakeRecord
from lysnrai_desktop.ui import texts
from tests import speech
from tests.desktop.processes import DEADLINE_S, running
from tests.desktop.sound import PulseServer

SENTENCE = "he might even have been made amiable himself"
SPOKEN, OTHER, ACTIVE = "20261124T172036-4f2a", "20261124T180000-0001", "20261124T190000-0002"
STARTED = 1_795_540_836.0
RATE_HZ = 16_000

Run = Callable[..., int]


@pytest.fixture(scope="module")
def spoken() -> bytes:
    clip = next(clip for clip in speech.librivox() if clip.id.endswith("0930"))
    return bytes(np.rint(speech.samples(clip, RATE_HZ) * 32767).astype("<i2"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_environment: dict[str, str]) -> Path:
    monkeypatch.setenv("LYSNRAI_HOME", str(tmp_path / "home"))
    for name, value in models_environment.items():
        monkeypatch.setenv(name, value)
    made = tmp_path / "home" / "takes"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def kept(folder: Path, spoken: bytes) -> Iterator[Path]:
    """One that was interrupted, one that failed, and one that is being recorded."""
    (folder / f"{SPOKEN}.wav").write_bytes(header(RATE_HZ, 0) + spoken)
    (folder / f"{OTHER}.wav").write_bytes(header(RATE_HZ, RATE_HZ) + bytes(2 * RATE_HZ))
    write_sidecar(folder, TakeRecord(OTHER, STARTED + 9, RATE_HZ, RATE_HZ, "failed", "engine.died", STARTED + 10))
    writer = create(folder, ACTIVE)
    write_at(writer, 0, header(RATE_HZ, len(spoken) // 2) + spoken)
    yield folder
    assert (folder / f"{ACTIVE}.wav").exists()
    os.close(writer)


def names(folder: Path) -> list[str]:
    return [record.id for record in TakeFolder(folder).records()]


@pytest.mark.usefixtures("kept")
def test_they_are_listed_for_programs(spoken: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["takes", "--json"], ["takes", "list", "--json"]):
        assert main(arguments) == OK
        assert json.loads(capsys.readouterr().out) == [
            {
                "id": SPOKEN,
                "start": "2026-11-24T17:20:36+00:00",
                "length_s": round(len(spoken) / 2 / RATE_HZ, 3),
                "outcome": None,
                "code": "",
                "offered": True,
            },
            {
                "id": OTHER,
                "start": "2026-11-24T17:20:45+00:00",
                "length_s": 1.0,
                "outcome": "failed",
                "code": "engine.died",
                "offered": True,
            },
        ]


@pytest.mark.usefixtures("kept")
def test_they_are_listed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["takes"]) == OK

    interrupted, failed = capsys.readouterr().out.splitlines()
    assert interrupted.split() == [SPOKEN, "2026-11-24", interrupted.split()[2], "3", "s", "Interrupted"]
    assert failed.endswith(" 1 s  Not inserted (engine.died)")


@pytest.mark.usefixtures("folder")
def test_none_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["takes"]) == OK
    assert main(["takes", "--json"]) == OK
    assert capsys.readouterr().out == "[]\n"
    assert main(["takes", "drop", "--all"]) == OK


def test_one_is_written_down_and_then_no_longer_offered(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", "engine.model=tiny.en", "takes", "transcribe", SPOKEN]) == OK

    assert speech.normalise(capsys.readouterr().out) == speech.normalise(SENTENCE)
    record, other = TakeFolder(kept).records()
    assert (record.outcome, record.is_offered, other.is_offered) == ("transcribed", False, True)


def test_one_that_holds_no_speech_says_nothing(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", "engine.model=tiny.en", "takes", "transcribe", OTHER]) == OK

    assert capsys.readouterr().out == ""
    assert TakeFolder(kept).records()[1].outcome == "nothing_heard"


def test_one_that_cannot_be_written_down_stays_offered(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", "engine.model=small", "takes", "transcribe", SPOKEN]) == FAILED

    assert "not on this computer" in capsys.readouterr().err
    assert TakeFolder(kept).records()[0].is_offered


def test_text_that_nobody_took_is_not_counted_as_given(kept: Path) -> None:
    command = (sys.executable, "-m", "lysnrai_desktop", "--set", "engine.model=tiny.en", "takes", "transcribe", SPOKEN)
    with running(command, os.environ, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(DEADLINE_S) == FAILED

    assert TakeFolder(kept).records()[0].is_offered


def test_one_is_exported_as_a_valid_file(kept: Path, tmp_path: Path, spoken: bytes) -> None:
    assert main(["takes", "export", SPOKEN, str(tmp_path / "mine.wav")]) == OK

    with wave.open(str(tmp_path / "mine.wav")) as recording:
        assert (recording.getframerate(), recording.getnchannels(), recording.getsampwidth()) == (RATE_HZ, 1, 2)
        assert recording.readframes(10**7) == spoken
    assert names(kept) == [SPOKEN, OTHER]


@pytest.mark.usefixtures("kept")
def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.wav").write_text("precious")

    assert main(["takes", "export", SPOKEN, str(tmp_path / "mine.wav")]) == FAILED
    assert main(["takes", "export", SPOKEN, str(tmp_path / "no folder" / "mine.wav")]) == FAILED

    assert (tmp_path / "mine.wav").read_text() == "precious"
    assert "File exists" in capsys.readouterr().err


@pytest.mark.usefixtures("kept")
def test_one_can_be_heard(sound: PulseServer, monkeypatch: pytest.MonkeyPatch, spoken: bytes) -> None:
    for name in ("PULSE_SERVER", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "PULSE_COOKIE"):
        monkeypatch.setenv(name, sound.environment[name])
    written: list[bytes] = []
    write = playback.Playback.write

    def noted(it: playback.Playback, pcm: bytes) -> None:
        written.append(pcm)
        write(it, pcm)

    monkeypatch.setattr(playback.Playback, "write", noted)

    assert main(["takes", "play", SPOKEN]) == OK

    assert b"".join(written) == spoken


@pytest.mark.usefixtures("kept")
def test_without_a_sound_server_playing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["takes", "play", SPOKEN]) == FAILED
    assert "loudspeaker" in capsys.readouterr().err


def test_one_or_all_are_dropped_but_not_the_one_under_way(kept: Path) -> None:
    assert main(["takes", "drop", OTHER]) == OK
    assert names(kept) == [SPOKEN]
    assert main(["takes", "drop", "--all"]) == OK
    assert sorted(path.name for path in kept.iterdir()) == [f"{ACTIVE}.wav"]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("action", ["transcribe", "play", "drop"])
@pytest.mark.parametrize(
    ("name", "says"), [(ACTIVE, "take.busy"), ("nothing", "take.unknown"), ("../x", "take.unknown")]
)
def test_one_that_is_under_way_or_not_there_is_refused(
    action: str, name: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["takes", action, name]) == FAILED
    assert texts.fault(says).sentence in capsys.readouterr().err


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("arguments", [["drop"], ["drop", SPOKEN, "--all"]])
def test_dropping_wants_to_know_exactly_what(arguments: list[str]) -> None:
    assert main(["takes", *arguments]) == USAGE
