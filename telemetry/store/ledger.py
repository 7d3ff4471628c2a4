"""The books: what became of each event, by day, level, state and reason. They outlive the rows.

The counts move by triggers of the database itself (schema.py); here is what reads them, proves them, and adds up
old days. Everything happens within a transaction of the caller's.

Absent here: transactions (database), who counts what (queue).

Imports: database, policy (how long counts are kept), schema, wire. May be imported by: the rest of store.
"""

# ruff: noqa: S608  # whatever is put into a statement's text is a constant of this file or of schema.py

from __future__ import annotations

import functools
from datetime import date, timedelta
from typing import Literal

from telemetry.policy import LEDGER_DAYS
from telemetry.schema import STATES
from telemetry.store.database import Database, StoreDamaged
from telemetry.wire import Ledger

Unstored = Literal["rejected", "evicted"]
"""What an event can be that was captured and never stored."""


def day_of(at: float) -> str:
    """The day (UTC) of a moment, as it stands in the tables."""
    return _day(int(at // 86_400))


@functools.lru_cache(maxsize=8)
def _day(number: int) -> str:
    return (date(1970, 1, 1) + timedelta(number)).isoformat()


def count(db: Database, state: Unstored, reason: str, level: int, day: str, number: int) -> None:
    """Account for events that were captured and never stored."""
    grow = f"captured = captured + excluded.captured, {state} = {state} + excluded.{state}"
    for key in ((day, level), ("total", -1)):
        db.execute(
            f"INSERT INTO ledger (day, level, captured, {state}) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET {grow}",
            (*key, number, number),
        )
    db.execute(
        "INSERT INTO reasons VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (day, level, state, reason, number),
    )


_OLD = "day < date(?, 'unixepoch') AND day GLOB '[0-9]*' AND pending = 0 AND leased = 0"
"""Daily counts older than LEDGER_DAYS, of days with nothing live any more."""


def is_old(db: Database, now: float) -> bool:
    """Whether there is something to `fold`."""
    return db.execute(f"SELECT 1 FROM ledger WHERE {_OLD} LIMIT 1", (_oldest(now),)).fetchone() is not None


def fold(db: Database, now: float) -> None:
    """Add old daily counts to the row `earlier`."""
    at = (_oldest(now),)
    columns = ("captured", *STATES)
    db.execute(
        f"INSERT INTO ledger (day, level, {', '.join(columns)}) "
        f"SELECT 'earlier', level, {', '.join(f'sum({each})' for each in columns)} FROM ledger WHERE {_OLD} "
        f"GROUP BY level "
        f"ON CONFLICT DO UPDATE SET {', '.join(f'{each} = {each} + excluded.{each}' for each in columns)}",
        at,
    )
    db.execute(f"DELETE FROM reasons WHERE (day, level) IN (SELECT day, level FROM ledger WHERE {_OLD})", at)
    db.execute(f"DELETE FROM ledger WHERE {_OLD}", at)


def _oldest(now: float) -> float:
    return now - LEDGER_DAYS * 86_400


def may_expire(db: Database, before: float) -> bool:
    """Whether an event that waits may have been recorded before that moment; told by its day, without a look at it."""
    found = db.execute(
        "SELECT 1 FROM ledger WHERE day <= ? AND day GLOB '[0-9]*' AND pending > 0 LIMIT 1", (day_of(before),)
    ).fetchone()
    return found is not None


def read_ledger(db: Database) -> Ledger:
    """The sum of all days and levels."""
    names = ("captured", *STATES)
    found = db.execute(f"SELECT {', '.join(names)} FROM ledger WHERE day = 'total' AND level = -1").fetchone()
    if found is None:
        raise StoreDamaged("no ledger")
    return Ledger(**dict(zip(names, found, strict=True)))


def discrepancies(db: Database) -> list[str]:
    """Every way in which books and rows disagree; empty for a queue in order."""
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
    for day, level, state, told in db.execute(
        "SELECT day, level, state, sum(count) FROM reasons GROUP BY day, level, state"
    ).fetchall():
        column = state if state in STATES else "NULL"
        booked = db.execute(f"SELECT {column} FROM ledger WHERE day = ? AND level = ?", (day, level)).fetchone()
        if booked is None or booked[0] != told:
            problems.append(f"{day} level {level}: {told} reasons for {booked} {state}")
    return problems


def carry_over(db: Database, ledger: Ledger) -> None:
    """Begin with the ledger of a damaged file, whose live events are unreadable."""
    counts = {name: getattr(ledger, name) for name in STATES} | {"pending": 0, "leased": 0}
    counts["unreadable"] += ledger.pending + ledger.leased
    for key in (("salvaged", -1), ("total", -1)):
        db.execute(
            f"INSERT OR REPLACE INTO ledger (day, level, captured, {', '.join(counts)}) "
            f"VALUES (?, ?, ?{', ?' * len(counts)})",
            (*key, ledger.captured, *counts.values()),
        )
