"""Pictures to be looked at (`make screenshots`): tray, overlay, menu, notification and window, light and dark.

They lie in build/screenshots, whole screens named by what the app was doing, and for each theme one sheet with the tray
icon of every state, four times as large. Nothing is compared: the eye decides.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QImage, QPainter

from tests import nonspeech, speech
from tests.desktop.machine import VirtualDesktop, virtual_desktop
from tests.e2e.app import HOTKEY, App, running_app
from tests.fixtures_models import prepared

FOLDER = Path(__file__).parents[2] / "build" / "screenshots"
DESK = {"light": (126, 146, 171), "dark": (38, 44, 56)}
SETTLE_S = 0.3
"""From a state to its picture on the screen."""
ICON_TIMES = 4


class Photographer:
    """Takes numbered pictures of one desktop, and keeps the tray of each."""

    def __init__(self, desktop: VirtualDesktop, theme: str) -> None:
        self._screen = desktop.screen
        self._theme = theme
        self._trays: list[QImage] = []
        desktop.screen.paint_background(DESK[theme])

    def take(self, name: str) -> None:
        """Save the screen, once it had time to settle."""
        time.sleep(SETTLE_S)
        picture = self._screen.picture()
        picture.save(str(FOLDER / f"{self._theme}-{name}.png"))
        if "panel" in self._screen.titles():
            self._trays.append(picture.copy(QRect(*self._screen.area("panel"))))

    def save_trays(self) -> None:
        """Put the trays of all pictures beside each other."""
        width, height = max(tray.width() for tray in self._trays), self._trays[0].height()
        sheet = QImage(width * len(self._trays) * ICON_TIMES, height * ICON_TIMES, QImage.Format.Format_RGB32)
        painter = QPainter(sheet)
        for place, tray in enumerate(self._trays):
            large = tray.scaled(tray.size() * ICON_TIMES, mode=Qt.TransformationMode.FastTransformation)
            painter.drawImage(place * width * ICON_TIMES, 0, large)
        painter.end()
        sheet.save(str(FOLDER / f"{self._theme}-trays.png"))


def main() -> int:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    models = prepared("base").parent
    for theme in DESK:
        with (
            virtual_desktop(dark=theme == "dark") as desktop,
            desktop.qt_editor("Editor") as editor,
            running_app(desktop, models=models) as app,
        ):
            desktop.screen.place(editor.title, 280, 60)
            _dictations(desktop, app, Photographer(desktop, theme))
        with virtual_desktop(dark=theme == "dark", panel=False) as desktop, running_app(desktop, models=models) as app:
            _window(app, Photographer(desktop, theme))
    print(f"{len(list(FOLDER.iterdir()))} pictures lie in build/screenshots.")
    return 0


def _dictations(desktop: VirtualDesktop, app: App, photographer: Photographer) -> None:
    first, second = (speech.as_wav(clip, desktop.folder) for clip in speech.librivox()[3:])
    photographer.take("1-idle")

    desktop.screen.press(HOTKEY)
    app.until("recording")
    with desktop.sound.speaking(first):
        time.sleep(3)  # the level is to be seen
        photographer.take("2-recording")
    desktop.sound.speak(second)
    with desktop.sound.speaking(first):
        time.sleep(3)  # the first sentence has been understood by now
        photographer.take("3-text-so-far")
    desktop.screen.press(HOTKEY)
    app.until("finishing")
    photographer.take("4-finishing")
    app.until("idle")
    photographer.take("5-inserted")

    desktop.screen.press(HOTKEY)
    app.until("recording")
    desktop.sound.speak(nonspeech.as_wav("silence", 1, desktop.folder))
    desktop.screen.press(HOTKEY)
    app.until("idle")
    photographer.take("6-nothing-heard")

    x, y, width, height = desktop.screen.area("panel")
    desktop.screen.click(x + width // 2, y + height // 2, button=3)
    photographer.take("7-menu")
    desktop.screen.press("esc")

    desktop.sound.unplug()
    desktop.sound.control("unload-module", "module-null-sink")
    desktop.screen.press(HOTKEY)
    app.until(lambda status: status["fault"] is not None)
    photographer.take("8-no-microphone")
    photographer.save_trays()


def _window(app: App, photographer: Photographer) -> None:
    photographer.take("9-window")
    app.lysnrai("start")
    app.until("recording")
    photographer.take("10-window-recording")


if __name__ == "__main__":
    sys.exit(main())
