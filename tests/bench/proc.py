"""What Linux tells of a process under /proc: its memory, its time, its children.

Imports: stdlib.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

KIB = 1024
MB = 1e6


@dataclass(frozen=True, slots=True)
class Memory:
    """PSS: its own pages, and its share of those it has in common with others. RSS: all of them in full."""

    pss_mb: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Activity:
    """What a process did over some time."""

    cpu_percent: float
    """Of one core."""
    wake_ups_per_s: float
    """Times any of its threads went to sleep by itself, which is how often one was woken."""


def memory(pid: int) -> Memory:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    pss, rss = (int(re.search(rf"^{name}:\s+(\d+) kB", rollup, re.MULTILINE)[1]) for name in ("Pss", "Rss"))  # type: ignore[index]
    return Memory(pss * KIB / MB, rss * KIB / MB)


def activity(pids: list[int], duration_s: float, sleep: Callable[[float], None] = time.sleep) -> list[Activity]:
    """Watch processes for some time, all at once."""
    before, began = [_used(pid) for pid in pids], time.monotonic()
    sleep(duration_s)
    after, passed_s = [_used(pid) for pid in pids], time.monotonic() - began
    return [
        Activity(100 * (cpu - cpu_before) / passed_s, (woken - woken_before) / passed_s)
        for (cpu_before, woken_before), (cpu, woken) in zip(before, after, strict=True)
    ]


def engine_of(pid: int) -> int | None:
    """The engine process of an app, if it has one."""
    for child in _children(pid):
        if b"lysnrai_desktop.engines.host" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    return None


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text("ascii").split()]


def _used(pid: int) -> tuple[float, int]:
    """Processor seconds (in user and system mode), and how often its threads went to sleep."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    statuses = [task.read_text("utf-8") for task in Path(f"/proc/{pid}/task").glob("*/status")]
    woken = sum(int(line.split()[1]) for status in statuses for line in status.splitlines() if line.startswith("volun"))
    return ticks / os.sysconf("SC_CLK_TCK"), woken
