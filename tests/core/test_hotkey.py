"""Key edges become wishes: hold, toggle and hybrid, whatever the keyboard and the server do in between."""

from __future__ import annotations

from hypothesis import given, strategies as st

from lysnrai_desktop.core.dictation import Cancel, Start, Stop
from lysnrai_desktop.core.hotkey import GRACE_S, Deed, Edge, Hotkey, Key, Mode, Wishes, hotkeys, press, tick
from lysnrai_desktop.core.settings import HotkeySettings

HOLD_S = 0.4


def wishes_of(*edges: Edge, mode: Mode, dictating: bool = False) -> list[Start | Stop | Cancel]:
    """Feed edges, confirming releases when their grace is over, as the loop does; the machine obeys every wish."""
    key, wishes = Key(), list[Start | Stop | Cancel]()

    def obey(new: Wishes) -> None:
        nonlocal dictating
        for wish in new:
            dictating = isinstance(wish, Start)
            wishes.append(wish)

    for edge in edges:
        if key.deadline is not None and key.deadline <= edge.at:
            key, new = tick(key, key.deadline, mode, HOLD_S)
            obey(new)
        key, new = press(key, edge, mode, HOLD_S, dictating)
        obey(new)
    if key.deadline is not None:
        key, new = tick(key, key.deadline, mode, HOLD_S)
        obey(new)
    return wishes


def held(start: float, end: float) -> tuple[Edge, Edge]:
    return Edge(True, start), Edge(False, end)


def test_hold_records_while_the_key_is_down() -> None:
    assert wishes_of(*held(1.0, 1.2), mode=Mode.HOLD) == [Start(1.0), Stop(1.2)]


def test_toggle_stops_at_the_second_press_and_not_at_its_release() -> None:
    assert wishes_of(*held(1.0, 3.0), *held(5.0, 5.1), mode=Mode.TOGGLE) == [Start(1.0), Stop(5.0)]


def test_a_short_press_in_hybrid_mode_lets_it_run_until_the_next() -> None:
    assert wishes_of(*held(1.0, 1.39), *held(5.0, 6.0), mode=Mode.HYBRID) == [Start(1.0), Stop(5.0)]


def test_a_press_of_hold_s_in_hybrid_mode_is_a_hold() -> None:
    assert wishes_of(*held(1.0, 1.41), mode=Mode.HYBRID) == [Start(1.0), Stop(1.41)]


def test_a_dictation_started_elsewhere_is_stopped_by_the_press() -> None:
    assert wishes_of(*held(1.0, 3.0), mode=Mode.HYBRID, dictating=True) == [Stop(1.0)]


def test_auto_repeat_in_pairs_of_equal_time_is_one_long_press() -> None:
    repeats = [Edge(down, 1.66 + n * 0.04) for n in range(50) for down in (False, True)]

    assert wishes_of(Edge(True, 1.0), *repeats, Edge(False, 4.0), mode=Mode.HOLD) == [Start(1.0), Stop(4.0)]


def test_auto_repeat_without_releases_is_one_long_press() -> None:
    repeats = [Edge(True, 1.66 + n * 0.04) for n in range(50)]

    assert wishes_of(Edge(True, 1.0), *repeats, Edge(False, 4.0), mode=Mode.HYBRID) == [Start(1.0), Stop(4.0)]


def test_a_bouncing_switch_is_one_press() -> None:
    bounce = [Edge(False, 1.002), Edge(True, 1.004), Edge(False, 1.005), Edge(True, 1.007)]

    assert wishes_of(Edge(True, 1.0), *bounce, Edge(False, 2.0), mode=Mode.HOLD) == [Start(1.0), Stop(2.0)]


def test_a_release_is_dated_when_it_happened_not_when_it_was_believed() -> None:
    key, _ = press(Key(), Edge(True, 1.0), Mode.HOLD, HOLD_S, dictating=False)
    key, at_once = press(key, Edge(False, 2.0), Mode.HOLD, HOLD_S, dictating=True)

    assert at_once == ()
    assert key.deadline == 2.0 + GRACE_S
    assert tick(key, 2.0 + GRACE_S / 2, Mode.HOLD, HOLD_S) == (key, ())
    assert tick(key, 2.5, Mode.HOLD, HOLD_S) == (Key(), (Stop(2.0),))


def test_a_press_that_overtakes_the_confirmation_still_counts_both() -> None:
    key = Key(down_at=1.0, up_at=2.0, began=True)

    key, wishes = press(key, Edge(True, 2.1), Mode.HOLD, HOLD_S, dictating=True)

    assert wishes == (Stop(2.0), Start(2.1))
    assert key == Key(down_at=2.1, began=True)


def test_a_release_nobody_pressed_means_nothing() -> None:
    assert press(Key(), Edge(False, 1.0), Mode.HOLD, HOLD_S, dictating=True) == (Key(), ())


def test_a_press_that_was_meant_for_something_else_takes_back_what_it_began() -> None:
    chord = Edge(True, 1.0), Edge(False, 1.3, alone=False)

    assert wishes_of(*chord, mode=Mode.HOLD) == [Start(1.0), Cancel(1.3)]
    assert wishes_of(*chord, mode=Mode.TOGGLE) == [Start(1.0), Cancel(1.3)]


def test_a_press_that_stopped_a_dictation_never_cancels_it() -> None:
    chord = Edge(True, 1.0), Edge(False, 1.3, alone=False)

    assert wishes_of(*chord, mode=Mode.TOGGLE, dictating=True) == [Stop(1.0)]


def test_every_hotkey_that_is_set_has_its_name_and_its_deed() -> None:
    assert hotkeys(HotkeySettings()) == {"combo": Hotkey("ctrl+alt+space", mode=Mode.HYBRID)}
    assert hotkeys(
        HotkeySettings(
            combo="f9", mode="hold", toggle="f8", cancel="f7", undo="f6", paste_last="f5", languages={"de": "f4"}
        )
    ) == {
        "combo": Hotkey("f9", mode=Mode.HOLD),
        "toggle": Hotkey("f8", mode=Mode.TOGGLE),
        "cancel": Hotkey("f7", Deed.CANCEL),
        "undo": Hotkey("f6", Deed.UNDO),
        "paste_last": Hotkey("f5", Deed.PASTE_LAST),
        "languages.de": Hotkey("f4", mode=Mode.HOLD, language="de"),
    }


@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 2.0)), max_size=60), st.sampled_from(Mode))
def test_wishes_alternate_and_follow_the_clock(steps: list[tuple[bool, float]], mode: Mode) -> None:
    at, edges = 0.0, []
    for down, gap in steps:
        at += gap
        edges.append(Edge(down, at))

    wishes = wishes_of(*edges, mode=mode)

    assert [isinstance(wish, Start) for wish in wishes] == [n % 2 == 0 for n in range(len(wishes))]
    assert [wish.at for wish in wishes] == sorted(wish.at for wish in wishes)


@given(st.lists(st.floats(0.05, 2.0), max_size=30))
def test_in_hold_mode_every_full_press_starts_and_stops(gaps: list[float]) -> None:
    at, edges = 0.0, []
    for gap in gaps:
        edges += [Edge(True, at + gap), Edge(False, at + 2 * gap)]
        at += 2 * gap

    assert len(wishes_of(*edges, mode=Mode.HOLD)) == 2 * len(gaps)
