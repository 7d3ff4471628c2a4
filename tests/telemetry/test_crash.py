"""An unclean end is seen at the next start, whatever caused it, and tells nothing of the user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.crash import Crash, Session

ROOT = Path(__file__).parents[2]
PROGRAM = """
import faulthandler, os, pathlib, sys, time
from telemetry.crash import Session
now = 1000.0
session, crashes = Session.begin(pathlib.Path(sys.argv[1]), sys.argv[2], lambda: now)
faulthandler.enable(session.faults.open("w"))
now = 1012.5
session.phase("recording")
def transcribe(secret):
    print("ready", flush=True)
    {end}
transcribe("a secret sentence")
"""


def run_until(end: str, home: Path, session_id: str) -> subprocess.Popen[str]:
    program = PROGRAM.format(end=end)
    command = [sys.executable, "-c", program, str(home), session_id]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    return process


def crashes_of(home: Path) -> tuple[Crash, ...]:
    session, crashes = Session.begin(home, "looking", lambda: 0.0)
    assert session is not None
    session.end()
    return crashes


def test_a_killed_process_is_a_crash_with_uptime_and_last_phase(tmp_path: Path) -> None:
    process = run_until("time.sleep(60)", tmp_path, "one")
    process.kill()
    process.wait()

    assert crashes_of(tmp_path) == (Crash("one", "recording", 12.5),)
    assert crashes_of(tmp_path) == (), "told once"


def test_a_living_process_is_no_crash(tmp_path: Path) -> None:
    process = run_until("time.sleep(60)", tmp_path, "one")

    assert crashes_of(tmp_path) == ()

    process.kill()
    process.wait()
    assert len(crashes_of(tmp_path)) == 1


def test_a_clean_end_is_no_crash(tmp_path: Path) -> None:
    process = run_until("session.end()", tmp_path, "one")
    process.wait()

    assert crashes_of(tmp_path) == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
def test_a_child_that_lives_on_does_not_hide_its_parents_death(tmp_path: Path) -> None:
    process = run_until("child = os.fork(); time.sleep(60 if child else 3)", tmp_path, "one")
    process.kill()
    process.wait()

    assert len(crashes_of(tmp_path)) == 1


def test_a_fault_in_native_code_tells_module_and_function_and_no_data(tmp_path: Path) -> None:
    process = run_until("faulthandler._sigsegv()", tmp_path, "one")
    process.wait()

    (crash,) = crashes_of(tmp_path)
    assert crash.frames[0].endswith(".transcribe")
    assert "secret" not in repr(crash)
    assert str(tmp_path) not in repr(crash)
    assert (tmp_path / "sessions" / "one.faults").exists(), "the whole report stays on this machine"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b'{"began": "x", "phase": {}}', b'{"phase": "what I said"}']
)
def test_a_file_with_anything_in_it_is_a_crash_of_unknown_phase(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "old.json").write_bytes(content)

    assert crashes_of(tmp_path) == (Crash("old", "unknown", 0.0),)


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("in the way")

    assert Session.begin(tmp_path, "one", lambda: 0.0) == (None, ())


def test_reports_do_not_pile_up(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    for number in range(20):
        (tmp_path / "sessions" / f"{number}.faults").write_text("x")

    crashes_of(tmp_path)

    assert len(list((tmp_path / "sessions").glob("*.faults"))) == 5
