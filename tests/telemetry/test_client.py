"""The client accounts for every event, obeys the user at once, and never raises into the app."""

import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import telemetry
from telemetry import Dictation, Profile, Recorded, Telemetry, policy
from telemetry.identity import Identity
from telemetry.store import FILE, Store
from telemetry.testing import PRODUCT_KEY, Service, lies
from telemetry.wire import Ledger

PROFILE = Profile("lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev", os_version="6.1")


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as running:
        yield running


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Telemetry]]:
    clients: list[Telemetry] = []

    def make(url: str = "", consent: str | None = "all", **more: Any) -> Telemetry:
        client = Telemetry(tmp_path, PROFILE, url=url, product_key=PRODUCT_KEY, **more)
        clients.append(client)
        if consent is not None:
            client.choose(consent)  # type: ignore[arg-type]
        return client

    yield make
    for client in clients:
        client.close(5)


def books(home: Path) -> Ledger:
    store = Store(home)
    try:
        assert store.discrepancies() == []
        return store.ledger()
    finally:
        store.close()


def test_nothing_is_recorded_before_the_user_has_chosen(opened: Callable[..., Telemetry], tmp_path: Path) -> None:
    client = opened(consent=None)

    assert client.record("lifecycle", "app_started", "fatal") is Recorded.NO_CONSENT
    assert books(tmp_path) == Ledger()
    assert not (tmp_path / "install_id").exists()


def test_what_was_recorded_is_delivered_once_and_in_order(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    for number in range(120):
        assert client.record("dictation", "dictation_completed", metrics={"n": number}) is Recorded.STORED
    client.start()

    assert client.flush()

    told = list(service.events.values())
    assert [each["metrics"]["n"] for each in told] == list(range(120))
    assert [each["eventSeq"] for each in told] == list(range(1, 121))
    assert {each["sessionSeq"] for each in told} == {1}
    assert service.paths[:2] == ["POST /installs", "GET /config"]
    assert books(tmp_path) == Ledger(captured=120, delivered=120)
    assert service.ledgers[-1]["captured"] == 120


def test_everything_an_event_can_hold_reaches_the_service(service: Service, opened: Callable[..., Telemetry]) -> None:
    client = opened(service.url)
    client.record(
        "dictation",
        "recognition_failed",
        "error",
        message="engine left after <n> ms",
        error_domain="engine",
        error_code="engine.crashed",
        tags={"backend": "whisper"},
        metrics={"audio_ms": 2100},
        dictation=Dictation(backend="whisper", duration_ms=2100),
        user_id="u-1",
    )
    client.start()
    client.flush()

    (event,) = service.events.values()
    assert event["dictation"] == {"backend": "whisper", "durationMs": 2100}
    assert event["osVersion"] == "6.1"
    assert uuid.UUID(event["id"]).version == 4


@pytest.mark.parametrize(
    ("lie", "calls"),
    [
        (lies.cut_off_after_committing, 2),
        (lies.half_a_body, 2),
        (lies.nonsense, 2),
        (lies.wrong_ids, 2),
        (lies.not_http, 2),
        (lies.endless_body, 2),
        (lies.answer(500), 2),
        (lies.answer(302, Location="/"), 2),
        (lies.answer(204, b""), 2),
        (lies.answer(404), 2),
        (lies.answer(418), 2),
    ],
)
def test_a_lost_answer_costs_nothing_and_doubles_nothing(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path, lie: Any, calls: int
) -> None:
    client = opened(service.url)
    for _ in range(10):
        client.record("dictation", "dictation_started")
    service.lie(lie)
    client.start()

    client.flush()
    assert books(tmp_path).captured == 10
    client.flush()

    assert books(tmp_path) == Ledger(captured=10, delivered=10)
    assert len(service.events) == 10
    uploads = [call.json["batchId"] for call in service.calls if call.path.endswith("/events")]
    assert len(uploads) == calls
    assert len(set(uploads)) == 1, "the same set keeps its batch id"


def test_a_poison_event_is_found_and_costs_no_other(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    for number in range(50):
        client.record("dictation", "dictation_started", metrics={"n": number})
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        service.poison = {db.execute("SELECT id FROM events WHERE seq = 37").fetchone()[0]}
    client.start()

    client.flush()

    assert books(tmp_path) == Ledger(captured=50, delivered=49, rejected=1)
    assert len(service.events) == 49


def test_a_lost_token_is_renewed_once(service: Service, opened: Callable[..., Telemetry]) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()
    service.revoke_tokens()
    client.record("lifecycle", "app_stopped")

    client.flush()

    assert len(service.events) == 2
    assert service.paths.count("POST /installs") == 2


def test_an_install_that_is_refused_for_good_pauses(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    service.lie(lies.answer(403), times=5)
    client.record("lifecycle", "app_started")
    client.start()

    client.flush()
    client.flush()

    assert service.paths.count("POST /events") == 2
    assert books(tmp_path) == Ledger(captured=1, pending=1)


def test_an_id_that_is_taken_is_replaced_with_an_empty_ledger(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    before = Identity(tmp_path).install
    service.lie(lies.answer(409, path="/installs"))
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()

    client.record("lifecycle", "app_stopped")
    client.flush()

    after = Identity(tmp_path).install
    assert before is not None
    assert after is not None
    assert after.id != before.id
    assert [each["anonymousInstallId"] for each in service.events.values()] == [after.id]
    assert books(tmp_path) == Ledger(captured=1, delivered=1)


def test_off_in_mid_flight_sends_nothing_more_and_leaves_nothing(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    for _ in range(200):
        client.record("dictation", "dictation_started", tags={"mark": "FINDME"})
    service.lie(lies.silence)
    client.start()
    assert service.wait_for(lambda: "POST /events" in service.paths)

    client.choose("off")
    calls = len(service.calls)
    assert client.record("dictation", "dictation_started") is Recorded.NO_CONSENT
    client.flush()

    assert len(service.calls) == calls
    assert books(tmp_path) == Ledger(captured=200, purged=200)
    for file in tmp_path.iterdir():
        assert file.is_dir() or b"FINDME" not in file.read_bytes(), file.name


def test_off_said_by_another_process_stops_this_one(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    other = Telemetry(tmp_path, PROFILE)

    other.choose("off")

    assert client.record("lifecycle", "app_stopped", "fatal") is Recorded.NO_CONSENT
    assert client.consent == "off"
    other.choose("errors")
    assert client.record("lifecycle", "app_stopped", "info") is Recorded.NO_CONSENT
    assert client.record("lifecycle", "app_stopped", "error") is Recorded.STORED
    other.close()


def test_an_opt_out_made_while_the_app_did_not_run_is_obeyed_at_the_start(
    opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    first = opened()
    first.record("lifecycle", "app_started")
    first.close()
    (tmp_path / "telemetry_consent").write_text("off\n")

    opened(consent=None)

    assert books(tmp_path) == Ledger(captured=1, purged=1)


def test_forget_me_sends_one_erasure_and_goes_on_as_somebody_else(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()
    before = Identity(tmp_path).install
    assert before is not None

    client.forget_me()
    client.record("lifecycle", "app_started")
    client.flush()

    assert service.erased == {before.id}
    (event,) = service.events.values()
    assert event["anonymousInstallId"] != before.id
    assert books(tmp_path) == Ledger(captured=1, delivered=1)
    assert not Identity(tmp_path).erasures()


def test_an_erasure_outlives_off_a_crash_and_a_refused_token(
    service: Service, opened: Callable[..., Telemetry]
) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()
    service.lie(lies.answer(500, path="/install/"), times=20)
    client.forget_me()
    client.choose("off")
    client.close(5)
    service.be_honest()
    service.revoke_tokens()

    again = opened(service.url, consent=None)
    again.start()
    again.flush()

    assert len(service.erased) == 1
    assert not service.events
    assert service.paths[-3:] == ["DELETE " + service.paths[-1].split()[1], "POST /installs", service.paths[-1]]


def test_an_install_that_never_registered_has_nothing_to_erase(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started")

    client.forget_me()

    assert not Identity(tmp_path).erasures()
    assert books(tmp_path) == Ledger()


def test_a_queue_that_cannot_be_opened_when_its_user_is_forgotten_is_emptied_when_it_can(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    first = opened(service.url)
    first.record("lifecycle", "app_started")
    first.start()
    first.flush()
    first.record("lifecycle", "app_started")
    first.close(5)
    before = Identity(tmp_path).install
    (tmp_path / FILE).rename(tmp_path / "elsewhere")
    (tmp_path / FILE).mkdir()
    second = opened(consent=None)

    done = second.forget_me()

    second.close(5)
    (tmp_path / FILE).rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / FILE)
    opened(consent=None)
    now = Identity(tmp_path).install
    assert not done
    assert before is not None and now is not None and now.id != before.id
    assert [each.id for each in Identity(tmp_path).erasures()] == [before.id]
    assert books(tmp_path) == Ledger()


def test_a_forgetting_that_was_interrupted_is_finished_at_the_next_start(
    opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened()
    client.record("lifecycle", "app_started")
    client.close()
    identity = Identity(tmp_path)
    install = identity.ensure_install()
    identity.keep_token(install, "token")
    identity.ask_erasure()  # and here the power went

    opened(consent=None)

    assert identity.install is not None
    assert identity.install.id != install.id
    assert [each.id for each in identity.erasures()] == [install.id]
    assert books(tmp_path) == Ledger()


def test_an_install_erased_by_the_service_is_silent_until_consent_is_given_anew(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()
    before = Identity(tmp_path).install
    assert before is not None
    service.erased.add(before.id)
    client.record("lifecycle", "app_stopped")
    client.flush()

    assert client.consent == "unset"
    assert client.record("lifecycle", "app_started") is Recorded.NO_CONSENT
    assert books(tmp_path) == Ledger()
    another = Telemetry(tmp_path, PROFILE)
    assert another.consent == "unset", "after a restart too"
    another.close()
    client.choose("all")
    client.record("lifecycle", "app_started")
    client.flush()
    assert {each["anonymousInstallId"] for each in service.events.values()} == {
        before.id,
        Identity(tmp_path).ensure_install().id,
    }


def test_the_kill_switch_stops_sending_and_not_recording(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    service.config["enabled"] = False
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    client.start()

    client.flush()

    assert "POST /events" not in service.paths
    assert client.record("lifecycle", "app_stopped") is Recorded.STORED
    assert books(tmp_path) == Ledger(captured=2, pending=2)


def test_what_the_service_does_not_want_is_counted_and_not_stored(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    service.config |= {"blockedEvents": ["noise"], "sampling": {"default": 1, "byModule": {}, "byEvent": {"rare": 0}}}
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()

    assert client.record("lifecycle", "noise") is Recorded.REFUSED
    assert client.record("lifecycle", "rare") is Recorded.REFUSED
    assert client.record("lifecycle", "app_stopped") is Recorded.STORED
    client.flush()

    assert books(tmp_path) == Ledger(captured=4, delivered=2, rejected=2)
    assert [each["eventSeq"] for each in service.events.values()] == [1, 2], "what was kept out takes no number"


def test_a_changed_configuration_is_fetched_when_a_batch_says_so(
    service: Service, opened: Callable[..., Telemetry]
) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()
    service.config["blockedEvents"] = ["noise"]
    client.record("lifecycle", "app_started")
    client.flush()

    assert service.paths.count("GET /config") == 2
    assert client.record("lifecycle", "noise") is Recorded.REFUSED


@pytest.mark.logs("event refused")
def test_record_never_raises_whatever_it_is_given(
    opened: Callable[..., Telemetry], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client: Any = opened()
    strange: list[dict[str, Any]] = [
        {"message": "x" * 2000},
        {"message": "\ud800"},
        {"message": 7},
        {"tags": {"k": object()}},
        {"tags": {1: "v"}},
        {"tags": "hello"},
        {"metrics": {"m": float("nan")}},
        {"metrics": {"m": 10**400}},
        {"metrics": {f"m{n}": 1 for n in range(33)}},
        {"dictation": {"text": "secret words"}},
        {"error_code": "x" * 65},
        {"user_id": ""},
    ]
    outcomes = [client.record("dictation", "dictation_started", **each) for each in strange]
    outcomes.append(client.record("Dictation", "x"))
    outcomes.append(client.record("dictation", "Text: secret words"))
    outcomes.append(client.record(None, None))

    assert set(outcomes) == {Recorded.REFUSED}
    assert client.record("a", "b", "loud") is Recorded.REFUSED
    assert "secret words" not in caplog.text
    ledger = books(tmp_path)
    assert (ledger.captured, ledger.rejected) == (15, 15)


def test_personal_data_never_reaches_the_disk(
    opened: Callable[..., Telemetry], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = opened()

    outcome = client.record("dictation", "dictation_failed", "error", message="mail anna@example.org now")
    client.record("dictation", "dictation_failed", tags={"path": "/home/anna/x"})

    assert outcome is Recorded.REFUSED
    assert books(tmp_path) == Ledger(captured=2, rejected=2)
    for file in tmp_path.iterdir():
        assert file.is_dir() or b"anna" not in file.read_bytes()
    assert "anna" not in caplog.text


def test_a_profile_that_the_contract_does_not_admit_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown_enum osFamily"):
        Telemetry(tmp_path, Profile("lysnrai", "desktop", "desktop_app", "amiga", "1", "dev"))


@pytest.mark.logs("damaged and set aside")
def test_a_damaged_queue_is_set_aside_while_recording_goes_on(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    first = opened()
    for _ in range(5):
        first.record("lifecycle", "app_started")
    first.close()
    content = bytearray((tmp_path / FILE).read_bytes())
    content[4096 * 4 :] = b"\xff" * (len(content) - 4096 * 4)
    (tmp_path / FILE).write_bytes(content)

    client = opened(service.url)
    outcomes = {client.record("lifecycle", "app_started") for _ in range(5)}
    client.start()
    client.flush()

    assert outcomes <= {Recorded.STORED, Recorded.HELD}
    assert len(service.events) == 5
    assert client.consent == "all", "the choice outlives the queue"


def test_a_queue_overwritten_under_a_running_client_costs_what_was_in_it_and_nothing_later(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    client = opened(service.url)
    client.pause()
    client.start()
    for _ in range(50):
        client.record("lifecycle", "before")
    client.flush()
    (tmp_path / f"{FILE}-wal").write_bytes(b"")
    with (tmp_path / FILE).open("r+b") as file:
        file.write(b"\xff" * (tmp_path / FILE).stat().st_size)

    outcomes = {client.record("lifecycle", "meanwhile") for _ in range(50)}
    client.resume()
    client.flush()
    outcomes |= {client.record("lifecycle", "after") for _ in range(50)}
    client.flush()

    assert outcomes <= {Recorded.STORED, Recorded.HELD}
    assert sum(each["eventName"] == "after" for each in service.events.values()) == 50
    assert (tmp_path / f"{FILE}.damaged").exists()
    assert client.consent == "all"


def test_a_purge_empties_the_queue_and_keeps_the_choice(opened: Callable[..., Telemetry], tmp_path: Path) -> None:
    client = opened()
    client.record("lifecycle", "app_started")

    client.purge()

    assert books(tmp_path) == Ledger(captured=1, purged=1)
    assert client.record("lifecycle", "app_started") is Recorded.STORED


def test_an_erasure_that_we_can_never_prove_to_be_ours_is_given_up(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()
    service.revoke_tokens()
    service.lie(lies.answer(409, path="/installs"))

    client.forget_me()
    client.flush()

    assert not Identity(tmp_path).erasures()
    assert client.record("lifecycle", "app_started") in {Recorded.STORED, Recorded.HELD}


def test_a_folder_that_cannot_be_made_costs_nobody_anything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    (tmp_path / "file").write_text("in the way")
    client = Telemetry(tmp_path / "file" / "home", PROFILE)
    client.start()
    assert client.record("lifecycle", "app_started") is Recorded.NO_CONSENT
    client.close()


def test_while_another_process_holds_the_disk_events_wait_in_memory_and_are_written_in_order(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started", metrics={"n": 0})
    blocker = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    outcomes = [client.record("lifecycle", "app_started", metrics={"n": number}) for number in range(1, 4)]
    blocker.execute("ROLLBACK")
    blocker.close()

    client.record("lifecycle", "app_started", metrics={"n": 4})
    client.start()
    client.flush()

    assert outcomes == [Recorded.HELD] * 3
    assert [each["metrics"]["n"] for each in service.events.values()] == [0, 1, 2, 3, 4]
    assert [each["eventSeq"] for each in service.events.values()] == [1, 2, 3, 4, 5]


def test_what_memory_cannot_hold_is_counted_when_the_disk_is_back(
    opened: Callable[..., Telemetry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.held.HELD_EVENTS", 3)
    client = opened()
    blocker = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    for _ in range(5):
        client.record("lifecycle", "app_started")
    blocker.execute("ROLLBACK")
    blocker.close()

    assert client.catch_up() == 0

    assert books(tmp_path) == Ledger(captured=5, pending=3, evicted=2)


def test_records_from_many_threads_are_all_there_with_numbers_without_gaps(
    opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened()
    threads = [
        threading.Thread(target=lambda: [client.record("lifecycle", "app_started") for _ in range(100)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.catch_up()

    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        numbers = [json.loads(row[0])["eventSeq"] for row in db.execute("SELECT body FROM events ORDER BY seq")]
    assert numbers == list(range(1, 801))


def test_closing_needs_no_network_and_keeps_to_its_budget(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    client = opened(service.url)
    client.record("lifecycle", "app_started")
    service.lie(lies.silence)
    client.start()
    assert service.wait_for(lambda: "POST /events" in service.paths)

    client.close()

    assert books(tmp_path).captured == 1


FORKED = """
import os, signal, sys
from pathlib import Path
from telemetry import Recorded, Telemetry
from telemetry.testing import PRODUCT_KEY
from tests.telemetry.test_client import PROFILE

client = Telemetry(Path(sys.argv[1]), PROFILE, url=sys.argv[2], product_key=PRODUCT_KEY)
client.choose("all")
client.start()
client.record("lifecycle", "app_started", metrics={"who": 1})
child = os.fork()
if child == 0:
    signal.alarm(20)
    outcome = client.record("lifecycle", "app_started", metrics={"who": 2})
    client.close()
    os._exit(0 if outcome in {Recorded.STORED, Recorded.HELD} else 1)
_, status = os.waitpid(child, 0)
client.record("lifecycle", "app_stopped", metrics={"who": 1})
client.flush()
client.close(5)
sys.exit(status != 0)
"""


def unmeasured() -> dict[str, str]:
    """The environment of a process that coverage stays out of: it imports modules, and its lock survives no fork."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}


def forking(script: str, home: Path, url: str) -> int:
    """Run it in a process of its own, and not measured: coverage's own lock does not survive a fork with threads."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, str(home), url]
    return subprocess.run(command, env=unmeasured(), timeout=120, check=False).returncode


def test_a_forked_child_is_a_session_of_its_own_in_the_same_queue(service: Service, tmp_path: Path) -> None:
    assert forking(FORKED, tmp_path, service.url) == 0

    told = [(each["metrics"]["who"], each["sessionSeq"], each["eventSeq"]) for each in service.events.values()]
    assert told == [(1, 1, 1), (2, 2, 1), (1, 1, 2)]
    assert books(tmp_path) == Ledger(captured=3, delivered=3)


FORKING = """
import os, signal, sys, threading
from pathlib import Path
from telemetry import Telemetry
from telemetry.testing import PRODUCT_KEY
from tests.telemetry.test_client import PROFILE

client = Telemetry(Path(sys.argv[1]), PROFILE, url=sys.argv[2], product_key=PRODUCT_KEY)
client.start()
client.choose("all")
ending = threading.Event()

def record():
    while not ending.is_set():
        client.record("lifecycle", "app_started")

threads = [threading.Thread(target=record) for _ in range(2)]
for thread in threads:
    thread.start()
statuses = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # what hangs is killed
        client.record("lifecycle", "app_started", "error")
        client.close()
        os._exit(0)
    statuses.append(os.waitpid(child, 0)[1])
ending.set()
for thread in threads:
    thread.join()
client.close()
sys.exit(any(statuses))
"""


def test_a_fork_while_other_threads_record_leaves_no_lock_behind(service: Service, tmp_path: Path) -> None:
    assert forking(FORKING, tmp_path, service.url) == 0

    assert books(tmp_path).captured > 10


OPENING = """
import os, signal, sys, threading
from pathlib import Path
from telemetry.store import Store

home, ending = Path(sys.argv[1]), threading.Event()

def open_again_and_again():
    while not ending.is_set():
        Store(home).close()

opener = threading.Thread(target=open_again_and_again)
opener.start()
statuses = []
for _ in range(50):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        Store(home).close()
        os._exit(0)
    statuses.append(os.waitpid(child, 0)[1])
ending.set()
opener.join()
sys.exit(any(statuses))
"""


def test_a_fork_while_another_thread_opens_the_queue_leaves_no_lock_behind(service: Service, tmp_path: Path) -> None:
    assert forking(OPENING, tmp_path, service.url) == 0


def test_two_processes_share_a_queue_and_nothing_is_doubled(
    service: Service, opened: Callable[..., Telemetry], tmp_path: Path
) -> None:
    clients = [opened(service.url), Telemetry(tmp_path, PROFILE, url=service.url, product_key=PRODUCT_KEY)]
    for client in clients:
        client.start()
        for _ in range(100):
            client.record("lifecycle", "app_started")
    for client in clients:
        client.flush()
    clients[1].close(5)

    assert len(service.events) == 200
    assert books(tmp_path) == Ledger(captured=200, delivered=200)


def test_public_names_are_few_sorted_and_there() -> None:
    assert telemetry.__all__ == sorted(telemetry.__all__)
    assert all(hasattr(telemetry, name) for name in telemetry.__all__)
    assert len(telemetry.__all__) <= 10


def test_importing_the_package_imports_neither_requests_nor_anything_heavy() -> None:
    program = "import sys, telemetry; print(sorted({m.split('.')[0] for m in sys.modules} & set(sys.argv[1:])))"
    heavy = ["requests", "urllib3", "asyncio", "multiprocessing", "numpy", "rich", "http"]

    command = [sys.executable, "-c", program, *heavy]
    told = subprocess.run(command, env=unmeasured(), capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"


def test_a_program_without_consent_never_calls_the_service(service: Service, opened: Callable[..., Telemetry]) -> None:
    client = opened(service.url, consent=None)
    client.start()
    client.record("lifecycle", "app_started")
    client.flush()
    client.choose("off")
    client.flush()

    assert not service.calls


def test_pause_holds_over_a_restart_until_resume(service: Service, opened: Callable[..., Telemetry]) -> None:
    client = opened(service.url)
    client.pause()
    client.record("lifecycle", "app_started")
    client.close(5)
    again = opened(service.url, consent=None)
    again.start()
    again.flush()
    assert not service.calls

    again.resume()
    again.flush()

    assert len(service.events) == 1


def test_a_client_that_records_nothing_leaves_no_gap_in_the_numbers_of_sessions(
    service: Service, opened: Callable[..., Telemetry]
) -> None:
    for _ in range(3):
        opened(consent="all").close()
    client = opened(service.url, consent=None)
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()

    assert [each["sessionSeq"] for each in service.events.values()] == [1]


def test_a_returned_network_ends_our_own_backoff_and_no_ordered_wait(
    service: Service, opened: Callable[..., Telemetry]
) -> None:
    client = opened(service.url)
    service.lie(lies.answer(500), lies.answer(429, retry_after="600"))
    client.record("lifecycle", "app_started")
    client.start()
    client.flush()

    client.network_changed(online=True)
    client.flush(5)
    client.network_changed(online=True)
    client.flush(5)

    assert service.paths.count("POST /events") == 2


def test_a_session_that_was_killed_is_told_to_the_next_one(opened: Callable[..., Telemetry], tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    left = {"began": 100.0, "seen": 160.0, "phase": "recording"}
    (tmp_path / "sessions" / "old.json").write_text(json.dumps(left))
    client = opened()

    client.start()

    assert client.crashes == (telemetry.Crash("old", "recording", 60.0),)


def test_the_end_may_cost_300_ms() -> None:
    assert policy.EXIT_S <= 0.3
