"""Which calls to the service are under way, in any process of this install: so that "off" knows when it is quiet.

    a call:   under_way() ── shared lock on a file ── end
    "off":    written down ─▶ wait_until_quiet() ─▶ nobody holds the lock; who takes it from now on knows the choice

The system releases the lock of a process that died. Where there are no such locks (Windows), quiet is what is there
after every process has looked twice.

Imports: policy (how often one looks). May be imported by: sender, client.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from telemetry.policy import LOOK_S

_FILE: Final = "telemetry.calls"
_AGAIN_S: Final = 0.005

if sys.platform == "win32":

    @contextlib.contextmanager
    def under_way(_: Path) -> Iterator[None]:
        yield

    def wait_until_quiet(_: Path, timeout_s: float) -> bool:
        time.sleep(min(2 * LOOK_S, timeout_s))
        return True

else:
    import fcntl

    @contextlib.contextmanager
    def under_way(home: Path) -> Iterator[None]:
        """One call, from before it is allowed to begin until its connection is silent. Where the disk refuses: no lock.

        Waits while somebody else is just looking whether it is quiet, which takes microseconds.
        """
        try:
            descriptor = os.open(home / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            yield
            return
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may have the descriptor too
            os.close(descriptor)

    def wait_until_quiet(home: Path, timeout_s: float) -> bool:
        """Whether no call is under way any more, or none was, within that time."""
        try:
            descriptor = os.open(home / _FILE, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return True  # nobody ever called
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    if time.monotonic() >= deadline:
                        return False
                    time.sleep(_AGAIN_S)
                else:
                    return True
        finally:
            os.close(descriptor)
