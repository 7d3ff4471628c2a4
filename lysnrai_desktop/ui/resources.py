"""Where icons and sounds are.

In a checkout they lie in `assets/` at its root; an installed package has them inside itself.

Imports: nothing of this package; Qt. May be imported by: the rest of ui, app.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PySide6.QtGui import QIcon

_PACKAGE = Path(__file__).parents[1]

ICONS = ("idle", "arming", "recording", "finishing", "inserting", "fault", "done", "clipboard", "lysnrai")
"""One for each state, what may have become of a dictation, and the app's own."""


@cache
def assets() -> Path:
    """The folder of everything that is not code."""
    inside = _PACKAGE / "assets"
    return inside if inside.is_dir() else _PACKAGE.parent / "assets"


def icon_file(name: str) -> Path:
    return assets() / "icons" / f"{name}.svg"


@cache
def icon(name: str) -> QIcon:
    """The icon of a state at any size: Qt draws it from the SVG when a size is first asked for (0.3 ms each)."""
    return QIcon(str(icon_file(name)))
