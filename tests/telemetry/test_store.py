"""The queue accounts for every event through every history, on every disk."""

import os
import shutil
import sqlite3
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telemetry import store as package
from telemetry.policy import BATCH_BYTES, LEASE_S, Connection, Judgement, Settled
from telemetry.schema import CLOSED
from telemetry.store import FILE, Leased, NewEvent, Store, StoreDamaged, StoreUnavailable, file_identity, set_aside
from telemetry.wire import LEVELS, Config, Ledger, Level

NOW = 1_800_000_000.0
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a sync costs nothing: histories are about order, not about the disk."""


def event(level: Level = "info", at: float = NOW, size: int = 100) -> NewEvent:
    return NewEvent(str(uuid.uuid4()), level, at, b"b" * size)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path)
    opened.open_gate(0)
    yield opened
    opened.close()


def another(path: Path) -> closing[sqlite3.Connection]:
    """A connection of somebody else's; each of its statements is a transaction."""
    return closing(sqlite3.connect(path, isolation_level=None))


def delivered(leased: Leased) -> Judgement:
    return Judgement(Connection(), {row.id: Settled("delivered", "accepted") for row in leased.rows}, split=True)


class Histories(RuleBasedStateMachine):
    """Two processes record, lease, answer, die, and change their minds about consent, while the clock jumps."""

    @initialize()
    def begin(self) -> None:
        self.home = Path(tempfile.mkdtemp(dir=MEMORY))
        self.stores = [Store(self.home), Store(self.home)]
        self.now = NOW
        self.gate = 0
        self.stores[0].open_gate(0)
        self.captured: dict[str, Level] = {}
        self.counted = 0
        self.ended: set[str] = set()
        self.flights: list[Leased] = []
        self.sets: dict[str, set[str]] = {}
        self.most = Config()

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            for each in self.stores:
                each.close()
            shutil.rmtree(self.home)

    @rule(process=st.integers(0, 1), level=st.sampled_from(LEVELS), size=st.integers(1, 3000))
    def record(self, process: int, level: Level, size: int) -> None:
        new = event(level, self.now, size)
        entered = self.stores[process].add(new)
        assert entered == (LEVELS.index(level) >= self.gate)
        if entered:
            self.captured[new.id] = level

    @rule(process=st.integers(0, 1), level=st.sampled_from(LEVELS))
    def refuse(self, process: int, level: Level) -> None:
        if self.stores[process].count("rejected", "policy_blocked", level, self.now):
            self.counted += 1

    @rule(process=st.integers(0, 1), limit=st.integers(1, 5), fresh=st.booleans())
    def lease(self, process: int, limit: int, fresh: bool) -> None:
        leased = self.stores[process].lease(limit, self.now, fresh_only=fresh)
        if leased is not None:
            sent = {row.id for row in leased.rows}
            assert not sent & self.ended, "what has ended is never sent again"
            assert self.sets.setdefault(leased.batch_id, sent) == sent, "a batch id names one set"
            self.flights.append(leased)

    @precondition(lambda self: self.flights)
    @rule(data=st.data(), process=st.integers(0, 1), split=st.booleans())
    def answer(self, data: st.DataObject, process: int, split: bool) -> None:
        leased = self.flights.pop(data.draw(st.integers(0, len(self.flights) - 1)))
        settled, retry = {}, {}
        for row in leased.rows:
            match data.draw(st.sampled_from(["accepted", "rejected", "retry", "silence"])):
                case "accepted":
                    settled[row.id] = Settled("delivered", "accepted")
                case "rejected":
                    settled[row.id] = Settled("rejected", "too_long")
                case "silence":
                    pass
                case _:
                    retry[row.id] = data.draw(st.floats(0, 90))
        judgement = Judgement(Connection(), settled, retry, split=split or bool(settled or retry))
        before = {row[0] for row in self.rows("state = 'leased'")}
        self.stores[process].settle(leased, judgement, self.now)
        self.ended |= settled.keys() & before

    @rule(process=st.integers(0, 1))
    def die_in_flight(self, process: int) -> None:
        self.flights.clear()
        self.stores[process].close()
        self.stores[process] = Store(self.home)

    @rule(seconds=st.sampled_from([0.5, LEASE_S + 1, 3600.0, 86_400.0, -5.0, -86_400.0]))
    def let_time_pass_or_jump(self, seconds: float) -> None:
        self.now += seconds

    @rule(process=st.integers(0, 1), gate=st.sampled_from([0, 3, CLOSED]))
    def choose(self, process: int, gate: int) -> None:
        self.stores[process].open_gate(gate)
        self.gate = gate
        assert not self.rows(f"level < {gate}"), "nothing below the gate stays"

    @rule(process=st.integers(0, 1), count=st.integers(10, 20), size=st.integers(65_536, 70_000))
    def limit(self, process: int, count: int, size: int) -> None:
        self.most = Config(max_queue_size=count, max_queue_bytes=size)
        self.stores[process].limit(self.most)

    @rule(process=st.integers(0, 1))
    def tidy(self, process: int) -> None:
        self.stores[process].tidy(self.now, 1)

    def rows(self, condition: str) -> list[tuple[str, int]]:
        with self.stores[0]._reading() as db:
            return db.execute(f"SELECT id, level FROM events WHERE {condition}").fetchall()

    @invariant()
    def every_event_is_accounted_for(self) -> None:
        if not hasattr(self, "stores"):
            return
        assert self.stores[1].discrepancies() == []
        ledger = self.stores[0].ledger()
        assert ledger.captured == ledger.accounted == len(self.captured) + self.counted
        if ledger.pending:  # what is in flight is never evicted
            assert ledger.pending + ledger.leased <= self.most.max_queue_size
            with self.stores[0]._reading() as db:
                live_bytes = db.execute("SELECT bytes FROM ledger WHERE day = 'total'").fetchone()[0]
            assert live_bytes <= self.most.max_queue_bytes
        live = {row[0] for row in self.rows("state IN ('pending', 'leased')")}
        assert live <= self.captured.keys()
        assert not live & self.ended


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=60 if os.environ.get("LYSNRAI_TEST_EFFORT") != "full" else 2000, stateful_step_count=40
)


def test_public_names_are_sorted_and_there() -> None:
    assert package.__all__ == sorted(package.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(package, name) for name in package.__all__)


def test_only_the_owner_can_read_the_queue(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        opened = Store(tmp_path / "home")
        opened.open_gate(0)
        opened.add(event())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "home").iterdir()}
        opened.close()
    finally:
        os.umask(old)

    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    (tmp_path / FILE).touch(0o644)

    Store(tmp_path).close()

    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_nothing_enters_a_new_queue_before_the_gate_is_opened(tmp_path: Path) -> None:
    opened = Store(tmp_path)

    assert not opened.add(event("fatal"))
    assert opened.ledger() == Ledger()
    opened.close()


def test_the_least_important_and_oldest_leave_first_when_the_queue_is_full(store: Store) -> None:
    store.limit(Config(max_queue_size=10))
    for level in ("fatal", "debug", "info", "warn", "error", "debug"):
        store.add(event(level))
    for _ in range(8):
        store.add(event("error"))

    with store._reading() as db:
        left = [row[0] for row in db.execute("SELECT level FROM events ORDER BY seq")]
    assert left == [4, *[3] * 9]
    assert store.ledger().evicted == 4


def test_a_debug_event_leaves_before_a_hundred_older_errors(store: Store) -> None:
    store.limit(Config(max_queue_size=100))
    for _ in range(100):
        store.add(event("error"))

    for level in ("info", "debug", "warn"):
        store.add(event(level))

    with store._reading() as db:
        assert db.execute("SELECT DISTINCT level FROM events").fetchall() == [(3,)]


def test_what_evicting_goes_by_is_there_while_the_queue_is_filling_and_no_longer(store: Store) -> None:
    def is_indexed() -> bool:
        store.tidy(NOW, 30)
        with store._reading() as db:
            return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'events_waiting'").fetchone() is not None

    store.limit(Config(max_queue_size=10))
    for _ in range(5):
        store.add(event())
    assert not is_indexed()
    store.add(event())
    assert is_indexed()
    for _ in range(20):
        store.add(event("debug"))
        assert store.ledger().pending <= 10
    store.purge("asked")
    assert not is_indexed()
    assert store.discrepancies() == []


def test_the_cap_in_bytes_holds_at_each_insert(store: Store) -> None:
    store.limit(Config(max_queue_bytes=65_536))
    for _ in range(30):
        store.add(event(size=16_000))
        with store._reading() as db:
            assert db.execute("SELECT sum(bytes) FROM events").fetchone()[0] <= 65_536

    assert store.ledger().pending == 4
    assert store.ledger().evicted == 26, "one for one, not one more"


def test_a_purge_leaves_no_trace_of_an_event_on_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open_gate(0)
    for number in range(200):
        store.add(NewEvent(str(uuid.uuid4()), "info", NOW, b"MARKED-%d" % number * 20))
    leased = store.lease(50, NOW)
    assert leased is not None
    store.settle(leased, delivered(leased), NOW)

    store.open_gate(CLOSED)

    assert store.ledger().purged == 150
    assert store.ledger().delivered == 50
    for file in tmp_path.iterdir():
        assert b"MARKED" not in file.read_bytes(), file.name
    store.close()


def test_a_purge_removes_a_queue_that_was_set_aside_too(store: Store) -> None:
    left = store.path.with_name(FILE + ".damaged")
    left.write_bytes(b"somebody's events")

    store.open_gate(3)

    assert not left.exists()


def test_errors_only_purges_the_lower_levels(store: Store) -> None:
    for level in LEVELS:
        store.add(event(level))

    store.open_gate(3)

    assert (store.ledger().pending, store.ledger().purged) == (2, 3)


def test_the_same_set_sent_again_keeps_its_batch_id_and_another_set_gets_a_new_one(store: Store) -> None:
    for _ in range(4):
        store.add(event())
    first = store.lease(3, NOW)
    assert first is not None
    store.settle(first, Judgement(Connection()), NOW)

    again = store.lease(50, NOW)

    assert again is not None
    assert (again.batch_id, again.rows) == (first.batch_id, first.rows)
    store.settle(again, Judgement(Connection(), split=True), NOW)
    other = store.lease(50, NOW)
    assert other is not None
    assert other.batch_id != first.batch_id
    assert len(other.rows) == 4


def test_a_set_that_lost_an_event_in_flight_is_another_set(store: Store) -> None:
    store.add(event("info"))
    store.add(event("error"))
    first = store.lease(5, NOW)
    assert first is not None

    store.open_gate(3)

    again = store.lease(5, NOW + LEASE_S)
    assert again is not None
    assert len(again.rows) == 1
    assert again.batch_id != first.batch_id


def test_a_lease_of_a_dead_process_runs_out(store: Store) -> None:
    store.add(event())
    leased = store.lease(1, NOW)
    assert leased is not None

    assert store.lease(1, NOW + LEASE_S - 1) is None
    assert store.backlog(NOW + LEASE_S).ready == 1
    again = store.lease(1, NOW + LEASE_S)
    assert again is not None
    assert again.batch_id == leased.batch_id


def test_a_clock_that_went_back_a_year_holds_a_lease_for_no_longer_than_a_lease(store: Store) -> None:
    store.add(event())
    store.lease(1, NOW)
    past = NOW - 365 * 86_400

    assert store.lease(1, past) is None
    assert store.lease(1, past + LEASE_S) is not None


def test_a_batch_is_bound_by_bytes_too(store: Store) -> None:
    for _ in range(100):
        store.add(event(size=16_000))

    leased = store.lease(100, NOW)

    assert leased is not None
    assert sum(len(row.body) for row in leased.rows) <= BATCH_BYTES
    assert len(leased.rows) > 20


def test_nobody_can_delete_a_live_event_or_change_its_end(store: Store) -> None:
    store.add(event())
    leased = store.lease(1, NOW)
    assert leased is not None
    with another(store.path) as other, pytest.raises(sqlite3.IntegrityError, match="only settled"):
        other.execute("DELETE FROM events")
    store.settle(leased, delivered(leased), NOW)

    with another(store.path) as other, pytest.raises(sqlite3.IntegrityError, match="final"):
        other.execute("UPDATE events SET state = 'pending'")


def test_an_event_cannot_get_a_state_that_is_none(store: Store) -> None:
    store.add(event())
    with another(store.path) as other, pytest.raises(sqlite3.IntegrityError):
        other.execute("UPDATE events SET state = 'lost'")


def test_books_that_were_cooked_are_refused_by_the_database(store: Store) -> None:
    store.add(event())
    with another(store.path) as other, pytest.raises(sqlite3.IntegrityError):
        other.execute("UPDATE ledger SET delivered = 5")


def test_verify_finds_what_the_database_cannot_refuse(store: Store) -> None:
    store.add(event())
    with another(store.path) as other:
        other.execute("UPDATE ledger SET captured = 9, delivered = 8 WHERE day = 'total'")

    assert store.discrepancies()


def test_ops_read_the_overview_while_the_app_runs(store: Store) -> None:
    store.add(event("error"))
    with closing(sqlite3.connect(f"file:{store.path}?mode=ro", uri=True)) as reader:
        rows = reader.execute("SELECT day, level, captured, pending, oldest FROM queue_overview").fetchall()

    assert ("total", "all", 1, 1, "2027-01-15 08:00:00") in rows
    assert ("2027-01-15", "error", 1, 1, "2027-01-15 08:00:00") in rows


def test_old_events_expire_and_old_days_are_folded_without_a_change_of_the_sum(store: Store) -> None:
    store.add(event(at=NOW))
    later = NOW + 500 * 86_400

    store.tidy(later, 30)

    assert store.ledger().expired == 1
    assert store.discrepancies() == []
    with store._reading() as db:
        assert db.execute("SELECT day FROM ledger ORDER BY day").fetchall() == [("earlier",), ("total",)]


def test_history_is_kept_for_a_while_and_then_forgotten(store: Store) -> None:
    for _ in range(700):
        store.add(event())
    while leased := store.lease(100, NOW):
        store.settle(leased, delivered(leased), NOW)

    store.tidy(NOW, 30)
    with store._reading() as db:
        kept = db.execute("SELECT count(*) FROM events").fetchone()[0]
    store.tidy(NOW + 8 * 86_400, 30)

    assert kept == 500
    with store._reading() as db:
        assert db.execute("SELECT count(*) FROM events").fetchone()[0] == 0
    assert store.ledger().delivered == 700
    assert store.discrepancies() == []


def test_another_install_begins_with_an_empty_ledger(store: Store) -> None:
    store.add(event())
    store.put(config_etag="x")

    store.begin_anew("forgotten", 0)

    assert store.ledger() == Ledger()
    assert store.get("config_etag", str) is None
    assert not store.add(event()), "it was captured for the install that is past"
    assert store.add(event(), store.epoch)


def test_a_writer_that_never_ends_is_waited_for_a_bounded_time(store: Store) -> None:
    blocker = sqlite3.connect(store.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable):
        store.add(event())

    blocker.execute("ROLLBACK")
    blocker.close()
    assert store.add(event())


def test_errors_and_fatals_are_on_the_platter_before_add_returns_and_others_are_not_waited_for(store: Store) -> None:
    statements: list[str] = []
    store._db.set_trace_callback(statements.append)
    for level in LEVELS:
        store.add(event(level))
    store._db.set_trace_callback(None)

    told = [each for each in statements if each.startswith("PRAGMA")]
    full, normal = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
    assert told == [full, normal] * 2
    for place, each in enumerate(statements):
        if each == full:
            assert statements[place + 1].startswith("INSERT INTO events")
    with store._reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_file_that_is_no_database_is_damaged_and_can_be_set_aside(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(StoreDamaged):
        Store(tmp_path)

    set_aside(tmp_path, NOW, file_identity(tmp_path))

    opened = Store(tmp_path)
    assert opened.get("damaged_files", int) == 1
    assert (tmp_path / (FILE + ".damaged")).exists()
    opened.close()


def test_a_file_is_set_aside_once_however_many_found_it_damaged(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 1000)
    damaged = file_identity(tmp_path)
    set_aside(tmp_path, NOW, damaged)
    opened = Store(tmp_path)
    opened.open_gate(0)
    opened.add(event())

    set_aside(tmp_path, NOW, damaged)

    assert opened.is_current
    assert opened.ledger().pending == 1
    opened.close()


def test_a_file_of_a_newer_version_is_not_written_to(tmp_path: Path) -> None:
    opened = Store(tmp_path)
    with opened._transaction() as db:
        db.execute("PRAGMA user_version = 99")
    opened.close()

    with pytest.raises(StoreDamaged):
        Store(tmp_path)


def test_what_the_ledger_still_tells_is_carried_over_and_live_events_are_unreadable(
    store: Store, tmp_path: Path
) -> None:
    for _ in range(5):
        store.add(event())
    leased = store.lease(2, NOW)
    assert leased is not None
    store.settle(leased, delivered(leased), NOW)
    store.close()

    set_aside(tmp_path, NOW, file_identity(tmp_path))

    opened = Store(tmp_path)
    assert opened.ledger() == Ledger(captured=5, delivered=2, unreadable=3)
    assert opened.discrepancies() == []
    opened.close()


def _a_queue(home: Path) -> bytes:
    opened = Store(home)
    opened.open_gate(0)
    for level in LEVELS * 12:
        opened.add(event(level, size=700))
    leased = opened.lease(20, NOW)
    assert leased is not None
    opened.settle(leased, delivered(leased), NOW)
    opened.truncate()
    opened.close()
    return (home / FILE).read_bytes()


def _use(home: Path) -> None:
    """What a client does with a queue, setting a damaged one aside as the client does."""
    for _ in range(2):
        try:
            opened = Store(home)
            try:
                opened.add(event())
                opened.backlog(NOW)
                while leased := opened.lease(50, NOW):
                    opened.settle(leased, delivered(leased), NOW)
                opened.tidy(NOW, 30)
                opened.connection()
                opened.ledger()
            finally:
                opened.close()
            return
        except StoreDamaged:
            set_aside(home, NOW, file_identity(home))
    pytest.fail("a fresh queue was damaged too")


@pytest.mark.parametrize("filling", [b"\x00", b"\xff", b"junk"])
def test_damage_to_any_page_is_survived(tmp_path: Path, filling: bytes) -> None:
    (tmp_path / "good").mkdir()
    whole = _a_queue(tmp_path / "good")
    for number in range(len(whole) // 4096):
        home = tmp_path / str(number)
        home.mkdir()
        page = (filling * 4096)[:4096]
        (home / FILE).write_bytes(whole[: number * 4096] + page + whole[(number + 1) * 4096 :])
        _use(home)


def test_a_file_cut_off_anywhere_is_survived(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    whole = _a_queue(tmp_path / "good")
    for size in [*range(0, len(whole), 4096), 1, 16, 100, 5000, len(whole) - 1]:
        home = tmp_path / str(size)
        home.mkdir()
        (home / FILE).write_bytes(whole[:size])
        _use(home)
