"""The queue's tables: docs/telemetry-store.md is their documentation for people.

The database keeps its own books. Whoever writes a row, this program, another version of it or a person with `sqlite3`,
triggers move the counts with it, and three rules are beyond anybody's reach:

    the ledger adds up         CHECK: captured is the sum of the other eight, per day and level and in total;
                               so a row cannot get a state that is none of them
    nothing live vanishes      a pending or leased row cannot be deleted, only settled
    the gate                   below its level nothing enters; beyond its caps the least important, oldest rows leave

Absent here: who calls when (store.py).

Imports: nothing. May be imported by: store, inspect.
"""

# ruff: noqa: S608  # whatever is put into a statement's text is a constant of this file

from typing import Final

STATES: Final = ("pending", "leased", "delivered", "rejected", "evicted", "expired", "purged", "unreadable")
"""What an event can be; the ledger's columns. `unreadable` ones are known by number alone."""

CLOSED: Final = 9
"""The gate's level that lets nothing in."""

EVICT: Final = """
    UPDATE events SET state = 'evicted', reason = 'queue_full' WHERE seq IN (
        SELECT seq FROM (
            SELECT seq, row_number() OVER least AS nth, sum(bytes) OVER least - bytes AS before
            FROM (SELECT seq, level, bytes FROM events WHERE state = 'pending' ORDER BY level, seq LIMIT 64)
            WINDOW least AS (ORDER BY level, seq))
        WHERE nth <= (SELECT t.pending + t.leased - g.max_count
                      FROM ledger t, gate g WHERE t.day = 'total' AND t.level = -1)
           OR before < (SELECT t.bytes - g.max_bytes FROM ledger t, gate g WHERE t.day = 'total' AND t.level = -1))
"""
"""Evicts up to 64 rows of what is beyond the caps: oldest debug first, then info, warn, error, fatal."""

_OVER: Final = """
    SELECT 1 FROM ledger t, gate g WHERE t.day = 'total' AND t.level = -1
    AND (t.pending + t.leased > g.max_count OR t.bytes > g.max_bytes)
"""

_EVICT_ONE: Final = """
    UPDATE events SET state = 'evicted', reason = 'queue_full'
    WHERE seq = (SELECT seq FROM events WHERE state = 'pending' ORDER BY level, seq LIMIT 1)
"""
"""What a full queue does for each event that enters: a tenth of the time of the general case."""

FILLING: Final = """
    SELECT 1 FROM ledger t, gate g WHERE t.day = 'total' AND t.level = -1
    AND (2 * (t.pending + t.leased) > g.max_count OR 2 * t.bytes > g.max_bytes)
"""
"""Whether the queue is more than half full."""

INDEX_WAITING: Final = "CREATE INDEX IF NOT EXISTS events_waiting ON events (level, seq) WHERE state = 'pending'"
"""What evicting goes by. An index is a page more that each event writes, a tenth of its time: so it is there while the
queue is filling, and no longer."""

DROP_WAITING: Final = "DROP INDEX IF EXISTS events_waiting"
IS_INDEXED: Final = "SELECT 1 FROM sqlite_master WHERE name = 'events_waiting'"

_MOVES: Final = ", ".join(f"{state} = {state} - (OLD.state = '{state}') + (NEW.state = '{state}')" for state in STATES)

_FIRST: Final = f"""
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

CREATE TABLE gate (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    min_level INTEGER NOT NULL,
    max_count INTEGER NOT NULL,
    max_bytes INTEGER NOT NULL,
    epoch     INTEGER NOT NULL
);
INSERT INTO gate VALUES (1, {CLOSED}, 10000, 33554432, 1);

CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL,
    day         TEXT NOT NULL,
    level       INTEGER NOT NULL CHECK (level BETWEEN 0 AND 4),
    recorded_at REAL NOT NULL,
    state       TEXT NOT NULL DEFAULT 'pending',
    reason      TEXT NOT NULL DEFAULT '',
    field       TEXT NOT NULL DEFAULT '',
    rule        TEXT NOT NULL DEFAULT '',
    settled_at  REAL,
    tries       INTEGER NOT NULL DEFAULT 0,
    deferred    INTEGER NOT NULL DEFAULT 0,
    since       REAL NOT NULL DEFAULT 0,
    until       REAL NOT NULL DEFAULT 0,
    batch       TEXT,
    bytes       INTEGER NOT NULL,
    body        BLOB NOT NULL
);
CREATE INDEX events_held ON events (until) WHERE until > 0;
CREATE INDEX events_deferred ON events (until) WHERE deferred = 1;
CREATE INDEX events_settled ON events (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX events_batch ON events (batch) WHERE batch IS NOT NULL;

CREATE TABLE ledger (
    day        TEXT NOT NULL,
    level      INTEGER NOT NULL,
    captured   INTEGER NOT NULL DEFAULT 0,
    {" ".join(f"{state} INTEGER NOT NULL DEFAULT 0 CHECK ({state} >= 0)," for state in STATES)}
    bytes      INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    PRIMARY KEY (day, level),
    CHECK (captured = {" + ".join(STATES)})
) WITHOUT ROWID;
INSERT INTO ledger (day, level) VALUES ('total', -1);

CREATE TABLE reasons (
    day    TEXT NOT NULL,
    level  INTEGER NOT NULL,
    state  TEXT NOT NULL,
    reason TEXT NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (day, level, state, reason)
) WITHOUT ROWID;

CREATE TRIGGER events_captured AFTER INSERT ON events BEGIN
    INSERT INTO ledger (day, level, captured, pending, bytes)
    VALUES (NEW.day, NEW.level, 1, 1, NEW.bytes), ('total', -1, 1, 1, NEW.bytes)
    ON CONFLICT DO UPDATE SET captured = captured + 1, pending = pending + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER events_capped AFTER UPDATE OF captured ON ledger
WHEN NEW.level = -1 AND EXISTS (
    SELECT 1 FROM gate WHERE NEW.pending + NEW.leased > max_count OR NEW.bytes > max_bytes) BEGIN
    {_EVICT_ONE};
    {EVICT} AND EXISTS ({_OVER});
END;

CREATE TRIGGER events_moved AFTER UPDATE OF state ON events WHEN OLD.state <> NEW.state BEGIN
    UPDATE ledger SET {_MOVES},
        bytes = bytes - CASE WHEN NEW.state IN ('pending', 'leased') THEN 0 ELSE OLD.bytes END
    WHERE (day = 'total' AND level = -1) OR (day = NEW.day AND level = NEW.level);
    INSERT INTO reasons SELECT NEW.day, NEW.level, NEW.state, NEW.reason, 1
    WHERE NEW.state NOT IN ('pending', 'leased')
    ON CONFLICT DO UPDATE SET count = count + 1;
    UPDATE events SET batch = NULL
    WHERE NEW.state IN ('evicted', 'expired', 'purged') AND batch = OLD.batch AND state IN ('pending', 'leased');
    DELETE FROM events WHERE seq = NEW.seq AND NEW.state IN ('evicted', 'expired', 'purged');
END;

CREATE TRIGGER events_final BEFORE UPDATE OF state ON events
WHEN OLD.state NOT IN ('pending', 'leased') AND OLD.state <> NEW.state BEGIN
    SELECT raise(ABORT, 'what became of an event is final');
END;

CREATE TRIGGER events_kept BEFORE DELETE ON events WHEN OLD.state IN ('pending', 'leased') BEGIN
    SELECT raise(ABORT, 'a live event cannot be deleted, only settled');
END;

CREATE VIEW queue_overview AS
SELECT day, CASE level WHEN 0 THEN 'debug' WHEN 1 THEN 'info' WHEN 2 THEN 'warn' WHEN 3 THEN 'error' WHEN 4 THEN 'fatal'
                       ELSE 'all' END AS level,
       captured, {", ".join(STATES)}, bytes,
       (SELECT datetime(min(recorded_at), 'unixepoch') FROM events e
        WHERE e.state IN ('pending', 'leased')
          AND (ledger.level = -1 OR (e.level = ledger.level AND e.day = ledger.day))) AS oldest
FROM ledger ORDER BY day DESC, ledger.level DESC;
"""

MIGRATIONS: Final = (_FIRST,)
"""Each brings the file from version n to n + 1; `user_version` says how many were done."""
