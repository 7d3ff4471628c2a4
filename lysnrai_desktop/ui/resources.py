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

TRAY_SIZES = (16, 22, 24, 32, 48, 64)


def icon_file(name: str) -> Path:
    return ASSETS / "icons" / f"{name}.svg"


@cache
def icon(name: str) -> QIcon:
    """The icon of a state at any size: Qt draws it from the SVG when a size is first asked for (0.3 ms each)."""
    return QIcon(str(icon_file(name)))


@cache
def tray_icon(name: str) -> QIcon:
    """The icon drawn at each size that panels use: over D-Bus, Qt would send an SVG at 22 and 64 pixels only."""
    drawn = QIcon()
    for size in TRAY_SIZES:
        drawn.addPixmap(icon(name).pixmap(size))
    return drawn
