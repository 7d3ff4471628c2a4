"""The key does what the settings say, and a dictation also ends by itself where they say so."""

from __future__ import annotations

from pathlib import Path

from tests.desktop.editors import QtEditor
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import eventually
from tests.e2e.app import HOTKEY, running_app
from tests.e2e.conftest import SETTINGS
from tests.e2e.test_dictation import Spoken, arrived, hold


def test_in_hold_mode_letting_go_ends_it_however_short(desktop: VirtualDesktop, models: Path, editor: QtEditor) -> None:
    with running_app(desktop, SETTINGS + '[hotkey]\nmode = "hold"\n', models=models) as app:
        desktop.screen.press(HOTKEY)

        app.until("finishing")
        app.until("idle")
        assert editor.text() == ""


def test_in_toggle_mode_letting_go_ends_nothing_however_long(
    desktop: VirtualDesktop, models: Path, editor: QtEditor, short: Spoken
) -> None:
    with running_app(desktop, SETTINGS + '[hotkey]\nmode = "toggle"\n', models=models) as app:
        hold(desktop, app, short[1])
        assert app.status()["state"] == "recording"
        desktop.screen.press(HOTKEY)

        arrived(app, editor, short[0])


def test_another_key_can_be_chosen(desktop: VirtualDesktop, models: Path, editor: QtEditor, short: Spoken) -> None:
    with running_app(desktop, SETTINGS + '[hotkey]\ncombo = "f9"\n', models=models) as app:
        desktop.screen.key_down("F9")
        app.until("recording")
        desktop.sound.speak(short[1])
        desktop.screen.key_up("F9")

        arrived(app, editor, short[0])
        assert "F9" not in editor.pressed()
        desktop.screen.press(HOTKEY)
        eventually(lambda: "Ctrl+Alt+Space" in editor.pressed(), "the former key is the window's again")


def test_silence_behind_speech_ends_it(desktop: VirtualDesktop, models: Path, editor: QtEditor, short: Spoken) -> None:
    with running_app(desktop, SETTINGS + "[recording]\nstop_at_silence_s = 1.0\n", models=models) as app:
        desktop.screen.press(HOTKEY)
        app.until("recording")
        desktop.sound.speak(short[1])

        app.until("finishing")
        arrived(app, editor, short[0])


def test_the_longest_length_ends_it_as_the_key_would(
    desktop: VirtualDesktop, models: Path, editor: QtEditor, short: Spoken
) -> None:
    with running_app(desktop, SETTINGS + "[recording]\nmax_s = 3.0\n", models=models) as app:
        desktop.screen.press(HOTKEY)
        app.until("recording")
        desktop.sound.speak(short[1])

        app.until("finishing")
        arrived(app, editor, short[0])
