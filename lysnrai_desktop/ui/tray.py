"""The tray: an icon for each state, a tooltip that says the same in words, the menu; a left click dictates.

Where there is no tray yet, `available_changed` says when one has come (the panel of a desktop may start after us).
A tray that goes away again is not noticed: nothing runs here while all is well.

Imports: the bridge, menu, resources, texts; Qt. May be imported by: app.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QSystemTrayIcon

from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.bridge import Bridge
from lysnrai_desktop.ui.menu import DictationMenu
from lysnrai_desktop.ui.resources import icon, tray_icon

LOOK_AGAIN_MS = 3000
"""No signal tells that a tray has come. Runs only while there is none."""


class Tray(QObject):
    available_changed = Signal(bool)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.menu = DictationMenu(bridge)
        self._bridge = bridge
        self.icon = self._new_icon()
        self._look_again = QTimer(self, interval=LOOK_AGAIN_MS)
        self._look_again.timeout.connect(self.look)
        self.available: bool | None = None
        """None until it has been looked for."""
        bridge.status_changed.connect(self._take_status)
        bridge.notification_failed.connect(self._show_message)

    def show(self) -> None:
        """Show the icon now, or as soon as there is a place for it."""
        self.icon.show()
        self._look_again.start()
        self.look()

    @property
    def looking(self) -> bool:
        """True while a tray is still waited for."""
        return self._look_again.isActive()

    def look(self) -> None:
        """See whether there is a tray."""
        available = QSystemTrayIcon.isSystemTrayAvailable()
        if available:
            self._look_again.stop()
        if available and self.available is False:
            # An icon decides when it is made whether it speaks D-Bus or XEmbed: a StatusNotifier tray that came after
            # it would never see it (Qt 6.11). So there is a new one.
            self.icon.hide()
            self.icon.deleteLater()
            self.icon = self._new_icon()
            self.icon.show()
        if available != self.available:
            self.available = available
            self.available_changed.emit(available)

    def _new_icon(self) -> QSystemTrayIcon:
        made = QSystemTrayIcon(self)
        made.setContextMenu(self.menu)
        made.activated.connect(self._activated)
        made.setIcon(tray_icon(icon_name(self._bridge.status)))
        made.setToolTip(tooltip(self._bridge.status, self._bridge.hotkey))
        return made

    def _take_status(self, status: Status) -> None:
        self.icon.setIcon(tray_icon(icon_name(status)))
        self.icon.setToolTip(tooltip(status, self._bridge.hotkey))

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self._bridge.toggle()

    def _show_message(self, summary: str, body: str) -> None:
        self.icon.showMessage(summary, body, icon("lysnrai"))


def icon_name(status: Status) -> str:
    """The icon of a state; while idle, a fault stays visible until the next dictation begins."""
    return "fault" if status.state == "idle" and status.fault else status.state


def tooltip(status: Status, hotkey: str) -> str:
    idle = status.state == "idle"
    words = [] if idle and status.fault else [texts.working(status.state, status.engine)]
    if status.fault:
        words.append(texts.fault(status.fault).sentence)
    elif idle and hotkey:
        words.append(f"({texts.hotkey(hotkey)})")
    return f"{texts.APP}: {' '.join(words)}"
