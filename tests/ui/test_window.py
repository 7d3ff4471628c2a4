"""Where there is no tray, a small window does the same, and closing it ends the app in good order."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QSystemTrayIcon, QToolButton
from pytestqt.qtbot import QtBot

from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.tray import Tray
from lysnrai_desktop.ui.window import Window
from tests.ui.wishing import WishList


class Stage:
    def __init__(self, qtbot: QtBot) -> None:
        self.wishes = WishList()
        self.bridge = self.wishes.bridge()
        self.tray = Tray(self.bridge)
        self.window = Window(self.bridge, self.tray)
        qtbot.addWidget(self.window)

    def show(self, status: Status) -> None:
        self.bridge.show(status)
        QApplication.processEvents()

    def words(self) -> set[str]:
        return {label.text() for label in self.window.findChildren(QLabel) if label.text()}

    def buttons(self) -> dict[str, QToolButton]:
        return {button.text(): button for button in self.window.findChildren(QToolButton)}


@pytest.fixture
def stage(qtbot: QtBot) -> Stage:
    return Stage(qtbot)


@pytest.mark.parametrize("available", [True, False])
def test_it_is_there_only_where_there_is_no_tray(
    available: bool, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: available)

    stage.tray.show()

    assert stage.window.isVisible() is not available


def test_it_goes_when_a_tray_has_come(stage: Stage) -> None:
    stage.tray.show()

    stage.tray.available_changed.emit(True)

    assert not stage.window.isVisible()


def test_it_says_the_state_and_the_hotkey(stage: Stage) -> None:
    assert stage.words() == {"Ready", "Press Ctrl+Alt+Space in any window and speak."}


@pytest.mark.parametrize("code", ["microphone.missing", "bug"])
def test_it_says_what_is_wrong_and_what_to_do(code: str, stage: Stage) -> None:
    stage.show(Status("idle", 0.0, fault=code))

    assert stage.words() == {texts.fault(code).sentence, texts.fault(code).remedy}


@pytest.mark.parametrize("code", texts.FAULTS)
def test_it_has_room_for_every_sentence(code: str, stage: Stage) -> None:
    stage.show(Status("idle", 0.0, fault=code))
    stage.window.show()
    QApplication.processEvents()

    for label in stage.window.findChildren(QLabel):
        if label.text():
            assert label.height() >= label.heightForWidth(label.width())
    stage.window.hide()


def test_its_buttons_do_what_they_say(stage: Stage) -> None:
    stage.buttons()["Start dictation"].click()
    stage.show(Status("recording", 0.0))
    stage.buttons()["Stop dictation"].click()
    stage.buttons()["Cancel dictation"].click()

    assert stage.wishes.wished == ["start", "stop", "cancel"]


def test_closing_it_quits(stage: Stage) -> None:
    stage.window.close()

    assert stage.wishes.wished == ["quit"]


def test_closing_it_brings_a_dictation_to_its_end_first(stage: Stage) -> None:
    stage.window.show()
    stage.show(Status("recording", 0.0))

    stage.window.close()
    assert stage.wishes.wished == ["stop"]
    assert texts.FINISHING_THEN_QUIT in stage.words()
    assert stage.window.isVisible()

    stage.show(Status("finishing", 0.0))
    stage.show(Status("inserting", 0.0))
    assert stage.wishes.wished == ["stop"]
    stage.show(Status("idle", 0.0, outcome="inserted"))
    assert stage.wishes.wished == ["stop", "quit"]


def test_it_never_takes_the_keyboard(stage: Stage) -> None:
    assert stage.window.windowFlags() & Qt.WindowType.WindowDoesNotAcceptFocus
    assert stage.window.testAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
