"""The virtual desktop behaves like one that a person sits before, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection

from tests import speech
from tests.desktop.editors import await_text
from tests.desktop.machine import VirtualDesktop, virtual_desktop
from tests.desktop.processes import eventually, running
from tests.desktop.sound import PulseServer


def test_keys_reach_the_focused_window_only(desktop: VirtualDesktop) -> None:
    with desktop.terminal() as terminal, desktop.qt_editor() as editor:
        desktop.screen.type("Hello 1")
        await_text(editor, "Hello 1".__eq__)

        desktop.screen.focus(terminal.title)
        desktop.screen.type("Bye")
        await_text(terminal, "Bye".__eq__)

        assert editor.text() == "Hello 1"
        assert "Shift+H" in editor.pressed()
        assert editor.changed_at() <= terminal.changed_at()


def test_what_was_copied_can_be_pasted_as_text_or_picture(desktop: VirtualDesktop) -> None:
    with desktop.qt_editor() as editor:
        with desktop.screen.copied("früher 😀"):
            desktop.screen.press("ctrl+v")
            await_text(editor, "früher 😀".__eq__)
        with desktop.screen.copied(b"not really a picture", "image/png"):
            assert desktop.screen.clipboard("image/png") == "not really a picture"
            assert desktop.screen.clipboard("TARGETS").split() == ["TARGETS", "image/png"]


def test_a_notification_is_recorded_as_it_was_sent(desktop: VirtualDesktop) -> None:
    service = DBusAddress(
        "/org/freedesktop/Notifications", "org.freedesktop.Notifications", "org.freedesktop.Notifications"
    )
    notification: tuple[object, ...] = ("app", 0, "", "It's", "two\nlines", [], {}, -1)
    with open_dbus_connection(desktop.environment["DBUS_SESSION_BUS_ADDRESS"]) as bus:
        bus.send_and_get_reply(new_method_call(service, "Notify", "susssasa{sv}i", notification))

    shown = eventually(desktop.notifications.shown, "a notification is shown")
    assert (shown[0].app, shown[0].summary, shown[0].body) == ("app", "It's", "two\nlines")


def test_a_picture_shows_the_whole_screen(desktop: VirtualDesktop, tmp_path: Path) -> None:
    desktop.screen.screenshot(tmp_path / "screen.png")

    assert (tmp_path / "screen.png").read_bytes()[16:24] == (1280).to_bytes(4, "big") + (800).to_bytes(4, "big")


def test_the_microphone_hears_a_recording_whole_and_unchanged(
    sound: PulseServer, recording: Callable[[speech.Clip], Path], tmp_path: Path
) -> None:
    clip = recording(speech.prompt("vm-goodbye"))
    heard = tmp_path / "heard.wav"
    command = ("parecord", "--latency-msec=200", "--rate=48000", "--channels=1", "--file-format=wav", heard)
    with running(command, sound.environment):
        eventually(lambda: heard.exists() and heard.stat().st_size > 20_000, "recording began")
        sound.speak(clip)
        size = heard.stat().st_size
        eventually(lambda: heard.stat().st_size > size + 20_000, "the end has arrived")

    spoken, take = speech.samples(clip, 48_000), speech.samples(heard, 48_000)
    lag = int(np.argmax(np.correlate(take[::6], spoken[::6], "valid"))) * 6
    best = max(np.corrcoef(take[at : at + len(spoken)], spoken)[0, 1] for at in range(lag - 8, lag + 9) if at >= 0)
    assert best > 0.98


def test_the_room_is_quiet_but_not_digitally_silent(sound: PulseServer, tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    with running(("parecord", "--rate=48000", "--channels=1", "--file-format=wav", heard), sound.environment):
        eventually(lambda: heard.exists() and heard.stat().st_size > 96_000, "recording began")

    with wave.open(str(heard)) as recording:
        assert recording.getnframes() > 0
    level_db = 20 * np.log10(np.sqrt(np.mean(speech.samples(heard)[-8000:] ** 2)))
    assert -75 < level_db < -60


def test_a_second_microphone_comes_and_goes(sound: PulseServer) -> None:
    module = sound.add_microphone("headset", "Headset")
    assert "headset" in sound.control("list", "short", "sources")

    sound.unplug(module)
    assert "headset" not in sound.control("list", "short", "sources")


def test_two_desktops_stand_side_by_side_and_leave_nothing(desktop: VirtualDesktop) -> None:
    with (  # noqa: PT012 (that it leaves nothing after an exception in the middle of it is the point)
        pytest.raises(ZeroDivisionError),
        virtual_desktop() as second,
        second.qt_editor() as editor,
    ):
        folder = second.folder
        assert second.screen.environment["DISPLAY"] != desktop.screen.environment["DISPLAY"]
        desktop.screen.press("a")
        second.screen.press("b")
        await_text(editor, "b".__eq__)
        raise ZeroDivisionError

    assert not folder.exists()
    with subprocess.Popen(["ps", "-eo", "args"], stdout=subprocess.PIPE, text=True) as listing:
        assert listing.stdout
        assert str(folder) not in listing.stdout.read()
