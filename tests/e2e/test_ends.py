"""However the app ends, nothing spoken is lost, nothing is inserted that should not be, and nothing runs on.

LYSNRAI_TEST_EFFORT=full kills at 20 random moments in each state.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import re
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.desktop.editors import QtEditor, await_text
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import DEADLINE_S, call, eventually, running
from tests.desktop.screen import x_server
from tests.e2e.app import HOTKEY, App, running_app, setting
from tests.e2e.conftest import SETTINGS
from tests.e2e.test_dictation import Spoken, said

GONE_S = 5.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def own(desktop: VirtualDesktop, models: Path, home: Path) -> Iterator[App]:
    """An app that this test may end."""
    with running_app(desktop, SETTINGS, home=home, models=models) as app:
        yield app
    for combo in (HOTKEY, "shift"):
        desktop.screen.key_up(combo)


def takes(app: App) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(app.lysnrai("takes", "--json").stdout)
    return listed


def engines(app: App) -> list[int]:
    tasks = Path(f"/proc/{app.process.pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


# -- killed, or asked to end, in each state


def recording(desktop: VirtualDesktop, app: App, spoken: Path) -> None:
    app.ask("start")
    app.until("recording")
    desktop.sound.speak(spoken)


def finishing(desktop: VirtualDesktop, app: App, spoken: Path) -> None:
    """The engine stands still, so that it lasts."""
    recording(desktop, app, spoken)
    for engine in engines(app):
        os.kill(engine, signal.SIGSTOP)
    app.ask("stop")
    app.until("finishing")


def inserting(desktop: VirtualDesktop, app: App, spoken: Path) -> None:
    """A key is held that would change the paste, so that it waits."""
    desktop.screen.key_down("shift")
    recording(desktop, app, spoken)
    app.ask("stop")
    app.until("inserting")


Reach = Callable[[VirtualDesktop, App, Path], None]
# With less effort "recording" is left to the test of the next start.
KILLED: list[tuple[Reach, int]] = [(finishing, 0), (inserting, 0)]
if os.environ.get("LYSNRAI_TEST_EFFORT") == "full":
    KILLED = [(state, kill) for state in (recording, finishing, inserting) for kill in range(20)]


@pytest.mark.parametrize(("state", "kill"), KILLED)
def test_a_killed_app_leaves_the_whole_take_no_engine_and_no_text(
    desktop: VirtualDesktop, own: App, editor: QtEditor, short: Spoken, state: Reach, kill: int
) -> None:
    state(desktop, own, short[1])
    left = engines(own)
    time.sleep(random.Random(kill).uniform(0.1, 0.5))

    own.process.kill()
    own.process.wait(DEADLINE_S)

    eventually(lambda: gone(left), "the engine has gone")
    (take,) = takes(own)
    assert (take["outcome"], take["offered"]) == (None, True)
    assert editor.text() == ""
    text = own.lysnrai("takes", "transcribe", take["id"]).stdout
    assert said(short[0])(text)


@pytest.mark.parametrize(
    ("state", "ask"), [(recording, signal.SIGHUP), (finishing, signal.SIGTERM), (inserting, signal.SIGTERM)]
)
def test_an_app_asked_to_end_is_gone_in_time_and_keeps_the_take(
    desktop: VirtualDesktop, own: App, editor: QtEditor, short: Spoken, state: Reach, ask: signal.Signals
) -> None:
    state(desktop, own, short[1])
    left = engines(own)

    own.process.send_signal(ask)

    assert own.process.wait(GONE_S) == 0
    assert left
    assert gone(left)
    (take,) = takes(own)
    assert (take["outcome"], take["offered"]) == (None, True)
    assert take["length_s"] > 1.5
    assert editor.text() == ""


def test_it_is_gone_in_time_even_if_sound_server_and_engine_hang(
    desktop: VirtualDesktop, own: App, short: Spoken
) -> None:
    recording(desktop, own, short[1])
    left = engines(own)
    desktop.sound.freeze()
    for engine in left:
        os.kill(engine, signal.SIGSTOP)
    try:
        own.process.terminate()
        assert own.process.wait(GONE_S) == 0
    finally:
        desktop.sound.thaw()

    eventually(lambda: gone(left), "the engine has gone")
    (take,) = takes(own)
    assert take["offered"]
    assert take["length_s"] > 1.5


# -- the next start


def test_the_next_start_offers_the_take_and_a_button_brings_its_text_to_the_clipboard(
    desktop: VirtualDesktop, own: App, editor: QtEditor, short: Spoken, home: Path
) -> None:
    recording(desktop, own, short[1])
    own.process.kill()
    own.process.wait(DEADLINE_S)

    with running_app(desktop, SETTINGS, home=home) as second:
        offer = re.compile(r"A dictation of [1-9] s was interrupted: transcribe it\?")
        eventually(lambda: any(offer.search(n.summary) for n in desktop.notifications.shown()), "it is offered")
        call(("dunstctl", "action", "0"), desktop.environment)
        told = "On the clipboard: press Ctrl+V"
        eventually(lambda: any(told in n.body for n in desktop.notifications.shown()), "it is told")
        eventually(lambda: said(short[0])(desktop.screen.clipboard()), "its text is on the clipboard")

        assert editor.text() == ""
        assert second.status()["state"] == "idle"
        eventually(lambda: [take["outcome"] for take in takes(second)] == ["transcribed"], "marked")
        # a dictation works as ever, and its own take is not shown to others
        second.ask("start")
        second.until("recording")
        assert len(takes(second)) == 1
        assert second.lysnrai("takes", "drop", second.status()["take"]).returncode == 1
        assert second.lysnrai("takes", "drop", "--all").returncode == 0
        desktop.sound.speak(short[1])
        second.ask("stop")
        await_text(editor, said(short[0]), "what was said")
        assert takes(second) == []


# -- stopped and going on: as in suspend and resume

ASLEEP_S = 3600.0
# What Python loads first, by its name: the clock on the wall is an hour further once the file is there.
CLOCK = f"""
import os, time
before, woke = time.time, os.path.join(os.path.dirname(__file__), "woke")
time.time = lambda: before() + {ASLEEP_S} * os.path.exists(woke)
"""


def test_what_was_said_before_and_after_the_computer_slept_arrives_as_one_text(
    desktop: VirtualDesktop, editor: QtEditor, short: Spoken, models: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    search = os.pathsep.join([str(tmp_path / "clock"), desktop.environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    laptop = dataclasses.replace(desktop, environment={**desktop.environment, "PYTHONPATH": search})
    with running_app(laptop, SETTINGS, home=home, models=models) as app:
        recording(laptop, app, short[1])
        began = app.status()["since"]
        with stopped([app.process.pid, *engines(app), desktop.sound.process.pid]):
            (tmp_path / "clock" / "woke").touch()
            time.sleep(2.5)  # longer than any watch waits: three looks of the microphone's, four of the engine's

        desktop.sound.speak(short[1])
        assert app.status()["state"] == "recording"
        app.ask("stop")

        ended = app.until("idle")
        assert ended["outcome"] in ("inserted", "probably_inserted")
        assert ended["fault"] is None
        assert ended["since"] > began + ASLEEP_S
        await_text(editor, said(f"{short[0]} {short[0]}"), "all that was said")


@contextlib.contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Let processes stand still, in this order, and go on in the reverse."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


# -- the session ends


def test_the_end_of_the_session_ends_the_app_and_keeps_the_take(
    desktop: VirtualDesktop, models: Path, home: Path, tmp_path: Path, short: Spoken
) -> None:
    with x_server(tmp_path, desktop.environment) as screen:
        session = dataclasses.replace(desktop, environment=dict(screen.environment), screen=screen, folder=tmp_path)
        with running_app(session, SETTINGS, home=home, models=models) as app:
            recording(session, app, short[1])
            left = engines(app)

            os.kill(server_of(screen.environment["DISPLAY"]), signal.SIGKILL)

            app.process.wait(GONE_S)
            eventually(lambda: gone(left), "the engine has gone")
            (take,) = takes(app)
            assert take["offered"]
            assert take["length_s"] > 1.5


def server_of(display: str) -> int:
    """The process behind a display."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"/tmp/.X11-unix/X{display[1:]}")
        pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


# Below: one app for all. It is the last, for the hotkey is its own.

# -- the screen is locked in mid-dictation


def test_nothing_is_typed_into_a_locked_screen_and_the_words_wait_on_the_clipboard(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    with setting(app, f'{SETTINGS}[insertion]\nstrategy = "type"\n'):
        recording(desktop, app, short[1])
        with running(("i3lock", "--nofork"), desktop.environment):
            eventually(desktop.screen.keyboard_is_taken, "the screen is locked")
            desktop.screen.press(HOTKEY)  # the locker's: whoever sits there now cannot stop it, nor begin another
            desktop.screen.press("backspace")
            assert app.status()["state"] == "recording"

            app.ask("stop")

            ended = app.until("idle")
            assert (ended["outcome"], ended["fault"]) == ("on_clipboard", "insert.not_delivered")
    eventually(lambda: not desktop.screen.keyboard_is_taken(), "the screen is unlocked")
    assert editor.text() == ""
    assert [take["outcome"] for take in takes(app)] == ["on_clipboard"]
    desktop.screen.focus(editor.title)
    desktop.screen.press("ctrl+v")
    await_text(editor, said(short[0]), "what was said")


# -- hands in a hurry


def test_fifty_presses_in_two_seconds_end_idle_or_where_one_stop_ends_it(
    desktop: VirtualDesktop, app: App, editor: QtEditor
) -> None:
    for _ in range(50):
        desktop.screen.press(HOTKEY)
        time.sleep(0.03)

    app.ask("stop")
    eventually(lambda: app.status()["state"] == "idle", "idle")
    assert app.process.poll() is None
    assert editor.text() == ""
    assert app.status()["dropped_blocks"] == 0
    assert not [take for take in takes(app) if take["offered"]]
