"""The takes' files: their format, whose they are at the moment, and what an earlier run left behind.

    takes/20261124T172036-4f2a.wav     mono, 16-bit PCM, at the microphone's own rate
    takes/20261124T172036-4f2a.json    the sidecar: a TakeRecord; nothing of what was said

Rule 1. One process on one take: whoever writes or reads a take holds the `flock` of its WAV file, from before the file
        has its name. It goes with the process, however that ends. A take under way is therefore neither listed nor
        opened nor removed by anybody else, and one that is left behind is free.
Rule 2. The length of a take is that of its file. A header that is behind, a missing sidecar or one that cannot be
        read cost nothing but what they would have said.

Writing while it is recorded is in adapters/journal.py; which takes are offered and how long they stay: core/takes.py.

Imports: core. May be imported by: adapters/journal, app, cli.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from lysnrai_desktop.core.audio import SAMPLE_BYTES
from lysnrai_desktop.core.faults import DiskFault, DiskFull, DiskReadOnly, TakeBusy, TakeUnknown
from lysnrai_desktop.core.takes import TakeRecord, is_expired

HEADER_BYTES = 44
ID_TIME = "%Y%m%dT%H%M%S"
"""A take's name begins with the time (UTC) at which it began."""
PATIENCE_S = 0.5
"""Somebody who only looks through the folder holds each take for a moment."""
LIKELY_RATE_HZ = 48_000
"""For a file with neither header nor sidecar."""
_POLL_S = 0.02
_NEW = ".wav.new"  # a WAV file before its lock is taken: empty
_LARGEST = 0xFFFF_FFFF  # of a size in a RIFF header; longer files are read by their length


class TakeFolder:
    """Implements ports.TakeStore. Every call works on the disk, on the caller's thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def records(self) -> list[TakeRecord]:
        """Every take that nobody is working on, oldest first."""
        found = []
        for take_id in self._ids():
            with contextlib.suppress(TakeBusy, TakeUnknown, DiskFault), self.open(take_id, patience_s=0.0) as take:
                found.append(take.record)
        return found

    def open(self, take_id: str, patience_s: float = PATIENCE_S) -> TakeFile:
        """Open a take for reading, and keep everybody else from it until it is closed.

        Raises:
            TakeUnknown: there is none of that name.
            TakeBusy: it is being recorded, or read by another process.
            DiskFault: it cannot be read.
        """
        if take_id not in self._ids():
            raise TakeUnknown
        return TakeFile(self._folder, take_id, patience_s)

    def tidy(self, now: float, keep_s: float) -> None:
        """Make what an earlier run left behind whole, and remove what has had its time.

        Args:
            now: seconds since 1970.
            keep_s: `takes.keep_s`.

        Raises:
            DiskFault: the disk refuses. What is already done stays done.
        """
        for take_id in self._ids():
            with contextlib.suppress(TakeBusy, TakeUnknown), TakeFile(self._folder, take_id, 0.0, hollow=True) as take:
                if not take.record.samples or is_expired(take.record, now, keep_s):
                    take.drop()
                else:
                    take.repair()
        try:
            self._remove_remains()
        except OSError as error:
            raise fault_of(error) from None

    def _ids(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.wav"))

    def _remove_remains(self) -> None:
        """What a process leaves that is killed while it makes or removes a take."""
        for path in self._folder.glob(f"*{_NEW}"):
            with contextlib.suppress(FileNotFoundError), _opened(path, os.O_RDONLY) as fd:
                if _lock(fd):
                    path.unlink()
        for path in self._folder.glob("*.json"):
            if not path.with_suffix(".wav").exists() and read_sidecar(self._folder, path.stem) is not None:
                path.unlink(missing_ok=True)


class TakeFile:
    """Implements ports.StoredTake: a take that is complete, ours until it is closed."""

    def __init__(self, folder: Path, take_id: str, patience_s: float, *, hollow: bool = False) -> None:
        """`hollow`: also a file without a sample. Raises as TakeFolder.open does."""
        self._folder = folder
        try:
            self._fd = os.open(folder / f"{take_id}.wav", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise TakeUnknown from None
        except OSError as error:
            raise fault_of(error) from None
        try:
            self._take_possession(patience_s)
            self.record = _record(self._fd, folder, take_id)
            if not self.record.samples and not hollow:
                raise TakeUnknown
        except OSError as error:
            self.close()
            raise fault_of(error) from None
        except (TakeBusy, TakeUnknown):
            self.close()
            raise

    def _take_possession(self, patience_s: float) -> None:
        until = time.monotonic() + patience_s
        while not _lock(self._fd):
            if time.monotonic() >= until:
                raise TakeBusy
            time.sleep(_POLL_S)
        if not os.fstat(self._fd).st_nlink:
            raise TakeUnknown  # dropped by who had it before us

    @property
    def rate_hz(self) -> int:
        return self.record.rate_hz

    def wait(self, beyond: int, timeout_s: float) -> tuple[int, bool]:  # noqa: ARG002  all of it is there
        return self.record.samples, True

    def read(self, start: int, limit: int) -> bytes:
        """At most `limit` samples from `start` on.

        Raises:
            DiskFault: the disk cannot read them.
        """
        samples = max(0, min(limit, self.record.samples - start))
        try:
            return os.pread(self._fd, samples * SAMPLE_BYTES, HEADER_BYTES + start * SAMPLE_BYTES)
        except OSError as error:
            raise fault_of(error) from None

    def mark(self, outcome: str, now: float) -> None:
        """Write down what became of it at last. Raises DiskFault."""
        marked = replace(self.record, outcome=outcome, code="", ended=now)
        try:
            write_sidecar(self._folder, marked)
        except OSError as error:
            raise fault_of(error) from None
        self.record = marked

    def drop(self) -> None:
        """Remove every trace from the disk. Raises DiskFault."""
        try:
            remove(self._folder, self.record.id)
        except OSError as error:
            raise fault_of(error) from None

    def repair(self) -> None:
        """Make the file what other programs take for valid: a header that counts all of it, no half sample.

        Raises:
            DiskFault: it cannot be written.
        """
        whole = header(self.record.rate_hz, self.record.samples)
        size = HEADER_BYTES + self.record.samples * SAMPLE_BYTES
        try:
            if os.pread(self._fd, HEADER_BYTES, 0) == whole and os.fstat(self._fd).st_size == size:
                return
            with _opened(self._folder / f"{self.record.id}.wav", os.O_WRONLY) as fd:
                write_at(fd, 0, whole)
                os.ftruncate(fd, size)
        except OSError as error:
            raise fault_of(error) from None

    def close(self) -> None:
        """Let others have it. Once is enough, twice does no harm."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


# --- files


def create(folder: Path, take_id: str) -> int:
    """Make an empty WAV file that is ours from the moment it can be seen; returns its descriptor. Raises OSError."""
    new = folder / f"{take_id}{_NEW}"
    fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _lock(fd)
        new.rename(folder / f"{take_id}.wav")
    except OSError:
        os.close(fd)
        with contextlib.suppress(OSError):
            new.unlink()  # or the next attempt would find it in its way
        raise
    return fd


def remove(folder: Path, take_id: str) -> None:
    """Remove every file of a take, those that are there. Raises OSError."""
    for suffix in (".wav", ".json", ".json.part", _NEW):
        (folder / f"{take_id}{suffix}").unlink(missing_ok=True)


def read_sidecar(folder: Path, take_id: str) -> TakeRecord | None:
    """None where there is none, or none that makes sense."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        content = json.loads((folder / f"{take_id}.json").read_text(encoding="utf-8"))
        record = TakeRecord(
            **{field.name: content[field.name] for field in fields(TakeRecord) if field.name in content}
        )
        numbers = (record.started, record.rate_hz, record.samples, record.ended)
        words = (record.id, record.outcome or "", record.code)
        if all(isinstance(word, str) for word in words) and all(map(math.isfinite, numbers)) and record.id == take_id:
            return record
    return None


def write_sidecar(folder: Path, record: TakeRecord) -> None:
    """Write it, whole or not at all. Raises OSError."""
    draft = folder / f"{record.id}.json.part"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
    draft.replace(draft.with_suffix(""))


def header(rate_hz: int, samples: int) -> bytes:
    """The 44 bytes in front of mono 16-bit PCM. Source: RIFF/WAVE, format 1 (PCM)."""
    size = samples * SAMPLE_BYTES
    riff = struct.pack("<4sI4s", b"RIFF", min(size + HEADER_BYTES - 8, _LARGEST), b"WAVE")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, rate_hz * SAMPLE_BYTES, SAMPLE_BYTES, 16)
    return riff + form + struct.pack("<4sI", b"data", min(size, _LARGEST))


def fault_of(error: OSError) -> DiskFault:
    """What a refusal of the disk is to the user. The error itself names a path, so it goes no further."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull()
    return DiskReadOnly()


def write_at(fd: int, offset: int, content: bytes | memoryview) -> None:
    """Write all of it. Raises OSError."""
    with memoryview(content) as rest:
        written = 0
        while written < len(rest):
            written += os.pwrite(fd, rest[written:], offset + written)


def _record(fd: int, folder: Path, take_id: str) -> TakeRecord:
    """What file, sidecar and name tell together. Raises TakeUnknown for a WAV file of another program."""
    samples = max(0, os.fstat(fd).st_size - HEADER_BYTES) // SAMPLE_BYTES
    head = os.pread(fd, HEADER_BYTES, 0)
    told = read_sidecar(folder, take_id)
    rate_hz = told.rate_hz if told is not None and told.rate_hz > 0 else LIKELY_RATE_HZ
    if head[:4] == b"RIFF" and len(head) == HEADER_BYTES:
        (named_hz,) = struct.unpack_from("<I", head, 24)
        ours = header(named_hz, 0) if named_hz < _LARGEST // SAMPLE_BYTES else b""
        if not named_hz or (head[8:40] != ours[8:40]):
            raise TakeUnknown
        rate_hz = named_hz
    if told is not None:
        return replace(told, rate_hz=rate_hz, samples=samples)
    return TakeRecord(take_id, _started(fd, take_id), rate_hz, samples)


def _started(fd: int, take_id: str) -> float:
    try:
        return datetime.strptime(take_id.partition("-")[0], ID_TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return os.fstat(fd).st_mtime


def _lock(fd: int) -> bool:
    """Whether the take is ours now. A file system that knows no locks is no reason to lose a take."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
