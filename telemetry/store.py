"""The queue on disk and its ledger: one SQLite file that several processes may use at once.

    add ─▶ pending ──lease──▶ leased ──settle──▶ delivered │ rejected │ pending, deferred
             │  ▲                │
             │  └── lease over ──┘
             └─▶ evicted (caps) │ expired (age) │ purged (consent)

Each method is one transaction: it happened or it did not, whenever the process is killed. The counts move by triggers
of the database itself (schema.py). Times are passed in, seconds since 1970. Rows under one batch id are exactly the set
that was sent under it; whatever splits the set clears the id.

A store is used from several threads under one lock. It must not be used in a forked child: `abandon` it there.

Absent here: what to send when (policy), what the user chose (identity).

Imports: policy, schema, wire. May be imported by: worker, client, inspect.
"""

# ruff: noqa: S608  # whatever is put into a statement's text is a constant of this file or of schema.py

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from telemetry.policy import BATCH_BYTES, DISK_S, HISTORY_EVENTS, HISTORY_S, LEASE_S, LEDGER_DAYS, Connection, Judgement
from telemetry.schema import CLOSED, EVICT, MIGRATIONS, STATES
from telemetry.wire import LEVELS, Config, Ledger, Level, new_id

T = TypeVar("T")

Database = sqlite3.Connection

FILE: Final = "telemetry.db"
_DAMAGED: Final = ".damaged"

OPEN_S: Final = 2.0
"""How long opening waits for another process that opens at the same moment."""

_DURABLE: Final = LEVELS.index("error")

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


class NewEvent(Struct, frozen=True):
    id: str
    level: Level
    at: float
    body: bytes


class Row(Struct, frozen=True):
    seq: int
    id: str
    body: bytes


class Leased(Struct, frozen=True):
    """A batch that is this process's for LEASE_S."""

    batch_id: str
    rows: Sequence[Row]
    deferred: bool
    """Whether the service once told `retry` for one of them."""

    ledger: Ledger


class Backlog(Struct, frozen=True):
    ready: int
    ready_fresh: int
    """Of these, how many were never told `retry`."""

    next_ready_at: float | None


PurgeReason = Literal["consent", "forgotten", "erased", "new_identity", "asked"]


class Store:
    """One connection to the queue's file. Every method may raise StoreUnavailable or StoreDamaged."""

    def __init__(self, home: Path, *, wait_s: float = DISK_S) -> None:
        """Open the queue in this folder, making what is missing, readable by its owner alone."""
        self.path = home / FILE
        self._wait_s = wait_s
        self._lock = threading.Lock()
        with _translated():
            _make_private(self.path)
            self._db = sqlite3.connect(self.path, timeout=OPEN_S, isolation_level=None, check_same_thread=False)
        try:
            with _translated():
                self._prepare()
        except (StoreUnavailable, StoreDamaged):
            self._db.close()
            raise
        self.file = _identity(self.path)
        """Which file this is, for `set_aside`."""

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA journal_size_limit = 4194304")
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

    def still(self, timeout_s: float = 1.0) -> bool:
        """Wait until no call is under way, and let none begin before `go_on`; False where one does not end."""
        return self._lock.acquire(timeout=timeout_s)

    def go_on(self) -> None:
        self._lock.release()

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
        return _identity(self.path) == self.file

    # -------------------------------------------------------------------------------------------------- recording

    def add(self, event: NewEvent, epoch: int = 1) -> bool:
        """Queue an event; False where the gate refuses it: without the user's consent, or for an install that is past.

        When it returns True the event survives the end of the process, and for error and fatal the loss of power.
        """
        level = LEVELS.index(event.level)
        row = (event.id, event.at, level, event.at, len(event.body), event.body, level, epoch)
        if not self._lock.acquire(timeout=self._wait_s):
            raise StoreUnavailable("busy")
        try:
            if level < _DURABLE:
                return self._db.execute(_ADD, row).rowcount == 1
            with self._durable():
                return self._db.execute(_ADD, row).rowcount == 1
        except sqlite3.Error as error:
            raise _told(error) from error
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def _durable(self) -> Iterator[None]:
        """Let the commit reach the platter, not only the system."""
        self._db.execute("PRAGMA synchronous = FULL")
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous = NORMAL")

    def count(
        self, state: Literal["rejected", "evicted"], reason: str, level: Level, at: float, number: int = 1
    ) -> bool:
        """Account for events that were captured and never stored; False where the gate refuses that level."""
        with self._transaction() as db:
            index = LEVELS.index(level)
            if db.execute("SELECT min_level FROM gate").fetchone()[0] > index:
                return False
            day = db.execute("SELECT date(?, 'unixepoch')", (at,)).fetchone()[0]
            grow = f"captured = captured + excluded.captured, {state} = {state} + excluded.{state}"
            for key in ((day, index), ("total", -1)):
                db.execute(
                    f"INSERT INTO ledger (day, level, captured, {state}) VALUES (?, ?, ?, ?) "
                    f"ON CONFLICT DO UPDATE SET {grow}",
                    (*key, number, number),
                )
            db.execute(
                "INSERT INTO reasons VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                (day, index, state, reason, number),
            )
        return True

    # -------------------------------------------------------------------------------------------------- delivering

    def backlog(self, now: float) -> Backlog:
        """What can be sent now, and when the next of the rest can."""
        with self._reading() as db:
            pending = db.execute("SELECT pending FROM ledger WHERE day = 'total' AND level = -1").fetchone()[0]
            held, soonest = db.execute(
                "SELECT count(*) FILTER (WHERE state = 'pending'), min(until) FROM events "
                "WHERE until > ? AND since <= ?",
                (now, now),
            ).fetchone()
            over = db.execute(
                "SELECT count(*) FROM events WHERE state = 'leased' AND until > 0 AND (until <= ? OR since > ?)",
                (now, now),
            ).fetchone()[0]
            deferred = db.execute(
                "SELECT count(*) FROM events WHERE deferred = 1 "
                "AND (until <= ? OR since > ?) AND state IN ('pending', 'leased')",
                (now, now),
            ).fetchone()[0]
        ready = pending - held + over
        return Backlog(ready, ready - deferred, soonest)

    def lease(self, limit: int, now: float, *, fresh_only: bool = False) -> Leased | None:
        """Take the oldest events that may be sent now; None where there are none.

        A set that was sent before and has no verdicts comes again whole, under its old batch id.
        """
        with self._transaction() as db:
            # The clock went back: what waits, waits once more from now on. A lease of a process that died is over.
            db.execute(
                "UPDATE events SET until = ? + until - since, since = ? WHERE until > 0 AND since > ?", (now,) * 3
            )
            db.execute(
                "UPDATE events SET state = 'pending', since = 0, until = 0 "
                "WHERE state = 'leased' AND until > 0 AND until <= ?",
                (now,),
            )
            fresh = "AND deferred = 0" if fresh_only else ""
            free = f"state = 'pending' AND until <= ? {fresh}"
            first = db.execute(
                f"SELECT batch FROM events NOT INDEXED WHERE {free} ORDER BY seq LIMIT 1", (now,)
            ).fetchone()
            if first is None:
                return None
            columns = "seq, id, body, deferred, bytes"
            if first[0] is not None:
                batch_id = str(first[0])
                found = db.execute(
                    f"SELECT {columns} FROM events WHERE batch = ? AND state = 'pending' ORDER BY seq", (batch_id,)
                ).fetchall()
            else:
                batch_id = new_id()
                found = db.execute(
                    f"SELECT {columns} FROM events NOT INDEXED WHERE {free} AND batch IS NULL ORDER BY seq LIMIT ?",
                    (now, limit),
                ).fetchall()
            found = _within(BATCH_BYTES, found)
            db.executemany(
                "UPDATE events SET state = 'leased', tries = tries + 1, since = ?, until = ?, batch = ? WHERE seq = ?",
                [(now, now + LEASE_S, batch_id, row[0]) for row in found],
            )
            rows = [Row(row[0], row[1], bytes(row[2])) for row in found]
            return Leased(batch_id, rows, any(row[3] for row in found), _ledger(db))

    def settle(self, leased: Leased, judgement: Judgement, now: float) -> None:
        """Do with a batch what the answer means; what has no verdict is pending again."""
        mine = "WHERE seq = ? AND state = 'leased' AND batch = ?"
        with self._transaction() as db:
            for row in leased.rows:
                each, key = row.id.lower(), (row.seq, leased.batch_id)
                if each in judgement.settled:
                    end = judgement.settled[each]
                    db.execute(
                        "UPDATE events SET state = ?, reason = ?, field = ?, rule = ?, settled_at = ?, "
                        "since = 0, until = 0 " + mine,
                        (end.state, end.reason, end.field, end.rule, now, *key),
                    )
                elif each in judgement.retry_s:
                    db.execute(
                        "UPDATE events SET state = 'pending', deferred = 1, batch = NULL, since = ?, until = ? " + mine,
                        (now, now + judgement.retry_s[each], *key),
                    )
            db.execute(
                "UPDATE events SET state = 'pending', since = 0, until = 0, "
                "batch = CASE WHEN ? THEN NULL ELSE batch END WHERE batch = ? AND state = 'leased'",
                (judgement.split, leased.batch_id),
            )
            _put(db, "connection", judgement.connection)

    # ------------------------------------------------------------------------------------------- consent and limits

    def open_gate(self, min_level: int, reason: PurgeReason = "consent") -> None:
        """Let in events from this level on (CLOSED: none), and purge from the queue what is below it."""
        with self._transaction(OPEN_S) as db:
            if db.execute("SELECT min_level FROM gate").fetchone()[0] != min_level:
                db.execute("UPDATE gate SET min_level = ?", (min_level,))
            _purge(db, min_level, reason)
        if min_level:
            self._leave_no_trace()

    @property
    def min_level(self) -> int:
        with self._reading() as db:
            return int(db.execute("SELECT min_level FROM gate").fetchone()[0])

    @property
    def epoch(self) -> int:
        """Grows by one with each install that this queue served."""
        with self._reading() as db:
            return int(db.execute("SELECT epoch FROM gate").fetchone()[0])

    def purge(self, reason: PurgeReason) -> None:
        """Empty the queue and its history, leaving no trace of an event on the disk."""
        with self._transaction(OPEN_S) as db:
            _purge(db, CLOSED, reason)
        self._leave_no_trace()

    def begin_anew(self, reason: PurgeReason, min_level: int) -> None:
        """As `purge`, for another install: the ledger, sessions and dealings with the service begin at nothing."""
        with self._transaction(OPEN_S) as db:
            _purge(db, CLOSED, reason)
            db.execute("DELETE FROM ledger")
            db.execute("DELETE FROM reasons")
            db.execute("DELETE FROM meta")
            db.execute("INSERT INTO ledger (day, level) VALUES ('total', -1)")
            db.execute("UPDATE gate SET min_level = ?, epoch = epoch + 1", (min_level,))
        self._leave_no_trace()

    def limit(self, config: Config) -> None:
        """Hold the queue to the configuration's caps from now on."""
        with self._transaction() as db:
            db.execute("UPDATE gate SET max_count = ?, max_bytes = ?", (config.max_queue_size, config.max_queue_bytes))
            while db.execute(EVICT).rowcount:
                pass

    def tidy(self, now: float, max_age_days: int) -> None:
        """Expire what is too old, forget old history and old daily counts, and move the log into the file."""
        with self._transaction() as db:
            oldest = now - max_age_days * 86_400
            db.execute(
                "UPDATE events SET state = 'expired', reason = 'too_old' WHERE state = 'pending' AND recorded_at < ?",
                (oldest,),
            )
            db.execute(
                "DELETE FROM events WHERE state NOT IN ('pending', 'leased') AND (settled_at < ? OR seq <= "
                "(SELECT seq FROM events WHERE state NOT IN ('pending', 'leased') ORDER BY seq DESC LIMIT 1 OFFSET ?))",
                (now - HISTORY_S, HISTORY_EVENTS),
            )
            _fold(db, now)
        with self._reading() as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def truncate(self) -> None:
        """Move the log into the file and empty it, so that nothing deleted remains in either."""
        with self._reading() as db, self._patient(OPEN_S):
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _leave_no_trace(self) -> None:
        """After a purge: neither in the log nor in a queue that was set aside."""
        self.truncate()
        with _translated():
            self.path.with_name(FILE + _DAMAGED).unlink(missing_ok=True)

    # ---------------------------------------------------------------------------------------------------- memory

    def get(self, key: str, kind: type[T]) -> T | None:
        """What was kept under this name; None where nothing, or nothing readable, is."""
        with self._reading() as db:
            found = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        try:
            return None if found is None else msgspec.json.decode(found[0], type=kind)
        except (msgspec.MsgspecError, TypeError, UnicodeDecodeError):
            return None

    def put(self, **values: object) -> None:
        """Keep values by name, over restarts; None forgets."""
        with self._transaction(OPEN_S) as db:
            for key, value in values.items():
                _put(db, key, value)

    def connection(self) -> Connection:
        return self.get("connection", Connection) or Connection()

    def next_number(self, key: str) -> int:
        """Count up, over restarts and processes, from 1."""
        with self._transaction() as db:
            found = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            number = int(found[0]) + 1 if found else 1
            _put(db, key, number)
            return number

    # ---------------------------------------------------------------------------------------------------- ledger

    def ledger(self) -> Ledger:
        with self._reading() as db:
            return _ledger(db)

    def discrepancies(self) -> list[str]:
        """Every way in which books and rows disagree; empty for a queue in order."""
        with self._reading() as db:
            return _discrepancies(db)

    def carry_over(self, ledger: Ledger) -> None:
        """Begin the ledger of a new file with that of a damaged one, whose live events are unreadable."""
        counts = {name: getattr(ledger, name) for name in STATES} | {"pending": 0, "leased": 0}
        counts["unreadable"] += ledger.pending + ledger.leased
        with self._transaction() as db:
            for key in (("salvaged", -1), ("total", -1)):
                db.execute(
                    f"INSERT OR REPLACE INTO ledger (day, level, captured, {', '.join(counts)}) "
                    f"VALUES (?, ?, ?{', ?' * len(counts)})",
                    (*key, ledger.captured, *counts.values()),
                )

    # -------------------------------------------------------------------------------------------------- transactions

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated():
            yield self._db

    @contextlib.contextmanager
    def _transaction(self, wait_s: float | None = None) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(), self._patient(wait_s):
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


_ADD: Final = (
    "INSERT INTO events (id, day, level, recorded_at, bytes, body) "
    "SELECT ?, date(?, 'unixepoch'), ?, ?, ?, ? FROM gate WHERE min_level <= ? AND epoch = ?"
)


@contextlib.contextmanager
def reading(home: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, for looking at a queue that others use. Raises as the methods of Store do."""
    with _translated():
        uri = f"{(home / FILE).resolve().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, timeout=OPEN_S, isolation_level=None)
        try:
            yield db
        finally:
            db.close()


def file_identity(home: Path) -> tuple[int, int] | None:
    """Which file the queue is now; None where there is none."""
    return _identity(home / FILE)


def set_aside(home: Path, now: float, damaged: tuple[int, int] | None) -> None:
    """Move a damaged queue out of the way, keeping what it still tells of its ledger.

    Does nothing where the queue is another file than the damaged one by now: somebody else has done it.

    The live events of the old file are counted `unreadable` in the new one. One damaged file is kept for whoever wants
    to look into it; an older one is overwritten, so that damage cannot fill the disk.
    """
    path = home / FILE
    if damaged is None or _identity(path) != damaged:
        return
    told = _salvage(path)
    try:
        for suffix in ("-wal", "-shm"):
            path.with_name(FILE + suffix).unlink(missing_ok=True)
        path.replace(path.with_name(FILE + _DAMAGED))
    except OSError as error:
        raise StoreUnavailable(type(error).__name__) from None
    store = Store(home)
    try:
        store.put(damaged_files=told.damaged_files + 1, damaged_at=now, session=told.session)
        if told.ledger.captured:
            store.carry_over(told.ledger)
    finally:
        store.close()


class _Salvaged(Struct, frozen=True):
    ledger: Ledger = Ledger()
    damaged_files: int = 0
    session: int = 0


def _salvage(path: Path) -> _Salvaged:
    """What the damaged file still tells, and it adds up; nothing where it does not."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0.1, isolation_level=None)) as db:
            ledger = _ledger(db)
            meta = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('damaged_files', 'session')").fetchall())
            numbers = {key: int(value) for key, value in meta.items()}
    except (sqlite3.Error, msgspec.MsgspecError, ValueError, TypeError, StoreDamaged):
        return _Salvaged()
    if ledger.captured != ledger.accounted or min(numbers.values(), default=0) < 0:
        return _Salvaged()
    return _Salvaged(ledger, numbers.get("damaged_files", 0), numbers.get("session", 0))


# ------------------------------------------------------------------------------------------------ inside a transaction


def _purge(db: sqlite3.Connection, below: int, reason: PurgeReason) -> None:
    db.execute(
        "UPDATE events SET state = 'purged', reason = ? WHERE state IN ('pending', 'leased') AND level < ?",
        (reason, below),
    )
    db.execute("DELETE FROM events WHERE state NOT IN ('pending', 'leased') AND level < ?", (below,))


def _fold(db: sqlite3.Connection, now: float) -> None:
    """Add daily counts older than LEDGER_DAYS, of days with nothing live any more, to the row `earlier`."""
    old = "day < date(?, 'unixepoch') AND day GLOB '[0-9]*' AND pending = 0 AND leased = 0"
    at = (now - LEDGER_DAYS * 86_400,)
    if db.execute(f"SELECT 1 FROM ledger WHERE {old} LIMIT 1", at).fetchone() is None:
        return
    columns = ("captured", *STATES)
    db.execute(
        f"INSERT INTO ledger (day, level, {', '.join(columns)}) "
        f"SELECT 'earlier', level, {', '.join(f'sum({each})' for each in columns)} FROM ledger WHERE {old} "
        f"GROUP BY level "
        f"ON CONFLICT DO UPDATE SET {', '.join(f'{each} = {each} + excluded.{each}' for each in columns)}",
        at,
    )
    db.execute(
        f"DELETE FROM reasons WHERE (day, level) IN (SELECT day, level FROM ledger WHERE {old})",
        at,
    )
    db.execute(f"DELETE FROM ledger WHERE {old}", at)


def _ledger(db: sqlite3.Connection) -> Ledger:
    names = ("captured", *STATES)
    found = db.execute(f"SELECT {', '.join(names)} FROM ledger WHERE day = 'total' AND level = -1").fetchone()
    if found is None:
        raise StoreDamaged("no ledger")
    return Ledger(**dict(zip(names, found, strict=True)))


def _discrepancies(db: sqlite3.Connection) -> list[str]:
    problems = [f"file: {row[0]}" for row in db.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]
    names = ("captured", *STATES, "bytes")
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
    total = db.execute(f"SELECT {', '.join(names)} FROM ledger WHERE day = 'total' AND level = -1").fetchone()
    daily = db.execute(f"SELECT {sums} FROM ledger WHERE day <> 'total'").fetchone()
    if total is None or total != daily:
        problems.append(f"total {total} is not the sum of the days {daily}")
    if total is not None and total[0] != sum(total[1:-1]):
        problems.append(f"captured {total[0]} is not accounted for by {total[1:-1]}")
    for day, level, pending, leased, size in db.execute(
        "SELECT day, level, pending, leased, bytes FROM ledger WHERE day NOT IN ('total', 'salvaged', 'earlier')"
    ).fetchall():
        live = db.execute(
            "SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'leased'), "
            "coalesce(sum(bytes) FILTER (WHERE state IN ('pending', 'leased')), 0) "
            "FROM events WHERE day = ? AND level = ?",
            (day, level),
        ).fetchone()
        if live != (pending, leased, size):
            problems.append(f"{day} level {level}: the books say {(pending, leased, size)}, the rows {live}")
    stray = db.execute(
        "SELECT count(*) FROM events e "
        "WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.day = e.day AND l.level = e.level) "
        "AND state IN ('pending', 'leased')"
    ).fetchone()[0]
    if stray:
        problems.append(f"{stray} rows are in no book")
    for day, level, state, count in db.execute(
        "SELECT day, level, state, sum(count) FROM reasons GROUP BY day, level, state"
    ).fetchall():
        column = state if state in STATES else "NULL"
        booked = db.execute(f"SELECT {column} FROM ledger WHERE day = ? AND level = ?", (day, level)).fetchone()
        if booked is None or booked[0] != count:
            problems.append(f"{day} level {level}: {count} reasons for {booked} {state}")
    return problems


def _put(db: sqlite3.Connection, key: str, value: object) -> None:
    if value is None:
        db.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, msgspec.json.encode(value)))


def _within(limit_bytes: int, found: list[Any]) -> list[Any]:
    """As many rows from the beginning as fit, one at least."""
    size = 0
    for number, row in enumerate(found):
        size += row[4] + 1
        if size > limit_bytes and number:
            return found[:number]
    return found


# ------------------------------------------------------------------------------------------------------------ files


def _make_private(path: Path) -> None:
    """A folder and a file for the owner alone, whatever the umask; SQLite gives its log the file's mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if os.name == "posix" and os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _identity(path: Path) -> tuple[int, int] | None:
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
def _rolled_back(db: sqlite3.Connection) -> Iterator[None]:
    """Leave no transaction open, whatever goes wrong in it."""
    try:
        yield
    finally:
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """SQLite's errors, and what a damaged file makes Python say, as the two that callers need to tell apart."""
    try:
        yield
    except sqlite3.Error as error:
        raise _told(error) from error
    except (TypeError, ValueError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise StoreDamaged(type(error).__name__) from error
    except OSError as error:
        raise StoreUnavailable(type(error).__name__) from error


def _told(error: sqlite3.Error) -> StoreUnavailable | StoreDamaged:
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    damaged = code is not None and (code == _SHORT_READ or code & 0xFF in _DAMAGE)
    return StoreDamaged(name) if damaged else StoreUnavailable(name)
