"""The queue's file: opened, brought to the newest version, read and written in transactions, and its errors told apart.

What goes wrong is one of two things to a caller: StoreUnavailable (not now) or StoreDamaged (never again).

A connection is used from several threads under one lock. It must not be used in a forked child: `abandon` it there.

Absent here: what is in the tables (schema), and what is done with it (queue, ledger).

Imports: policy (how long one waits), schema. May be imported by: the rest of store.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from telemetry.policy import DISK_S
from telemetry.schema import MIGRATIONS

Database = sqlite3.Connection

FILE: Final = "telemetry.db"
DAMAGED: Final = ".damaged"

OPEN_S: Final = 2.0
"""How long opening waits for another process that opens at the same moment."""
STILL_S: Final = 1.0
"""How long a fork waits for a call that is under way."""

_DAMAGE: Final = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_ERROR,
    }
)
_SHORT_READ: Final = sqlite3.SQLITE_IOERR_SHORT_READ


class StoreUnavailable(Exception):
    """The disk, or another process, does not let us for now."""


class StoreDamaged(Exception):
    """The file is not, or no longer, a queue: set it aside."""


_opening = threading.RLock()
"""While a connection is opened. Reentrant, for whoever forks has it, and the child opens its own before it lets go."""
_files: weakref.WeakSet[QueueFile] = weakref.WeakSet()
_stillness = contextlib.ExitStack()


class QueueFile:
    """One connection to the queue's file. Every method may raise StoreUnavailable or StoreDamaged."""

    def __init__(self, home: Path, *, wait_s: float = DISK_S) -> None:
        """Open the queue in this folder, making what is missing, readable by its owner alone."""
        self.path = home / FILE
        self._wait_s = wait_s
        self._lock = threading.Lock()
        with _opening:
            with translated():
                _make_private(self.path)
                self._db = sqlite3.connect(self.path, timeout=OPEN_S, isolation_level=None, check_same_thread=False)
            try:
                with translated():
                    self._prepare()
            except (StoreUnavailable, StoreDamaged):
                self._db.close()
                raise
            _files.add(self)
        self.file = inode(self.path)
        """Which file this is, for `set_aside`."""

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")
        # What 500 events make (worker.TIDY_EVENTS), so that the log is written over, not grown anew.
        db.execute("PRAGMA journal_size_limit = 8388608")
        # A checkpoint is a sync of the file. The worker makes them, so that record() need not; this bound is for a
        # program whose worker does not run: 16 MiB.
        db.execute("PRAGMA wal_autocheckpoint = 4096")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != len(MIGRATIONS):
            self._migrate()
        db.execute("SELECT 1 FROM gate, ledger WHERE day = 'total'").fetchone()
        db.execute(f"PRAGMA busy_timeout = {int(self._wait_s * 1000)}")

    def _migrate(self) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        with _rolled_back(db):
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > len(MIGRATIONS):
                raise StoreDamaged("made by a newer version")
            for script in MIGRATIONS[version:]:
                for statement in _statements(script):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            db.execute("COMMIT")

    def close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._db.close()

    def still(self) -> None:
        """Wait until no call is under way, and let none begin until the fork is over."""
        if self._lock.acquire(timeout=STILL_S):
            _stillness.callback(self._lock.release)

    def abandon(self) -> None:
        """In a forked child: never touch the connection again, not even to close it.

        Closing would run SQLite's shutdown on a state copied from the parent's, so the object is made immortal.
        Source: "How To Corrupt An SQLite Database File", 2.6, carrying an open database across a fork.
        """
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._db))

    @property
    def is_current(self) -> bool:
        """Whether the path still leads to the file that is open here; another process may have set it aside."""
        return inode(self.path) == self.file

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Database]:
        with self._lock, translated():
            yield self._db

    @contextlib.contextmanager
    def _transaction(self, wait_s: float | None = None) -> Iterator[Database]:
        with self._lock, translated(), self._patient(wait_s):
            self._db.execute("BEGIN IMMEDIATE")
            with _rolled_back(self._db):
                yield self._db
                self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _patient(self, wait_s: float | None) -> Iterator[None]:
        """Wait longer for other writers: for what the user asked for, and what must not fail for a moment's sake."""
        if wait_s is not None:
            self._db.execute(f"PRAGMA busy_timeout = {int(wait_s * 1000)}")
        try:
            yield
        finally:
            if wait_s is not None:
                self._db.execute(f"PRAGMA busy_timeout = {int(self._wait_s * 1000)}")


def _be_still() -> None:
    """Let no SQLite call be under way at a fork: its global locks would stay locked for ever in the child."""
    if _opening.acquire(timeout=STILL_S):
        _stillness.callback(_opening.release)
    for file in list(_files):
        file.still()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_be_still, after_in_parent=_stillness.close, after_in_child=_stillness.close)


@contextlib.contextmanager
def reading(home: Path) -> Iterator[Database]:
    """A connection that cannot write, for looking at a queue that others use. Raises as the methods of Store do."""
    with translated():
        uri = f"{(home / FILE).resolve().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, timeout=OPEN_S, isolation_level=None)
        try:
            yield db
        finally:
            db.close()


def file_identity(home: Path) -> tuple[int, int] | None:
    """Which file the queue is now; None where there is none."""
    return inode(home / FILE)


def _make_private(path: Path) -> None:
    """A folder and a file for the owner alone, whatever the umask; SQLite gives its log the file's mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if os.name == "posix" and os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def inode(path: Path) -> tuple[int, int] | None:
    """Which file is there; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one: executescript would commit the transaction that they belong to."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextlib.contextmanager
def _rolled_back(db: Database) -> Iterator[None]:
    """Leave no transaction open, whatever goes wrong in it."""
    try:
        yield
    finally:
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """SQLite's errors, and what a damaged file makes Python say, as the two that callers need to tell apart."""
    try:
        yield
    except sqlite3.Error as error:
        raise told(error) from error
    except (TypeError, ValueError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise StoreDamaged(type(error).__name__) from error
    except OSError as error:
        raise StoreUnavailable(type(error).__name__) from error


def told(error: sqlite3.Error) -> StoreUnavailable | StoreDamaged:
    """The error of ours that one of SQLite's is."""
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    damaged = code is not None and (code == _SHORT_READ or code & 0xFF in _DAMAGE)
    return StoreDamaged(name) if damaged else StoreUnavailable(name)
