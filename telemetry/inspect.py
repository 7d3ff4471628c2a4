"""What people may see and do, with the app running or not: values and JSON; how it looks is the caller's business.

    status · list_events · show · export · verify         read
    choose · forget_me · purge · pause · resume · flush   act, through a client of their own

Reading never makes, migrates, repairs or sets aside a queue; what cannot be read is said in the value. Everything
returned is a frozen value, and `as_json` turns any of it into JSON with camelCase keys.

Imports: client, identity, policy, store, wire, worker. May be imported by: command lines, windows.
"""

# ruff: noqa: S608  # whatever is put into a statement's text is a constant of this file or of wire.py

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from telemetry.client import Telemetry
from telemetry.envelope import Profile
from telemetry.identity import Identity
from telemetry.policy import Connection, Consent
from telemetry.store import FILE, Database, Leased, Row, Store, StoreDamaged, StoreUnavailable, reading
from telemetry.wire import LEVELS, Ledger, Level
from telemetry.worker import batch_body

T = TypeVar("T")

__all__ = [
    "EXIT_CODES",
    "Entry",
    "LevelCount",
    "Shown",
    "Status",
    "Unreadable",
    "Verdict",
    "Verified",
    "Wait",
    "as_json",
    "export",
    "list_events",
    "next_body",
    "session",
    "show",
    "status",
    "verify",
]

EXIT_CODES: Final[Mapping[int, str]] = {
    0: "done",
    1: "the ledger does not add up, or no event has that id",
    2: "wrong use",
    3: "the queue cannot be read or written now",
    4: "there is no queue yet",
    5: "not delivered in time",
}
"""For a command line."""


class Wait(Struct, frozen=True, rename="camel"):
    until: float
    """Seconds since 1970, as are all times here."""

    cause: str
    ordered: bool


class LevelCount(Struct, frozen=True, rename="camel"):
    level: Level
    pending: int
    leased: int


class Status(Struct, frozen=True, rename="camel"):
    """One screen: what waits, what was sent, what is next."""

    home: str
    state: str
    """"ok", "absent" (no queue yet), "unavailable" or "damaged"; all but the consent is empty then."""

    consent: Consent
    install_id: str | None
    registered: bool
    erasures: int
    """Asked for by the user and not yet confirmed by the service."""

    ledger: Ledger
    levels: tuple[LevelCount, ...]
    oldest_at: float | None
    last_delivery_at: float | None
    last_answer: str
    last_answer_at: float | None
    next_try: Wait | None
    """None: nothing holds the queue up."""

    pause: Wait | None
    user_paused: bool
    enabled: bool
    """Whether the service wants events at all."""

    config_version: int
    disk_bytes: int
    damaged_files: int
    adds_up: bool


class Entry(Struct, frozen=True, rename="camel"):
    """One event of the queue or of its recent history."""

    id: str
    at: float
    level: Level
    module: str
    event_name: str
    state: str
    reason: str
    tries: int
    bytes: int


class Verdict(Struct, frozen=True, rename="camel"):
    state: str
    reason: str
    field: str
    rule: str
    at: float | None


class Shown(Struct, frozen=True, rename="camel"):
    """One event, byte for byte as it would be or was sent."""

    entry: Entry
    body: bytes
    verdict: Verdict
    batch_id: str | None
    waits_until: float | None


class Verified(Struct, frozen=True, rename="camel"):
    adds_up: bool
    ledger: Ledger
    problems: tuple[str, ...]
    state: str = "ok"


def status(home: Path, now: float | None = None) -> Status:
    """The state of things. Reads the queue's file without changing it; works while the app runs."""
    at = time.time() if now is None else now
    identity = Identity(home)
    install = identity.install
    found, state = _NOTHING, "ok"
    try:
        found = _read(home, _numbers)
    except Unreadable as reason:
        state = str(reason)
    connection: Connection = found["connection"]
    config = found["config"]
    return Status(
        home=str(home),
        state=state,
        consent=identity.consent,
        install_id=None if install is None else install.id,
        registered=install is not None and bool(install.token),
        erasures=len(identity.erasures()),
        ledger=found["ledger"],
        levels=found["levels"],
        oldest_at=found["oldest_at"],
        last_delivery_at=connection.last_delivery_at or None,
        last_answer=connection.last_answer,
        last_answer_at=connection.last_answer_at or None,
        next_try=_wait(connection.wait, at),
        pause=_wait(connection.pause, at),
        user_paused=found["user_paused"],
        enabled=config.get("enabled", True),
        config_version=config.get("version", 0),
        disk_bytes=sum(_size(home / (FILE + suffix)) for suffix in ("", "-wal", "-shm", ".damaged")),
        damaged_files=found["damaged_files"],
        adds_up=found["ledger"].captured == found["ledger"].accounted,
    )


def list_events(
    home: Path, *, state: str | None = None, level: Level | None = None, limit: int = 50
) -> tuple[Entry, ...]:
    """The newest events of the queue and its history, newest first. Raises Unreadable."""
    number = None if level is None else LEVELS.index(level)

    def rows(db: Database) -> tuple[Entry, ...]:
        found = db.execute(
            f"{_ENTRY} WHERE state = coalesce(?, state) AND level = coalesce(?, level) ORDER BY seq DESC LIMIT ?",
            (state, number, limit),
        )
        return tuple(_entry(row) for row in found)

    return _read(home, rows)


def show(home: Path, event_id: str) -> Shown | None:
    """The event of that id, or of the only id that begins so; None where there is none. Raises Unreadable."""

    def row(db: Database) -> Shown | None:
        found = db.execute(
            f"{_ENTRY[: -len(' FROM events')]}, body, field, rule, settled_at, batch, until FROM events "
            "WHERE id LIKE ? ESCAPE '!' ORDER BY seq LIMIT 2",
            (_prefix(event_id.lower()),),
        ).fetchall()
        if len(found) != 1:
            return None
        entry, (body, field, rule, settled_at, batch, until) = _entry(found[0][:9]), found[0][9:]
        verdict = Verdict(entry.state, entry.reason, field, rule, settled_at)
        return Shown(entry, bytes(body), verdict, batch, until or None)

    return _read(home, row)


def export(home: Path, *, state: str | None = None) -> Iterator[bytes]:
    """Every event of queue and history as one JSON line each: `{"state", "reason", "event"}`, oldest first.

    Reads all before the first line is given, so that the file is not held open. Raises Unreadable.
    """

    def rows(db: Database) -> list[bytes]:
        found = db.execute(
            "SELECT state, reason, body FROM events WHERE state = coalesce(?, state) ORDER BY seq", (state,)
        )
        return [
            msgspec.json.encode({"state": told, "reason": reason, "event": Raw(bytes(body))})
            for told, reason, body in found
        ]

    return iter(_read(home, rows))


def verify(home: Path) -> Verified:
    """Prove that every event is accounted for: books, rows, reasons, and the file itself."""
    try:
        if not (home / FILE).exists():
            return Verified(True, Ledger(), (), "absent")
        store = Store(home, wait_s=5.0)
    except StoreUnavailable as error:
        return Verified(False, Ledger(), (str(error),), "unavailable")
    except StoreDamaged as error:
        return Verified(False, Ledger(), (str(error),), "damaged")
    try:
        problems = tuple(store.discrepancies())
        return Verified(not problems, store.ledger(), problems)
    except StoreUnavailable as error:
        return Verified(False, Ledger(), (str(error),), "unavailable")
    except StoreDamaged as error:
        return Verified(False, Ledger(), (str(error),), "damaged")
    finally:
        store.close()


def next_body(home: Path, limit: int = 50, now: float | None = None) -> bytes:
    """The request body that would be sent next, but for its batch id and the moment of sending. Raises Unreadable."""

    def rows(db: Database) -> Leased:
        found = db.execute("SELECT seq, id, body FROM events WHERE state = 'pending' ORDER BY seq LIMIT ?", (limit,))
        events = [Row(seq, event_id, bytes(body)) for seq, event_id, body in found]
        return Leased("00000000-0000-4000-8000-000000000000", events, False, _numbers(db)["ledger"])

    return batch_body(_read(home, rows), time.time() if now is None else now)


def session(home: Path, profile: Profile, *, url: str = "", product_key: str = "") -> Telemetry:
    """A client for a command that acts: choose, forget_me, purge, pause, resume, flush. Close it in the end.

    It may run beside the app: both share the queue, and the app sees a changed choice with its next event. Only `flush`
    and an erasure need `start`.
    """
    return Telemetry(home, profile, url=url, product_key=product_key)


def as_json(value: object) -> bytes:
    """Any value of this module as JSON; the bytes of a body as the JSON that they are."""
    if isinstance(value, Shown):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        named = {_camel(name): item for name, item in fields.items() if name != "body"}
        return msgspec.json.encode({**named, "body": Raw(value.body)})
    return msgspec.json.encode(value)


class Unreadable(Exception):
    """The queue cannot be read: "absent", "unavailable" or "damaged" is its only argument."""


# --------------------------------------------------------------------------------------------------------- reading

_ENTRY: Final = (
    "SELECT id, recorded_at, level, json_extract(CAST(body AS TEXT), '$.module'), "
    "json_extract(CAST(body AS TEXT), '$.eventName'), state, reason, tries, bytes FROM events"
)

_NOTHING: Final[dict[str, Any]] = {
    "ledger": Ledger(),
    "levels": (),
    "oldest_at": None,
    "connection": Connection(),
    "config": {},
    "user_paused": False,
    "damaged_files": 0,
}


def _read(home: Path, ask: Callable[[Database], T]) -> T:
    if not (home / FILE).exists():
        raise Unreadable("absent")
    try:
        with reading(home) as db:
            return ask(db)
    except StoreUnavailable:
        raise Unreadable("unavailable") from None
    except StoreDamaged:
        raise Unreadable("damaged") from None


def _numbers(db: Database) -> dict[str, Any]:
    names = Ledger.__struct_fields__
    total = db.execute(f"SELECT {', '.join(names)} FROM ledger WHERE day = 'total' AND level = -1").fetchone()
    meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
    levels = db.execute(
        "SELECT level, sum(pending), sum(leased) FROM ledger WHERE level >= 0 GROUP BY level ORDER BY level"
    ).fetchall()
    oldest = db.execute("SELECT min(recorded_at) FROM events WHERE state IN ('pending', 'leased')").fetchone()[0]
    return {
        "ledger": msgspec.convert(dict(zip(names, total, strict=True)), Ledger),
        "levels": tuple(LevelCount(LEVELS[level], pending, leased) for level, pending, leased in levels),
        "oldest_at": oldest,
        "connection": msgspec.json.decode(meta["connection"], type=Connection)
        if "connection" in meta
        else Connection(),
        "config": msgspec.json.decode(meta["config"], type=dict[str, Any]) if "config" in meta else {},
        "user_paused": "user_paused" in meta,
        "damaged_files": int(meta.get("damaged_files", 0)),
    }


def _entry(row: tuple[Any, ...]) -> Entry:
    event_id, at, level, *rest = row
    return Entry(event_id, at, LEVELS[level], *rest)


def _wait(wait: Any, now: float) -> Wait | None:
    if wait is None or wait.left_s(now) <= 0:
        return None
    return Wait(now + wait.left_s(now), wait.cause, wait.ordered)


def _prefix(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
