"""Hotkeys on a real X server, pressed by real key events."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from Xlib import X, display, error
from Xlib.ext import record
from Xlib.protocol import rq

from lysnrai_desktop.adapters.hotkeys import x11
from lysnrai_desktop.adapters.hotkeys.x11 import ServerClock, X11Hotkeys
from lysnrai_desktop.adapters.x11 import XConnection
from lysnrai_desktop.core.faults import Fault, HotkeyInvalid, HotkeyTaken, HotkeyUnavailable
from lysnrai_desktop.core.hotkey import Edge
from tests.desktop.editors import await_text, terminal
from tests.desktop.processes import DEADLINE_S, eventually
from tests.desktop.screen import Screen

COMBO = "ctrl+alt+space"


class Seen:
    """All that the hotkeys reported, in its order."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Edge | float | Fault] = queue.SimpleQueue()
        self.put = self._queue.put

    def next(self) -> Edge | float | Fault:
        return self._queue.get(timeout=DEADLINE_S)

    def edge(self) -> Edge:
        edge = self.next()
        assert isinstance(edge, Edge)
        return edge

    def nothing(self) -> bool:
        return self._queue.empty()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def hotkeys(screen: Screen, seen: Seen) -> Iterator[X11Hotkeys]:
    made = X11Hotkeys(seen.put, seen.put, seen.put, screen.environment["DISPLAY"])
    yield made
    made.shut_down()


@contextlib.contextmanager
def presses_counted(screen: Screen) -> Iterator[list[int]]:
    """The keycodes of all presses that the server makes, those of a repeating key included."""
    presses: list[int] = []
    control, data = (display.Display(screen.environment["DISPLAY"]) for _ in range(2))
    kinds = {
        "core_requests": (0, 0),
        "core_replies": (0, 0),
        "ext_requests": (0, 0, 0, 0),
        "ext_replies": (0, 0, 0, 0),
        "delivered_events": (0, 0),
        "device_events": (X.KeyPress, X.KeyPress),
        "errors": (0, 0),
        "client_started": False,
        "client_died": False,
    }
    context = data.record_create_context(0, [record.AllClients], [kinds])
    started = threading.Event()

    def note(reply: rq.DictWrapper) -> None:
        started.set()
        rest = reply.data
        while reply.category == record.FromServer and rest:
            event, rest = rq.EventField("event").parse_binary_value(rest, data.display, None, None)
            presses.append(event.detail)

    recorder = threading.Thread(target=data.record_enable_context, args=(context, note))
    recorder.start()
    assert started.wait(DEADLINE_S)
    try:
        yield presses
    finally:
        control.record_disable_context(context)
        control.flush()
        recorder.join()
        control.close()
        data.close()


def test_not_one_byte_of_the_combination_reaches_the_terminal(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen, tmp_path: Path
) -> None:
    with terminal(tmp_path, screen) as target:
        hotkeys.bind(COMBO)
        for _ in range(5):
            screen.press(COMBO)
        hotkeys.watch_cancel(True)
        hotkeys.bind(COMBO)  # after which the watch stands, too
        screen.press("esc")
        screen.type("x")

        assert await_text(target) == "x"
    assert [seen.edge().down for _ in range(10)] == [True, False] * 5
    assert isinstance(seen.next(), float)


def test_esc_is_the_users_again_when_it_is_not_watched(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen, tmp_path: Path
) -> None:
    with terminal(tmp_path, screen) as target:
        hotkeys.watch_cancel(True)
        hotkeys.watch_cancel(False)
        hotkeys.bind(COMBO)

        screen.press("esc")

        assert await_text(target) == "\x1b"
    assert seen.nothing()


def test_a_key_held_while_it_repeats_gives_one_press_and_one_release(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen
) -> None:
    hotkeys.bind("F9")

    with presses_counted(screen) as presses:
        screen.key_down("F9")
        eventually(lambda: len(presses) > 20, "the key repeats")
        screen.key_up("F9")

    down, up = seen.edge(), seen.edge()
    assert (down.down, up.down) == (True, False)
    assert up.at - down.at > 1.0
    assert seen.nothing()


def test_esc_held_while_it_repeats_cancels_once(screen: Screen, hotkeys: X11Hotkeys, seen: Seen) -> None:
    hotkeys.watch_cancel(True)
    hotkeys.bind(COMBO)

    with presses_counted(screen) as presses:
        screen.key_down("esc")
        eventually(lambda: len(presses) > 3, "the key repeats")
        screen.key_up("esc")
        screen.press(COMBO)

    assert isinstance(seen.next(), float)
    assert seen.edge().down


def test_an_edge_is_dated_when_the_key_moved(screen: Screen, hotkeys: X11Hotkeys, seen: Seen) -> None:
    hotkeys.bind(COMBO)
    screen.press(COMBO)
    seen.edge(), seen.edge()

    before = time.monotonic()
    screen.key_down(COMBO)
    after = time.monotonic()
    screen.key_up(COMBO)

    assert before - 0.002 <= seen.edge().at <= after + 0.002  # stamps are whole milliseconds


@pytest.mark.usefixtures("own_screen")
@pytest.mark.parametrize("locks", [("Caps_Lock",), ("Num_Lock",), ("Caps_Lock", "Num_Lock")])
def test_lock_keys_make_no_difference(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen, locks: tuple[str, ...], tmp_path: Path
) -> None:
    with terminal(tmp_path, screen) as target:
        hotkeys.watch_cancel(True)
        hotkeys.bind(COMBO)  # after which the watch stands, too
        for lock in locks:
            screen.press(lock)

        screen.press(COMBO)
        screen.press("esc")
        screen.press("1")

        assert await_text(target) == "1"
    assert (seen.edge().down, seen.edge().down) == (True, False)
    assert isinstance(seen.next(), float)


def test_the_release_counts_though_the_modifiers_were_let_go_first(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen
) -> None:
    hotkeys.bind(COMBO)

    screen.key_down(COMBO)
    screen.key_up("ctrl+alt")
    assert seen.edge().down
    assert seen.nothing()
    screen.key_up("space")

    assert not seen.edge().down


@pytest.mark.parametrize("held", [COMBO, "ctrl+alt", "ctrl"])  # Alt+Esc is the window manager's
def test_esc_cancels_while_keys_of_the_hotkey_are_still_held(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen, held: str
) -> None:
    hotkeys.watch_cancel(True)
    hotkeys.bind(COMBO)

    screen.key_down(held)
    if held == COMBO:
        assert seen.edge().down
    screen.press("esc")

    assert isinstance(seen.next(), float)
    screen.key_up(held)


def test_a_key_pressed_before_its_modifiers_is_no_hotkey(screen: Screen, hotkeys: X11Hotkeys, seen: Seen) -> None:
    hotkeys.bind(COMBO)

    screen.key_down("space")
    screen.press("ctrl+alt")
    screen.key_up("space")
    screen.press("shift+" + COMBO)  # another combination
    screen.press(COMBO)

    assert (seen.edge().down, seen.edge().down) == (True, False)
    assert seen.nothing()


@pytest.mark.usefixtures("own_screen")
def test_the_hotkey_follows_its_symbol_to_another_layout(screen: Screen, hotkeys: X11Hotkeys, seen: Seen) -> None:
    hotkeys.bind("ctrl+alt+y")
    screen.lay_out("de")

    with Screen(screen.environment) as german:  # knows the present layout
        eventually(lambda: german.press("ctrl+alt+y") and not seen.nothing(), "the hotkey is where y is now")

    assert seen.edge().down


@pytest.mark.usefixtures("own_screen")
def test_the_hotkey_stays_on_its_key_when_the_layout_lacks_the_symbol(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen
) -> None:
    hotkeys.bind("ctrl+alt+y")
    screen.lay_out("gr")

    screen.press("ctrl+alt+y")  # the key that gave y

    assert (seen.edge().down, seen.edge().down) == (True, False)


@pytest.mark.usefixtures("own_screen")
def test_a_release_counts_though_the_layout_was_switched_while_the_key_was_down(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen
) -> None:
    hotkeys.bind("ctrl+alt+y")
    screen.key_down("ctrl+alt+y")
    screen.lay_out("de")
    assert seen.edge().down
    hotkeys.bind("ctrl+alt+y")

    screen.key_up("ctrl+alt+y")

    assert not seen.edge().down


@pytest.mark.usefixtures("own_screen")
def test_the_hotkey_stays_on_its_key_if_so_set(screen: Screen, seen: Seen) -> None:
    hotkeys = X11Hotkeys(seen.put, seen.put, seen.put, screen.environment["DISPLAY"], follows_symbols=lambda: False)
    with contextlib.ExitStack() as stack:
        stack.callback(hotkeys.shut_down)
        hotkeys.bind("ctrl+alt+y")
        change_layout(screen, hotkeys, "de")

        screen.press("ctrl+alt+y")  # the key that gave y

        assert (seen.edge().down, seen.edge().down) == (True, False)


@pytest.mark.usefixtures("own_screen")
def test_two_hotkeys_change_places_with_the_layout(screen: Screen, hotkeys: X11Hotkeys, seen: Seen) -> None:
    hotkeys.bind("ctrl+alt+y")
    hotkeys.bind("ctrl+alt+z", "hold")
    change_layout(screen, hotkeys, "de")

    with Screen(screen.environment) as german:
        german.press("ctrl+alt+y")
        german.press("ctrl+alt+z")

    assert [seen.edge().hotkey for _ in range(4)] == ["combo", "combo", "hold", "hold"]


# --- a modifier alone


def test_a_modifier_pressed_alone_is_a_hotkey_with_both_edges(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen, tmp_path: Path
) -> None:
    with terminal(tmp_path, screen) as target:
        hotkeys.bind("right_ctrl")

        before = time.monotonic()
        screen.key_down("Control_R")
        down = seen.edge()
        screen.key_up("Control_R")
        up = seen.edge()
        screen.type("x")

        assert (down.down, up.down, up.alone) == (True, False, True)
        assert before - 0.002 <= down.at < up.at
        assert await_text(target) == "x"
    assert seen.nothing()


def test_a_modifier_goes_on_modifying(screen: Screen, hotkeys: X11Hotkeys, seen: Seen, tmp_path: Path) -> None:
    with terminal(tmp_path, screen) as target:
        hotkeys.bind("right_ctrl")

        screen.press("Control_R+c")
        screen.press("Control_R+d")

        assert await_text(target, lambda text: len(text) == 2) == "\x03\x04"
        hotkeys.release()
    assert seen.nothing()


def test_a_tap_of_a_modifier_counts(screen: Screen, hotkeys: X11Hotkeys, seen: Seen) -> None:
    hotkeys.bind("right_shift", "hold")

    screen.press("Shift_R")

    assert [(edge.down, edge.hotkey) for edge in (seen.edge(), seen.edge())] == [(True, "hold"), (False, "hold")]


def test_a_combination_made_slowly_takes_the_press_of_a_modifier_back(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen
) -> None:
    hotkeys.bind("right_ctrl")

    screen.key_down("Control_R")
    assert seen.edge().down
    screen.press("c")
    screen.key_up("Control_R")

    assert not seen.edge().alone
    hotkeys.release()
    assert seen.nothing()


def test_a_modifier_is_seen_alone_though_another_program_has_the_keyboard(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen
) -> None:
    hotkeys.bind("right_ctrl")
    other = display.Display(screen.environment["DISPLAY"])
    assert other.screen().root.grab_keyboard(False, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime) == X.GrabSuccess

    screen.press("Control_R")

    assert (seen.edge().down, seen.edge().down) == (True, False)
    other.close()


# --- the mouse


def test_a_button_of_the_mouse_is_a_hotkey_that_the_window_does_not_see(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen
) -> None:
    other = display.Display(screen.environment["DISPLAY"])
    window = other.screen().root.create_window(0, 0, 400, 400, 0, X.CopyFromParent, event_mask=X.ButtonPressMask)
    window.change_attributes(override_redirect=True)
    window.map()
    other.sync()
    hotkeys.bind("button8")

    screen.click(50, 50, button=8)
    screen.click(50, 50, button=9)

    assert (seen.edge().down, seen.edge().down) == (True, False)
    assert other.next_event().detail == 9
    other.close()


def test_a_button_that_the_mouse_lacks_is_refused(hotkeys: X11Hotkeys) -> None:
    with pytest.raises(HotkeyInvalid):
        hotkeys.bind("button15")


@pytest.mark.usefixtures("own_screen")
def test_a_combination_that_another_program_takes_during_a_change_of_layout_is_told(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen
) -> None:
    hotkeys.bind("ctrl+alt+y")
    other = display.Display(screen.environment["DISPLAY"])
    z_now, everything = other.keysym_to_keycode(ord("z")), error.CatchError()
    other.screen().root.grab_key(
        z_now, X.ControlMask | X.Mod1Mask, False, X.GrabModeAsync, X.GrabModeAsync, onerror=everything
    )
    other.sync()

    screen.lay_out("de")  # y is where z was

    assert isinstance(seen.next(), HotkeyTaken)
    other.close()


@pytest.mark.usefixtures("own_screen")
def test_a_dying_server_is_told_and_ends_the_thread(screen: Screen, seen: Seen) -> None:
    threads = set(threading.enumerate())
    hotkeys = X11Hotkeys(seen.put, seen.put, seen.put, screen.environment["DISPLAY"])
    hotkeys.bind(COMBO)
    thread = (set(threading.enumerate()) - threads).pop()

    os.kill(server_of(screen), signal.SIGKILL)

    assert isinstance(seen.next(), HotkeyUnavailable)
    with pytest.raises(HotkeyUnavailable):
        hotkeys.bind("F9")
    hotkeys.watch_cancel(True)
    hotkeys.shut_down()
    assert not thread.is_alive()


def test_hotkeys_come_back_after_a_disconnection(
    screen: Screen, hotkeys: X11Hotkeys, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x11, "AGAIN_S", (0.0,))
    hotkeys.bind(COMBO)
    hotkeys.bind("F8", "hold")
    screen.key_down("F8")
    assert seen.edge().down

    hotkeys._x.display.display.socket.shutdown(socket.SHUT_RDWR)

    assert isinstance(seen.next(), HotkeyUnavailable)
    assert not seen.edge().down  # for it will never be told otherwise
    screen.key_up("F8")
    eventually(lambda: screen.press(COMBO) and not seen.nothing(), "the hotkey is back")
    assert seen.edge().hotkey == "combo"


def test_shutting_down_while_it_connects_again_leaves_no_connection(
    screen: Screen, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    hotkeys = X11Hotkeys(seen.put, seen.put, seen.put, screen.environment["DISPLAY"])
    hotkeys.bind(COMBO)
    connecting, goes_on = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> XConnection:
        connecting.set()
        assert goes_on.wait(DEADLINE_S)
        return XConnection(*arguments)

    monkeypatch.setattr(x11, "AGAIN_S", (0.0,))
    monkeypatch.setattr(x11, "XConnection", slowly)
    hotkeys._x.display.display.socket.shutdown(socket.SHUT_RDWR)
    assert connecting.wait(DEADLINE_S)
    end = threading.Thread(target=hotkeys.shut_down)
    end.start()
    eventually(hotkeys._closing.is_set, "it is told to end")

    goes_on.set()

    end.join(DEADLINE_S)
    eventually(lambda: not [each for each in threading.enumerate() if each.name == "hotkeys"], "all threads have ended")
    assert isinstance(seen.next(), HotkeyUnavailable)
    assert seen.nothing()


def test_shutting_down_gives_the_combination_back(screen: Screen, hotkeys: X11Hotkeys, seen: Seen) -> None:
    hotkeys.bind(COMBO)

    hotkeys.shut_down()

    with contextlib.closing(display.Display(screen.environment["DISPLAY"])) as other:
        refused = error.CatchError()
        other.screen().root.grab_key(
            65, X.ControlMask | X.Mod1Mask, False, X.GrabModeAsync, X.GrabModeAsync, onerror=refused
        )
        other.sync()
        assert not refused.get_error()
    assert seen.nothing()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # python-xlib's, of the attempts that failed
@pytest.mark.parametrize("name", [None, ":230", "nonsense"])
def test_without_a_server_there_are_no_hotkeys(name: str | None, seen: Seen) -> None:
    with pytest.raises(HotkeyUnavailable):
        X11Hotkeys(seen.put, seen.put, seen.put, name)


@given(
    st.integers(0, 2**32 - 1), st.floats(0, 1e7), st.lists(st.tuples(st.floats(0, 900), st.floats(0, 1)), min_size=1)
)
def test_stamps_become_times_at_most_as_wrong_as_the_quickest_event_was_late(
    first_ms: int, first_s: float, gaps: list[tuple[float, float]]
) -> None:
    clock, happened, latenesses = ServerClock(), first_s, list[float]()
    for gap_s, late_s in gaps:
        happened += gap_s
        latenesses.append(late_s)
        stamp = first_ms + round((happened - first_s) * 1000)
        if stamp >= 2**32:
            return  # learned anew

        dated = clock.at(stamp, happened + late_s)

        assert -0.002 <= dated - happened <= min(latenesses) + 0.002


def test_a_clock_that_began_anew_is_learned_again() -> None:
    clock = ServerClock()
    clock.at(2**32 - 1, 100.0)

    assert clock.at(999, 101.0) == pytest.approx(101.0)


def change_layout(screen: Screen, hotkeys: X11Hotkeys, layout: str) -> None:
    """Return when the hotkeys have seen it: the first question brings the news along, the second comes behind it."""
    screen.lay_out(layout)
    for _ in range(2):
        hotkeys.free([])


def server_of(screen: Screen) -> int:
    """The server's process, as the kernel knows it from the other end of the socket."""
    credentials = screen._display.display.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", credentials)[0])
