"""`lysnrai telemetry` shows what is recorded and sent, acts on it at once, and says how it went by its exit status."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lysnrai_desktop.adapters import usage_telemetry
from lysnrai_desktop.adapters.usage_telemetry import QUEUE_FILE, UsageTelemetry
from lysnrai_desktop.cli import main, telemetry as cli
from lysnrai_desktop.core import usage
from lysnrai_desktop.core.settings import TelemetrySettings
from telemetry import inspect
from telemetry.testing import PRODUCT_KEY, Service, lies
from tests.desktop.processes import DEADLINE_S

FAILED = usage.DictationFailed(usage.Phase.FINISHING, 1500, usage.Code("engine.died"))
EVENTS = (usage.AppStarted(usage.Start.WARM, 300), FAILED)
ACTIONS = ("status", "list", "export", "flush", "pause", "resume", "purge", "verify", "forget-me")

Run = Callable[..., int]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LYSNRAI_HOME", str(tmp_path))
    monkeypatch.setattr(usage_telemetry, "END_S", DEADLINE_S)  # what was recorded is there, on a busy machine too
    return tmp_path


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    with Service() as made:
        choose(home, "all", made.url)
        yield made


def choose(home: Path, collect: str, url: str = "") -> None:
    table = f'[telemetry]\ncollect = "{collect}"\nurl = "{url}"\nproduct_key = "{PRODUCT_KEY}"\n'
    (home / "settings.toml").write_text(table)


def record(home: Path, *events: usage.UsageEvent) -> None:
    """What an app would have left that had no service to send it to."""
    app = UsageTelemetry(home, lambda: None)
    app.obey(TelemetrySettings("all"))
    for event in events:
        app.record(event)
    app.shut_down()


def lysnrai(*arguments: str) -> int:
    return main(["telemetry", *arguments])


def waiting(home: Path) -> int:
    ledger = inspect.status(home).ledger
    return ledger.pending + ledger.leased


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(printed(capsys))


# --- looking


def test_one_screen_says_how_things_stand(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, *EVENTS)
    choose(home, "all")

    assert lysnrai("status") == cli.OK

    screen = printed(capsys)
    rows = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in screen.splitlines() if not line.startswith(" "))
    assert rows["your choice"] == "everything"
    assert rows["waiting"].startswith("2 (1 info, 1 error), the oldest from ")
    assert rows["ledger"] == "2 recorded = 2 pending"
    assert rows["service"] == "none: nothing is ever sent"
    assert "adds up" in screen
    assert len(screen.splitlines()) < 24
    assert max(map(len, screen.splitlines())) <= 80
    assert "\x1b" not in screen


def test_without_an_action_it_is_the_status(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, *EVENTS)

    assert lysnrai("--json") == cli.OK

    assert told(capsys)["ledger"]["captured"] == 2


def test_the_list_has_the_newest_first_one_on_a_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, *EVENTS)

    assert lysnrai("list") == cli.OK
    lines = printed(capsys).splitlines()
    assert [line.split()[4] for line in lines] == ["dictation_failed", "app_started"]
    assert all(line.endswith("pending") for line in lines)

    assert lysnrai("list", "--level", "error", "--json") == cli.OK
    assert [event["eventName"] for event in told(capsys)] == ["dictation_failed"]
    assert lysnrai("list", "--limit", "1", "--json") == cli.OK
    assert len(told(capsys)) == 1
    assert lysnrai("list", "--state", "delivered", "--json") == cli.OK
    assert told(capsys) == []


def test_show_prints_the_bytes_that_are_sent_and_the_verdict(
    home: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    record(home, FAILED)
    (entry,) = inspect.list_events(home)
    assert lysnrai("flush") == cli.OK
    capsys.readouterr()

    assert lysnrai("show", entry.id[:8]) == cli.OK

    out, err = capsys.readouterr()
    (sent,) = [call.body for call in service.calls if call.path.endswith("/events")]
    assert out.rstrip("\n").encode() in sent
    assert err.startswith("delivered")
    assert lysnrai("show", entry.id, "--json") == cli.OK
    assert told(capsys)["verdict"]["state"] == "delivered"


def test_an_event_that_is_not_there_is_an_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, *EVENTS)

    assert lysnrai("show", "no-such-id") == cli.WRONG

    assert capsys.readouterr().err


def test_export_gives_one_event_on_a_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, *EVENTS)

    assert lysnrai("export") == cli.OK

    events = [json.loads(line)["event"] for line in printed(capsys).splitlines()]
    assert [event["eventName"] for event in events] == [event.name for event in EVENTS]


def test_verify_proves_the_sum(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, *EVENTS)

    assert lysnrai("verify") == cli.OK
    assert "2 = 2 pending" in printed(capsys)
    assert lysnrai("verify", "--json") == cli.OK
    assert told(capsys)["addsUp"] is True


@pytest.mark.parametrize("action", ["status", "list", "export", "verify"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_looking_makes_nothing_where_nothing_was_recorded(home: Path, action: str, form: Sequence[str]) -> None:
    assert lysnrai(action, *form) == cli.ABSENT

    assert not list(home.iterdir())


@pytest.mark.parametrize("action", ["pause", "resume", "purge", "forget-me"])
def test_acting_makes_nothing_where_nothing_was_recorded(home: Path, action: str) -> None:
    assert lysnrai(action) == cli.ABSENT

    assert not list(home.iterdir())


@pytest.mark.parametrize("action", ["status", "list", "export", "verify"])
def test_a_damaged_queue_is_said_to_be_so_and_left_alone(home: Path, action: str) -> None:
    damaged = b"no database at all, " * 500
    (home / QUEUE_FILE).write_bytes(damaged)

    assert lysnrai(action) == cli.UNREADABLE

    assert (home / QUEUE_FILE).read_bytes() == damaged


def test_every_exit_status_is_one_that_is_documented() -> None:
    codes = {cli.OK, cli.WRONG, cli.USAGE, cli.UNREADABLE, cli.ABSENT, cli.NOT_IN_TIME}
    page = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text("utf-8")

    assert codes == set(inspect.EXIT_CODES)
    assert all(re.search(rf"\b{code} \w+", page.partition("Exit status:")[2]) for code in codes)


# --- acting


@pytest.mark.parametrize("action", ["flush", "pause", "resume", "purge", "forget-me"])
def test_what_the_disk_refuses_is_not_said_to_be_done(
    home: Path, service: Service, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    assert service.url
    (home / QUEUE_FILE).mkdir()  # which nobody can open

    assert lysnrai(action, "--json") == cli.UNREADABLE

    assert list(told(capsys).values()) == [False]


def test_flush_delivers_what_waits(home: Path, service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, *EVENTS)

    assert lysnrai("flush", "--json") == cli.OK

    assert told(capsys) == {"flushed": True}
    assert [event["eventName"] for event in service.events.values()] == [event.name for event in EVENTS]
    assert waiting(home) == 0


def test_flush_says_if_it_could_not(home: Path, service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, *EVENTS)
    service.lie(*[lies.answer(503)] * 3)

    assert lysnrai("flush") == cli.NOT_IN_TIME

    assert "2 events wait" in printed(capsys)


def test_flush_without_a_service_cannot_deliver(home: Path) -> None:
    record(home, *EVENTS)

    assert lysnrai("flush") == cli.NOT_IN_TIME


def test_flush_tells_of_a_crash_that_it_saw_before_the_app_could(home: Path, service: Service) -> None:
    record(home, FAILED)
    (home / "sessions" / "00000000-0000-4000-8000-000000000001.json").write_text(
        '{"began": 1, "seen": 5, "phase": "idle"}'
    )

    assert lysnrai("flush") == cli.OK

    crash = [event for event in service.events.values() if event["eventName"] == "app_crashed"]
    told = {"phase": "idle", "stack": "unknown"}
    assert [(event["tags"], event["metrics"]) for event in crash] == [(told, {"uptime_s": 4})]


def test_an_erased_install_is_a_choice_to_be_made_anew(home: Path, service: Service) -> None:
    record(home, FAILED)
    lysnrai("flush")
    record(home, FAILED)
    service.erased.add(str(inspect.status(home).install_id))

    lysnrai("flush")

    assert 'collect = "ask"' in (home / "settings.toml").read_text()
    assert inspect.status(home).consent == "unset"


def test_what_is_paused_stays_until_it_is_resumed(home: Path, service: Service) -> None:
    record(home, *EVENTS)

    assert lysnrai("pause") == cli.OK
    assert lysnrai("flush") == cli.NOT_IN_TIME
    assert not service.events
    assert lysnrai("resume") == cli.OK
    assert lysnrai("flush") == cli.OK
    assert len(service.events) == 2


def test_purge_deletes_what_waits(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, *EVENTS)

    assert lysnrai("purge") == cli.OK

    assert waiting(home) == 0
    assert b"dictation_failed" not in (home / QUEUE_FILE).read_bytes()
    capsys.readouterr()
    assert lysnrai("verify") == cli.OK


def test_forget_me_erases_here_and_there_and_makes_another_install(home: Path, service: Service) -> None:
    record(home, *EVENTS)
    lysnrai("flush")
    before = inspect.status(home).install_id

    assert lysnrai("forget-me") == cli.OK

    now = inspect.status(home)
    assert before in service.erased
    assert (now.ledger.captured, now.erasures, now.consent) == (0, 0, "all")
    assert now.install_id != before


def test_forget_me_is_asked_again_where_the_service_does_not_answer(home: Path, service: Service) -> None:
    record(home, *EVENTS)
    assert lysnrai("flush") == cli.OK
    before = inspect.status(home).install_id
    service.lie(lies.answer(503, path="/install/"), times=20)

    assert lysnrai("forget-me") == cli.NOT_IN_TIME
    assert inspect.status(home).erasures == 1
    service.be_honest()
    lysnrai("flush")
    assert before in service.erased


@pytest.mark.parametrize("action", ACTIONS)
def test_a_machine_can_read_every_answer(
    home: Path, service: Service, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    assert service.url
    record(home, *EVENTS)

    assert lysnrai(action, "--json") == cli.OK

    for line in printed(capsys).splitlines():
        json.loads(line)
