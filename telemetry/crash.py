"""Seeing at the next start that the last one ended uncleanly: no signal handler, no watching process.

A session is a file, sessions/<id>.json, locked by its process for as long as that lives. A clean end removes the file.
A file that can be locked belonged to a process that died: that is a Crash. The system releases the lock of a dead
process, whatever killed it, so a recycled process number cannot deceive.

If faulthandler wrote beside it (`Session.faults`), only module and function names of its report are told; the report
itself stays on this machine.

Imports: the standard library, msgspec. May be imported by: client.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any, Final, Self

from msgspec import Struct

_FOLDER: Final = "sessions"
_KEPT_REPORTS: Final = 5
_FRAME: Final = re.compile(r'File "(?P<file>[^"]*)", line \d+ in (?P<name>[\w<>]+)')
_WORD: Final = re.compile("[A-Za-z0-9_<>.]{1,60}")

_own: set[str] = set()
"""Sessions of this process: a POSIX lock does not hold against the process that has it."""


class Crash(Struct, frozen=True):
    """One session that ended uncleanly."""

    session_id: str
    phase: str
    uptime_s: float
    """From its start to its last sign of life: a lower bound."""

    frames: tuple[str, ...] = ()
    """Of the thread that faulted, innermost first, as module.function; empty without a report of faulthandler."""


class Session:
    """This process's mark that it lives."""

    def __init__(self, path: Path, descriptor: int, began: float, clock: Callable[[], float]) -> None:
        self._path = path
        self._descriptor = descriptor
        self._began = began
        self._clock = clock
        self.faults = path.with_suffix(".faults")
        """Where faulthandler shall write: `faulthandler.enable(open(session.faults, "w"))`."""

        self.phase("starting")

    @classmethod
    def begin(cls, home: Path, session_id: str, clock: Callable[[], float]) -> tuple[Self | None, tuple[Crash, ...]]:
        """Mark this process alive; tell which ones died. None where the disk does not let us."""
        folder = home / _FOLDER
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            crashes = tuple(_crashes(folder))
            path = folder / f"{session_id}.json"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            _own.add(session_id)
            if not _lock(descriptor):
                os.close(descriptor)
                return None, crashes
            return cls(path, descriptor, clock(), clock), crashes
        except OSError:
            return None, ()

    def phase(self, name: str) -> None:
        """Note what the app is doing; about 5 µs, no sync: the page cache outlives the process."""
        told = json.dumps({"began": self._began, "seen": self._clock(), "phase": name[:60]}).encode()
        with contextlib.suppress(OSError):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, told + b"\n" + b" " * 40)

    def end(self) -> None:
        """This was a clean end."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            if self.faults.exists() and not self.faults.stat().st_size:
                self.faults.unlink()
            os.close(self._descriptor)
        _own.discard(self._path.stem)


def _crashes(folder: Path) -> Iterator[Crash]:
    for path in sorted(folder.glob("*.json")):
        if path.stem in _own:
            continue
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            if _lock(descriptor):
                yield _read(path, os.read(descriptor, 4096))
                path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
    reports = sorted(folder.glob("*.faults"), key=lambda each: each.stat().st_mtime)
    for old in reports[:-_KEPT_REPORTS]:
        old.unlink(missing_ok=True)


def _read(path: Path, content: bytes) -> Crash:
    told: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        value = json.loads(content.split(b"\n", 1)[0])
        told = value if isinstance(value, dict) else {}
    began, seen, phase = told.get("began"), told.get("seen"), told.get("phase")
    uptime_s = seen - began if isinstance(began, int | float) and isinstance(seen, int | float) else 0.0
    known = phase if isinstance(phase, str) and _WORD.fullmatch(phase) else "unknown"
    return Crash(path.stem, known, max(0.0, float(uptime_s)), _frames(path.with_suffix(".faults")))


def _frames(report: Path) -> tuple[str, ...]:
    """module.function of the thread that faulted: names of code, which hold nothing of the user's."""
    try:
        text = report.read_text("utf-8", errors="replace")
    except OSError:
        return ()
    _, _, current = text.partition("Current thread")
    block = current.split("\n\n", 1)[0]
    frames = (f"{_module(PurePath(found['file']))}.{found['name']}" for found in _FRAME.finditer(block))
    return tuple(frame for frame in frames if _WORD.fullmatch(frame))[:10]


def _module(file: PurePath) -> str:
    """Its own name alone: where it lies may name the user."""
    return file.parent.name if file.stem == "__init__" else file.stem


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # beyond the content: a locked range cannot be read
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        """A POSIX record lock: of the process, not inherited by a fork."""
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
