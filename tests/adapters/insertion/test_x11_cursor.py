"""What stands before the cursor decides how a dictation begins: told by the window, or remembered of the last one."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.insertion import x11_cursor, x11_receipts
from lysnrai_desktop.adapters.insertion.atspi import Spot
from lysnrai_desktop.adapters.insertion.x11_windows import X11Target
from lysnrai_desktop.core.dictation import Delivery
from lysnrai_desktop.core.faults import NothingToUndo, PasswordPrompt
from lysnrai_desktop.core.insertion import Undone
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.ports import Delivered
from tests.adapters.insertion.bench import INSERTED, TYPED, Bench
from tests.desktop.accessibility import accessible_screen
from tests.desktop.editors import await_text, qt_editor, terminal
from tests.desktop.machine import home_folder
from tests.desktop.processes import eventually
from tests.desktop.screen import Screen
from tests.fidelity.targets import gtk_editor, line_editor, tk_editor

LEFT_ALONE = Delivered(Delivery.ON_CLIPBOARD, PasswordPrompt.code)


@pytest.fixture(scope="module")
def accessible() -> Iterator[Screen]:
    """A screen whose programs tell what is in them."""
    with home_folder() as place, accessible_screen(*place) as made:
        yield made


@pytest.fixture
def told(accessible: Screen, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """An inserter on that screen."""
    monkeypatch.setattr(x11_cursor, "ASK_S", 10.0)  # these tests are not about time
    monkeypatch.setattr(x11_receipts, "QUIET_S", 0.1)  # these programs fetch once
    bench = Bench(accessible)
    yield bench
    bench.inserter.shut_down()


def spot(bench: Bench) -> Spot | None:
    target = bench.inserter.capture()
    assert isinstance(target, X11Target)
    return bench.inserter._x.call(lambda _: bench.inserter._cursor.spot(target))


def await_spot(bench: Bench) -> Spot:
    """Return what the window tells, once it knows that it has the focus."""
    found = eventually(lambda: spot(bench), "the window tells")
    assert found
    return found


# --- as the window tells


@pytest.mark.parametrize("into", [qt_editor, gtk_editor])
def test_two_dictations_in_a_row_are_two_sentences(into: type, told: Bench, accessible: Screen, tmp_path: Path) -> None:
    with into(tmp_path, accessible) as editor:
        assert told.dictate("He saw it himself.") == INSERTED
        assert told.dictate("He left, and") == INSERTED
        assert told.dictate("Then it rained.") == INSERTED

        whole = "He saw it himself. He left, and then it rained."
        assert await_text(editor, lambda text: len(text) >= len(whole)) == whole


@pytest.mark.parametrize("into", [qt_editor, gtk_editor])
def test_a_dictation_fits_where_the_cursor_was_put_meanwhile(
    into: type, told: Bench, accessible: Screen, tmp_path: Path
) -> None:
    with into(tmp_path, accessible) as editor:
        assert told.dictate("One two") == INSERTED
        await_text(editor)
        told.await_rest()
        accessible.press("Home")
        assert told.dictate("Zero.") == INSERTED  # nothing before it
        await_text(editor, lambda text: text.startswith("Zero."))
        told.await_rest()
        accessible.press("shift+Home")  # what is marked is replaced
        assert told.dictate("Naught.") == INSERTED
        await_text(editor, lambda text: text.startswith("Naught."))
        told.await_rest()
        accessible.press("End")
        accessible.press("Return")

        assert told.dictate("The next line.") == INSERTED

        whole = "Naught.One two\nThe next line."
        assert await_text(editor, lambda text: len(text) >= len(whole)) == whole


def test_a_program_without_a_search_is_looked_through(
    told: Bench, accessible: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lysnrai_desktop.adapters.insertion.atspi._COLLECTION", "org.a11y.atspi.Unheard")
    with line_editor(tmp_path, accessible, "gtk", "text") as editor:
        assert told.dictate("One.") == INSERTED
        assert told.dictate("Two.") == INSERTED

        assert await_text(editor, lambda text: len(text) >= 9) == "One. Two."


@pytest.mark.parametrize("toolkit", ["gtk", "qt"])
def test_a_field_for_a_password_is_left_alone(toolkit: str, told: Bench, accessible: Screen, tmp_path: Path) -> None:
    with line_editor(tmp_path, accessible, toolkit, "password") as secret:
        await_spot(told)
        target = told.inserter.capture()
        assert told.dictate("Grüße") == LEFT_ALONE

        with terminal(tmp_path, accessible):
            assert told.insert("Grüße", target) == LEFT_ALONE  # though the focus must be brought back first

        assert accessible.clipboard() == "Grüße"
        assert secret.text() == ""


def test_a_line_beside_a_button_is_written_into(told: Bench, accessible: Screen, tmp_path: Path) -> None:
    with line_editor(tmp_path, accessible, "qt", "text") as line:
        assert told.dictate("Grüße") == INSERTED

        assert await_text(line) == "Grüße"


def test_a_program_that_hangs_is_not_waited_for(
    told: Bench, accessible: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gtk_editor(tmp_path, accessible) as editor:
        assert told.dictate("One.") == INSERTED
        await_text(editor)
        there = await_spot(told)
        assert there.before == "One."
        target = told.inserter.capture()
        assert isinstance(target, X11Target)
        pid = told.inserter._x.call(lambda _: told.inserter._windows.pid(target))
        assert pid
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setattr(x11_cursor, "ASK_S", 0.1)

        silent = [spot(told), spot(told)]

        os.kill(pid, signal.SIGCONT)
        assert silent == [None, None]
        eventually(lambda: spot(told) == there, "it tells again")


def test_a_bus_that_ends_is_done_without(told: Bench, accessible: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, accessible) as editor:
        assert told.dictate("One.") == INSERTED
        told.await_rest()
        bus = told.inserter._cursor._accessibility._bus
        assert bus is not None
        bus._connection.sock.shutdown(2)

        assert told.dictate("Two.") == INSERTED

        assert await_text(editor, lambda text: len(text) >= 9) == "One. Two."


# --- as the last insertion left it


@pytest.mark.parametrize("into", [qt_editor, tk_editor, terminal])
def test_a_window_that_does_not_tell_is_remembered(into: type, bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with into(tmp_path, screen) as editor:
        assert bench.dictate("He saw it himself.") == INSERTED
        assert bench.dictate("He left.") == INSERTED

        assert await_text(editor, lambda text: len(text) >= 26) == "He saw it himself. He left."


def test_a_hotkey_pressed_to_begin_and_to_end_changes_nothing(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        assert bench.dictate("One.") == INSERTED
        bench.await_rest()
        screen.press("ctrl+alt+F9")
        target = bench.inserter.capture()
        screen.press("ctrl+alt+F9")
        bench.start("Two.", target, fit=True)

        assert bench.answers.next() == INSERTED
        assert await_text(editor, lambda text: len(text) >= 9) == "One. Two."


@pytest.mark.parametrize("deed", ["key", "click", "elsewhere"])
def test_what_happened_in_the_window_since_makes_it_unknown(
    deed: str, bench: Bench, screen: Screen, tmp_path: Path
) -> None:
    with qt_editor(tmp_path, screen) as editor:
        assert bench.dictate("One.") == INSERTED
        bench.await_rest()
        if deed == "key":
            screen.press("Return")
            screen.press("ctrl+alt+F9")
        elif deed == "click":
            x, y, width, height = screen.area(editor.title)
            screen.click(x + width // 2, y + height // 2)
        else:
            with terminal(tmp_path, screen):
                assert bench.dictate("Elsewhere.") == INSERTED
                bench.await_rest()
            screen.focus(editor.title)

        assert bench.dictate("Two.") == INSERTED

        assert await_text(editor, lambda text: text.endswith("Two.")) in ("One.Two.", "One.\nTwo.")


def test_a_typed_text_is_gone_on_from_too(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    bench.settings = InsertionSettings(strategy="type")
    with qt_editor(tmp_path, screen) as editor:
        assert bench.dictate("One.") == TYPED
        assert bench.dictate("Two.") == TYPED

        assert await_text(editor, lambda text: len(text) >= 9) == "One. Two."


def test_what_is_no_dictation_or_is_not_to_fit_is_written_as_it_is(
    bench: Bench, screen: Screen, tmp_path: Path
) -> None:
    with qt_editor(tmp_path, screen) as editor:
        assert bench.insert("One.") == INSERTED
        assert bench.insert("Two.") == INSERTED
        bench.settings = InsertionSettings(fit=False)
        assert bench.dictate("Three.") == INSERTED

        assert await_text(editor, lambda text: len(text) >= 14) == "One.Two.Three."


# --- taken back, and whether that is known


@pytest.mark.parametrize("into", [qt_editor, gtk_editor])
def test_a_window_that_tells_says_whether_the_text_is_gone(
    into: type, told: Bench, accessible: Screen, tmp_path: Path
) -> None:
    with into(tmp_path, accessible) as editor:
        assert told.dictate("Grüße, “alle” zusammen 😀") == INSERTED
        await_text(editor)
        told.await_rest()

        answer = told.undo()

        if into is qt_editor:
            assert answer is Undone.SURELY
            assert editor.text() == ""
        else:  # a bare text area of GTK 3 has no undo
            assert isinstance(answer, NothingToUndo)
            assert editor.text() != ""


def test_what_a_window_that_tells_holds_by_now_is_not_undone(told: Bench, accessible: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, accessible) as editor:
        assert told.dictate("Grüße") == INSERTED
        await_text(editor)
        told.await_rest()
        accessible.press("BackSpace")  # one key might have been the hotkey

        assert isinstance(told.undo(), NothingToUndo)
        assert await_text(editor, lambda text: len(text) == 4) == "Grüß"


def test_of_a_window_that_does_not_tell_only_probably_is_said(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with tk_editor(tmp_path, screen):  # it has no undo
        assert bench.dictate("Grüße") == INSERTED
        bench.await_rest()

        assert bench.undo() is Undone.PROBABLY


def test_who_connects_to_the_screen_anew_goes_on_with_the_accessibility_bus(
    told: Bench, accessible: Screen, tmp_path: Path
) -> None:
    with qt_editor(tmp_path, accessible):
        await_spot(told)
        told.inserter._x.display.display.socket.shutdown(socket.SHUT_RDWR)
        eventually(lambda: not told.inserter._x._thread.is_alive(), "the connection is gone")

        await_spot(told)

        assert [thread.name for thread in threading.enumerate()].count("accessibility") == 1
