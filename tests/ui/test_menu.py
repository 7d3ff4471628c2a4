"""The menu offers what can be done now, and asks for microphones and models only when it is opened."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from lysnrai_desktop.core.engine_messages import INJECTABLE
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.speech import Leg
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.bridge import Bridge, Choice, Choices
from lysnrai_desktop.ui.menu import ChoiceMenu, DictationMenu
from tests.ui.wishing import MICROPHONES, MODELS, WishList


@pytest.fixture
def wishes() -> WishList:
    return WishList()


@pytest.fixture
def bridge(wishes: WishList, qapp: object) -> Bridge:
    assert qapp
    return wishes.bridge()


@pytest.fixture
def menu(bridge: Bridge, qtbot: QtBot) -> DictationMenu:
    made = DictationMenu(bridge)
    qtbot.addWidget(made)
    return made


def entries(menu: ChoiceMenu) -> list[str]:
    return [action.text() for action in menu.actions() if not action.isSeparator()]


def chosen(menu: ChoiceMenu) -> list[str]:
    return [action.text() for action in menu.actions() if action.isChecked()]


def test_the_menu_has_all_that_was_promised(menu: DictationMenu) -> None:
    shown = [action.text() for action in menu.actions() if not action.isSeparator()]

    assert shown == [
        "Start dictation (Ctrl+Alt+Space)",
        "Cancel dictation",
        "Microphone",
        "Model",
        "Speech engine",
        "Interrupted dictations",
        "Copy last text",
        "Share usage data",
        "Open settings file",
        "Quit",
    ]


@pytest.mark.parametrize(
    ("state", "label", "can_cancel"),
    [
        ("idle", "Start dictation", False),
        ("arming", "Stop dictation", True),
        ("recording", "Stop dictation", True),
        ("finishing", "Start dictation", True),
        ("inserting", "Start dictation", False),
    ],
)
def test_start_becomes_stop_and_cancel_is_there_while_possible(
    state: str, label: str, can_cancel: bool, menu: DictationMenu, bridge: Bridge, qtbot: QtBot
) -> None:
    bridge.show(Status(state, 1.0))
    qtbot.waitUntil(lambda: bridge.status.since == 1.0)

    assert menu.toggle.text() == f"{label} (Ctrl+Alt+Space)"
    assert menu.cancel.isEnabled() is can_cancel


def test_a_hotkey_that_is_not_bound_is_not_shown(menu: DictationMenu, bridge: Bridge) -> None:
    bridge.hotkey = ""

    menu.aboutToShow.emit()

    assert menu.toggle.text() == "Start dictation"


@pytest.mark.parametrize("name", ["toggle", "copy_last", "settings_file", "quit"])
def test_each_entry_says_what_the_user_wants(name: str, menu: DictationMenu, wishes: WishList) -> None:
    action: QAction = getattr(menu, name)

    action.trigger()

    assert wishes.wished == [{"toggle": "start", "settings_file": "open_settings"}.get(name, name)]


def test_nothing_is_asked_before_the_submenu_opens(menu: DictationMenu, wishes: WishList) -> None:
    menu.aboutToShow.emit()

    assert wishes.asked == []
    assert entries(menu.microphones) == entries(menu.models) == ["Looking…"]


def test_the_submenu_waits_for_nobody_and_fills_when_the_answer_comes(menu: DictationMenu, wishes: WishList) -> None:
    menu.microphones.aboutToShow.emit()
    assert entries(menu.microphones) == ["Looking…"]

    wishes.asked[0](MICROPHONES)

    assert entries(menu.microphones) == ["System default", "Desk microphone", "Webcam"]
    assert chosen(menu.microphones) == ["Desk microphone"]


def test_the_last_answer_stays_visible_until_the_next_comes(menu: DictationMenu, wishes: WishList) -> None:
    menu.microphones.aboutToShow.emit()
    wishes.asked[0](MICROPHONES)

    menu.microphones.aboutToShow.emit()

    assert entries(menu.microphones) == ["System default", "Desk microphone", "Webcam"]
    assert len(wishes.asked) == 2


def test_choosing_is_exclusive_and_says_the_name_not_the_label(menu: DictationMenu, wishes: WishList) -> None:
    menu.microphones.fill(MICROPHONES)

    menu.microphones.actions()[-1].trigger()

    assert wishes.wished == ["microphone webcam"]
    assert chosen(menu.microphones) == ["Webcam"]


def test_a_choice_that_was_refused_is_shown_as_it_is(menu: DictationMenu) -> None:
    menu.microphones.fill(MICROPHONES)
    menu.microphones.actions()[-1].trigger()

    menu.microphones.fill(MICROPHONES)  # the settings could not be written

    assert chosen(menu.microphones) == ["Desk microphone"]


def test_the_system_default_is_the_empty_name(menu: DictationMenu, wishes: WishList) -> None:
    menu.microphones.fill(Choices((), chosen=""))

    assert chosen(menu.microphones) == ["System default"]
    menu.microphones.actions()[0].trigger()
    assert wishes.wished == ["microphone "]


def test_a_chosen_microphone_that_is_unplugged_stays_visible(menu: DictationMenu) -> None:
    menu.microphones.fill(Choices((Choice("webcam", "Webcam"),), chosen="usb"))

    gone = menu.microphones.actions()[-1]
    assert (gone.text(), gone.isEnabled(), gone.isChecked()) == ("usb (not found)", False, True)


def test_a_model_that_must_be_downloaded_says_so(menu: DictationMenu) -> None:
    menu.models.fill(MODELS)

    assert entries(menu.models) == ["base", "small (download)"]


def test_a_name_with_an_ampersand_is_no_shortcut(menu: DictationMenu) -> None:
    menu.microphones.fill(Choices((Choice("x", "Bang & Olufsen"),), chosen="x"))

    assert entries(menu.microphones)[-1] == "Bang && Olufsen"


def test_no_model_at_all_is_said(menu: DictationMenu) -> None:
    menu.models.first = Choice("", "Any")

    menu.models.fill(Choices((), chosen=""))

    assert entries(menu.models) == ["Any", "None found"]


TAKES = Choices((Choice("one", "2026-11-24 17:20, 3 s"), Choice("two", "2026-11-24 18:00, 1 min 2 s")))


def test_interrupted_dictations_are_asked_for_when_the_menu_opens(menu: DictationMenu, wishes: WishList) -> None:
    menu.takes.aboutToShow.emit()
    assert [action.text() for action in menu.takes.actions()] == ["Looking…"]

    wishes.asked[0](TAKES)

    assert [action.text() for action in menu.takes.actions()] == [take.label for take in TAKES.items]


def test_each_interrupted_dictation_can_be_transcribed_and_deleted(menu: DictationMenu, wishes: WishList) -> None:
    menu.takes.fill(TAKES)
    actions = menu.takes.actions()[1].menu()
    assert isinstance(actions, QMenu)

    for action in actions.actions():
        action.trigger()

    assert [action.text() for action in actions.actions()] == ["Transcribe", "Delete"]
    assert wishes.wished == ["transcribe two", "drop two"]


def test_a_take_that_is_being_transcribed_can_only_be_waited_for(menu: DictationMenu) -> None:
    menu.takes.fill(Choices((Choice("one", "3 s", ready=False),)))

    (entry,) = menu.takes.actions()
    assert (entry.text(), entry.isEnabled()) == ("3 s: being transcribed…", False)


def test_that_there_is_no_interrupted_dictation_is_said(menu: DictationMenu) -> None:
    menu.takes.fill(TAKES)

    menu.takes.fill(Choices(()))

    assert [(action.text(), action.isEnabled()) for action in menu.takes.actions()] == [("None", False)]


def test_what_is_shared_is_marked_only_once_it_was_chosen(menu: DictationMenu, wishes: WishList) -> None:
    def marked() -> list[str]:
        menu.share.aboutToShow.emit()
        return [action.text() for action in menu.share.actions() if action.isChecked()]

    assert [action.text() for action in menu.share.actions()] == ["Everything", "Errors only", "Nothing"]
    assert marked() == []
    wishes.shared = "errors"
    assert marked() == ["Errors only"]
    wishes.shared = "off"
    assert marked() == ["Nothing"]


@pytest.mark.parametrize(("label", "wished"), [("Everything", "all"), ("Errors only", "errors"), ("Nothing", "off")])
def test_what_is_shared_is_chosen_by_a_click_and_stays_marked(
    menu: DictationMenu, wishes: WishList, label: str, wished: str
) -> None:
    (action,) = [action for action in menu.share.actions() if action.text() == label]

    action.trigger()
    action.trigger()

    assert wishes.wished == [f"share {wished}"] * 2
    assert action.isChecked()


def labels(menu: QMenu) -> list[str]:
    return [action.text() for action in menu.actions() if action.isVisible() and not action.isSeparator()]


@pytest.mark.parametrize(
    ("label", "wished"), [("Automatic", "auto"), ("Azure Speech", "azure"), ("This computer", "local")]
)
def test_the_engine_is_chosen_by_a_click(menu: DictationMenu, wishes: WishList, label: str, wished: str) -> None:
    assert labels(menu.engines) == ["Automatic", "Azure Speech", "This computer"]
    (action,) = [action for action in menu.engines.actions() if action.text() == label]

    action.trigger()

    assert wishes.wished == [f"backend {wished}"]
    assert [action.text() for action in menu.engines.actions() if action.isChecked()] == [label]


def test_the_engine_that_was_chosen_elsewhere_is_marked(menu: DictationMenu, wishes: WishList) -> None:
    wishes.backend = "local"

    menu.engines.aboutToShow.emit()

    assert [action.text() for action in menu.engines.actions() if action.isChecked()] == ["This computer"]


def test_who_has_taken_over_and_why_is_said_below(menu: DictationMenu, bridge: Bridge, qtbot: QtBot) -> None:
    bridge.show(Status("recording", 1.0, backend="whisper", backend_reason="azure.mute"))
    qtbot.waitUntil(lambda: bridge.status.since == 1.0)

    assert labels(menu.engines)[-1] == "By this computer: Azure Speech does not answer."
    assert not menu.engines.note.isEnabled()

    bridge.show(Status("recording", 2.0, backend="azure"))
    qtbot.waitUntil(lambda: bridge.status.since == 2.0)

    assert labels(menu.engines)[-1] == "This computer"


def test_who_heard_the_last_dictation_is_said_below_where_an_engine_failed(
    menu: DictationMenu, bridge: Bridge, qtbot: QtBot
) -> None:
    legs = (Leg("azure", 3.0, ""), Leg("whisper", 5.0, "azure.lost"))
    bridge.show(Status("idle", 1.0, legs=legs))
    qtbot.waitUntil(lambda: bridge.status.since == 1.0)

    assert labels(menu.engines)[-1] == (
        "Last dictation: Azure Speech (3 s), then This computer (5 s). " + texts.fault("azure.lost").sentence
    )

    bridge.show(Status("idle", 2.0, legs=legs[:1]))
    qtbot.waitUntil(lambda: bridge.status.since == 2.0)

    assert labels(menu.engines)[-1] == "This computer"


def test_only_testers_can_break_an_engine(menu: DictationMenu) -> None:
    assert texts.BREAK not in labels(menu)


def test_testers_can_break_each_engine_in_every_way_it_can_fail(qtbot: QtBot) -> None:
    wishes = WishList(tester=True)
    menu = DictationMenu(wishes.bridge())
    qtbot.addWidget(menu)

    for submenu in (action.menu() for action in menu.breaks.actions()):
        assert isinstance(submenu, QMenu)
        for action in submenu.actions():
            action.trigger()

    assert sorted(wishes.wished) == sorted(
        [f"break azure {fault}" for fault in INJECTABLE]
        + [f"break whisper {fault}" for fault in ("crash", "mute", "slow", "none")]
    )
    assert set(texts.BREAKS) == set(Backend)
