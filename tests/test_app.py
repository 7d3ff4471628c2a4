"""The running app as a process: what it loads, what it leaves, how it starts, changes and ends."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.hotkeys.x11 import X11Hotkeys
from lysnrai_desktop.adapters.journal import Journal
from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.combo import parse
from lysnrai_desktop.core.dictation import Outcome
from lysnrai_desktop.core.takes import UNDELIVERED_KEEP_S
from lysnrai_desktop.ui import texts
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import DEADLINE_S, eventually
from tests.e2e.app import COMMAND, HOTKEY, App, running_app
from tests.fixtures_models import FOLDER as MODELS

SETTINGS = '[engine]\nmodel = "tiny.en"\n'


@pytest.fixture
def app(desktop: VirtualDesktop, tmp_path: Path) -> Iterator[App]:
    with running_app(desktop, SETTINGS, home=tmp_path / "home", models=MODELS) as app:
        yield app


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*") for child in (task / "children").read_text().split()
    ]


def test_the_app_itself_never_loads_a_model_library(app: App) -> None:
    loaded = [
        line for line in Path(f"/proc/{app.process.pid}/maps").read_text().splitlines() if "site-packages" in line
    ]

    assert loaded
    assert not [line for line in loaded if re.search("ctranslate2|onnxruntime|numpy|/av|soxr|faster|/azure", line)]


def test_everything_it_writes_is_its_owners_alone(app: App, tmp_path: Path) -> None:
    app.ask("start")
    app.until("recording")

    for path in [tmp_path / "home", *(tmp_path / "home").rglob("*")]:
        if MODELS in path.resolve().parents or path.resolve() == MODELS:
            continue
        wanted = 0o700 if path.is_dir() else 0o600
        assert path.stat().st_mode & 0o777 == wanted, path.name
    assert list((tmp_path / "home" / "takes").glob("*.wav"))


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_engine_and_keeps_the_take(app: App, tmp_path: Path, end: signal.Signals) -> None:
    engines = children(app.process.pid)
    app.ask("start")
    app.until("recording")

    app.process.send_signal(end)

    assert app.process.wait(5.0) == 0
    assert engines
    assert not [pid for pid in engines if Path(f"/proc/{pid}").exists()]
    assert list((tmp_path / "home" / "takes").glob("*.wav"))


def test_a_killed_app_leaves_no_engine_behind(app: App) -> None:
    engines = children(app.process.pid)

    app.process.kill()
    app.process.wait(5.0)

    eventually(lambda: not [pid for pid in engines if Path(f"/proc/{pid}").exists()], "the engine has gone")


def test_a_new_hotkey_counts_without_a_restart(desktop: VirtualDesktop, app: App, tmp_path: Path) -> None:
    file = tmp_path / "home" / "settings.toml"
    fresh = file.with_suffix(".new")
    fresh.write_text(SETTINGS + '[hotkey]\ncombo = "f9"\n')
    fresh.replace(file)

    def starts() -> bool:
        desktop.screen.press("f9")
        return app.status()["state"] in {"arming", "recording"}

    eventually(starts, "F9 starts a dictation")
    app.ask("cancel")
    app.until("idle")
    desktop.screen.press(HOTKEY)
    assert app.status()["state"] == "idle"


@pytest.mark.usefixtures("app")
def test_a_hotkey_that_is_taken_is_told_in_status_and_notification(desktop: VirtualDesktop, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with running_app(desktop, SETTINGS, home=other, models=MODELS) as second:
        assert second.status()["fault"] == "hotkey.taken"
        notices = eventually(
            lambda: [n for n in desktop.notifications.shown() if "hotkey" in n.summary.lower()], "a notification"
        )
        assert texts.hotkey(HOTKEY) in notices[0].summary
        assert notices[0].body.startswith("Free are ")
        assert "Another program" in second.lysnrai("status").stdout


def test_hotkeys_come_and_go_with_the_settings(app: App, desktop: VirtualDesktop, tmp_path: Path) -> None:
    settings = tmp_path / "home" / "settings.toml"
    others = X11Hotkeys(lambda _: None, lambda _: None, lambda _: None, desktop.environment["DISPLAY"])
    with contextlib.ExitStack() as stack:
        stack.callback(others.shut_down)
        settings.write_text(SETTINGS + '[hotkey]\nhold = "f7"\ncancel = "f6"\n')
        eventually(lambda: not others.free([parse("f6")]), "the new hotkeys are taken")

        desktop.screen.key_down("f7")
        app.until("recording")
        desktop.screen.press("f6")
        app.until("idle")
        desktop.screen.key_up("f7")

        settings.write_text(SETTINGS + '[hotkey]\ntoggle = "f8"\n')
        eventually(lambda: others.free([parse("f6")]), "the old one is given back")
        eventually(lambda: not others.free([parse("f8")]), "the new one is taken")
        desktop.screen.press("f8")
        app.until("recording")


def test_audio_whose_time_is_over_goes_while_the_app_runs(desktop: VirtualDesktop, tmp_path: Path) -> None:
    often = "from lysnrai_desktop import app, cli; app.TIDY_MS = 50; cli.main([])"
    home = tmp_path / "home"
    command = (sys.executable, "-c", often)
    with running_app(desktop, SETTINGS, home=home, models=MODELS, command=command) as app:
        long_ago = time.time() - 2 * UNDELIVERED_KEEP_S
        journal = Journal(home / "takes", lambda _: None, lambda _: None, pytest.fail, wall=lambda: long_ago)
        for outcome in (Outcome.FAILED, Outcome.NOTHING_HEARD):
            take = journal.open(1)
            take.block(Block(b"\1\0" * 960, 48_000))
            take.end()
            take.keep(outcome, "")

        journal.shut_down()

        eventually(lambda: len(list((home / "takes").glob("*.wav"))) == 1, "one goes, the other is offered")
        assert [take["outcome"] for take in json.loads(app.lysnrai("takes", "--json").stdout)] == ["failed"]


def test_two_starts_at_the_same_moment_make_one_app(desktop: VirtualDesktop, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text(SETTINGS)
    environment = {**desktop.environment, "LYSNRAI_HOME": str(home), "LYSNRAI_MODELS": str(MODELS)}
    starts = [
        subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(3)
    ]

    eventually(lambda: sum(start.poll() is None for start in starts) == 1, "one is left")

    said = [start.communicate()[0].decode() for start in starts if start.poll() is not None]
    assert said == ["LysnrAI is already running.\n"] * 2
    (running,) = [start for start in starts if start.poll() is None]
    running.terminate()
    running.communicate(timeout=10.0)


def test_whatever_hangs_at_the_end_the_process_ends_with_its_status() -> None:
    code = (
        "import threading; from lysnrai_desktop.app import _end_within; _end_within(0.05, 3); threading.Event().wait()"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=DEADLINE_S).returncode == 3
