"""The app's icons.

Imports: nothing of this package; Qt. May be imported by: the rest of ui, app.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PySide6.QtGui import QIcon

from lysnrai_desktop import ASSETS

ICONS = ("idle", "arming", "recording", "finishing", "inserting", "fault", "done", "clipboard", "lysnrai")
"""One for each state, what may have become of a dictation, and the app's own."""


def icon_file(name: str) -> Path:
    return ASSETS / "icons" / f"{name}.svg"


@cache
def icon(name: str) -> QIcon:
    """The icon of a state at any size: Qt draws it from the SVG when a size is first asked for (0.3 ms each)."""
    return QIcon(str(icon_file(name)))
