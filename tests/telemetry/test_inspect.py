"""People see what is there, byte for byte, with the app running or not, and looking changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry import Profile, Telemetry, inspect
from telemetry.store import FILE
from telemetry.testing import PRODUCT_KEY, Service, lies
from telemetry.wire import Ledger

PROFILE = Profile("lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev")


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as running:
        yield running


@pytest.fixture
def client(tmp_path: Path, service: Service) -> Iterator[Telemetry]:
    made = Telemetry(tmp_path, PROFILE, url=service.url, product_key=PRODUCT_KEY)
    made.choose("all")
    yield made
    made.close(5)


def test_the_status_of_nothing_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    status = inspect.status(tmp_path / "home")

    assert (status.state, status.consent, status.ledger) == ("absent", "unset", Ledger())
    assert not (tmp_path / "home").exists()


def test_status_tells_the_queue_while_the_app_runs(client: Telemetry, service: Service, tmp_path: Path) -> None:
    service.lie(lies.answer(503, retry_after="600"))
    client.record("lifecycle", "app_started")
    client.record("dictation", "dictation_failed", "error")
    client.start()
    client.flush()

    status = inspect.status(tmp_path)

    assert (status.state, status.consent, status.registered) == ("ok", "all", True)
    assert status.ledger == Ledger(captured=2, pending=2)
    assert [(each.level, each.pending) for each in status.levels] == [("info", 1), ("error", 1)]
    assert status.last_answer == "503"
    assert status.next_try is not None
    assert (status.next_try.ordered, status.next_try.cause) == (True, "503")
    assert status.oldest_at is not None
    assert status.last_delivery_at is None
    assert status.disk_bytes > 0
    assert status.adds_up


def test_show_gives_the_very_bytes_that_were_sent_and_the_verdict(
    client: Telemetry, service: Service, tmp_path: Path
) -> None:
    client.record("lifecycle", "app_started", tags={"start": "cold"})
    (entry,) = inspect.list_events(tmp_path)
    before = inspect.show(tmp_path, entry.id)
    client.start()
    client.flush()

    after = inspect.show(tmp_path, entry.id[:8])

    assert before is not None
    assert after is not None
    assert before.body == after.body
    assert after.body in service.calls[-1].body
    assert (before.verdict.state, after.verdict.state, after.verdict.reason) == ("pending", "delivered", "accepted")
    assert after.batch_id == service.calls[-1].json["batchId"]
    assert json.loads(inspect.as_json(after))["body"]["tags"] == {"start": "cold"}


def test_show_of_an_unknown_or_ambiguous_id_is_nothing(client: Telemetry, tmp_path: Path) -> None:
    client.record("lifecycle", "app_started")
    client.record("lifecycle", "app_started")

    assert inspect.show(tmp_path, "zzz") is None
    assert inspect.show(tmp_path, "") is None
    assert inspect.show(tmp_path, "%") is None


def test_the_next_body_is_what_is_sent_but_for_id_and_time(client: Telemetry, service: Service, tmp_path: Path) -> None:
    client.record("lifecycle", "app_started")
    told = json.loads(inspect.next_body(tmp_path))
    client.start()
    client.flush()

    assert told["events"] == service.calls[-1].json["events"]


def test_export_gives_a_json_line_for_each_event(client: Telemetry, tmp_path: Path) -> None:
    for _ in range(3):
        client.record("lifecycle", "app_started")

    lines = [json.loads(line) for line in inspect.export(tmp_path)]

    assert [line["state"] for line in lines] == ["pending"] * 3
    assert lines[0]["event"]["eventName"] == "app_started"
    assert list(inspect.export(tmp_path, state="delivered")) == []


def test_events_are_listed_newest_first_and_filtered(client: Telemetry, tmp_path: Path) -> None:
    client.record("lifecycle", "app_started")
    client.record("lifecycle", "app_crashed", "fatal")

    assert [entry.event_name for entry in inspect.list_events(tmp_path)] == ["app_crashed", "app_started"]
    assert [entry.event_name for entry in inspect.list_events(tmp_path, level="fatal")] == ["app_crashed"]
    assert inspect.list_events(tmp_path, state="rejected") == ()
    assert len(inspect.list_events(tmp_path, limit=1)) == 1


def test_verify_proves_the_ledger(client: Telemetry, tmp_path: Path) -> None:
    client.record("lifecycle", "app_started")

    assert inspect.verify(tmp_path) == inspect.Verified(True, Ledger(captured=1, pending=1), ())
    assert inspect.verify(tmp_path / "nowhere").state == "absent"


def test_a_damaged_queue_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"damaged" * 1000)

    assert inspect.status(tmp_path).state == "damaged"
    assert inspect.verify(tmp_path).state == "damaged"
    with pytest.raises(inspect.Unreadable, match="damaged"):
        inspect.list_events(tmp_path)
    assert (tmp_path / FILE).read_bytes() == b"damaged" * 1000


def test_everything_can_be_told_as_json(client: Telemetry, tmp_path: Path) -> None:
    client.record("lifecycle", "app_started")

    for value in (inspect.status(tmp_path), inspect.list_events(tmp_path), inspect.verify(tmp_path)):
        told = json.loads(inspect.as_json(value))
        assert told
    assert json.loads(inspect.as_json(inspect.status(tmp_path)))["installId"]


def test_a_command_beside_the_app_acts_on_the_same_queue(client: Telemetry, service: Service, tmp_path: Path) -> None:
    client.record("lifecycle", "app_started")
    command = inspect.session(tmp_path, PROFILE, url=service.url, product_key=PRODUCT_KEY)
    command.start()

    assert command.flush()
    command.choose("off")
    command.close(5)

    assert len(service.events) == 1
    assert inspect.status(tmp_path).consent == "off"
    assert client.record("lifecycle", "app_stopped").value == "no_consent"


def test_public_names_are_sorted_and_there() -> None:
    assert inspect.__all__ == sorted(inspect.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(inspect, name) for name in inspect.__all__)
