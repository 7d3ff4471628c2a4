"""The bridge carries everything to the GUI thread, in order, and lets no flood of levels through."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from lysnrai_desktop.core.dictation import Sound
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.core.takes import TakeRecord
from lysnrai_desktop.ports import Screen
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.menu import DictationMenu
from tests.ui.wishing import MICROPHONES, MODELS, WishList

pytestmark = pytest.mark.usefixtures("qapp")


def on_other_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_bridge_is_a_screen() -> None:
    screen: Screen = WishList().bridge()

    assert screen is not None


def test_statuses_shown_on_another_thread_arrive_on_the_gui_thread_in_order(qtbot: QtBot) -> None:
    bridge = WishList().bridge()
    arrived: list[tuple[float, threading.Thread]] = []
    bridge.status_changed.connect(lambda status: arrived.append((status.since, threading.current_thread())))

    def show(_: int) -> None:
        for at in range(100):
            bridge.show(Status("recording", float(at)))

    on_other_threads(1, show)
    assert arrived == [], "nothing runs on the caller's thread"
    qtbot.waitUntil(lambda: len(arrived) == 100)

    assert arrived == [(float(at), threading.main_thread()) for at in range(100)]
    assert bridge.status.since == 99.0


def test_a_status_shown_on_the_gui_thread_is_queued_too(qtbot: QtBot) -> None:
    bridge = WishList().bridge()

    bridge.show(Status("arming", 1.0))

    assert bridge.status.state == "idle"
    qtbot.waitUntil(lambda: bridge.status.state == "arming")


def test_the_level_is_the_loudest_since_it_was_last_taken() -> None:
    bridge = WishList().bridge()

    for peak in (0.1, 0.7, 0.2):
        bridge.level(peak)

    assert (bridge.take_level(), bridge.take_level()) == (0.7, 0.0)


def test_a_flood_of_levels_from_many_threads_wakes_the_gui_thread_never_and_loses_no_peak(qtbot: QtBot) -> None:
    bridge = WishList().bridge()
    changes: list[object] = []
    bridge.status_changed.connect(changes.append)

    def level(number: int) -> None:
        for place in range(5_000):
            bridge.level(place / 10_000 + number)

    on_other_threads(8, level)
    qtbot.wait(1)

    assert changes == []
    assert bridge.take_level() == 7 + 4_999 / 10_000


def test_the_user_is_told_what_went_wrong_and_what_to_do() -> None:
    wishes = WishList()

    wishes.bridge().tell("disk.full")

    advice = texts.fault("disk.full")
    assert wishes.told == [("disk.full", advice.sentence, advice.remedy)]


def test_cues_are_passed_on() -> None:
    wishes = WishList()

    wishes.bridge().cue(Sound.STOPPED)

    assert wishes.played == [Sound.STOPPED]


def test_answers_given_on_another_thread_reach_the_menu_on_the_gui_thread(qtbot: QtBot) -> None:
    wishes = WishList()
    bridge = wishes.bridge()
    menu = DictationMenu(bridge)
    qtbot.addWidget(menu)
    bridge.list_microphones()
    bridge.list_models()
    microphones, models = wishes.asked

    on_other_threads(1, lambda _: microphones(MICROPHONES))
    on_other_threads(1, lambda _: models(MODELS))

    assert menu.models.actions()[0].text() == texts.LOOKING, "no widget is touched by another thread"
    qtbot.waitUntil(lambda: menu.models.actions()[0].text() == "base")
    assert menu.microphones.actions()[-1].text() == "Webcam"


@pytest.mark.parametrize(
    ("state", "wish"),
    [("idle", "start"), ("arming", "stop"), ("recording", "stop"), ("finishing", "start"), ("inserting", "start")],
)
def test_toggling_starts_or_stops(state: str, wish: str, qtbot: QtBot) -> None:
    wishes = WishList()
    bridge = wishes.bridge()
    bridge.show(Status(state, 1.0))
    qtbot.waitUntil(lambda: bridge.status.since == 1.0)

    bridge.toggle()

    assert wishes.wished == [wish]


def record(take_id: str, seconds: int, outcome: str | None = None) -> TakeRecord:
    return TakeRecord(take_id, 0.0, 8000, seconds * 8000, outcome)


def test_one_take_is_offered_with_its_length_and_a_button() -> None:
    wishes = WishList()

    wishes.bridge().offer([record("one", 192)])

    assert wishes.told == [
        (
            "takes",
            "A dictation of 3 min 12 s was interrupted: transcribe it?",
            "It is in the menu, under Interrupted dictations.",
        )
    ]
    ((label, press),) = wishes.buttons
    press()
    assert (label, wishes.wished) == ("Transcribe", ["transcribe one"])


def test_several_takes_are_offered_together_and_chosen_in_the_menu() -> None:
    wishes = WishList()

    wishes.bridge().offer([record("one", 1), record("two", 2, "failed")])

    assert wishes.told[0][1] == "2 dictations were not finished: transcribe them?"
    assert wishes.buttons == []


def test_the_answer_takes_the_place_of_the_question() -> None:
    wishes = WishList()
    bridge = wishes.bridge()

    bridge.offer([record("one", 1)])
    bridge.recovered(heard=True)
    bridge.recovered(heard=False)

    assert {kind for kind, _, _ in wishes.told} == {"takes"}
    assert "On the clipboard: press Ctrl+V" in wishes.told[1][2]
    assert "Nothing was heard" in wishes.told[2][1]
