"""The process that measures this machine, seen from outside: a model and recordings in, a result out.

The recordings go through a pipe, to a process that opens no connection; no text comes back, only numbers and a verdict.
What is measured: engines/calibration.py. What follows from it: core/calibration.py.

Imports: core. May be imported by: cli.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lysnrai_desktop.core.calibration import Timed, Way, Windows
from lysnrai_desktop.core.faults import EngineDied, EngineStartFailed

COMMAND = (sys.executable, "-m", "lysnrai_desktop.engines.calibration")


@dataclass(frozen=True, slots=True)
class Recording:
    rate_hz: int
    pcm: bytes
    """16-bit, mono."""


@dataclass(frozen=True, slots=True)
class Result:
    default: Timed
    """The engine as it is set when nobody sets it."""
    best: Timed
    windows: Windows


def run(
    folder: Path,
    language: str,
    recordings: Sequence[Recording],
    progress: Callable[[int], None],
    command: Sequence[str] = COMMAND,
) -> Result | str:
    """Measure with a model; blocks for some seconds, for minutes where short windows have to be compared.

    Args:
        language: as in EngineSettings.
        progress: hears the number of steps done.

    Returns:
        The result, or the code of a fault.
    """
    job = {
        "folder": str(folder),
        "language": language,
        "recordings": [{"rate_hz": each.rate_hz, "bytes": len(each.pcm)} for each in recordings],
    }
    try:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(b"".join([json.dumps(job).encode(), b"\n", *(each.pcm for each in recordings)]))
            process.stdin.close()
            return _told(process.stdout, progress)
    except BrokenPipeError:
        return EngineDied.code
    except OSError:
        return EngineStartFailed.code


def _told(lines: Iterable[bytes], progress: Callable[[int], None]) -> Result | str:
    for line in lines:
        match json.loads(line):
            case {"step": int(step)}:
                progress(step)
            case {"fault": str(code)}:
                return code
            case {"default": default, "best": best, "windows": windows}:
                return Result(_timed(default), _timed(best), Windows(windows))
            case _:
                break
    return EngineDied.code


def _timed(said: dict[str, Any]) -> Timed:
    return Timed(Way(**{name: value for name, value in said.items() if name != "read_s"}), said["read_s"])
