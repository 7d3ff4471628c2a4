"""Press, speak, and the words stand where the cursor was: keys in, text in another program's window out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import nonspeech, speech
from tests.desktop.editors import Editor, QtEditor, Terminal, await_text
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import eventually
from tests.e2e.app import HOTKEY, App

Spoken = tuple[str, Path]


def said(text: str) -> Callable[[str], bool]:
    """Tell whether exactly this was written, whatever its capitals and marks."""
    return lambda written: speech.normalise(written) == speech.normalise(text)


def hold(desktop: VirtualDesktop, app: App, recording: Path) -> None:
    """Dictate with the key held down."""
    desktop.screen.key_down(HOTKEY)
    app.until("recording")
    desktop.sound.speak(recording)
    desktop.screen.key_up(HOTKEY)


def arrived(app: App, target: Editor, text: str) -> str:
    """Wait until the dictation has ended well and exactly this stands in the target; returns it as written."""
    outcome = app.until("idle")["outcome"]
    assert outcome in ("inserted", "probably_inserted")
    return await_text(target, said(text), "what was said")


def assert_nothing_of_the_keys(target: Editor, text: str) -> None:
    """The hotkey is ours alone: the target has no byte of it, and no key but the paste."""
    assert target.text() == text
    assert set(target.pressed()) <= {"Ctrl+V", "Shift+Ins"}


# -- with the key


def test_words_spoken_while_the_key_is_held_stand_in_the_editor(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    hold(desktop, app, short[1])

    text = arrived(app, editor, short[0])
    assert text == text.strip()
    assert text[0].isupper()
    assert_nothing_of_the_keys(editor, text)


def test_a_short_press_begins_and_the_next_one_ends_it(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    desktop.screen.press(HOTKEY)
    app.until("recording")
    desktop.sound.speak(short[1])
    assert app.status()["state"] == "recording"
    desktop.screen.press(HOTKEY)

    text = arrived(app, editor, short[0])
    assert_nothing_of_the_keys(editor, text)


def test_a_terminal_gets_the_words_and_not_a_byte_more(
    desktop: VirtualDesktop, app: App, terminal: Terminal, short: Spoken
) -> None:
    hold(desktop, app, short[1])

    text = arrived(app, terminal, short[0])
    assert_nothing_of_the_keys(terminal, text)


def test_two_dictations_one_after_the_other_both_arrive(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    for count in (1, 2):
        hold(desktop, app, short[1])
        app.until("idle")
        desktop.screen.press("enter")
        await_text(editor, lambda text, count=count: text.count("\n") == count, "a new line")  # type: ignore[misc]

    lines = editor.text().splitlines()
    assert [said(short[0])(line) for line in lines] == [True, True]


def test_the_words_go_to_the_window_that_was_spoken_into(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    desktop.screen.key_down(HOTKEY)
    app.until("recording")
    desktop.sound.speak(short[1])
    with desktop.qt_editor("Another editor") as other:
        desktop.screen.key_up(HOTKEY)

        arrived(app, editor, short[0])
        assert other.text() == ""


@pytest.mark.parametrize("state", ["arming", "finishing"])
def test_in_whichever_state_the_focus_moves_the_words_go_where_it_was(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken, state: str
) -> None:
    def move_at(now: str) -> None:
        app.until(now)
        if now == state:
            desktop.screen.focus(other.title)

    with desktop.qt_editor("Another editor") as other:
        desktop.screen.focus(editor.title)
        desktop.screen.press(HOTKEY)
        move_at("arming")
        app.until("recording")
        desktop.sound.speak(short[1])
        desktop.screen.press(HOTKEY)
        move_at("finishing")

        arrived(app, editor, short[0])
        assert other.text() == ""


def test_a_target_that_was_closed_leaves_the_words_on_the_clipboard_and_keeps_the_take(
    desktop: VirtualDesktop, app: App, short: Spoken
) -> None:
    takes = desktop.app_home / "takes"
    before = set(takes.glob("*.wav"))
    with desktop.qt_editor("Soon closed") as soon:
        desktop.screen.key_down(HOTKEY)
        app.until("recording")
        desktop.sound.speak(short[1])
    eventually(lambda: soon.title not in desktop.screen.titles(), "it is closed")
    desktop.screen.key_up(HOTKEY)

    status = app.until("idle")
    assert (status["outcome"], status["fault"]) == ("on_clipboard", "insert.target_gone")
    assert said(short[0])(desktop.screen.clipboard())
    assert len(set(takes.glob("*.wav")) - before) == 1


# -- what was there before


def test_what_was_copied_before_can_still_be_pasted(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    with desktop.screen.copied("copied before – früher 😀"):
        hold(desktop, app, short[1])
        arrived(app, editor, short[0])

        eventually(lambda: desktop.screen.clipboard() == "copied before – früher 😀", "the clipboard is as before")


# -- cancelled


@pytest.mark.parametrize("held", [True, False])
def test_esc_erases_the_take_and_writes_nothing(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken, held: bool
) -> None:
    takes = desktop.app_home / "takes"
    before = set(takes.iterdir())
    desktop.screen.key_down(HOTKEY)
    if not held:
        desktop.screen.key_up(HOTKEY)
    app.until("recording")
    desktop.sound.speak(short[1])
    assert set(takes.iterdir()) > before
    desktop.screen.press("esc")

    assert app.until("idle")["outcome"] == "cancelled"
    assert set(takes.iterdir()) == before
    desktop.screen.key_up(HOTKEY)
    desktop.screen.type("x")
    await_text(editor, "x".__eq__, "only what was typed afterwards")
    assert editor.pressed() == ["X"]


def test_esc_belongs_to_the_window_again_when_nothing_is_recorded(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    hold(desktop, app, short[1])
    app.until("idle")
    desktop.screen.press("esc")

    eventually(lambda: "Esc" in editor.pressed(), "the editor gets Esc")


# -- nothing said, nothing written


@pytest.mark.parametrize("name", nonspeech.SOUNDS)
def test_a_sound_without_words_writes_nothing(
    desktop: VirtualDesktop, app: App, editor: QtEditor, noise: Callable[[str, float], Path], name: str
) -> None:
    hold(desktop, app, noise(name, 2))

    assert app.until("idle")["outcome"] == "nothing_heard"
    assert_nothing_of_the_keys(editor, "")


# -- what is left


def test_a_delivered_take_leaves_no_audio_and_no_words_behind(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    takes = desktop.app_home / "takes"
    before = set(takes.iterdir())  # where nothing was heard, the audio is kept

    hold(desktop, app, short[1])
    arrived(app, editor, short[0])

    assert not [path.name for path in set(takes.iterdir()) - before]
    files = [path for path in desktop.app_home.rglob("*") if path.is_file() and "models" not in path.parts]
    written = [*files, desktop.folder / "app.log"]
    assert not [path.name for path in written if b"answering" in path.read_bytes().lower()]


def test_every_file_is_the_users_alone(desktop: VirtualDesktop, app: App) -> None:
    assert app.status()["state"] == "idle"

    home = desktop.app_home
    own = [path for path in (home, *home.rglob("*")) if not path.is_symlink()]
    open_to_others = [str(path.relative_to(home)) for path in own if path.stat().st_mode & 0o077]
    assert not open_to_others
