"""The text comes to its target wherever the window manager has put that, whatever it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from Xlib import X
from Xlib.protocol import event
from Xlib.xobject.drawable import Window as XWindow

from lysnrai_desktop.core.settings import InsertionSettings
from tests.adapters.insertion.bench import GONE, INSERTED, KEPT, Bench, Window
from tests.desktop.editors import await_text, qt_editor, terminal
from tests.desktop.processes import call, eventually
from tests.desktop.screen import Screen, tiling_window_manager, window_manager, x_server


@dataclass(frozen=True, slots=True)
class Manager:
    """A window manager, and how it is told by its user to go, or to put the window in front, somewhere else."""

    run: Callable[[Path, Screen], contextlib.AbstractContextManager[None]]
    go_to_another_desktop: Callable[[Screen], None]
    put_on_the_second_screen: Callable[[Screen, str], None]


def i3(*commands: str) -> Callable[..., None]:
    def tell(screen: Screen, *_: str) -> None:
        for command in commands:
            call(("i3-msg", command), screen.environment)

    return tell


OPENBOX = Manager(
    window_manager,
    lambda screen: send_to_root(screen, screen._root, "_NET_CURRENT_DESKTOP", 1, X.CurrentTime),
    lambda screen, title: screen.place(title, 1400, 100),
)
I3 = Manager(
    tiling_window_manager,
    i3("workspace 9"),
    i3("move workspace to output two", "focus output one"),
)


@pytest.fixture(params=[OPENBOX, I3], ids=["openbox", "i3"])
def manager(request: pytest.FixtureRequest) -> Manager:
    made: Manager = request.param
    return made


@pytest.fixture
def screen(manager: Manager, home_environment: tuple[Path, dict[str, str]]) -> Iterator[Screen]:
    """Two screens beside each other, of 1280 by 800."""
    folder, environment = home_environment
    with x_server(folder, environment, size=(2560, 800)) as made:
        for name, place, output in (("one", "+0+0", "screen"), ("two", "+1280+0", "none")):
            call(("xrandr", "--setmonitor", name, f"1280/338x800/211{place}", output), made.environment)
        with manager.run(folder, made):
            yield made


def test_the_focus_returns_to_where_the_dictation_began(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        target = bench.inserter.capture()
        with terminal(tmp_path, screen) as xterm:
            assert bench.insert("Grüße", target) == INSERTED

            assert await_text(editor) == "Grüße"
            assert screen.focused() == editor.title
            assert xterm.text() == ""


def test_a_focus_that_moves_while_the_target_fetches_takes_nothing_away(bench: Bench, screen: Screen) -> None:
    with Window(screen, "target") as window:
        bench.start("Grüße", bench.inserter.capture())
        stamp = window.await_keys()
        with Window(screen, "other"):
            assert window.fetch(stamp) == "Grüße"

            assert bench.answers.next() == INSERTED


def test_the_focus_returns_to_another_desktop(bench: Bench, screen: Screen, manager: Manager, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        target = bench.inserter.capture()
        manager.go_to_another_desktop(screen)
        eventually(lambda: screen.focused() != editor.title, "the editor is out of sight")

        assert bench.insert("Grüße", target) == INSERTED

        assert await_text(editor) == "Grüße"
        assert screen.focused() == editor.title


def test_a_full_screen_window_is_a_target_and_stays_so(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        make_full_screen(screen, editor.title)
        eventually(lambda: screen.area(editor.title)[2:] == (1280, 800), "it fills the screen")
        target = bench.inserter.capture()
        with terminal(tmp_path, screen):
            assert bench.insert("Grüße", target) == INSERTED

        assert await_text(editor) == "Grüße"


def test_the_focus_returns_to_another_screen(bench: Bench, screen: Screen, manager: Manager, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        target = bench.inserter.capture()
        manager.put_on_the_second_screen(screen, editor.title)
        eventually(lambda: screen.area(editor.title)[0] >= 1280, "it is on the second screen")
        with terminal(tmp_path, screen) as xterm:
            assert bench.insert("Grüße", target) == INSERTED

            assert await_text(editor) == "Grüße"
            assert screen.area(editor.title)[0] >= 1280
            assert xterm.text() == ""


@pytest.mark.parametrize("setting", ["follow", "clipboard"])
def test_where_a_moved_focus_is_left_the_text_goes_there_or_to_the_clipboard(
    bench: Bench, screen: Screen, tmp_path: Path, setting: str
) -> None:
    bench.settings = InsertionSettings(when_focus_moved=setting)
    with qt_editor(tmp_path, screen) as editor:
        target = bench.inserter.capture()
        with terminal(tmp_path, screen) as xterm:
            assert bench.insert("Grüße", target) == (INSERTED if setting == "follow" else KEPT)

            if setting == "follow":
                assert await_text(xterm, lambda text: len(text) >= 5) == "Grüße"
            assert screen.focused() == xterm.title
            assert editor.text() == ""


def test_a_target_that_was_closed_counts_as_gone(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen):
        target = bench.inserter.capture()

    assert bench.insert("Grüße", target) == GONE
    assert screen.clipboard() == "Grüße"


# --- how the tests speak to window managers


def make_full_screen(screen: Screen, title: str) -> None:
    add = 1
    wanted = screen._display.intern_atom("_NET_WM_STATE_FULLSCREEN")
    send_to_root(screen, window_of(screen, title), "_NET_WM_STATE", add, wanted)


def window_of(screen: Screen, title: str) -> XWindow:
    return next(window for window in screen._windows() if screen._title(window) == title)


def send_to_root(screen: Screen, window: XWindow, name: str, *data: int) -> None:
    """Ask the window manager for something."""
    message = event.ClientMessage(
        window=window, client_type=screen._display.intern_atom(name), data=(32, [*data, *[0] * (5 - len(data))])
    )
    screen._root.send_event(message, event_mask=X.SubstructureRedirectMask | X.SubstructureNotifyMask)
    screen._display.sync()
