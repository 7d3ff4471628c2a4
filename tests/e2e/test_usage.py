"""What the app tells about its use: a secret that is dictated through it is in nothing that it keeps or sends."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telemetry import inspect, schema
from telemetry.testing import PRODUCT_KEY, Service
from telemetry.wire import values
from tests import speech
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import eventually
from tests.e2e.app import App, running_app
from tests.e2e.test_dictation import arrived, hold
from tests.e2e.test_ends import engines

TITLE = "Confidential window title"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home-of-somebody"


@pytest.fixture
def app(desktop: VirtualDesktop, home: Path, models: Path, service: Service) -> Iterator[App]:
    settings = (
        '[engine]\nmodel = "tiny.en"\n[hotkey]\nmode = "hold"\n'
        f'[telemetry]\ncollect = "all"\nurl = "{service.url}"\nproduct_key = "{PRODUCT_KEY}"\n'
    )
    with running_app(desktop, settings, home=home, models=models) as app:
        yield app


def names(service: Service) -> list[str]:
    events = sorted(service.events.values(), key=lambda event: (event["sessionSeq"], event["eventSeq"]))
    return [event["eventName"] for event in events]


def everything(desktop: VirtualDesktop, home: Path, service: Service) -> dict[str, bytes]:
    """All that was kept for telemetry or for support, and all that was sent."""
    files = [path for path in home.rglob("*") if path.is_file() and path.name != "settings.toml"]
    kept = {str(path.relative_to(home)): path.read_bytes() for path in files if "models" not in path.parts}
    sent = {f"{call.method} {call.path} {at}": call.body for at, call in enumerate(service.calls)}
    headers = {f"headers {at}": repr(call.headers).encode() for at, call in enumerate(service.calls)}
    return {**kept, **sent, **headers, "standard error": (desktop.folder / "app.log").read_bytes()}


def test_a_secret_that_is_dictated_leaves_no_word_in_what_is_kept_or_sent(
    desktop: VirtualDesktop,
    app: App,
    home: Path,
    service: Service,
    recording: Callable[[speech.Clip], Path],
) -> None:
    clip = speech.prompt("number-not-answering")
    microphones = json.loads(app.lysnrai("devices", "--json").stdout)
    assert microphones
    with desktop.qt_editor(TITLE) as editor:
        hold(desktop, app, recording(clip))
        arrived(app, editor, clip.text)
        app.ask("start")
        app.until("recording")
        app.ask("cancel")
        app.until("idle")
        assert app.lysnrai("telemetry", "flush").returncode == 0
        eventually(lambda: "dictation_cancelled" in names(service), "all of it is delivered")
    app.lysnrai("quit")
    app.process.wait(10.0)

    own = (Path(schema.__file__).read_text("utf-8") + Path(values.__file__).read_text("utf-8")).lower()
    words = [word for word in re.findall(r"\w+", clip.text.lower()) if len(word) > 3 and word not in own]
    assert "answering" in words
    devices = [str(device[key]) for device in microphones for key in ("name", "label") if len(str(device[key])) > 3]
    private = [*words, *devices, TITLE, str(home), str(desktop.folder), str(Path.home())]
    found = everything(desktop, home, service)
    assert any(name.startswith("telemetry.db") for name in found)
    assert any(b"dictation_completed" in content for name, content in found.items() if name.startswith("POST"))
    for name, content in found.items():
        seen = [text for text in private if text.lower().encode() in content.lower()]
        if name == "log/lysnrai.log" or name == "standard error":
            # These are the user's own and stay here; a path in an error of the system's is no secret to him.
            seen = [text for text in seen if text in words or text == TITLE]
        assert not seen, f"{name}: {seen}"


def test_the_life_of_the_app_is_told_from_start_to_end(app: App, home: Path) -> None:
    file = home / "settings.toml"
    fresh = home / "settings.new"
    fresh.write_text(file.read_text("utf-8") + "[insertion]\ntrailing_space = true\n", encoding="utf-8")
    fresh.replace(file)
    eventually(lambda: "settings_changed" in recorded(home), "the change is told")
    app.lysnrai("quit")
    app.process.wait(10.0)

    events = [json.loads(line)["event"] for line in inspect.export(home)]
    started, changed, stopped = events
    assert started["eventName"] == "app_started"
    assert started["tags"]["start"] in {"cold", "warm"}
    assert 0 < started["metrics"]["ready_ms"] < 10**6
    assert changed["tags"] == {"key": "insertion.trailing_space"}
    assert stopped["eventName"] == "app_stopped"
    assert [event["eventSeq"] for event in events] == [1, 2, 3]


def test_off_empties_the_queue_of_the_running_app(app: App, home: Path) -> None:
    eventually(lambda: recorded(home) == ["app_started"], "the start is told")

    file = home / "settings.toml"
    fresh = home / "settings.new"
    fresh.write_text(file.read_text("utf-8").replace('"all"', '"off"'), encoding="utf-8")
    fresh.replace(file)

    eventually(lambda: not inspect.status(home).ledger.pending, "nothing waits")
    app.ask("start")
    app.until("recording")
    app.ask("cancel")
    app.until("idle")
    assert recorded(home) == []


def test_an_engine_that_is_killed_and_replaced_is_told(app: App, home: Path) -> None:
    app.ask("start")
    app.until("recording")
    for engine in engines(app):
        os.kill(engine, signal.SIGKILL)
    eventually(lambda: "engine_restarted" in recorded(home), "the engine is there again")
    app.ask("cancel")
    app.until("idle")
    eventually(lambda: "dictation_cancelled" in recorded(home), "the end is told")

    assert recorded(home)[-7:] == [
        "dictation_started",
        "backend_selected",
        "recognition_started",
        "recognition_failed",
        "error_recovery_attempted",
        "engine_restarted",
        "dictation_cancelled",
    ]


def recorded(home: Path) -> list[str]:
    """The names of the events that stand in the queue or were sent, oldest first."""
    try:
        return [json.loads(line)["event"]["eventName"] for line in inspect.export(home)]
    except inspect.Unreadable:
        return []
