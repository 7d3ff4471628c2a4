"""The overlay shows what is, leaves when it is over, costs nothing then, and never takes the focus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ui import overlay as overlay_module, texts
from lysnrai_desktop.ui.bridge import Bridge
from lysnrai_desktop.ui.overlay import Overlay
from lysnrai_desktop.ui.theme import DARK, LIGHT
from tests.desktop import editors
from tests.desktop.processes import call, eventually
from tests.desktop.screen import Screen
from tests.ui.conftest import Program
from tests.ui.wishing import WishList


class Stage:
    """An overlay, and the time."""

    def __init__(self, qtbot: QtBot) -> None:
        self.now = 1000.0
        self.look = LIGHT
        self.wanted = True
        self.bridge: Bridge = WishList().bridge()
        self.overlay = Overlay(self.bridge, lambda: self.now, lambda: self.look, lambda: self.wanted)
        qtbot.addWidget(self.overlay)

    def play(self, *states: str, fault: str | None = None, outcome: str | None = None, text: str = "") -> Overlay:
        """Show one status after the other; fault, outcome and text belong to the last."""
        for state in states[:-1]:
            self.bridge.show(Status(state, self.now))
        self.bridge.show(Status(states[-1], self.now, fault, outcome=outcome, text=SpokenText(text)))
        QApplication.processEvents()
        return self.overlay

    def picture(self) -> QImage:
        return self.overlay.grab().toImage()


@pytest.fixture
def stage(qtbot: QtBot) -> Stage:
    return Stage(qtbot)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay_module, "OUTCOME_MS", 0)
    monkeypatch.setattr(overlay_module, "FAULT_MS", 0)


def test_it_is_not_seen_before_the_first_dictation(stage: Stage) -> None:
    overlay = stage.play("idle")

    assert not overlay.isVisible()
    assert not overlay.moving


@pytest.mark.parametrize("state", ["arming", "recording", "finishing", "inserting"])
def test_it_is_seen_while_a_dictation_lasts(state: str, stage: Stage) -> None:
    assert stage.play("arming", state).isVisible()


@pytest.mark.parametrize(
    ("state", "moving"), [("arming", False), ("recording", True), ("finishing", True), ("inserting", False)]
)
def test_it_moves_only_while_something_happens(state: str, moving: bool, stage: Stage) -> None:
    assert stage.play("arming", state).moving is moving


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("outcome", "fault"), [("inserted", None), ("failed", "disk.full"), (None, None)])
def test_it_hides_after_the_outcome_and_nothing_runs_on(
    outcome: str | None, fault: str | None, stage: Stage, qtbot: QtBot
) -> None:
    overlay = stage.play("arming", "recording", "idle", outcome=outcome, fault=fault)

    qtbot.waitUntil(lambda: not overlay.isVisible())

    assert not overlay.moving
    assert not overlay._hiding.isActive()


def test_a_fault_is_shown_longer_than_an_outcome(stage: Stage) -> None:
    inserted = stage.play("arming", "idle", outcome="inserted")._hiding.interval()
    failed = stage.play("arming", "idle", outcome="failed", fault="disk.full")._hiding.interval()

    assert 1000 <= inserted < failed


def test_what_happens_while_idle_does_not_bring_it_back(stage: Stage) -> None:
    overlay = stage.play("arming", "idle", outcome="inserted")
    overlay.hide()

    stage.play("idle", outcome="inserted", fault="hotkey.taken")

    assert not overlay.isVisible()


def test_the_next_dictation_is_not_hidden_by_the_last_ones_end(stage: Stage) -> None:
    overlay = stage.play("arming", "idle", "arming")

    assert overlay.isVisible()
    assert not overlay._hiding.isActive()


@pytest.mark.parametrize("state", ["recording", "finishing"])
def test_who_has_taken_over_and_why_is_said_in_a_line_of_its_own(stage: Stage, state: str) -> None:
    overlay = stage.play("arming", state, text="one two")
    height = overlay.height()

    stage.bridge.show(
        Status(state, stage.now, backend="whisper", backend_reason="azure.mute", text=SpokenText("one two"))
    )
    QApplication.processEvents()

    assert overlay._note == "By this computer: Azure Speech does not answer."
    assert overlay.height() > height
    assert overlay._tail.shown == "one two"


@pytest.mark.parametrize(
    "status",
    [
        Status("recording", 1000.0, backend="azure"),
        Status("recording", 1000.0, "azure.key", backend="whisper", backend_reason="azure.key"),
        Status("idle", 1000.0, outcome="inserted", backend="whisper", backend_reason="azure.mute"),
    ],
    ids=["preferred", "told already", "over"],
)
def test_nothing_is_said_of_the_engine_that_is_known_or_no_news(stage: Stage, status: Status) -> None:
    overlay = stage.play("arming", "recording")

    stage.bridge.show(status)
    QApplication.processEvents()

    assert overlay._note == ""


def test_one_that_is_not_wanted_is_never_seen(stage: Stage) -> None:
    stage.wanted = False

    overlay = stage.play("arming", "recording")
    assert not overlay.isVisible()
    assert not overlay.moving

    stage.wanted = True
    assert not stage.play("finishing").isVisible(), "decided once for each dictation"


def test_arming_does_not_look_like_recording(stage: Stage) -> None:
    stage.play("arming")
    arming = stage.picture()

    stage.play("recording")

    assert stage.picture() != arming


def test_the_meter_follows_the_level_and_the_clock_goes_on(stage: Stage) -> None:
    overlay = stage.play("arming", "recording")
    overlay._next_frame()
    silent = stage.picture()

    stage.bridge.level(0.5)
    overlay._next_frame()
    overlay._next_frame()
    stage.bridge.level(0.5)
    overlay._next_frame()
    loud = stage.picture()
    stage.now += 61
    overlay._next_frame()

    assert loud != silent
    assert overlay._elapsed() == "1:01"


def test_the_time_stands_still_once_recording_has_stopped(stage: Stage) -> None:
    overlay = stage.play("arming", "recording")
    stage.now += 5
    overlay._next_frame()

    stage.play("finishing")
    stage.now += 30
    overlay._next_frame()

    assert overlay._elapsed() == "0:05"


def test_a_new_dictation_begins_at_zero(stage: Stage) -> None:
    overlay = stage.play("arming", "recording")
    stage.now += 5
    overlay._next_frame()

    stage.play("idle", "arming")

    assert overlay._elapsed() == "0:00"


def test_it_grows_upwards_with_the_text(stage: Stage) -> None:
    before = stage.play("arming", "recording").geometry()

    after = stage.play("recording", text="The quick brown fox jumps over the lazy dog. " * 3).geometry()

    assert after.height() > before.height()
    assert (after.bottom(), after.left()) == (before.bottom(), before.left())


def test_it_stands_in_the_middle_of_the_bottom(stage: Stage) -> None:
    overlay = stage.play("arming")

    space = overlay.screen().availableGeometry()
    assert abs(overlay.geometry().center().x() - space.center().x()) <= 1
    assert 0 < space.bottom() - overlay.geometry().bottom() < 100


def test_a_fault_is_said_in_words_in_place_of_the_text(stage: Stage) -> None:
    overlay = stage.play("arming", "recording", text="spoken", fault="engine.died")

    assert overlay._tail.shown == texts.fault("engine.died").sentence


def test_another_microphone_is_named_for_a_while_and_the_first_is_not(
    stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlay_module, "MICROPHONE_MS", 50)
    stage.play("arming")
    for name in ("Headset", "Webcam"):
        stage.bridge.show(Status("recording", stage.now, microphone=name, text=SpokenText("spoken")))
        QApplication.processEvents()
        shown = stage.overlay._tail.shown
        assert shown == ("spoken" if name == "Headset" else texts.MICROPHONE_NOW.format(name=name))

    qtbot.waitUntil(lambda: stage.overlay._tail.shown == "spoken")


def test_a_name_that_was_shown_does_not_bring_the_overlay_back(
    stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlay_module, "MICROPHONE_MS", 50)
    monkeypatch.setattr(overlay_module, "OUTCOME_MS", 0)
    stage.play("arming")
    stage.bridge.show(Status("recording", stage.now, microphone="Headset"))
    stage.bridge.show(Status("recording", stage.now, microphone="Webcam"))
    stage.bridge.show(Status("idle", stage.now, microphone="Webcam", outcome="inserted"))
    QApplication.processEvents()
    qtbot.waitUntil(lambda: not stage.overlay._hiding.isActive())

    qtbot.waitUntil(lambda: not stage.overlay._naming.isActive())

    assert not stage.overlay.isVisible()


def test_light_and_dark_differ_and_a_change_is_followed(stage: Stage) -> None:
    stage.play("arming")
    light = stage.picture()

    stage.look = DARK
    stage.overlay._take_scheme()

    assert stage.picture() != light


def test_neither_keyboard_nor_pointer_can_reach_it(stage: Stage) -> None:
    flags = stage.overlay.windowFlags()

    assert flags & Qt.WindowType.WindowDoesNotAcceptFocus
    assert flags & Qt.WindowType.WindowTransparentForInput
    assert stage.overlay.testAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)


# --- on a real X server, with a window manager


@pytest.fixture
def editor(screen: Screen, home_environment: tuple[Path, dict[str, str]]) -> Iterator[editors.QtEditor]:
    with editors.qt_editor(home_environment[0], screen, "Editor") as made:
        yield made


def lay(screen: Screen, x: int, y: int, width: int, height: int) -> None:
    """Put the editor there."""
    command = f"xdotool search --name ^Editor$ windowsize --sync {width} {height} windowmove {x} {y}"
    call(command.split(), screen.environment)


def click(screen: Screen, place: list[int]) -> None:
    """Press the left button in the middle of a place."""
    left, top, width, height = place
    call(f"xdotool mousemove {left + width // 2} {top + height // 2} click 1".split(), screen.environment)


def test_the_window_in_use_keeps_the_keyboard_all_along(
    program: Program, editor: editors.QtEditor, screen: Screen
) -> None:
    for letter, state in zip("abcde", ("arming", "recording", "finishing", "inserting", "idle"), strict=True):
        assert program.show(state), "it is visible"
        assert screen.focused() == "Editor"
        screen.type(letter)

    assert editors.await_text(editor, lambda text: len(text) == 5) == "abcde"
    assert screen.titles() == ["Editor"], "the window manager does not know of it"


def test_a_click_on_it_reaches_what_lies_below(program: Program, editor: editors.QtEditor, screen: Screen) -> None:
    lay(screen, 0, 100, 1200, 640)
    screen.type("first")
    screen.press("Home")

    click(screen, program.show("recording"))  # below the text: that puts the cursor at its end
    screen.type("x")

    assert editors.await_text(editor, lambda text: "x" in text) == "firstx"


def test_buttons_of_the_window_leave_the_keyboard_where_it_is(
    program: Program, editor: editors.QtEditor, screen: Screen
) -> None:
    lay(screen, 0, 400, 600, 300)
    program.show("window")
    eventually(lambda: "LysnrAI" in screen.titles(), "it is framed, and lies where it will stay")
    screen.focus("Editor")

    click(screen, program.show("window"))

    assert eventually(lambda: program.show("wished")[0], "the button was pressed") == 1
    assert screen.focused() == "Editor"
    screen.type("x")
    assert editors.await_text(editor) == "x"
