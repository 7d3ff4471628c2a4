"""Insertion on a real X server, into real programs, beside real owners of the clipboard."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from Xlib import X, Xatom, display
from Xlib.protocol import event, rq

from lysnrai_desktop.adapters.hotkeys.x11 import X11Hotkeys
from lysnrai_desktop.adapters.insertion import x11_receipts, x11_selection_reader
from lysnrai_desktop.adapters.insertion.x11 import X11Inserter
from lysnrai_desktop.adapters.insertion.x11_selection_reader import PIECE_BYTES, Former, worth_keeping
from lysnrai_desktop.core.dictation import Delivery
from lysnrai_desktop.core.faults import (
    ClipboardLost,
    InsertUnavailable,
    NothingToUndo,
    PasswordPrompt,
    TargetRefused,
)
from lysnrai_desktop.core.hotkey import Edge
from lysnrai_desktop.core.insertion import TYPED_CHARACTERS, Undone
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered
from tests.adapters.insertion import clipboard_owner
from tests.adapters.insertion.bench import GONE, INSERTED, KEPT, NOT_DELIVERED, TYPED, Bench, Window
from tests.desktop.editors import await_text, qt_editor, terminal
from tests.desktop.processes import DEADLINE_S, eventually, running
from tests.desktop.screen import Screen

TEXTS = [
    "Grüße aus Köln, naïve façade",
    "emoji 😀 👩‍👩‍👧 🇩🇪, combining e\u0301 a\u0308, “quotes” — dash…",
    "Ελληνικά Русский العربية עברית हिन्दी ไทย 日本語 한국어",
    "  leading spaces\tand a tab, trailing  ",
    "line one\nline two\n\nline four\n",
    "ten thousand: " + "0123456789 äöü😀 " * 625,
]
LARGE = "ü😀 " * (PIECE_BYTES // 4)
"""Twice what goes in one piece."""


# --- fidelity


def test_every_text_arrives_to_the_letter_in_an_editor(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        target = bench.inserter.capture()
        for text in [*TEXTS, LARGE]:
            assert bench.insert(text, target) == INSERTED

        whole = "".join([*TEXTS, LARGE])
        assert await_text(editor, lambda text: len(text) >= len(whole)) == whole


def test_every_text_arrives_to_the_letter_in_a_terminal(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with terminal(tmp_path, screen) as xterm:
        target = bench.inserter.capture()
        for text in TEXTS:
            assert bench.insert(text, target) == INSERTED

        whole = "".join(TEXTS).replace("\n", "\r")  # a terminal gets what Return sends
        assert await_text(xterm, lambda text: len(text) >= len(whole)) == whole


@pytest.mark.usefixtures("own_screen")
@pytest.mark.parametrize("lock", ["Caps_Lock", "Num_Lock"])
def test_lock_keys_do_no_harm(bench: Bench, screen: Screen, tmp_path: Path, lock: str) -> None:
    with qt_editor(tmp_path, screen) as editor, terminal(tmp_path, screen) as xterm:
        screen.press(lock)
        for target in (editor, xterm):
            screen.focus(target.title)
            assert bench.insert("Grüße") == INSERTED
            assert await_text(target, lambda text: len(text) >= 5) == "Grüße"


@pytest.mark.usefixtures("own_screen")
@pytest.mark.parametrize("layouts", ["us,ru", "ru,us", "ru", "us(dvorak)"])
def test_the_keyboard_layout_does_no_harm(bench: Bench, screen: Screen, tmp_path: Path, layouts: str) -> None:
    screen.lay_out(layouts)
    with qt_editor(tmp_path, screen) as editor:
        assert bench.insert("Grüße") == INSERTED
        assert await_text(editor, lambda text: len(text) >= 5) == "Grüße"


def test_the_primary_strategy_serves_editors_too(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    bench.settings = InsertionSettings(strategy="primary", trailing_space=True)
    with qt_editor(tmp_path, screen) as editor, screen.copied("marked", selection="primary"), screen.copied("copied"):
        assert bench.insert("Grüße") == INSERTED
        bench.await_idle()

        assert await_text(editor, lambda text: len(text) >= 6) == "Grüße "
        assert screen.clipboard(selection="primary") == "marked"


# --- typing


@pytest.mark.usefixtures("own_screen")
@pytest.mark.parametrize(
    ("into", "layouts"), [(qt_editor, "us"), (qt_editor, "de"), (qt_editor, "ru,us"), (terminal, "us")]
)
def test_a_text_can_be_typed_whatever_the_keyboard_has(
    bench: Bench, screen: Screen, tmp_path: Path, into: type, layouts: str
) -> None:
    screen.lay_out(layouts)
    bench.settings = InsertionSettings(strategy="type")
    with into(tmp_path, screen) as editor, screen.copied("former"):
        screen.press("Caps_Lock")
        texts = ["Grüße, “naïve” 😀\n", "\tПривет, World!"]
        for text in texts:
            assert bench.insert(text) == TYPED

        whole = "".join(texts)
        whole = whole if into is qt_editor else whole.replace("\n", "\r")
        assert await_text(editor, lambda text: len(text) >= len(whole)) == whole
        assert screen.clipboard() == "former"


@pytest.mark.usefixtures("own_screen")
def test_the_keyboard_is_afterwards_as_it_was(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    bench.settings = InsertionSettings(strategy="type")
    before = keyboard_of(screen)
    with qt_editor(tmp_path, screen):
        assert bench.insert("Ελλάδα") == TYPED

    assert keyboard_of(screen) == before


@pytest.mark.usefixtures("own_screen")
def test_keys_that_a_killed_process_had_lent_are_taken_back_at_the_next_start(screen: Screen) -> None:
    before = keyboard_of(screen)
    other = display.Display(screen.environment["DISPLAY"])
    spare = next(8 + i for i, row in enumerate(before) if not any(row))
    mark = other.intern_atom("_LYSNRAI_BORROWED_KEYS")
    other.screen().root.change_property(mark, Xatom.CARDINAL, 32, [spare])
    other.change_keyboard_mapping(spare, [[0x0100_0429, 0x0100_0429]])
    other.sync()
    other.close()
    assert keyboard_of(screen) != before

    Bench(screen).inserter.shut_down()

    assert keyboard_of(screen) == before


def test_typing_ends_when_the_focus_goes_and_the_text_is_kept(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    bench.settings = InsertionSettings(strategy="type")
    text = "0123456789 " * 90
    with terminal(tmp_path, screen) as xterm, qt_editor(tmp_path, screen) as editor:
        bench.start(text, bench.inserter.capture())
        await_text(editor)
        screen.focus(xterm.title)

        assert bench.answers.next() == NOT_DELIVERED
        assert screen.clipboard() == text
        assert 0 < len(editor.text()) < len(text)


def test_what_is_too_long_to_be_typed_is_kept_on_the_clipboard(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    bench.settings = InsertionSettings(strategy="type")
    text = "ü" * (TYPED_CHARACTERS + 1)
    with qt_editor(tmp_path, screen) as editor:
        assert bench.insert(text) == NOT_DELIVERED

        assert screen.clipboard() == text
        assert editor.text() == ""


def test_a_program_has_its_own_strategy_by_rule(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    bench.settings = InsertionSettings(rules={"XTerm": "clipboard"})
    with terminal(tmp_path, screen):
        assert bench.insert("Grüße") == KEPT

    assert screen.clipboard() == "Grüße"


# --- taking it back


def test_the_last_insertion_is_taken_back_in_one_step(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        screen.type("first ")
        await_text(editor)
        assert bench.insert("Grüße,\nalle zusammen") == INSERTED
        await_text(editor, lambda text: text.endswith("zusammen"))
        bench.await_rest()

        assert bench.undo() is Undone.PROBABLY

        assert await_text(editor, lambda text: "Grüße" not in text) == "first "
        assert isinstance(bench.undo(), NothingToUndo)


def test_an_undo_brings_its_window_back(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with terminal(tmp_path, screen) as xterm, qt_editor(tmp_path, screen) as editor:
        assert bench.insert("Grüße") == INSERTED
        await_text(editor)
        bench.await_rest()
        screen.focus(xterm.title)
        screen.type("lysnrai undo")

        assert bench.undo() is Undone.PROBABLY

        assert await_text(editor, lambda text: not text) == ""


def test_the_hotkey_that_asks_for_an_undo_does_not_count_as_typing(
    bench: Bench, screen: Screen, tmp_path: Path
) -> None:
    with qt_editor(tmp_path, screen) as editor:
        assert bench.insert("Grüße") == INSERTED
        await_text(editor)
        bench.await_rest()
        screen.press("ctrl+alt+F9")

        assert bench.undo() is Undone.PROBABLY

        assert await_text(editor, lambda text: not text) == ""


def test_what_was_typed_since_is_not_undone(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        assert bench.insert("Grüße") == INSERTED
        bench.await_rest()
        screen.type("xy")

        assert isinstance(bench.undo(), NothingToUndo)
        assert await_text(editor, lambda text: len(text) >= 7) == "Grüßexy"


def test_nothing_is_undone_in_a_terminal(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with terminal(tmp_path, screen):
        assert bench.insert("Grüße") == INSERTED
        bench.await_rest()

        assert isinstance(bench.undo(), NothingToUndo)


# --- the clipboard's former content


@pytest.mark.parametrize("into", [qt_editor, terminal])
@pytest.mark.parametrize(
    ("form", "data"),
    [("UTF8_STRING", "früher 😀".encode()), ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4000)],
)
def test_the_former_content_comes_back_byte_for_byte(
    bench: Bench, screen: Screen, tmp_path: Path, into: type, form: str, data: bytes
) -> None:
    with into(tmp_path, screen), screen.copied(data, form):
        assert bench.insert("Grüße", bench.inserter.capture()) == INSERTED
        eventually(lambda: fetched(screen, form) == data, "the former content is back")


def test_all_formats_of_the_former_content_come_back(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor, program("clipboard_owner", screen) as owner:
        assert line_from(owner) == "copied"
        forms = ("image/png", "text/html", "text/uri-list", "application/x-binary", "UTF8_STRING", "text/plain")
        before = {form: fetched(screen, form) for form in forms}

        assert bench.insert("Grüße") == INSERTED
        assert await_text(editor) == "Grüße"
        eventually(lambda: fetched(screen, "UTF8_STRING") == before["UTF8_STRING"], "the former content is back")
        owner.kill()
        owner.wait()
        after = {form: fetched(screen, form) for form in forms}
        assert after == before
        assert after["application/x-binary"] == clipboard_owner.BINARY
        assert after["UTF8_STRING"].decode() == clipboard_owner.TEXT


def test_an_empty_clipboard_is_empty_again(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen):
        assert bench.insert("Grüße") == INSERTED

        eventually(lambda: owner_of(screen) == 0, "nobody owns the clipboard")


@pytest.mark.usefixtures("impatient")
def test_of_an_owner_that_hangs_nothing_is_taken_and_the_text_is_typed(
    bench: Bench, screen: Screen, tmp_path: Path
) -> None:
    with qt_editor(tmp_path, screen) as editor, program("clipboard_owner", screen) as owner:
        assert line_from(owner) == "copied"
        owner.send_signal(signal.SIGSTOP)

        assert bench.insert("Grüße 😀") == TYPED

        assert await_text(editor, lambda text: len(text) >= 7) == "Grüße 😀"
        owner.send_signal(signal.SIGCONT)
        assert fetched(screen, "UTF8_STRING").decode() == clipboard_owner.TEXT
        assert bench.told == []


@pytest.mark.usefixtures("impatient")
def test_that_the_clipboard_will_be_lost_is_told_before_it_is(bench: Bench, screen: Screen) -> None:
    text = "Grüße " * 100
    with Window(screen, "w") as window, program("clipboard_owner", screen) as owner:
        assert line_from(owner) == "copied"
        screen.focus("w")
        owner.send_signal(signal.SIGSTOP)
        bench.start(text, bench.inserter.capture())

        stamp = window.await_keys()
        assert [type(fault) for fault in bench.told] == [ClipboardLost]
        assert window.fetch(stamp) == text
        assert bench.answers.next() == INSERTED
        owner.send_signal(signal.SIGCONT)


def test_what_is_too_large_to_be_kept_stays_with_its_owner(
    bench: Bench, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x11_selection_reader, "LARGEST_BYTES", 1_000_000)
    huge = bytes(1_000_001)
    with qt_editor(tmp_path, screen) as editor, screen.copied(huge, "application/x-huge"):
        assert bench.insert("Grüße") == TYPED

        assert await_text(editor, lambda text: len(text) >= 5) == "Grüße"
        assert fetched(screen, "application/x-huge") == huge


def test_what_somebody_copies_meanwhile_is_not_overwritten(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window, screen.copied("former"):
        bench.start("Grüße", bench.inserter.capture())
        stamp = window.await_keys()
        assert window.ask("UTF8_STRING", stamp)
        with screen.copied("newer"):
            assert bench.answers.next() == INSERTED
            bench.start("again", bench.inserter.capture())  # begins when the first has ended
            stamp = window.await_keys()
            assert window.fetch(stamp) == "again"
            assert bench.answers.next() == INSERTED

            eventually(lambda: screen.clipboard() == "newer", "the newer content is there")


def test_the_former_content_comes_back_only_when_a_slow_target_has_all_of_the_text(
    bench: Bench, screen: Screen
) -> None:
    with Window(screen, "w") as window, screen.copied("former"):
        bench.start(LARGE, bench.inserter.capture())
        stamp = window.await_keys()
        threading.Event().wait(0.4)  # the target is busy
        assert window.ask("UTF8_STRING", stamp)
        whole = bytearray()
        window.read()  # INCR
        while piece := next_piece(window):
            assert bench.answers.none_yet()
            assert screen.clipboard() == LARGE  # others are served meanwhile
            whole += piece

        assert bench.answers.next() == INSERTED
        assert whole.decode() == LARGE
        eventually(lambda: screen.clipboard() == "former", "the former content is back")


def test_fifty_megabytes_come_back(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    data = os.urandom(1_000_000) * 50
    with qt_editor(tmp_path, screen) as editor, screen.copied(data, "application/x-large"):
        assert bench.insert("Grüße") in (INSERTED, TYPED)  # typed, where the owner is too slow to be read whole

        assert await_text(editor, lambda text: len(text) >= 5) == "Grüße"
        eventually(lambda: fetched(screen, "application/x-large") == data, "the former content is back")


def test_a_target_that_fetches_once_more_after_a_while_still_gets_the_text(
    bench: Bench, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x11_receipts, "QUIET_S", 0.0)
    monkeypatch.setattr(x11_receipts, "LONGEST_QUIET_S", DEADLINE_S)
    with Window(screen, "w") as window, screen.copied("former"):
        bench.start("Grüße", bench.inserter.capture())
        window.await_keys()
        assert window.fetch(X.CurrentTime) == "Grüße"  # as Chromium does, and has not pasted yet
        assert bench.answers.next() == INSERTED
        for _ in range(3):
            assert bench.inserter.capture() is not None  # it goes on serving
        assert window.fetch(X.CurrentTime) == "Grüße"
        eventually(lambda: screen.clipboard() == "former", "the former content is back", 3.0)


# --- the target


def test_the_text_follows_the_focus_if_so_set(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    bench.settings = InsertionSettings(when_focus_moved="follow")
    with qt_editor(tmp_path, screen) as editor:
        target = bench.inserter.capture()
        with terminal(tmp_path, screen) as xterm:
            assert bench.insert("Grüße", target) == INSERTED

            assert await_text(xterm, lambda text: len(text) >= 5) == "Grüße"
            assert editor.text() == ""


@pytest.mark.parametrize(
    "settings", [InsertionSettings(when_focus_moved="clipboard"), InsertionSettings(strategy="clipboard")]
)
def test_the_text_is_kept_on_the_clipboard_if_so_set(
    bench: Bench, screen: Screen, tmp_path: Path, settings: InsertionSettings
) -> None:
    bench.settings = settings
    with qt_editor(tmp_path, screen) as editor:
        target = bench.inserter.capture()
        with terminal(tmp_path, screen) as xterm:
            assert bench.insert("Grüße", target) == KEPT

            assert screen.clipboard() == "Grüße"
            assert (editor.text(), xterm.text()) == ("", "")


def test_a_hidden_window_counts_as_gone(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        target = bench.inserter.capture()
        window.window.unmap()
        window._display.sync()
        eventually(lambda: "w" not in screen.titles(), "the window is hidden")

        assert bench.insert("Grüße", target) == GONE
        assert screen.clipboard() == "Grüße"


def test_a_target_closed_while_it_should_fetch_counts_as_gone(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window, screen.copied("former"):
        bench.start("Grüße", bench.inserter.capture())
        window.await_keys()
        window.window.destroy()
        window._display.sync()

        assert bench.answers.next() == GONE
        assert screen.clipboard() == "Grüße"


def test_our_own_window_is_no_target(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w", pid=os.getpid()):
        assert bench.inserter.capture() is None
        assert bench.insert("Grüße") == GONE


# --- the truth about the outcome


def test_a_window_that_asks_for_a_password_is_left_alone(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w", wm_class="pinentry") as window:
        assert bench.insert("Grüße", bench.inserter.capture()) == Delivered(Delivery.ON_CLIPBOARD, PasswordPrompt.code)

        assert not window._display.pending_events() or window._display.next_event().type != X.KeyPress
        assert screen.clipboard() == "Grüße"


@pytest.mark.usefixtures("impatient")
def test_without_a_receipt_the_text_is_not_said_to_be_inserted(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window, screen.copied("former"):
        assert bench.insert("Grüße", bench.inserter.capture()) == NOT_DELIVERED

        window.await_keys()
        assert window.fetch() == "Grüße"  # late, but it is there


@pytest.mark.usefixtures("impatient")
def test_a_clipboard_manager_that_fetches_is_no_receipt(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w"), program("clipboard_watcher", screen) as manager:
        assert line_from(manager) == "watching"

        assert bench.insert("Grüße", bench.inserter.capture()) == NOT_DELIVERED

        assert line_from(manager) == "5"


@pytest.mark.usefixtures("impatient")
def test_what_the_target_fetched_before_the_keys_is_no_receipt(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        early = bench.inserter._x.call(lambda _: bench.inserter._selections.now())
        bench.start("Grüße", bench.inserter.capture())
        window.await_keys()
        assert window.fetch(early) == "Grüße"  # as if it had watched the clipboard

        assert bench.answers.next() == NOT_DELIVERED


def test_a_manager_that_takes_the_text_over_leaves_it_probably_inserted(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w"), program("clipboard_watcher", screen, "take") as manager:
        assert line_from(manager) == "watching"

        assert bench.insert("Grüße", bench.inserter.capture()) == Delivered(Delivery.PROBABLY_INSERTED)


def test_a_text_that_is_nowhere_is_said_to_be_so(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        bench.start("Grüße", bench.inserter.capture())
        window.await_keys()
        with screen.copied("newer"):
            assert isinstance(bench.answers.next(), TargetRefused)


# --- keys held


def test_the_text_waits_until_modifiers_are_let_go(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        screen.key_down("ctrl+alt")
        bench.start("Grüße", bench.inserter.capture())
        bench.inserter.capture()
        assert bench.answers.none_yet()
        screen.key_up("ctrl+alt")

        assert bench.answers.next() == INSERTED
        assert await_text(editor) == "Grüße"


@pytest.mark.usefixtures("impatient")
def test_modifiers_held_on_keep_the_text_on_the_clipboard(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        screen.key_down("shift")

        assert bench.insert("Grüße", bench.inserter.capture()) == NOT_DELIVERED

        screen.key_up("shift")
        assert screen.clipboard() == "Grüße"
        assert editor.text() == ""


def test_the_text_waits_until_a_hotkey_without_modifiers_is_let_go(
    bench: Bench, screen: Screen, tmp_path: Path
) -> None:
    edges: queue.SimpleQueue[Edge] = queue.SimpleQueue()
    hotkeys = X11Hotkeys(edges.put, lambda _: None, lambda _: None, screen.environment["DISPLAY"])
    hotkeys.bind("F9")
    with qt_editor(tmp_path, screen) as editor:
        screen.key_down("F9")
        assert edges.get(timeout=DEADLINE_S).down  # from here on the hotkeys get all keys
        bench.start("Grüße", bench.inserter.capture())
        bench.inserter.capture()
        assert bench.answers.none_yet()
        screen.key_up("F9")

        assert bench.answers.next() == INSERTED
        assert await_text(editor) == "Grüße"
    hotkeys.shut_down()


# --- the server


def test_a_capture_does_not_wait_for_an_insertion_under_way(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        target = bench.inserter.capture()
        bench.start("Grüße", target)
        stamp = window.await_keys()

        assert bench.inserter.capture() == target
        assert bench.answers.none_yet()
        assert window.fetch(stamp) == "Grüße"
        assert bench.answers.next() == INSERTED


def test_insertion_comes_back_after_a_disconnection(bench: Bench, screen: Screen, tmp_path: Path) -> None:
    with qt_editor(tmp_path, screen) as editor:
        bench.inserter._x.display.display.socket.shutdown(socket.SHUT_RDWR)
        eventually(lambda: not bench.inserter._x._thread.is_alive(), "the connection is gone")
        assert isinstance(bench.insert("one"), InsertUnavailable)

        target = bench.inserter.capture()

        assert bench.insert("two", target) == INSERTED
        assert await_text(editor) == "two"


@pytest.mark.usefixtures("own_screen")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # python-xlib's, of the attempt that failed
def test_a_dying_server_ends_insertions_and_the_thread(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        target = bench.inserter.capture()
        bench.start("one", target)
        bench.start("two", target)
        window.await_keys()

        os.kill(server_of(screen), signal.SIGKILL)

        assert isinstance(bench.answers.next(), InsertUnavailable)
        assert isinstance(bench.answers.next(), InsertUnavailable)
        assert isinstance(bench.insert("three", target), InsertUnavailable)
        assert bench.inserter.capture() is None
        bench.inserter.copy(SpokenText("four"))


def test_shutting_down_answers_every_insertion(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        target = bench.inserter.capture()
        for n in range(3):
            bench.start(f"{n}", target)
        window.await_keys()

        bench.inserter.shut_down()

        assert bench.answers.next() == NOT_DELIVERED
        assert [type(bench.answers.next()) for _ in range(2)] == [InsertUnavailable] * 2


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # python-xlib's, of the attempts that failed
def test_without_a_server_there_is_no_insertion() -> None:
    with pytest.raises(InsertUnavailable):
        X11Inserter(InsertionSettings, ":240")


def test_what_is_on_the_clipboard_is_handed_to_a_clipboard_manager_at_the_end(bench: Bench, screen: Screen) -> None:
    with Window(screen, "manager") as manager:
        atom = manager._display.intern_atom
        manager.window.set_selection_owner(atom("CLIPBOARD_MANAGER"), X.CurrentTime)
        manager._display.sync()
        bench.inserter.copy(SpokenText("Grüße"))
        leaving = threading.Thread(target=bench.inserter.shut_down)
        leaving.start()

        asked = manager.next_event(X.SelectionRequest)
        assert asked.target == atom("SAVE_TARGETS")
        saved = manager.fetch()
        answer = {name: getattr(asked, name) for name in ("time", "requestor", "selection", "target", "property")}
        asked.requestor.send_event(event.SelectionNotify(**answer))
        manager._display.flush()
        leaving.join(DEADLINE_S)

    assert saved == "Grüße"


# --- as the conventions ask (ICCCM)


def test_a_program_that_asks_for_several_formats_at_once_gets_them(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        bench.inserter.copy(SpokenText("Grüße"))
        eventually(lambda: screen.clipboard() == "Grüße", "the text is copied")
        atom = window._display.intern_atom
        places = {name: atom(f"PLACE_{name}") for name in ("UTF8_STRING", "STRING", "image/png", "TIMESTAMP")}
        pairs = [number for name, place in places.items() for number in (atom(name), place)]
        window.window.change_property(atom("ANSWER"), atom("ATOM_PAIR"), 32, pairs)

        assert window.ask("MULTIPLE")

        answered = memoryview(window.read()).cast("I").tolist()
        refused = [atom("image/png"), X.NONE]
        assert answered == pairs[:4] + refused + pairs[6:]
        found = {name: window.window.get_full_property(place, X.AnyPropertyType) for name, place in places.items()}
        assert bytes(found["UTF8_STRING"].value) == "Grüße".encode()
        assert bytes(found["STRING"].value) == "Grüße".encode("latin-1")


def test_a_form_that_cannot_hold_the_text_is_refused(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        bench.inserter.copy(SpokenText("Привет 😀"))
        eventually(lambda: screen.clipboard() == "Привет 😀", "the text is copied")

        assert not window.ask("STRING")
        assert not window.ask("image/png")
        assert window.ask("TEXT")
        assert window.read().decode() == "Привет 😀"


def test_clipboard_managers_are_asked_not_to_keep_what_was_spoken(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        bench.start("Grüße", bench.inserter.capture())
        stamp = window.await_keys()

        assert screen.clipboard("x-kde-passwordManagerHint") == "secret"
        assert window.fetch(stamp) == "Grüße"
        assert bench.answers.next() == INSERTED


def test_a_text_that_the_user_copies_may_be_kept(bench: Bench, screen: Screen) -> None:
    bench.inserter.copy(SpokenText("Grüße"))
    eventually(lambda: screen.clipboard() == "Grüße", "the text is copied")

    assert screen.clipboard("x-kde-passwordManagerHint") == ""


def test_a_target_that_dies_while_it_fetches_leaves_the_text_on_the_clipboard(bench: Bench, screen: Screen) -> None:
    with Window(screen, "w") as window:
        bench.start(LARGE, bench.inserter.capture())
        stamp = window.await_keys()
        assert window.ask("UTF8_STRING", stamp)
        window.read()
        assert next_piece(window)

    assert bench.answers.next() == GONE
    assert screen.clipboard() == LARGE


@pytest.mark.usefixtures("impatient")
def test_an_owner_that_dies_while_it_is_read_does_not_keep_the_text_from_coming(
    bench: Bench, screen: Screen, tmp_path: Path
) -> None:
    with qt_editor(tmp_path, screen) as editor, Owner(screen) as owner:
        bench.start("Grüße", bench.inserter.capture())
        owner.begin_and_die()

        assert bench.answers.next() == INSERTED
        assert await_text(editor) == "Grüße"


def test_a_selection_too_large_to_keep_is_left_out(
    bench: Bench, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x11_selection_reader, "LARGEST_BYTES", 1_000_000)
    with screen.copied(bytes(1_000_001), "application/x-huge"):
        content = bench.inserter._x.call(lambda _: bench.inserter._selections.read("CLIPBOARD"))

        assert content == Former({}, whole=False)


class Owner(Window):
    """Owns the clipboard, promises much, and goes."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen, "owner")
        self.window.set_selection_owner(self._display.intern_atom("CLIPBOARD"), X.CurrentTime)
        self._display.sync()
        screen.focus("Qt editor")

    def begin_and_die(self) -> None:
        atom = self._display.intern_atom
        while (asked := self.next_event(X.SelectionRequest)).target == atom("TARGETS"):
            asked.requestor.change_property(asked.property, Xatom.ATOM, 32, [atom("text/html")])
            self._tell(asked)
        asked.requestor.change_property(asked.property, atom("INCR"), 32, [1000])
        self._tell(asked)
        self._display.close()

    def _tell(self, asked: rq.Event) -> None:
        answer = {name: getattr(asked, name) for name in ("time", "requestor", "selection", "target", "property")}
        asked.requestor.send_event(event.SelectionNotify(**answer))
        self._display.sync()


# --- which formats are kept


def test_a_picture_is_kept_once_and_everything_else_as_it_is() -> None:
    offered = ["TARGETS", "TIMESTAMP", "image/png", "image/bmp", "image/jpeg", "image/svg+xml", "PIXMAP", "text/html"]

    assert worth_keeping(offered) == {"image/png", "image/svg+xml", "text/html"}


def test_a_picture_that_is_no_png_is_kept_as_it_is() -> None:
    assert worth_keeping(["MULTIPLE", "image/tiff", "image/bmp"]) == {"image/tiff", "image/bmp"}


# --- how the tests look at the world


@contextlib.contextmanager
def program(name: str, screen: Screen, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**screen.environment, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = (sys.executable, "-m", f"tests.adapters.insertion.{name}", *arguments)
    with running(command, environment, stdout=subprocess.PIPE) as process:
        yield process


def line_from(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout
    assert select.select([process.stdout], [], [], DEADLINE_S)[0], "the program says nothing"
    return process.stdout.readline().decode().strip()


def fetched(screen: Screen, form: str) -> bytes:
    """The clipboard's content in one format, byte for byte."""
    command = ["xclip", "-selection", "clipboard", "-target", form, "-o"]
    return subprocess.run(
        command, env=dict(screen.environment), capture_output=True, check=False, timeout=DEADLINE_S
    ).stdout


def keyboard_of(screen: Screen) -> list[list[int]]:
    with contextlib.closing(display.Display(screen.environment["DISPLAY"])) as asking:
        first, last = asking.display.info.min_keycode, asking.display.info.max_keycode
        return [list(row) for row in asking.get_keyboard_mapping(first, last - first + 1)]


def owner_of(screen: Screen) -> int:
    return screen._owner("CLIPBOARD")


def next_piece(window: Window) -> bytes:
    while True:
        changed = window.next_event(X.PropertyNotify)
        if changed.state == X.PropertyNewValue and changed.atom == window._display.intern_atom("ANSWER"):
            return window.read()


def server_of(screen: Screen) -> int:
    """The server's process, as the kernel knows it from the other end of the socket."""
    credentials = screen._display.display.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", credentials)[0])
