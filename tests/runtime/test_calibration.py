"""The process that measures is obeyed where it makes sense, and its end is told where it does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lysnrai_desktop.core.calibration import Timed, Way, Windows
from lysnrai_desktop.runtime.calibration import Recording, Result, run

WAY = {"device": "auto", "compute_type": "auto", "threads": 0, "beam": 5, "read_s": 0.4}
RESULT = json.dumps({"default": WAY, "best": {**WAY, "threads": 2, "read_s": 0.3}, "windows": "measured"})
READS = """
import json, sys
job = json.loads(sys.stdin.buffer.readline())
sound = [len(sys.stdin.buffer.read(each["bytes"])) for each in job["recordings"]]
print(json.dumps({"step": sum(sound)}))
"""


def told(program: str, recordings: tuple[Recording, ...] = ()) -> tuple[Result | str, list[int]]:
    steps: list[int] = []
    return run(Path("model"), "en", recordings, steps.append, (sys.executable, "-c", program)), steps


def test_recordings_arrive_whole_and_the_result_comes_back() -> None:
    recordings = (Recording(16_000, bytes(2_000_000)), Recording(48_000, bytes(46)))

    result, steps = told(f"{READS}\nprint({RESULT!r})", recordings)

    assert steps == [2_000_046]
    assert result == Result(Timed(Way(), 0.4), Timed(Way(threads=2), 0.3), Windows.MEASURED)


def test_a_fault_is_told_by_its_code() -> None:
    assert told(f"{READS}\nprint(json.dumps({{'fault': 'model.damaged'}}))") == ("model.damaged", [0])


@pytest.mark.parametrize("program", ["", READS, "import os; os._exit(1)", f"{READS}\nprint('[]')"])
def test_a_process_that_ends_too_soon_has_died(program: str) -> None:
    assert told(program, (Recording(16_000, bytes(3_000_000)),))[0] == "engine.died"


def test_a_command_that_cannot_be_run_is_a_failed_start() -> None:
    assert run(Path("model"), "en", (), print, ("/no/such/program",)) == "engine.start_failed"
