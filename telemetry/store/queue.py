"""The queue: events in, batches out, and what became of them.

    add ─▶ pending ──lease──▶ leased ──settle──▶ delivered │ rejected │ pending, deferred
             │  ▲                │
             │  └── lease over ──┘
             └─▶ evicted (caps) │ expired (age) │ purged (consent)

Each method is one transaction: it happened or it did not, whenever the process is killed. Times are passed in, seconds
since 1970. Rows under one batch id are exactly the set that was sent under it; whatever splits the set clears the id.

Absent here: what to send when (policy), what the user chose (identity), the file (database), proofs (ledger).

Imports: database, ledger, policy, schema, wire. May be imported by: the rest of store.
"""

# ruff: noqa: S608  # whatever is put into a statement's text is a constant of this file or of schema.py

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from telemetry.policy import BATCH_BYTES, HISTORY_EVENTS, HISTORY_S, LEASE_S, Connection, Judgement
from telemetry.schema import CLOSED, DROP_WAITING, EVICT, FILLING, INDEX_WAITING, IS_INDEXED
from telemetry.store.database import DAMAGED, FILE, OPEN_S, Database, QueueFile, StoreUnavailable, told, translated
from telemetry.store.ledger import (
    Unstored,
    carry_over,
    count,
    day_of,
    discrepancies,
    fold,
    is_old,
    may_expire,
    read_ledger,
)
from telemetry.wire import LEVELS, Config, Ledger, Level, new_id

T = TypeVar("T")

_DURABLE: Final = LEVELS.index("error")


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


class Store(QueueFile):
    """One connection to the queue. Every method may raise StoreUnavailable or StoreDamaged."""

    # -------------------------------------------------------------------------------------------------- recording

    def add(self, event: NewEvent, epoch: int = 1) -> bool:
        """Queue an event; False where the gate refuses it: without the user's consent, or for an install that is past.

        When it returns True the event survives the end of the process, and for error and fatal the loss of power.
        """
        level = LEVELS.index(event.level)
        row = (event.id, day_of(event.at), level, event.at, len(event.body), event.body, level, epoch)
        if not self._lock.acquire(timeout=self._wait_s):
            raise StoreUnavailable("busy")
        try:
            if level < _DURABLE:
                return self._db.execute(_ADD, row).rowcount == 1
            with self._durable():
                return self._db.execute(_ADD, row).rowcount == 1
        except sqlite3.Error as error:
            raise told(error) from error
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

    def count(self, state: Unstored, reason: str, level: Level, at: float, number: int = 1) -> bool:
        """Account for events that were captured and never stored; False where the gate refuses that level."""
        with self._transaction() as db:
            index = LEVELS.index(level)
            if db.execute("SELECT min_level FROM gate").fetchone()[0] > index:
                return False
            count(db, state, reason, index, day_of(at), number)
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
            return Leased(batch_id, rows, any(row[3] for row in found), read_ledger(db))

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
            if db.execute(FILLING).fetchone():
                db.execute(INDEX_WAITING)
            while db.execute(EVICT).rowcount:
                pass

    def tidy(self, now: float, max_age_days: int) -> None:
        """Expire what is too old, forget old history and old daily counts, and move the log into the file."""
        oldest = now - max_age_days * 86_400
        with self._reading() as db:
            due = _is_untidy(db, now, oldest)
        if due:  # else nobody who records waits for us
            with self._transaction() as db:
                db.execute(
                    "UPDATE events SET state = 'expired', reason = 'too_old' "
                    "WHERE state = 'pending' AND recorded_at < ?",
                    (oldest,),
                )
                db.execute(_FORGET, (now - HISTORY_S, HISTORY_EVENTS))
                fold(db, now)
                db.execute(INDEX_WAITING if db.execute(FILLING).fetchone() else DROP_WAITING)
        with self._reading() as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def truncate(self) -> None:
        """Move the log into the file and empty it, so that nothing deleted remains in either."""
        with self._reading() as db, self._patient(OPEN_S):
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _leave_no_trace(self) -> None:
        """After a purge: neither in the log nor in a queue that was set aside."""
        self.truncate()
        with translated():
            self.path.with_name(FILE + DAMAGED).unlink(missing_ok=True)

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
            return read_ledger(db)

    def discrepancies(self) -> list[str]:
        """Every way in which books and rows disagree; empty for a queue in order."""
        with self._reading() as db:
            return discrepancies(db)

    def carry_over(self, ledger: Ledger) -> None:
        """Begin the ledger of a new file with that of a damaged one, whose live events are unreadable."""
        with self._transaction() as db:
            carry_over(db, ledger)


_ADD: Final = (
    "INSERT INTO events (id, day, level, recorded_at, bytes, body) "
    "SELECT ?, ?, ?, ?, ?, ? FROM gate WHERE min_level <= ? AND epoch = ?"
)


_FORGET: Final = (
    "DELETE FROM events WHERE state NOT IN ('pending', 'leased') AND (settled_at < ? OR seq <= "
    "(SELECT seq FROM events WHERE state NOT IN ('pending', 'leased') ORDER BY seq DESC LIMIT 1 OFFSET ?))"
)


def _is_untidy(db: Database, now: float, oldest: float) -> bool:
    count, first = db.execute("SELECT count(*), min(settled_at) FROM events WHERE settled_at IS NOT NULL").fetchone()
    if count > HISTORY_EVENTS or (count and first < now - HISTORY_S):
        return True
    filling, indexed = (db.execute(each).fetchone() is not None for each in (FILLING, IS_INDEXED))
    return filling != indexed or may_expire(db, oldest) or is_old(db, now)


def _purge(db: Database, below: int, reason: PurgeReason) -> None:
    db.execute(
        "UPDATE events SET state = 'purged', reason = ? WHERE state IN ('pending', 'leased') AND level < ?",
        (reason, below),
    )
    db.execute("DELETE FROM events WHERE state NOT IN ('pending', 'leased') AND level < ?", (below,))


def _put(db: Database, key: str, value: object) -> None:
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
