"""An X server that is killed and started again: noticed, told, and used again by all that lived on it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.hotkeys import x11 as hotkeys_x11
from lysnrai_desktop.adapters.hotkeys.x11 import X11Hotkeys
from lysnrai_desktop.core.faults import Fault, HotkeyUnavailable, InsertUnavailable
from lysnrai_desktop.core.hotkey import Edge
from tests.adapters.insertion.bench import INSERTED, Bench
from tests.desktop.editors import await_text, qt_editor
from tests.desktop.processes import DEADLINE_S, eventually
from tests.desktop.screen import Screen, window_manager, x_server

NUMBER = 1000 + os.getpid() % 30_000
"""Of the display; no other test takes it in between."""

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of attempts that failed


@contextlib.contextmanager
def server(folder: Path, environment: dict[str, str]) -> Iterator[Screen]:
    with x_server(folder, environment, number=NUMBER) as screen, window_manager(folder, screen):
        yield screen


def kill(screen: Screen) -> None:
    """Kill the server's process, as the kernel knows it from the other end of the socket."""
    credentials = screen._display.display.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    os.kill(struct.unpack("3i", credentials)[0], signal.SIGKILL)


def test_hotkeys_are_told_to_be_lost_and_come_back_by_themselves(
    home_environment: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotkeys_x11, "AGAIN_S", (0.05,) * 600)
    seen: queue.SimpleQueue[Edge | float | Fault] = queue.SimpleQueue()
    with server(*home_environment) as screen:
        hotkeys = X11Hotkeys(seen.put, seen.put, seen.put, screen.environment["DISPLAY"])
        hotkeys.bind("ctrl+alt+space")
        kill(screen)
        assert isinstance(seen.get(timeout=DEADLINE_S), HotkeyUnavailable)

    with server(*home_environment) as again:
        eventually(lambda: again.press("ctrl+alt+space") and not seen.empty(), "the hotkey is back")

        edge = seen.get(timeout=DEADLINE_S)
        hotkeys.shut_down()
    assert isinstance(edge, Edge) and edge.down


def test_insertion_is_told_to_be_impossible_and_comes_back_with_the_next_dictation(
    home_environment: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    with server(*home_environment) as screen:
        bench = Bench(screen)
        kill(screen)
        eventually(lambda: not bench.inserter._x._thread.is_alive(), "the connection is gone")
        assert isinstance(bench.insert("one"), InsertUnavailable)
        assert bench.inserter.capture() is None

    with server(*home_environment) as again, qt_editor(tmp_path, again) as editor:
        target = bench.inserter.capture()

        assert bench.insert("two", target) == INSERTED
        assert await_text(editor) == "two"
        bench.inserter.shut_down()
