"""Programs that die with whoever started them, and conditions with deadlines.

A program runs in a session and process group of its own, so that all its descendants can be
ended together; and the kernel ends it when this process dies, even by kill -9.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")

DEADLINE_S = 30.0
"""Long enough for a busy machine: reached only when something is broken."""

POLL_S = 0.005
TERMINATION_S = 5.0

_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR")
"""What programs on the private desktop inherit. Everything else could lead to the user's own session."""


class NotInTime(AssertionError):
    """A condition did not come true before its deadline."""


def eventually(condition: Callable[[], T], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Return the first true value of `condition`.

    Raises:
        NotInTime: it stayed false for `deadline_s`; the message says `what` was awaited.
    """
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        if time.monotonic() >= end:
            raise NotInTime(f"not within {deadline_s:g} s: {what}")
        time.sleep(POLL_S)
    return value


def clean_environment(**more: str) -> dict[str, str]:
    """Return an environment that knows nothing of the user's own session."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("COVERAGE_")}
    return {
        **kept,
        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/no/system/bus",
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        **more,
    }


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    log: Path | None = None,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | None = None,
    pass_fds: Sequence[int] = (),
    asked: bool = True,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the context lasts, and end it with all its descendants.

    Output goes to the end of `log` (nowhere without one), standard output elsewhere if asked.
    `asked`: to end, before it is killed.
    """
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else subprocess.DEVNULL
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            env=dict(environment),
            stdin=stdin,
            stdout=output if stdout is None else stdout,
            stderr=output,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            end(process, asked=asked)


def end(process: subprocess.Popen[bytes], *, asked: bool = True) -> None:
    """End a program and its descendants: asked first, then by force."""
    if asked:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TERMINATION_S)
    with contextlib.suppress(ProcessLookupError):  # its descendants, or itself if it would not listen
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def call(command: Sequence[str | Path], environment: Mapping[str, str], *, stdin: bytes = b"") -> str:
    """Run a short program to its end and return what it printed.

    Raises:
        subprocess.CalledProcessError: it failed.
        subprocess.TimeoutExpired: it took longer than DEADLINE_S.
    """
    done = subprocess.run(
        list(command), env=dict(environment), input=stdin, capture_output=True, timeout=DEADLINE_S, check=True
    )
    return done.stdout.decode()
