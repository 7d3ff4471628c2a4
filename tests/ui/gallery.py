"""Pictures of all that is painted, light and dark, for people to look at: `python -m tests.ui.gallery [FOLDER]`."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ui.bridge import Bridge
from lysnrai_desktop.ui.menu import DictationMenu
from lysnrai_desktop.ui.overlay import Overlay
from lysnrai_desktop.ui.resources import ICONS, icon
from lysnrai_desktop.ui.theme import DARK, LIGHT, Theme
from lysnrai_desktop.ui.tray import Tray
from lysnrai_desktop.ui.window import Window
from tests.ui.wishing import MICROPHONES, MODELS, WishList

SIZES = (16, 22, 24, 32, 48, 64)
PANELS = {"light": "#f2f2f2", "dark": "#262626"}
DESKTOPS = {"light": "#dfe5ec", "dark": "#15181c"}
SHORT = SpokenText("The quick brown fox jumps over the lazy dog.")
LONG = SpokenText(
    "It was a bright cold day in April, and the clocks were striking thirteen. Nobody at the table had expected that, "
    "least of all the watchmaker, who put down his spoon and began to count on his fingers once more."
)
SCENES = {
    "arming": Status("arming", 100.0),
    "recording-silent": Status("recording", 99.9),
    "recording": Status("recording", 93.0, text=SHORT),
    "recording-tentative": Status("recording", 93.0, text=SHORT, tentative=SpokenText("It then ran across the feel")),
    "recording-long": Status("recording", -4000.0, text=LONG),
    "recording-fault": Status("recording", 93.0, text=SHORT, fault="engine.died"),
    "recording-substitute": Status(
        "recording", 93.0, text=SHORT, backend="whisper", backend_reason="azure.unreachable"
    ),
    "recording-substitute-silent": Status("recording", 99.0, backend="whisper", backend_reason="azure.key"),
    "finishing": Status("finishing", 100.0, text=LONG),
    "finishing-loading": Status("finishing", 100.0, engine="whisper:starting"),
    "inserting": Status("inserting", 100.0, text=SHORT),
    "outcome-inserted": Status("idle", 100.0, outcome="inserted"),
    "outcome-typed": Status("idle", 100.0, outcome="probably_inserted"),
    "outcome-clipboard": Status("idle", 100.0, outcome="on_clipboard"),
    "outcome-clipboard-fault": Status("idle", 100.0, outcome="on_clipboard", fault="insert.target_gone"),
    "outcome-nothing-heard": Status("idle", 100.0, outcome="nothing_heard"),
    "outcome-cancelled": Status("idle", 100.0, outcome="cancelled"),
    "outcome-failed": Status("idle", 100.0, outcome="failed", fault="engine.language"),
}


def shown(bridge: Bridge, status: Status) -> None:
    bridge.show(status)
    QApplication.processEvents()


def overlay(status: Status, scene: str, look: Theme) -> QPixmap:
    """The overlay as it looks when a dictation has come to this status."""
    bridge = WishList().bridge()
    widget = Overlay(bridge, clock=lambda: 100.4, look=lambda: look)
    shown(bridge, Status("arming", 99.0))
    if status.state != "arming":
        shown(bridge, Status("recording", 87.0 if status.state != "recording" else status.since))
        for frame in range(120):
            loud = abs(math.sin(frame / 5.0) * math.sin(frame / 17.0)) ** 1.5
            bridge.level(0.0008 if "silent" in scene else 0.001 + 0.5 * loud)
            widget._next_frame()
        shown(bridge, status)
    picture = _grabbed(widget)
    widget.close()
    return picture


def _grabbed(widget: QWidget) -> QPixmap:
    picture = QPixmap(widget.size() * 2)
    picture.setDevicePixelRatio(2)
    picture.fill(Qt.GlobalColor.transparent)
    widget.render(picture, QPoint())
    return picture


def _sheet(pictures: list[QPixmap], columns: int, ground: str) -> QImage:
    sizes = [picture.deviceIndependentSize().toSize() for picture in pictures]
    wide, high = max(size.width() for size in sizes) + 24, max(size.height() for size in sizes) + 24
    rows = -(-len(pictures) // columns)
    sheet = QImage(wide * columns * 2, high * rows * 2, QImage.Format.Format_RGB32)
    sheet.setDevicePixelRatio(2)
    sheet.fill(QColor(ground))
    painter = QPainter(sheet)
    for place, picture in enumerate(pictures):
        painter.drawPixmap(place % columns * wide + 12, place // columns * high + 12, picture)
    painter.end()
    return sheet


def _icons(ground: str) -> QImage:
    sheet = QImage(900, 110 * len(ICONS), QImage.Format.Format_RGB32)
    sheet.fill(QColor(ground))
    painter = QPainter(sheet)
    for row, name in enumerate(ICONS):
        left = 16
        for size in SIZES:
            painter.drawPixmap(left, row * 110 + 16, icon(name).pixmap(size))
            left += size + 16
        painter.drawPixmap(QRect(left, row * 110 + 7, 96, 96), icon(name).pixmap(16))  # what 16 px really are
    painter.end()
    return sheet


def windows() -> list[QPixmap]:
    wishes = WishList(tester=True)
    bridge = wishes.bridge()
    pictures = []
    window = Window(bridge, Tray(bridge))
    for status in (
        Status("idle", 0.0),
        Status("recording", 0.0),
        Status("idle", 0.0, fault="microphone.missing"),
        Status("idle", 0.0, fault="bug"),
    ):
        shown(bridge, status)
        pictures.append(_grabbed(window))
    menu = DictationMenu(bridge)
    menu.microphones.fill(MICROPHONES)
    menu.models.fill(MODELS)
    shown(bridge, Status("recording", 0.0, backend="whisper", backend_reason="azure.unreachable"))
    parts = (menu, menu.microphones, menu.models, menu.engines, *menu.breaks.findChildren(QMenu))
    for part in parts:
        part.aboutToShow.emit()
    pictures += [_menu(part) for part in parts]
    return pictures


def _menu(menu: QWidget) -> QPixmap:
    menu.resize(menu.sizeHint())
    return _grabbed(menu)


def dark() -> QPalette:
    """Stand in for what a dark desktop gives to its programs."""
    palette = QPalette(QColor("#33373e"), QColor("#2a2d33"))
    palette.setColor(QPalette.ColorRole.Base, QColor("#23262b"))
    palette.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text, QColor("#7d828a"))
    palette.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText, QColor("#7d828a"))
    return palette


def main(folder: Path) -> None:
    application = QApplication([])
    application.setStyle("fusion")
    folder.mkdir(parents=True, exist_ok=True)
    for name, look, palette in (("light", LIGHT, QPalette("#ececec")), ("dark", DARK, dark())):
        application.setPalette(palette)
        pictures = [overlay(status, scene, look) for scene, status in SCENES.items()]
        _sheet(pictures, 2, DESKTOPS[name]).save(str(folder / f"overlay-{name}.png"))
        _icons(PANELS[name]).save(str(folder / f"icons-{name}.png"))
        _sheet(windows(), 2, DESKTOPS[name]).save(str(folder / f"windows-{name}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots"))
