"""What every implementation of the port `Hotkeys` promises."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from lysnrai_desktop.adapters.hotkeys.x11 import X11Hotkeys
from lysnrai_desktop.core.combo import parse
from lysnrai_desktop.core.faults import HotkeyInvalid, HotkeyTaken, HotkeyUnavailable
from lysnrai_desktop.core.hotkey import MAIN, Edge
from lysnrai_desktop.ports import Hotkeys
from tests.desktop.processes import DEADLINE_S
from tests.desktop.screen import Screen
from tests.fakes.hotkeys import FakeHotkeys

TAKEN = "ctrl+alt+t"


class Hands(Protocol):
    def key_down(self, combo: str) -> object: ...

    def key_up(self, combo: str) -> object: ...


@dataclass
class Bench:
    """Hotkeys, hands that press keys, and all that was reported, in its order."""

    seen: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    hotkeys: Hotkeys = field(init=False)
    hands: Hands = field(init=False)

    def edge(self, edge: Edge) -> None:
        name = "" if edge.hotkey == MAIN else f"{edge.hotkey} "
        self.seen.put(f"{name}down" if edge.down else f"{name}up")

    def cancel(self, _at: float) -> None:
        self.seen.put("cancel")

    def next(self) -> str:
        return self.seen.get(timeout=DEADLINE_S)

    def press(self, combo: str) -> None:
        self.hands.key_down(combo)
        self.hands.key_up(combo)


@contextlib.contextmanager
def fake(_request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench()
    bench.hotkeys = bench.hands = FakeHotkeys(bench.edge, bench.cancel, taken=[TAKEN])
    yield bench


@contextlib.contextmanager
def x11(request: pytest.FixtureRequest) -> Iterator[Bench]:
    screen: Screen = request.getfixturevalue("screen")
    bench = Bench()
    display = screen.environment["DISPLAY"]
    other = X11Hotkeys(lambda _: None, lambda _: None, lambda _: None, display)
    bench.hotkeys = X11Hotkeys(bench.edge, bench.cancel, lambda _: None, display)
    bench.hands = screen
    other.bind(TAKEN)
    yield bench
    bench.hotkeys.shut_down()
    other.shut_down()


@pytest.fixture(params=[fake, x11])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    make: Callable[[pytest.FixtureRequest], contextlib.AbstractContextManager[Bench]] = request.param
    with make(request) as made:
        yield made


def test_both_edges_of_the_bound_combination_are_reported(bench: Bench) -> None:
    bench.hotkeys.bind("Ctrl + Alt + Space")

    bench.press("ctrl+alt+space")

    assert [bench.next(), bench.next()] == ["down", "up"]


def test_a_new_binding_replaces_the_old_one(bench: Bench) -> None:
    bench.hotkeys.bind("ctrl+alt+space")
    bench.hotkeys.bind("F9")

    bench.press("ctrl+alt+space")
    bench.hands.key_down("F9")

    assert bench.next() == "down"
    assert bench.seen.empty()


@pytest.mark.parametrize(
    "combo", ["", "ctrl+alt", "ctrl+nonsense", "hyperspace+a", "ctrl++alt+a", "a", "shift+a", "esc"]
)
def test_what_cannot_be_a_hotkey_is_refused_and_the_old_one_stays(bench: Bench, combo: str) -> None:
    bench.hotkeys.bind("F9")

    with pytest.raises(HotkeyInvalid):
        bench.hotkeys.bind(combo)

    bench.press("F9")
    assert bench.next() == "down"


def test_a_combination_of_another_program_is_refused_and_the_old_one_stays(bench: Bench) -> None:
    bench.hotkeys.bind("F9")

    with pytest.raises(HotkeyTaken):
        bench.hotkeys.bind(TAKEN)

    bench.press("F9")
    assert bench.next() == "down"


def test_binding_the_same_combination_again_keeps_it(bench: Bench) -> None:
    bench.hotkeys.bind("F9")
    bench.hotkeys.bind("F9")

    bench.press("F9")

    assert [bench.next(), bench.next()] == ["down", "up"]


def test_several_combinations_are_told_apart_by_their_names(bench: Bench) -> None:
    bench.hotkeys.bind("F9")
    bench.hotkeys.bind("ctrl+F9", "hold")
    bench.hotkeys.bind("F7", "undo")
    bench.hotkeys.release("undo")

    bench.press("F7")
    bench.hands.key_down("ctrl+F9")
    bench.hands.key_up("ctrl+F9")
    bench.press("F9")

    assert [bench.next() for _ in range(4)] == ["hold down", "hold up", "down", "up"]
    assert bench.seen.empty()


def test_one_combination_is_not_two_hotkeys(bench: Bench) -> None:
    bench.hotkeys.bind("F9")
    bench.hotkeys.bind("F8", "undo")

    with pytest.raises(HotkeyTaken):
        bench.hotkeys.bind("F9", "undo")

    bench.press("F8")
    bench.press("F9")
    assert [bench.next() for _ in range(4)] == ["undo down", "undo up", "down", "up"]


def test_of_other_combinations_those_are_free_that_nobody_has(bench: Bench) -> None:
    bench.hotkeys.bind("F9")

    free = bench.hotkeys.free([parse("F9"), parse(TAKEN), parse("F8"), parse("super+space")])

    assert [str(combo) for combo in free] == ["f8", "super+space"]


def test_the_cancel_key_counts_only_while_it_is_watched(bench: Bench) -> None:
    bench.hotkeys.bind("F9")
    bench.press("esc")
    bench.hotkeys.watch_cancel(True)
    bench.hotkeys.bind("F9")  # after which the watch surely stands
    bench.press("esc")
    bench.hotkeys.watch_cancel(False)
    bench.hotkeys.bind("F9")
    bench.press("esc")
    bench.press("F9")

    assert [bench.next() for _ in range(3)] == ["cancel", "down", "up"]
    assert bench.seen.empty()


def test_after_shutting_down_nothing_can_be_bound(bench: Bench) -> None:
    bench.hotkeys.shut_down()
    bench.hotkeys.watch_cancel(True)

    with pytest.raises(HotkeyUnavailable):
        bench.hotkeys.bind("F9")
    bench.hotkeys.shut_down()
