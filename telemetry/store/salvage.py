"""Setting a damaged queue aside, and beginning a new one with what the old one still tells of its ledger.

Imports: database, ledger, queue, wire. May be imported by: the rest of store.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import msgspec
from msgspec import Struct

from telemetry.store.database import DAMAGED, FILE, StoreDamaged, StoreUnavailable, inode
from telemetry.store.ledger import read_ledger
from telemetry.store.queue import Store
from telemetry.wire import Ledger


def set_aside(home: Path, now: float, damaged: tuple[int, int] | None) -> None:
    """Move a damaged queue out of the way, keeping what it still tells of its ledger.

    Does nothing where the queue is another file than the damaged one by now: somebody else has done it.

    The live events of the old file are counted `unreadable` in the new one. One damaged file is kept for whoever wants
    to look into it; an older one is overwritten, so that damage cannot fill the disk.
    """
    path = home / FILE
    if damaged is None or inode(path) != damaged:
        return
    told = _salvage(path)
    try:
        for suffix in ("-wal", "-shm"):
            path.with_name(FILE + suffix).unlink(missing_ok=True)
        path.replace(path.with_name(FILE + DAMAGED))
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
            ledger = read_ledger(db)
            meta = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('damaged_files', 'session')").fetchall())
            numbers = {key: int(value) for key, value in meta.items()}
    except (sqlite3.Error, msgspec.MsgspecError, ValueError, TypeError, StoreDamaged):
        return _Salvaged()
    if ledger.captured != ledger.accounted or min(numbers.values(), default=0) < 0:
        return _Salvaged()
    return _Salvaged(ledger, numbers.get("damaged_files", 0), numbers.get("session", 0))
