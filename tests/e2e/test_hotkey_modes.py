"""The key does what the settings say, and a dictation also ends by itself where they say so."""

from __future__ import annotations

import time
from pathlib import Path

from tests.desktop.editors import QtEditor
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import eventually
from tests.e2e.app import HOTKEY, App, running_app, setting
from tests.e2e.conftest import SETTINGS
from tests.e2e.test_dictation import Spoken, arrived, hold

FINGER_S = 0.1
"""No finger lets go and presses again in less: what does is a key that bounces (core/hotkey.py)."""


def test_another_key_can_be_chosen(
    desktop: VirtualDesktop, models: Path, tmp_path: Path, editor: QtEditor, short: Spoken
) -> None:
    settings = SETTINGS + '[hotkey]\ncombo = "f9"\n'
    with running_app(desktop, settings, home=tmp_path / "home", models=models) as app:
        desktop.screen.key_down("F9")
        app.until("recording")
        desktop.sound.speak(short[1])
        desktop.screen.key_up("F9")

        arrived(app, editor, short[0])
        assert "F9" not in editor.pressed()
        desktop.screen.press(HOTKEY)
        eventually(lambda: "Ctrl+Alt+Space" in editor.pressed(), "the usual key is the window's")


def test_in_hold_mode_letting_go_ends_it_however_short(desktop: VirtualDesktop, app: App, editor: QtEditor) -> None:
    with setting(app, SETTINGS + '[hotkey]\nmode = "hold"\n'):
        desktop.screen.press(HOTKEY)

        app.until("finishing")
        app.until("idle")
        assert editor.text() == ""


def test_in_toggle_mode_letting_go_ends_nothing_however_long(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    with setting(app, SETTINGS + '[hotkey]\nmode = "toggle"\n'):
        hold(desktop, app, short[1])
        time.sleep(FINGER_S)
        assert app.status()["state"] == "recording"
        desktop.screen.press(HOTKEY)

        arrived(app, editor, short[0])


def test_silence_behind_speech_ends_it(desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken) -> None:
    with setting(app, SETTINGS + "[recording]\nstop_at_silence_s = 1.0\n"):
        desktop.screen.press(HOTKEY)
        app.until("recording")
        desktop.sound.speak(short[1])

        app.until("finishing")
        arrived(app, editor, short[0])


def test_the_longest_length_ends_it_as_the_key_would(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    with setting(app, SETTINGS + "[recording]\nmax_s = 2.5\n"):
        desktop.screen.press(HOTKEY)
        app.until("recording")
        desktop.sound.speak(short[1])

        app.until("finishing")
        arrived(app, editor, short[0])
