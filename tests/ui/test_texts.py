"""Words for people need no screen."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lysnrai_desktop.ui import texts


def test_texts_do_not_load_qt() -> None:
    check = "import sys, lysnrai_desktop.ui.texts; sys.exit('PySide6' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize(
    ("combo", "shown"),
    [("ctrl+alt+space", "Ctrl+Alt+Space"), ("F9", "F9"), ("super+shift+d", "Super+Shift+D")],
)
def test_a_hotkey_is_shown_as_keyboards_print_it(combo: str, shown: str) -> None:
    assert texts.hotkey(combo) == shown


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "1 s"), (0.4, "1 s"), (12.4, "12 s"), (59.6, "1 min 0 s"), (192, "3 min 12 s"), (3900, "1 h 5 min")],
)
def test_a_length_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert texts.duration(seconds) == said


def test_what_became_of_a_take_has_words_even_if_a_later_version_wrote_it() -> None:
    said = [texts.take_outcome(name) for name in (None, "failed", "transcribed", "sung")]

    assert said == ["Interrupted", "Not inserted", "Transcribed", "sung"]


@pytest.mark.parametrize(
    ("state", "engine", "said"),
    [
        ("finishing", "whisper:starting", "Loading the model…"),
        ("finishing", "azure:starting", "Starting Azure Speech…"),
        ("finishing", "azure:ready", "Finishing…"),
        ("recording", "whisper:starting", "Listening"),
    ],
)
def test_what_takes_long_at_the_end_is_said(state: str, engine: str, said: str) -> None:
    assert texts.working(state, engine) == said


@pytest.mark.parametrize(
    ("backend", "reason", "said"),
    [
        ("whisper", "azure.lost", "By this computer: The connection to Azure Speech broke."),
        ("azure", "engine.died", "By Azure Speech: Speech recognition stopped unexpectedly."),
        ("azure", "", ""),
        ("", "", ""),
    ],
)
def test_who_takes_over_is_said_only_if_somebody_has_to(backend: str, reason: str, said: str) -> None:
    assert texts.substitute(backend, reason) == said
