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
