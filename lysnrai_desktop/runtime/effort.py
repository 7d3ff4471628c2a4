"""Whether a process works, as the system sees it: it need not answer for that.

A process that loads a model cannot always be asked. While a library comes in from a slow disk its interpreter stands
still for seconds, and none of its threads can answer. But the system counts what it does, and knows what it waits for.

Source: proc(5), /proc/pid/stat (the fields after the command's name, which may hold anything but ")") and /proc/pid/io.

Imports: nothing of ours. May be imported by: runtime/engine_link.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

WORK_S = 0.02
"""Of processor time between two looks: more than it takes to put aside the audio that arrives meanwhile."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
_STATE, _FETCHED, _USER, _SYSTEM = 0, 9, 11, 12
_RUNS, _WAITS_FOR_DISK = "R", "D"


@dataclass(frozen=True, slots=True)
class Effort:
    """What a process has done so far, and one thing that it is doing."""

    worked_s: float
    fetched: int
    """Bytes and pages that came from a disk."""
    is_held_up: bool
    """See below."""


def effort(pid: int) -> Effort | None:
    """None where the system does not tell."""
    process = Path(f"/proc/{pid}")
    try:
        whole = _fields(process / "stat")
    except OSError:
        return None
    worked_s = (int(whole[_USER]) + int(whole[_SYSTEM])) * _TICK_S
    return Effort(worked_s, int(whole[_FETCHED]) + _read_bytes(process), is_held_up(pid))


def is_held_up(pid: int) -> bool:
    """Whether it would go on at once if there were a quicker disk, or more processors."""
    states = set()
    for thread in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            states.add(_fields(thread)[_STATE])
    return bool(states & {_RUNS, _WAITS_FOR_DISK})


def is_idle(before: Effort | None, after: Effort | None) -> bool:
    """Whether it has done nothing to speak of between two looks, and nobody else is to blame for that."""
    if before is None or after is None:
        return False
    works = after.worked_s - before.worked_s >= WORK_S
    return not works and not after.is_held_up and after.fetched == before.fetched


def _fields(stat: Path) -> list[str]:
    return stat.read_text("utf-8", errors="replace").rpartition(")")[2].split()


def _read_bytes(process: Path) -> int:
    with contextlib.suppress(OSError, ValueError):  # some systems count none, some keep it to themselves
        counts = dict(line.split(": ") for line in (process / "io").read_text("ascii").splitlines())
        return int(counts.get("read_bytes", 0))
    return 0
