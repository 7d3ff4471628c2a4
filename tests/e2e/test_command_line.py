"""The running app obeys `lysnrai` as it obeys the key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.desktop.editors import QtEditor, Terminal, await_text
from tests.desktop.machine import VirtualDesktop
from tests.e2e.app import App, running_app
from tests.e2e.conftest import SETTINGS
from tests.e2e.test_dictation import Spoken, arrived


@pytest.mark.parametrize(("first", "second"), [("toggle", "toggle"), ("start", "stop")])
def test_verbs_begin_and_end_a_dictation(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken, first: str, second: str
) -> None:
    assert app.lysnrai(first).returncode == 0
    app.until("recording")
    desktop.sound.speak(short[1])
    assert app.lysnrai(second).returncode == 0

    arrived(app, editor, short[0])


def test_starting_twice_and_stopping_twice_do_no_harm(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    app.lysnrai("stop")
    app.lysnrai("start")
    app.until("recording")
    app.lysnrai("start")
    desktop.sound.speak(short[1])
    app.lysnrai("stop")
    app.lysnrai("stop")

    arrived(app, editor, short[0])


def test_cancel_writes_nothing(desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken) -> None:
    app.lysnrai("start")
    app.until("recording")
    desktop.sound.speak(short[1])
    assert app.lysnrai("cancel").returncode == 0

    assert app.until("idle")["outcome"] == "cancelled"
    assert editor.text() == ""


def test_status_is_one_line_that_a_program_can_read(app: App) -> None:
    printed = app.lysnrai("status", "--json").stdout

    assert printed.count("\n") == 1
    status = json.loads(printed)
    assert {"state", "fault", "engine", "model", "take", "since"} <= set(status)
    assert (status["state"], status["fault"], status["model"]) == ("idle", None, "tiny.en")


def test_status_can_be_read_by_a_person(app: App) -> None:
    assert "idle" in app.lysnrai("status").stdout


TEXTS = ["One plain line.", "Grüße, „Привет“ – 😀 and a tab\there", "two\nlines", "  spaces  ", "a" * 5000]


@pytest.mark.parametrize("text", TEXTS, ids=["plain", "unicode", "lines", "spaces", "long"])
def test_insert_brings_any_text_into_the_editor(app: App, editor: QtEditor, text: str) -> None:
    done = app.lysnrai("insert", stdin=text)

    assert done.returncode == 0
    assert done.stdout.strip()
    await_text(editor, text.__eq__, "exactly the text")


def test_insert_brings_text_into_a_terminal(app: App, terminal: Terminal) -> None:
    assert app.lysnrai("insert", stdin="Grüße 😀").returncode == 0

    await_text(terminal, "Grüße 😀".__eq__, "exactly the text")


def test_undo_takes_the_last_insertion_back_and_no_more(app: App, editor: QtEditor) -> None:
    before = editor.text()
    assert app.lysnrai("insert", stdin="Grüße 😀").returncode == 0
    await_text(editor, lambda text: text.endswith("Grüße 😀"), "the text")

    assert app.lysnrai("undo").returncode == 0

    await_text(editor, before.__eq__, "what was there before")
    assert app.lysnrai("undo").returncode == 1


def test_an_unknown_verb_fails_and_says_what_there_is(app: App) -> None:
    done = app.lysnrai("dance")

    assert done.returncode != 0
    assert "toggle" in done.stderr


def test_a_second_start_finds_the_first_and_ends(app: App) -> None:
    assert app.lysnrai().returncode == 0

    assert app.process.poll() is None
    assert app.status()["state"] == "idle"


def test_quit_ends_the_app_and_then_no_verb_is_answered(desktop: VirtualDesktop, models: Path, tmp_path: Path) -> None:
    with running_app(desktop, SETTINGS + '[hotkey]\ncombo = "f8"\n', home=tmp_path / "home", models=models) as own:
        assert own.lysnrai("quit").returncode == 0

        assert own.process.wait(20) == 0
        assert own.lysnrai("status", "--json").returncode != 0
        assert own.lysnrai("toggle").returncode != 0
