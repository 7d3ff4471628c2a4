"""From the command to what the user sees and what a dictation needs: each start is a new process on a warm disk."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from Xlib import X, display, error
from Xlib.xobject.drawable import Window

from lysnrai_desktop.adapters import control_socket, paths
from tests.bench.bench import Bench, engine_is
from tests.bench.figures import Figure
from tests.desktop.processes import POLL_S, eventually, running
from tests.e2e.app import COMMAND, READY_S


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds since the command was given."""

    tray_s: float
    answer_s: float
    engine_s: float


def measure(bench: Bench) -> list[Figure]:
    with bench.app():
        pass  # the first start makes the home, unpacks the model and warms the disk's cache
    starts = [_start(bench) for _ in range(bench.times(10))]
    return [
        Figure("start", "tray icon shown", "s", tuple(start.tray_s for start in starts), "aim: 0.7"),
        Figure("start", "first answer on the control socket", "s", tuple(start.answer_s for start in starts)),
        Figure("start", "engine ready", "s", tuple(start.engine_s for start in starts)),
    ]


def _start(bench: Bench) -> Start:
    desktop = bench.desktop
    tray = Tray(desktop.environment["DISPLAY"])
    eventually(lambda: not tray.shows_an_icon(), "the tray is empty")
    with ThreadPoolExecutor(1) as thread:
        began = time.monotonic()
        with running(COMMAND, desktop.environment, log=desktop.folder / "app.log"):
            answers = thread.submit(_answers, paths.home(desktop.environment))
            eventually(tray.shows_an_icon, "the app is in the tray", READY_S)
            tray_at = time.monotonic()
            answer_at, engine_at = answers.result()
        tray.close()
    return Start(tray_at - began, answer_at - began, engine_at - began)


def _answers(home: paths.Home) -> tuple[float, float]:
    """Return when the app first answered, and when its engine was ready."""
    end, first_at = time.monotonic() + READY_S, 0.0
    while time.monotonic() < end:
        try:
            for status in control_socket.ask(home.run, {"verb": "status", "follow": True}, READY_S):
                first_at = first_at or time.monotonic()
                if engine_is("ready", status):
                    return first_at, time.monotonic()
        except control_socket.NotRunning:
            time.sleep(POLL_S)
    raise AssertionError("the app did not answer, or its engine did not become ready")


class Tray:
    """The tray as one sees it: other programs' windows inside the panel's."""

    def __init__(self, name: str) -> None:
        self._display = display.Display(name)
        self._panel = eventually(self._panels, "the tray's panel is there")[0]

    def shows_an_icon(self) -> bool:
        with contextlib.suppress(error.BadWindow, error.BadDrawable):  # a window that goes while it is looked at
            return any(
                window.get_wm_class() and window.get_attributes().map_state == X.IsViewable
                for window in _below(self._panel)
            )
        return False

    def close(self) -> None:
        self._display.close()

    def _panels(self) -> list[Window]:
        with contextlib.suppress(error.BadWindow):
            windows = _below(self._display.screen().root)
            return [window for window in windows if window.get_wm_class() == ("panel", "trayer")]
        return []


def _below(window: Window) -> list[Window]:
    with contextlib.suppress(error.BadWindow):
        children = window.query_tree().children
        return [*children, *(deeper for child in children for deeper in _below(child))]
    return []
