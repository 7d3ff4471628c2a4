"""Overlay and window in a program of their own; each line on standard input says what to show.

Answers with the place of what it shows (x, y, width, height), with nothing where that is hidden, and to "wished" with
the number of wishes so far, to "composited" with 1 or 0.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QPoint, QSocketNotifier
from PySide6.QtWidgets import QApplication, QToolButton, QWidget

from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ui.compositing import composited
from lysnrai_desktop.ui.overlay import Overlay
from lysnrai_desktop.ui.tray import Tray
from lysnrai_desktop.ui.window import Window
from tests.ui.wishing import WishList


def main() -> int:
    application = QApplication([])
    application.setQuitOnLastWindowClosed(False)
    wishes = WishList()
    bridge = wishes.bridge()
    overlay = Overlay(bridge)
    tray = Tray(bridge)
    window = Window(bridge, tray)

    def place(widget: QWidget) -> str:
        corner = widget.mapToGlobal(QPoint())
        return f"{corner.x()} {corner.y()} {widget.width()} {widget.height()}" if widget.isVisible() else ""

    def answer() -> None:
        line = sys.stdin.readline().strip()
        if not line:
            application.quit()
        elif line == "wished":
            print(len(wishes.wished), flush=True)
        elif line == "composited":
            print(int(composited()), flush=True)
        elif line == "window":
            if not window.isVisible():
                window.move(700, 100)
                tray.show()
            application.processEvents()
            button = window.findChild(QToolButton)
            assert isinstance(button, QToolButton)
            print(place(button), flush=True)
        else:
            bridge.show(Status(line, 0.0, outcome="inserted" if line == "idle" else None))
            application.processEvents()
            print(place(overlay), flush=True)

    notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
    notifier.activated.connect(answer)
    print(flush=True)
    return application.exec()


if __name__ == "__main__":
    sys.exit(main())
