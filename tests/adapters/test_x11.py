"""The connection's thread does what it is given, and ends in every case."""

from __future__ import annotations

import threading
import time

import pytest
from Xlib import X
from Xlib.display import Display

from lysnrai_desktop.adapters.x11 import ConnectionLost, XConnection
from lysnrai_desktop.core.faults import HotkeyTaken
from tests.desktop.processes import DEADLINE_S
from tests.desktop.screen import Screen


@pytest.fixture
def lost() -> threading.Event:
    return threading.Event()


@pytest.fixture
def connection(screen: Screen, lost: threading.Event) -> XConnection:
    return XConnection("x", lambda _: None, lost.set, screen.environment["DISPLAY"])


def test_work_is_done_in_order_and_its_results_come_back(connection: XConnection) -> None:
    done: list[int] = []
    for n in range(100):
        connection.post(lambda _, n=n: done.append(n))  # type: ignore[misc]  # mypy does not know defaults of lambdas

    assert connection.call(lambda _: list(done)) == list(range(100))
    connection.close()


def test_a_fault_comes_back_to_the_caller_and_the_thread_goes_on(connection: XConnection) -> None:
    def refuse(_: Display) -> None:
        raise HotkeyTaken

    with pytest.raises(HotkeyTaken):
        connection.call(refuse)

    assert connection.call(lambda _: 1) == 1
    connection.close()


def test_work_that_waits_lets_other_work_be_done(connection: XConnection, lost: threading.Event) -> None:
    go_on = threading.Event()
    ended = threading.Event()

    def wait(_: Display) -> None:
        connection.pump(go_on.is_set, time.monotonic() + DEADLINE_S)
        ended.set()

    connection.post(wait)

    assert connection.call(lambda _: 1) == 1
    assert not ended.is_set()
    go_on.set()
    connection.post(lambda _: None)
    assert ended.wait(DEADLINE_S)
    connection.close()
    assert not lost.is_set()


def test_closing_ends_a_wait_and_does_the_last_work_after_it(connection: XConnection) -> None:
    order: list[str] = []

    def wait(_: Display) -> None:
        order.append("ended" if not connection.pump(deadline=time.monotonic() + DEADLINE_S) else "held")

    connection.post(wait)
    connection.close(last=lambda _: order.append("last"))

    assert order == ["ended", "last"]
    assert not connection.post(lambda _: None)
    with pytest.raises(ConnectionLost):
        connection.call(lambda _: None)
    connection.close()


def test_an_error_about_a_window_that_is_gone_is_no_matter(
    connection: XConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    def touch(display: Display) -> None:
        window = display.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        window.destroy()
        window.map()
        display.sync()

    connection.call(touch)

    assert connection.call(lambda _: 1) == 1
    connection.close()
    assert capsys.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_work_lets_every_waiter_go_and_is_told_as_the_end(
    connection: XConnection, lost: threading.Event
) -> None:
    def blunder(_: Display) -> None:
        raise ZeroDivisionError

    with pytest.raises(ConnectionLost):
        connection.call(blunder)

    assert lost.wait(DEADLINE_S)
    assert not connection.post(lambda _: None)
