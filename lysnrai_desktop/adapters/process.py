"""This process and this computer: how long they have been running.

Imports: nothing of ours. May be imported by: app.
"""

from __future__ import annotations

import os
import time
from pathlib import Path


def age_s() -> float:
    """Since the system made this process, to a hundredth; 0 where it does not tell.

    Source: proc(5), /proc/pid/stat, field 22; the fields after the command's name, which may hold anything but ")".
    """
    try:
        fields = Path("/proc/self/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
        began_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began_s)


def since_boot(path: Path) -> bool:
    """Whether the file was written since the computer was switched on."""
    try:
        return path.stat().st_mtime >= time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    except OSError:
        return False
