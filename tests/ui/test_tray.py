"""The tray tells the state by picture and word, and a click dictates."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QSystemTrayIcon
from pytestqt.qtbot import QtBot

from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ui.tray import Tray, icon_name, tooltip
from tests.ui.wishing import WishList

HOTKEY = "ctrl+alt+space"


@pytest.mark.parametrize(
    ("status", "icon", "words"),
    [
        (Status("idle", 0.0), "idle", "LysnrAI: Ready (Ctrl+Alt+Space)"),
        (Status("arming", 0.0), "arming", "LysnrAI: Starting the microphone…"),
        (Status("recording", 0.0), "recording", "LysnrAI: Listening"),
        (Status("finishing", 0.0), "finishing", "LysnrAI: Finishing…"),
        (Status("finishing", 0.0, engine="whisper:starting"), "finishing", "LysnrAI: Loading the model…"),
        (Status("inserting", 0.0), "inserting", "LysnrAI: Inserting…"),
        (Status("idle", 0.0, fault="disk.full"), "fault", "LysnrAI: The disk is full."),
        (Status("recording", 0.0, fault="disk.full"), "recording", "LysnrAI: Listening The disk is full."),
    ],
)
def test_icon_and_tooltip_tell_the_state(status: Status, icon: str, words: str) -> None:
    assert (icon_name(status), tooltip(status, HOTKEY)) == (icon, words)


def test_a_new_status_changes_icon_and_tooltip(qtbot: QtBot) -> None:
    bridge = WishList().bridge()
    tray = Tray(bridge)
    before = tray.icon.icon().cacheKey()

    with qtbot.waitSignal(bridge.status_changed):
        bridge.show(Status("recording", 0.0))

    assert tray.icon.icon().cacheKey() != before
    assert tray.icon.toolTip() == "LysnrAI: Listening"


@pytest.mark.usefixtures("qapp")
def test_a_hotkey_that_was_bound_later_is_shown_at_once() -> None:
    bridge = WishList().bridge(hotkey="")
    tray = Tray(bridge)

    bridge.hotkey = "f9"

    assert tray.icon.toolTip() == "LysnrAI: Ready (F9)"
    assert tray.menu.toggle.text() == "Start dictation (F9)"


@pytest.mark.parametrize(
    ("reason", "wished"),
    [
        (QSystemTrayIcon.ActivationReason.Trigger, ["start"]),
        (QSystemTrayIcon.ActivationReason.Context, []),
        (QSystemTrayIcon.ActivationReason.DoubleClick, []),
    ],
)
@pytest.mark.usefixtures("qapp")
def test_only_a_left_click_dictates(reason: QSystemTrayIcon.ActivationReason, wished: list[str]) -> None:
    wishes = WishList()
    tray = Tray(wishes.bridge())

    tray.icon.activated.emit(reason)

    assert wishes.wished == wished


def test_a_tray_that_comes_later_is_noticed_and_then_nothing_runs(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [False]
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: there[0])
    monkeypatch.setattr("lysnrai_desktop.ui.tray.LOOK_AGAIN_MS", 1)
    tray = Tray(WishList().bridge())
    tray.show()
    early, before = tray.icon, (tray.available, tray.looking)

    with qtbot.waitSignal(tray.available_changed):
        there[0] = True

    assert before == (False, True)
    assert (tray.available, tray.looking) == (True, False)
    assert tray.icon is not early, "one made without a tray would never reach it"
    assert tray.icon.isVisible()
    tray.icon.hide()


@pytest.mark.usefixtures("qapp")
def test_what_the_desktop_could_not_notify_the_tray_says(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda _, summary, body, __: said.append((summary, body)))
    bridge = WishList().bridge()
    tray = Tray(bridge)  # kept: without it nobody listens

    bridge.not_notified("The disk is full.", "Free some space.")

    assert said == [("The disk is full.", "Free some space.")]
    tray.deleteLater()
