"""What the user says in one process ends at once what any other is sending, and nothing more is sent after it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from telemetry import Profile, Telemetry, calls
from telemetry.policy import QUIET_S
from telemetry.testing import PRODUCT_KEY, Reply, Service, lies

PROFILE = Profile("lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev")
ROOT = Path(__file__).parents[2]
EFFORT = os.environ.get("LYSNRAI_TEST_EFFORT") == "full"

SENDER = """
import sys
from pathlib import Path
from telemetry import Telemetry
from tests.telemetry.test_calls import PROFILE, PRODUCT_KEY

client = Telemetry(Path(sys.argv[1]), PROFILE, url=sys.argv[2], product_key=PRODUCT_KEY)
client.start()
for line in sys.stdin:
    print("flushed", client.flush(20), flush=True)
client.close(5)
"""
WISHER = """
import sys
from pathlib import Path
from telemetry import Telemetry
from tests.telemetry.test_calls import PROFILE

client = Telemetry(Path(sys.argv[1]), PROFILE)
getattr(client, sys.argv[2])(*sys.argv[3:])
client.close(5)
"""
HOLDER = """
import sys
from pathlib import Path
from telemetry import calls

with calls.under_way(Path(sys.argv[1])):
    print("under way", flush=True)
    sys.stdin.read()
"""

Wish = Callable[[Telemetry], object]


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


def python(script: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def ends(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


WISHES: dict[str, Wish] = {
    "off": lambda client: client.choose("off"),
    "errors": lambda client: client.choose("errors"),
    "forget me": lambda client: client.forget_me(),
    "purge": lambda client: client.purge(),
    "pause": lambda client: client.pause(),
}


@pytest.mark.parametrize("wish", WISHES if EFFORT else ["off", "forget me"])
def test_what_the_user_says_here_ends_what_another_process_is_sending(
    service: Service, client: Telemetry, tmp_path: Path, wish: str
) -> None:
    for _ in range(20):
        client.record("dictation", "dictation_started")
    service.lie(lies.silence)
    other = python(SENDER, str(tmp_path), service.url)
    stdin, stdout = ends(other)
    assert service.wait_for(lambda: "POST /events" in service.paths)

    WISHES[wish](client)

    assert calls.wait_until_quiet(tmp_path, 0), "when it returns no call is under way"
    assert service.wait_for(lambda: len(service.left) == 1)
    sent = len(service.calls)
    stdin.write("flush\n")
    stdin.flush()
    assert stdout.readline() == "flushed True\n"
    assert [call for call in service.calls[sent:] if call.path.endswith("/events")] == []
    assert not service.events
    other.communicate("", timeout=30)


@pytest.mark.parametrize("wish", [("choose", "off"), ("forget_me",)])
def test_what_the_user_says_in_another_process_ends_what_this_one_is_sending(
    service: Service, client: Telemetry, tmp_path: Path, wish: tuple[str, ...]
) -> None:
    for _ in range(20):
        client.record("dictation", "dictation_started")
    service.lie(lies.silence)
    client.start()
    assert service.wait_for(lambda: "POST /events" in service.paths)

    other = python(WISHER, str(tmp_path), *wish)
    other.communicate("", timeout=30)

    assert other.returncode == 0
    assert service.wait_for(lambda: len(service.left) == 1)
    sent = len(service.calls)
    assert client.flush()
    assert [call for call in service.calls[sent:] if call.method != "DELETE"] == []
    assert not service.events


@pytest.mark.parametrize("path", ["/installs", "/config"])
def test_off_ends_a_registration_and_a_question_for_the_configuration_too(
    service: Service, client: Telemetry, tmp_path: Path, path: str
) -> None:
    service.lie(lambda call, _: Reply(200, silent=True) if path in call.path else None)
    client.record("lifecycle", "app_started")
    client.start()
    assert service.wait_for(lambda: any(path in each for each in service.paths))

    other = python(WISHER, str(tmp_path), "choose", "off")
    other.communicate("", timeout=30)

    assert service.wait_for(lambda: len(service.left) == 1)
    sent = len(service.calls)
    assert client.flush()
    assert len(service.calls) == sent
    assert client.consent == "off"


def test_a_process_that_rests_asks_for_nothing_more_after_another_said_off(service: Service, tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    resting = Telemetry(tmp_path, PROFILE, url=service.url, product_key=PRODUCT_KEY, clock=lambda: now[0])
    resting.choose("all")
    resting.record("lifecycle", "app_started")
    while resting._worker.step() == 0:
        pass
    calls_before = len(service.calls)
    other = Telemetry(tmp_path, PROFILE)

    other.choose("off")
    now[0] += 3601  # the configuration would be asked for

    assert resting._worker.step() is None
    assert len(service.calls) == calls_before
    resting.close(5)
    other.close(5)


def test_an_erasure_is_asked_for_by_whoever_runs_even_after_off(
    service: Service, client: Telemetry, tmp_path: Path
) -> None:
    client.record("lifecycle", "app_started")
    client.start()
    assert client.flush()
    service.lie(lambda call, _: Reply(200, silent=True) if "/install/" in call.path else None)
    client.forget_me()
    assert service.wait_for(lambda: any(path.startswith("DELETE") for path in service.paths))

    other = python(WISHER, str(tmp_path), "choose", "off")
    other.communicate("", timeout=30)

    assert client.flush()
    assert len(service.erased) == 1


def test_quiet_is_when_no_process_holds_a_call(tmp_path: Path) -> None:
    assert calls.wait_until_quiet(tmp_path, 0), "nobody ever called"
    holder = python(HOLDER, str(tmp_path))
    _, stdout = ends(holder)
    assert stdout.readline() == "under way\n"

    assert not calls.wait_until_quiet(tmp_path, 0.02)
    holder.kill()
    holder.communicate()

    assert calls.wait_until_quiet(tmp_path, QUIET_S), "the system releases what a dead process held"


def test_two_calls_at_once_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with calls.under_way(tmp_path), calls.under_way(tmp_path):
        assert not calls.wait_until_quiet(tmp_path, 0)

    assert calls.wait_until_quiet(tmp_path, 0)


def test_where_the_disk_refuses_there_is_no_lock_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    home = tmp_path / "file" / "home"

    with calls.under_way(home):
        assert calls.wait_until_quiet(home, 0)
