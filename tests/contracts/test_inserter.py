"""What every implementation of the port `Inserter` promises."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from lysnrai_desktop.adapters.insertion.x11 import X11Inserter
from lysnrai_desktop.core.dictation import Delivery
from lysnrai_desktop.core.faults import Fault, InsertUnavailable, TargetGone
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered, Inserter, Target
from tests.desktop.editors import Editor, await_text, qt_editor
from tests.desktop.processes import DEADLINE_S, eventually
from tests.desktop.screen import Screen
from tests.fakes.inserter import FakeInserter, FakeWindow

TEXT = SpokenText("Grüße — naïve “quotes” 😀👩‍👩‍👧\n\tПривет\n")
INSERTED = Delivered(Delivery.INSERTED)


class World(Protocol):
    """A desktop with two windows, "one" and "two"; the second has the focus."""

    @property
    def inserter(self) -> Inserter: ...

    def focus(self, window: str) -> None: ...

    def close(self, window: str) -> None: ...

    def text_in(self, window: str, at_least: int) -> str: ...

    def clipboard(self) -> str: ...


class FakeWorld:
    def __init__(self) -> None:
        self.inserter = self.fake = FakeInserter()
        self.windows = {title: FakeWindow(title) for title in ("one", "two")}
        self.focus("two")

    def focus(self, window: str) -> None:
        self.fake.focused = self.windows[window]

    def close(self, window: str) -> None:
        self.windows[window].open = False

    def text_in(self, window: str, at_least: int) -> str:
        assert len(self.windows[window].text) >= at_least
        return self.windows[window].text

    def clipboard(self) -> str:
        return self.fake.clipboard


class X11World:
    def __init__(self, screen: Screen, folder: Path, stack: contextlib.ExitStack) -> None:
        self.inserter = X11Inserter(InsertionSettings, screen.environment["DISPLAY"])
        self._screen = screen
        self._windows: dict[str, tuple[Editor, contextlib.ExitStack]] = {}
        for title in ("one", "two"):
            window = stack.enter_context(contextlib.ExitStack())
            self._windows[title] = window.enter_context(qt_editor(folder, screen, title)), window
        stack.callback(self.inserter.shut_down)

    def focus(self, window: str) -> None:
        self._screen.focus(window)

    def close(self, window: str) -> None:
        self._windows[window][1].close()
        eventually(lambda: window not in self._screen.titles(), f"{window} is gone")

    def text_in(self, window: str, at_least: int) -> str:
        return await_text(self._windows[window][0], lambda text: len(text) >= at_least)

    def clipboard(self) -> str:
        return self._screen.clipboard()


@contextlib.contextmanager
def fake(_request: pytest.FixtureRequest) -> Iterator[World]:
    yield FakeWorld()


@contextlib.contextmanager
def x11(request: pytest.FixtureRequest) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        yield X11World(request.getfixturevalue("screen"), request.getfixturevalue("tmp_path"), stack)


@pytest.fixture(params=[fake, x11])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    make: Callable[[pytest.FixtureRequest], contextlib.AbstractContextManager[World]] = request.param
    with make(request) as made:
        yield made


def inserted(world: World, text: SpokenText, target: Target | None) -> Delivered | Fault:
    answers: queue.SimpleQueue[Delivered | Fault] = queue.SimpleQueue()
    world.inserter.insert(text, target, answers.put)
    return answers.get(timeout=DEADLINE_S)


def test_the_text_stands_in_the_captured_window_to_the_letter(world: World) -> None:
    target = world.inserter.capture()

    outcome = inserted(world, TEXT, target)

    assert outcome == INSERTED
    assert world.text_in("two", len(TEXT)) == TEXT.reveal()


def test_the_text_comes_into_the_captured_window_though_the_focus_has_moved(world: World) -> None:
    target = world.inserter.capture()
    world.focus("one")

    outcome = inserted(world, TEXT, target)

    assert outcome == INSERTED
    assert world.text_in("two", len(TEXT)) == TEXT.reveal()
    assert world.text_in("one", 0) == ""


def test_without_a_target_the_text_goes_where_the_focus_is(world: World) -> None:
    world.focus("one")

    outcome = inserted(world, TEXT, None)

    assert outcome == INSERTED
    assert world.text_in("one", len(TEXT)) == TEXT.reveal()


def test_the_text_is_kept_on_the_clipboard_when_the_target_was_closed(world: World) -> None:
    target = world.inserter.capture()
    world.close("two")

    outcome = inserted(world, TEXT, target)

    assert outcome == Delivered(Delivery.ON_CLIPBOARD, TargetGone.code)
    assert world.clipboard() == TEXT.reveal()
    assert world.text_in("one", 0) == ""


def test_texts_arrive_in_the_order_of_their_insertion(world: World) -> None:
    target = world.inserter.capture()
    answers: queue.SimpleQueue[Delivered | Fault] = queue.SimpleQueue()

    for n in range(3):
        world.inserter.insert(SpokenText(f"{n} "), target, answers.put)

    assert [answers.get(timeout=DEADLINE_S) for _ in range(3)] == [INSERTED] * 3
    assert world.text_in("two", 6) == "0 1 2 "


def test_a_dictation_goes_on_from_the_one_before(world: World) -> None:
    target = world.inserter.capture()
    answers: queue.SimpleQueue[Delivered | Fault] = queue.SimpleQueue()

    for text in ("It rained, and", "The sun shone."):
        world.inserter.insert(SpokenText(text), target, answers.put, fit=True)

    assert [answers.get(timeout=DEADLINE_S) for _ in range(2)] == [INSERTED] * 2
    assert world.text_in("two", 29) == "It rained, and the sun shone."


def test_a_copied_text_is_on_the_clipboard_and_nowhere_else(world: World) -> None:
    world.inserter.copy(TEXT)

    assert eventually(world.clipboard, "something is on the clipboard") == TEXT.reveal()
    assert world.text_in("two", 0) == ""


def test_after_shutting_down_nothing_is_captured_inserted_or_copied(world: World) -> None:
    target = world.inserter.capture()
    world.inserter.shut_down()

    outcome = inserted(world, TEXT, target)

    assert isinstance(outcome, InsertUnavailable)
    assert world.inserter.capture() is None
    world.inserter.copy(TEXT)
    world.inserter.shut_down()
    assert world.clipboard() == ""
