"""Usage events reach the queue as far as the user agrees, at once, and never further."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lysnrai_desktop.adapters.usage_telemetry import QUEUE_FILE, UsageTelemetry, profile
from lysnrai_desktop.core import usage
from lysnrai_desktop.core.settings import TelemetrySettings
from telemetry import inspect
from telemetry.testing import PRODUCT_KEY, Service, lies
from tests.desktop.bus import session_bus
from tests.desktop.network import NO, OFFLINE, ONLINE, YES, network_manager
from tests.desktop.processes import eventually

ROOT = Path(__file__).parents[2]
ALL, ERRORS, OFF = TelemetrySettings("all"), TelemetrySettings("errors"), TelemetrySettings("off")
FAILED = usage.DictationFailed(usage.Phase.FINISHING, 1500, usage.Code("engine.died"))
STOPPED = usage.AppStopped(3)

Made = Callable[..., UsageTelemetry]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Made]:
    made: list[UsageTelemetry] = []

    def one(revoked: Callable[[], None] = lambda: None, bus: str = "") -> UsageTelemetry:
        made.append(UsageTelemetry(tmp_path, revoked, {"DBUS_SYSTEM_BUS_ADDRESS": bus or "unix:path=/no/such/bus"}))
        return made[-1]

    yield one
    for each in made:
        each.shut_down()


def queued(home: Path) -> list[dict[str, Any]]:
    """What stands in the queue's file, oldest first; nothing while it is being made."""
    try:
        return [json.loads(line)["event"] for line in inspect.export(home)]
    except inspect.Unreadable:
        return []


def names(home: Path) -> list[str]:
    return [event["eventName"] for event in queued(home)]


def test_before_the_user_has_chosen_nothing_is_made_and_nothing_imported(tmp_path: Path) -> None:
    code = (
        "import sys, threading; from pathlib import Path;"
        "from lysnrai_desktop.adapters.usage_telemetry import UsageTelemetry;"
        "from lysnrai_desktop.core import usage; from lysnrai_desktop.core.settings import TelemetrySettings;"
        "made = UsageTelemetry(Path(sys.argv[1]), lambda: None);"
        "made.obey(TelemetrySettings()); made.obey(TelemetrySettings('off'));"
        "made.phase('recording'); made.record(usage.AppStopped(1));"
        "assert threading.active_count() == 1; made.shut_down();"
        "sys.exit('telemetry' in sys.modules or 'msgspec' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)

    assert not list(tmp_path.iterdir())


def test_the_app_is_loaded_without_telemetry() -> None:
    code = (
        "import sys, lysnrai_desktop.app; sys.exit(bool({'telemetry', 'msgspec', 'requests', 'rich'} & {*sys.modules}))"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_done_is_told_before_and_after_the_choice(tmp_path: Path, make: Made) -> None:
    made = make()
    made.phase("idle")
    made.obey(ALL)
    made.phase("recording")
    made.phase("recording")

    def phase() -> str:
        files = list(tmp_path.glob("sessions/*.json"))
        return files[0].read_text() if files else ""

    eventually(lambda: '"recording"' in phase(), "it is noted for the report of a crash")
    made.shut_down()
    assert not list(tmp_path.glob("sessions/*.json"))


def test_everything_is_recorded_with_its_tags_numbers_and_code(tmp_path: Path, make: Made) -> None:
    made = make()
    made.obey(ALL)
    made.record(FAILED)
    made.record(STOPPED)
    made.shut_down()

    failed, stopped = queued(tmp_path)
    assert (failed["module"], failed["eventName"], failed["level"]) == ("dictation", "dictation_failed", "error")
    assert (failed["errorDomain"], failed["errorCode"]) == ("engine", "engine.died")
    assert (failed["tags"], failed["metrics"]) == ({"phase": "finishing"}, {"audio_ms": 1500})
    assert (stopped["eventName"], stopped["metrics"]) == ("app_stopped", {"uptime_s": 3})
    assert "errorCode" not in stopped
    assert (failed["sessionId"], failed["eventSeq"], stopped["eventSeq"]) == (stopped["sessionId"], 1, 2)


def test_every_event_of_the_catalogue_is_accepted(tmp_path: Path, make: Made) -> None:
    from tests.core.test_usage import example, kinds

    made = make()
    made.obey(ALL)
    for event in usage.catalogue():
        made.record(event(**{name: example(type_) for name, type_ in kinds(event).items()}))
    made.shut_down()

    assert names(tmp_path) == [event.name for event in usage.catalogue()]


def test_errors_only_leaves_the_rest_out(tmp_path: Path, make: Made) -> None:
    made = make()
    made.obey(ERRORS)
    made.record(STOPPED)
    made.record(FAILED)
    made.shut_down()

    assert names(tmp_path) == ["dictation_failed"]


def test_off_empties_the_queue_and_records_no_more(tmp_path: Path, make: Made) -> None:
    made = make()
    made.obey(ALL)
    made.record(FAILED)
    eventually(lambda: names(tmp_path) == ["dictation_failed"], "it is recorded")

    made.obey(OFF)
    made.record(FAILED)

    eventually(lambda: inspect.status(tmp_path).ledger.purged == 1, "it is purged")
    made.record(FAILED)
    made.shut_down()
    assert names(tmp_path) == []
    assert inspect.verify(tmp_path).adds_up


@pytest.mark.parametrize("collect", ["off", "ask"])
def test_a_start_without_consent_empties_what_was_left(tmp_path: Path, make: Made, collect: str) -> None:
    made = make()
    made.obey(ALL)
    made.record(FAILED)
    made.shut_down()

    later = make()
    later.obey(TelemetrySettings(collect))
    later.shut_down()

    assert names(tmp_path) == []


def test_whoever_changes_his_mind_is_recorded_again(tmp_path: Path, make: Made) -> None:
    made = make()
    for settings in (ALL, OFF, TelemetrySettings(), ERRORS):
        made.obey(settings)
    made.record(FAILED)
    made.shut_down()

    assert names(tmp_path) == ["dictation_failed"]


def test_nothing_is_sent_without_an_address_and_everything_with_one(tmp_path: Path, make: Made) -> None:
    made = make()
    made.obey(ALL)
    made.record(FAILED)
    with Service() as service:
        eventually(lambda: names(tmp_path) == ["dictation_failed"], "it is recorded")

        made.obey(TelemetrySettings("all", service.url, PRODUCT_KEY))

        assert service.wait_for(lambda: len(service.events) == 1)
        made.shut_down()
        assert [event["eventName"] for event in service.events.values()] == ["dictation_failed"]


def test_off_in_the_app_ends_what_the_command_line_is_sending(tmp_path: Path, make: Made) -> None:
    app = make()
    app.obey(ALL)
    app.record(FAILED)
    eventually(lambda: names(tmp_path) == ["dictation_failed"], "it is recorded")
    with Service() as service:
        service.lie(lies.silence)
        (tmp_path / "settings.toml").write_text(f'[telemetry]\nurl = "{service.url}"\nproduct_key = "{PRODUCT_KEY}"\n')
        flush = [sys.executable, "-m", "lysnrai_desktop", "telemetry", "flush"]
        with subprocess.Popen(flush, env={**os.environ, "LYSNRAI_HOME": str(tmp_path)}, cwd=ROOT) as flushing:
            assert service.wait_for(lambda: "POST /events" in service.paths)

            app.obey(OFF)

            assert service.wait_for(lambda: len(service.left) == 1)
            assert flushing.wait(20.0) == 0
        assert service.paths.count("POST /events") == 1
        assert not service.events
    app.shut_down()
    assert names(tmp_path) == []


def test_an_install_that_the_service_has_erased_must_be_agreed_to_anew(tmp_path: Path, make: Made) -> None:
    revoked = threading.Event()
    made = make(revoked.set)
    with Service() as service:
        made.obey(TelemetrySettings("all", service.url, PRODUCT_KEY))
        made.record(FAILED)
        assert service.wait_for(lambda: len(service.events) == 1)
        service.erased.add(str(inspect.status(tmp_path).install_id))

        made.record(FAILED)
        subprocess.run([sys.executable, "-c", FLUSH, str(tmp_path), service.url], check=True)
        made.record(FAILED)

        assert revoked.wait(10.0)
        made.record(FAILED)
        made.shut_down()
    assert names(tmp_path) == []


@pytest.fixture
def bus(home_environment: tuple[Path, dict[str, str]]) -> Iterator[str]:
    """The address of a bus in the system bus's place."""
    with session_bus(*home_environment) as made:
        yield made["DBUS_SESSION_BUS_ADDRESS"]


def test_what_waits_is_delivered_as_soon_as_the_network_is_back(tmp_path: Path, make: Made, bus: str) -> None:
    with Service() as service, network_manager(bus, OFFLINE) as network:
        made = make(bus=bus)
        made.obey(TelemetrySettings("all", service.url, PRODUCT_KEY))
        made.record(STOPPED)
        assert service.wait_for(lambda: len(service.events) == 1), "who is told to be offline tries all the same"
        eventually(lambda: not made._network.online, "it is noted")
        settle(made)
        made.record(STOPPED)  # would wait for a minute
        eventually(lambda: inspect.status(tmp_path).ledger.captured == 2, "it is recorded")

        network.change(State=ONLINE)

        assert service.wait_for(lambda: len(service.events) == 2)
        made.shut_down()


def test_where_it_costs_money_neither_a_full_batch_nor_a_returned_network_is_a_reason_to_send(
    tmp_path: Path, make: Made, bus: str
) -> None:
    with Service() as service, network_manager(bus, ONLINE, YES) as network:
        made = make(bus=bus)
        made.obey(TelemetrySettings("all", service.url, PRODUCT_KEY))
        eventually(lambda: made._network.metered, "it is noted")
        made.record(STOPPED)
        assert service.wait_for(lambda: len(service.events) == 1), "the first goes at once"
        settle(made)

        for _ in range(60):
            made.record(STOPPED)
        eventually(lambda: inspect.status(tmp_path).ledger.captured == 61, "they are recorded")
        settle(made)
        network.change(State=OFFLINE)
        eventually(lambda: not made._network.online, "it is noted")
        network.change(State=ONLINE)
        eventually(lambda: made._network.online, "it is noted")
        made.record(STOPPED)
        eventually(lambda: inspect.status(tmp_path).ledger.captured == 62, "so the client was told before")
        settle(made)

        assert service.paths.count("POST /events") == 1
        network.change(Metered=NO)
        assert service.wait_for(lambda: len(service.events) == 62)
        made.shut_down()


def settle(made: UsageTelemetry) -> None:
    """Wait until there is nothing that the client could do now."""
    client = made._client
    assert client is not None
    assert client._worker.wait_until_idle(20.0)


def test_the_network_is_watched_only_while_something_may_be_sent(make: Made, bus: str) -> None:
    def watched() -> bool:
        return any(thread.name == "network" for thread in threading.enumerate())

    with Service() as service, network_manager(bus) as network:
        made = make(bus=bus)
        made.obey(ALL)
        made.obey(TelemetrySettings("errors", service.url, PRODUCT_KEY))
        eventually(lambda: network.asked, "it is watched")
        made.obey(TelemetrySettings("off", service.url, PRODUCT_KEY))
        eventually(lambda: not watched(), "no more")
        made.obey(TelemetrySettings("all", service.url, PRODUCT_KEY))
        eventually(watched, "again")
        made.obey(ALL)
        eventually(lambda: not watched(), "there is no address")
        made.shut_down()

        assert network.asked == 2


FLUSH = (
    "import sys; from pathlib import Path;"
    "from lysnrai_desktop.adapters.usage_telemetry import open_client;"
    "from lysnrai_desktop.core.settings import TelemetrySettings;"
    "client = open_client(Path(sys.argv[1]), TelemetrySettings('all', sys.argv[2], 'pk_test'));"
    "client.start(); client.flush(); client.close()"
)

CRASH = """
import faulthandler, os, sys, threading
from pathlib import Path
from lysnrai_desktop.adapters.usage_telemetry import UsageTelemetry
from lysnrai_desktop.core import usage
from lysnrai_desktop.core.settings import TelemetrySettings
from telemetry import Telemetry

noted = threading.Event()
note = Telemetry.phase

def phase(self, name):
    note(self, name)
    noted.set()

def transcribe(what):
    assert noted.wait(20)
    {end}

Telemetry.phase = phase
made = UsageTelemetry(Path(sys.argv[1]), lambda: None)
made.phase("recording")
made.obey(TelemetrySettings("all"))
made.record(usage.AppStopped(1))
transcribe("a secret sentence")
"""


@pytest.mark.parametrize(
    ("end", "number", "stack"),
    [
        ("os.kill(os.getpid(), 9)", signal.SIGKILL, "unknown"),
        ("faulthandler._sigsegv()", signal.SIGSEGV, "crashing.transcribe < crashing.<module>"),
        ("os.abort()", signal.SIGABRT, "crashing.transcribe < crashing.<module>"),
    ],
)
def test_a_crash_is_told_at_the_next_start_with_phase_and_functions_and_nothing_else(
    tmp_path: Path, make: Made, end: str, number: int, stack: str
) -> None:
    program = tmp_path / "crashing.py"
    program.write_text(CRASH.format(end=end))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    crashed = subprocess.run([sys.executable, str(program), str(tmp_path)], env=environment, check=False)
    assert crashed.returncode == -number

    made = make()
    made.obey(ALL)
    made.record(usage.AppStarted(usage.Start.WARM, 300))
    made.shut_down()

    crash, started = queued(tmp_path)[-2:]
    assert (crash["eventName"], crash["level"]) == ("app_crashed", "fatal")
    assert crash["tags"] == {"phase": "recording", "stack": stack}
    assert crash["metrics"].keys() == {"uptime_s"}
    assert started["tags"] == {"start": "after_crash"}
    assert "secret" not in json.dumps(crash)
    assert str(tmp_path) not in json.dumps(crash)


def test_faults_are_watched_while_there_is_consent_and_no_longer(tmp_path: Path) -> None:
    code = (
        "import faulthandler, sys; from pathlib import Path;"
        "from lysnrai_desktop.adapters.usage_telemetry import UsageTelemetry;"
        "from lysnrai_desktop.core.settings import TelemetrySettings;"
        "home = Path(sys.argv[1]); made = UsageTelemetry(home, lambda: None);"
        "made.obey(TelemetrySettings('all')); made.shut_down();"
        "sys.exit(faulthandler.is_enabled() or bool(list(home.glob('sessions/*'))))"
    )

    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


@pytest.mark.logs("the queue is damaged")
def test_a_damaged_queue_is_told_and_begun_anew(tmp_path: Path, make: Made) -> None:
    (tmp_path / QUEUE_FILE).write_bytes(b"no database at all, " * 500)

    made = make()
    made.obey(ALL)
    made.shut_down()

    assert names(tmp_path) == ["queue_recovered"]


def test_the_profile_names_kinds_of_things_and_nothing_of_the_users() -> None:
    made = profile()

    assert (made.product_id, made.platform, made.channel, made.os_family) == (
        "lysnrai",
        "desktop",
        "desktop_app",
        "linux",
    )
    assert made.device is not None
    assert made.device.model is None
    assert made.device.locale is None
