"""Step by step, with a clock of its own: through offline weeks, lies, crashes, jumps and changes of mind."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from telemetry import Profile, Recorded, Telemetry
from telemetry.policy import CONFIG_AGE_S
from telemetry.store import Store
from telemetry.testing import PRODUCT_KEY, Lie, Reply, Service, lies
from telemetry.wire import LEVELS, Ledger, Level
from telemetry.worker import TIDY_EVENTS

PROFILE = Profile("lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev")
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a sync costs nothing: histories are about order, not about the disk."""
EFFORT = 20 if os.environ.get("LYSNRAI_TEST_EFFORT") == "full" else 1


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> Iterator[Service]:
    with Service(clock=clock) as running:
        yield running


@pytest.fixture
def client(tmp_path: Path, service: Service, clock: Clock) -> Iterator[Telemetry]:
    made = Telemetry(tmp_path, PROFILE, url=service.url, product_key=PRODUCT_KEY, clock=clock)
    made.choose("all")
    yield made
    made.close(5)


def work(client: Telemetry, clock: Clock, for_s: float) -> None:
    """Do all that falls due within so many seconds of waiting, however the clock jumps meanwhile."""
    while for_s >= 0:
        wait_s = client._worker.step()
        if wait_s is None or wait_s > for_s:
            break
        clock.now += wait_s
        for_s -= wait_s
    clock.now += max(for_s, 0)


def test_a_week_offline_is_drained_within_the_rate_and_live_events_are_not_starved(
    client: Telemetry, service: Service, clock: Clock, tmp_path: Path
) -> None:
    events, most = (20_000, 10_000) if EFFORT > 1 else (2_000, 1_000)
    service.rate_per_minute = {"live": 100, "backlog": 600}
    service.config["maxQueueSize"] = most
    client.record("lifecycle", "app_started")
    work(client, clock, 1)  # the configuration is known when the network goes
    store = Store(tmp_path)
    for number in range(events):
        level: Level = "error" if number % 100 == 0 else "info"
        client.record("dictation", "dictation_completed", level, metrics={"n": number})
        clock.now += 7 * 86_400 / events
        if number % TIDY_EVENTS == 0:
            store.tidy(clock.now, 30)  # as the worker does while it cannot send
    assert store.ledger() == Ledger(captured=events + 1, pending=most, delivered=1, evicted=events - most)

    delays = []
    began = clock.now
    while store.ledger().pending + store.ledger().leased and clock.now < began + 3600:
        client.record("lifecycle", "live", metrics={"at": clock.now})
        work(client, clock, 60)
        told = [event["metrics"]["at"] for event in service.events.values() if event["eventName"] == "live"]
        delays.append(clock.now - max(told, default=began))
    store.close()

    minutes = (clock.now - began) / 60
    assert most / 600 - 1 <= minutes <= most / 600 + 3, "drained at the service's pace, 600 a minute"
    assert max(delays[1:]) <= 180, "a live event waits a minute or two, not for the backlog"
    kept = {event["metrics"]["n"] for event in service.events.values() if event["eventName"] == "dictation_completed"}
    assert set(range(0, events, 100)) <= kept, "errors are evicted last"
    assert len(kept) >= most - len(delays), "a live event may take the place of an old one, no more"
    assert len(service.arrivals) < 4 * most, "an event is not offered again and again"


def test_the_idle_worker_rests_until_the_configuration_is_an_hour_old(client: Telemetry, clock: Clock) -> None:
    client.record("lifecycle", "app_started")
    while (wait_s := client._worker.step()) == 0:
        pass

    assert wait_s == CONFIG_AGE_S
    clock.now += CONFIG_AGE_S
    assert client._worker.step() == 0


def test_an_event_recorded_while_the_worker_settles_down_is_not_overlooked(
    client: Telemetry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = Store.tidy

    def tidy_while_another_thread_records(store: Store, now: float, max_age_days: int) -> None:
        settle(store, now, max_age_days)
        monkeypatch.undo()
        client._worker.wake_after = 500  # as that thread still sees it
        client.record("lifecycle", "app_started")
        client._worker.wake_after = 1

    work(client, clock, 1)
    client._worker._untidy = True
    monkeypatch.setattr(Store, "tidy", tidy_while_another_thread_records)

    assert client._worker.step() == 0, "it looks again"


def test_an_ordered_wait_survives_a_restart_and_a_flush(
    client: Telemetry, service: Service, clock: Clock, tmp_path: Path
) -> None:
    service.lie(lies.answer(429, retry_after="600"))
    client.record("lifecycle", "app_started")
    work(client, clock, 10)
    calls = len(service.calls)
    again = Telemetry(tmp_path, PROFILE, url=service.url, product_key=PRODUCT_KEY, clock=clock)

    work(again, clock, 500)
    assert len(service.calls) == calls
    work(again, clock, 200)

    assert len(service.events) == 1
    again.close(5)


@pytest.mark.parametrize("jump_s", [-400 * 86_400.0, -7200.0, 7200.0, 20 * 86_400.0])
def test_a_clock_that_jumps_while_a_batch_is_out_loses_nothing(
    client: Telemetry, service: Service, clock: Clock, tmp_path: Path, jump_s: float
) -> None:
    def jump(call: Any, honest: Callable[[], Any]) -> Any:
        if not call.path.endswith("/events"):
            return None
        clock.now += jump_s
        return honest()

    for _ in range(3):
        client.record("lifecycle", "app_started")
    service.lie(lies.cut_off_after_committing, jump)
    work(client, clock, 7200)

    assert len(service.events) == 3
    store = Store(tmp_path)
    assert store.ledger() == Ledger(captured=3, delivered=3)
    store.close()


def test_a_service_that_is_away_is_asked_ever_more_rarely(client: Telemetry, service: Service, clock: Clock) -> None:
    service.lie(lies.answer(500), times=1000)
    client.record("lifecycle", "app_started")

    work(client, clock, 6 * 3600)

    uploads = service.paths.count("POST /events")
    assert 24 <= uploads <= 110, "a quarter of an hour at most, half of it on average"


def test_a_flush_asked_for_while_an_exchange_fails_is_not_forgotten(
    client: Telemetry, service: Service, clock: Clock
) -> None:
    def ask_meanwhile(call: Any, _honest: Callable[[], Any]) -> Any:
        if not call.path.endswith("/events"):
            return None
        client._worker.wake(flush=True)
        return Reply(500)

    service.lie(ask_meanwhile)
    client.record("lifecycle", "app_started")
    work(client, clock, 0)

    assert len(service.events) == 1, "our own backoff does not hold up what was asked for after it began"


MENU: list[Lie] = [
    lies.cut_off_after_committing,
    lies.half_a_body,
    lies.nonsense,
    lies.wrong_ids,
    lies.answer(500),
    lies.answer(503, retry_after="40"),
    lies.answer(429, retry_after="7"),
    lies.answer(401),
    lies.answer(403),
    lies.answer(413),
    lies.answer(400),
    lies.answer(302, location="/"),
    lies.answer(500, path="/config"),
    lies.answer(401, path="/installs"),
    lies.answer(503, path="/installs"),
    lies.verdict("retry", reason="rate_limited", retryAfterMs=4200),
    lies.verdict("maybe"),
]


class Histories(RuleBasedStateMachine):
    """Two sessions of one install, a service that lies, crashes, jumps of the clock, changes of mind."""

    @initialize()
    def begin(self) -> None:
        self.home = Path(tempfile.mkdtemp(dir=MEMORY))
        self.clock = Clock()
        self.service = Service(clock=self.clock)
        self.service.__enter__()
        self.clients = [self.new_client(), self.new_client()]
        self.clients[0].choose("all")
        self.number = 0
        self.wanted: set[int] = set()
        self.purged: set[int] = set()

    def new_client(self) -> Telemetry:
        return Telemetry(self.home, PROFILE, url=self.service.url, product_key=PRODUCT_KEY, clock=self.clock)

    @rule(which=st.integers(0, 1), level=st.sampled_from(LEVELS), count=st.integers(1, 8))
    def record(self, which: int, level: Level, count: int) -> None:
        for _ in range(count):
            self.number += 1
            if self.clients[which].record("lifecycle", "told", level, metrics={"n": self.number}) is Recorded.STORED:
                self.wanted.add(self.number)
            self.clock.now += 0.25

    @rule(which=st.integers(0, 1), seconds=st.sampled_from([1, 60, 1000]))
    def work(self, which: int, seconds: int) -> None:
        work(self.clients[which], self.clock, seconds)

    @rule(lie=st.sampled_from(MENU), times=st.integers(1, 2))
    def lie(self, lie: Lie, times: int) -> None:
        self.service.lie(lie, times=times)

    @rule(which=st.integers(0, 1))
    def crash(self, which: int) -> None:
        self.clients[which].close(5)
        self.clients[which] = self.new_client()

    @rule(seconds=st.sampled_from([-86_400, -61, 61, 86_400]))
    def jump(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule(which=st.integers(0, 1), consent=st.sampled_from(["off", "errors", "all", "all"]))
    def choose(self, which: int, consent: Any) -> None:
        self.clients[which].choose(consent)
        if consent != "all":
            self.purged |= self.wanted

    @rule()
    def lose_tokens(self) -> None:
        self.service.revoke_tokens()

    @invariant()
    def the_ledger_adds_up(self) -> None:
        if hasattr(self, "clients"):
            store = Store(self.home)
            assert store.discrepancies() == []
            store.close()

    def teardown(self) -> None:
        if not hasattr(self, "clients"):
            return
        try:
            self.all_is_delivered_in_the_end()
        finally:
            for client in self.clients:
                client.close(5)
            self.service.__exit__()
            shutil.rmtree(self.home)

    def all_is_delivered_in_the_end(self) -> None:
        self.service.be_honest()
        last = self.new_client()
        self.clients.append(last)
        last.choose(last.consent if last.consent in ("all", "errors") else "all")
        work(last, self.clock, 3 * 86_400)

        arrived = [event["metrics"]["n"] for event in self.service.events.values()]
        assert len(arrived) == len(set(arrived)), "doubled under another id"
        store = Store(self.home)
        ledger = store.ledger()
        store.close()
        assert ledger.pending + ledger.leased == 0, "left behind"
        self.first_sendings_are_in_order()
        lost = self.wanted - self.purged - set(arrived)
        assert len(lost) <= ledger.rejected, "lost without a verdict"

    def first_sendings_are_in_order(self) -> None:
        latest: dict[str, int] = {}
        seen: set[str] = set()
        for call in self.service.calls:
            for event in call.json["events"] if call.path.endswith("/events") else ():
                if event["id"] not in seen:
                    seen.add(event["id"])
                    assert event["eventSeq"] > latest.get(event["sessionId"], 0), "sent out of order"
                    latest[event["sessionId"]] = event["eventSeq"]


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=15 * EFFORT, stateful_step_count=25)
