"""The small window that serves where there is no tray.

It never takes the keyboard, as an on-screen keyboard does not: a click on its button starts a dictation into the
window that has the focus, and that must not be this one.

It shows and hides itself as the tray is missing or there. Closing it quits; a dictation under way is brought to its
end first.

Imports: the bridge, menu, resources, texts; Qt. May be imported by: app.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QCloseEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.bridge import Bridge
from lysnrai_desktop.ui.menu import DictationMenu
from lysnrai_desktop.ui.resources import icon
from lysnrai_desktop.ui.tray import Tray, icon_name

_ICON_PX = 48


class Window(QWidget):
    def __init__(self, bridge: Bridge, tray: Tray) -> None:
        super().__init__(None, Qt.WindowType.Window | Qt.WindowType.WindowDoesNotAcceptFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setWindowTitle(texts.APP)
        self.setWindowIcon(icon("lysnrai"))
        self._bridge = bridge
        self._closing = False

        self._icon = QLabel()
        self._word = QLabel()
        font = self._word.font()
        font.setPointSizeF(font.pointSizeF() * 1.15)
        font.setBold(True)
        self._word.setFont(font)
        self._word.setWordWrap(True)
        self._hint = QLabel()
        self._hint.setWordWrap(True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.menu = DictationMenu(bridge, self)
        menu_button = QToolButton()
        menu_button.setText(texts.MENU)
        menu_button.setMenu(self.menu)
        menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (_button(self.menu.toggle), _button(self.menu.cancel), menu_button):
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setMinimumHeight(32)
            buttons.addWidget(button)
        layout = QGridLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setHorizontalSpacing(16)
        layout.setVerticalSpacing(4)
        layout.addWidget(self._icon, 0, 0, 3, 1, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._word, 0, 1)
        layout.addWidget(self._hint, 1, 1)
        layout.addLayout(buttons, 3, 0, 1, 2)
        layout.setColumnStretch(1, 1)
        layout.setRowStretch(2, 1)
        self.setFixedSize(400, 164)

        bridge.status_changed.connect(self._take_status)
        tray.available_changed.connect(self._tray_changed)
        self._take_status(bridge.status)

    def closeEvent(self, event: QCloseEvent) -> None:
        event.ignore()  # the app ends when it has put everything away, not when a window goes
        self._closing = True
        if self._bridge.listening:
            self._bridge.wishes.stop()
        self._take_status(self._bridge.status)

    def _tray_changed(self, available: bool) -> None:
        self.setVisible(not available)

    def _take_status(self, status: Status) -> None:
        self._icon.setPixmap(icon(icon_name(status)).pixmap(QSize(_ICON_PX, _ICON_PX), self.devicePixelRatio()))
        self._word.setText(_word(status))
        self._hint.setText(texts.FINISHING_THEN_QUIT if self._closing else self._advice(status))
        if self._closing and status.state == "idle":
            self._closing = False
            self._bridge.wishes.quit()

    def _advice(self, status: Status) -> str:
        if status.fault:
            advice = texts.fault(status.fault)
            return advice.remedy if status.state == "idle" else advice.sentence
        if status.state == "idle" and self._bridge.hotkey:
            return texts.HOTKEY_HINT.format(hotkey=texts.hotkey(self._bridge.hotkey))
        return ""


def _button(action: QAction) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    return button


def _word(status: Status) -> str:
    if status.fault and status.state == "idle":
        return texts.fault(status.fault).sentence
    return texts.working(status.state, status.engine)
