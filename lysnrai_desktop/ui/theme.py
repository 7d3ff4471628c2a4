"""Colours of what we paint ourselves, light and dark. Every text reaches a contrast of 4.5 to 1 on its ground.

Imports: nothing of this package; Qt. May be imported by: the rest of ui.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette


@dataclass(frozen=True, slots=True)
class Theme:
    ground: str
    edge: str
    text: str
    quiet: str
    """Text that is not the point: elapsed time."""
    level: str
    """The level meter where there is sound."""
    silence: str
    """The level meter where there is none."""
    fault: str


LIGHT = Theme(
    ground="#fbfbfc",
    edge="#c9cdd4",
    text="#1b1e24",
    quiet="#5c6470",
    level="#e5352b",
    silence="#c3c8d0",
    fault="#a83f00",
)
DARK = Theme(
    ground="#212429",
    edge="#464b54",
    text="#f1f3f5",
    quiet="#a3abb7",
    level="#ff6b61",
    silence="#555b66",
    fault="#ffa566",
)


def current() -> Theme:
    """The theme that the desktop asks for now; where it says nothing, the one its palette looks like."""
    scheme = QGuiApplication.styleHints().colorScheme()
    if scheme == Qt.ColorScheme.Unknown:
        window = QGuiApplication.palette().color(QPalette.ColorRole.Window)
        return DARK if window.lightnessF() < 0.5 else LIGHT
    return DARK if scheme == Qt.ColorScheme.Dark else LIGHT


def contrast(one: QColor, other: QColor) -> float:
    """Ratio of luminances, 1 to 21 (WCAG 2.1, "contrast ratio")."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: QColor) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(part) for part in (colour.redF(), colour.greenF(), colour.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
