"""The overlay: a pill at the bottom of the screen that shows a dictation while it lasts, and what became of it.

    arming ─▶ recording ─▶ finishing ─▶ inserting ─▶ outcome ──1.5 s (a fault: 6 s)──▶ hidden

It never takes the keyboard or a click: to the window manager it does not exist (X11's override-redirect), and the
pointer goes through it. On Wayland a window can neither be placed nor kept from taking the focus, so there it is not
shown; the tray serves.

It looks like recording only in the state recording, and it costs nothing while hidden: the one timer that paints
level and time runs only while it is visible and something moves.

Imports: the bridge, resources, texts, theme; Qt. May be imported by: app.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QRect, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QCursor,
    QFont,
    QFontMetricsF,
    QGuiApplication,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QRegion,
    QScreen,
)
from PySide6.QtWidgets import QWidget

from lysnrai_desktop.core.dictation import Outcome
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ui import level_meter, texts, theme
from lysnrai_desktop.ui.bridge import Bridge
from lysnrai_desktop.ui.compositing import composited
from lysnrai_desktop.ui.resources import icon
from lysnrai_desktop.ui.tail import Tail

FRAME_MS = 40
"""25 pictures a second at most."""
PULSE_MS = 100
"""Finishing is the engine's time: fewer pictures."""
OUTCOME_MS = 1500
FAULT_MS = 6000
"""A sentence must be read first."""
MICROPHONE_MS = 3000
"""How long the name of another microphone stands in the place of the text."""

_WIDTH = 420
_ROW = 46
_RADIUS = 23
_SIDE = 16
_ICON = 20
_GAP = 10
_NOTE = 18
"""The line that says which engine has taken over."""
_BELOW = 12
"""Between the last line of text and the edge."""
_ABOVE_SCREEN_END = 56
_TIME_WIDTH = 48

_OUTCOME_ICONS = {
    Outcome.INSERTED: "done",
    Outcome.PROBABLY_INSERTED: "done",
    Outcome.ON_CLIPBOARD: "clipboard",
    Outcome.NOTHING_HEARD: "idle",
    Outcome.CANCELLED: "idle",
    Outcome.FAILED: "fault",
}


class Overlay(QWidget):
    def __init__(
        self,
        bridge: Bridge,
        clock: Callable[[], float] = time.time,
        look: Callable[[], theme.Theme] = theme.current,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Show dictations.

        Args:
            bridge: whose status and level are shown.
            clock: seconds since 1970, as Status.since.
            look: the colours, asked for anew when they may have changed.
            wanted: whether the user wants an overlay, asked at the beginning of each dictation.
        """
        super().__init__(
            None,
            Qt.WindowType.Tool
            | Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowStaysOnTopHint
            | Qt.WindowType.WindowDoesNotAcceptFocus
            | Qt.WindowType.WindowTransparentForInput
            | Qt.WindowType.X11BypassWindowManagerHint,
        )
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWindowTitle(texts.APP)
        self._bridge = bridge
        self._clock = clock
        self._status = bridge.status
        self._recorded_s = 0.0
        self._meter = level_meter.Meter()
        self._screen: QScreen | None = None
        self._composited = True
        self._look = look
        self._wanted = wanted
        self._shows = False
        self._theme = look()
        self._word_font = _scaled(self.font(), 1.0, QFont.Weight.DemiBold)
        self._time_font = _scaled(self.font(), 1.0, QFont.Weight.Normal)
        self._note_font = _scaled(self.font(), 0.9, QFont.Weight.Normal)
        self._note = ""
        self._tail = Tail(_scaled(self.font(), 1.1, QFont.Weight.Normal), _WIDTH - 2 * _SIDE)
        self._frames = QTimer(self)
        self._frames.timeout.connect(self._next_frame)
        self._hiding = QTimer(self, singleShot=True)
        self._hiding.timeout.connect(self.hide)
        self._naming = QTimer(self, singleShot=True)
        self._naming.timeout.connect(lambda: self._show_lines() if self.isVisible() else None)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._take_scheme)
        bridge.status_changed.connect(self._take_status)

    @property
    def moving(self) -> bool:
        """True while pictures are painted by time."""
        return self._frames.isActive()

    # -- what is shown

    def _take_status(self, status: Status) -> None:
        before, self._status = self._status, status
        if before.state == "idle" and status.state != "idle":
            self._shows = self._wanted() and QGuiApplication.platformName() != "wayland"
        if not self._shows:
            return
        if status.state == "idle":
            if before.state == "idle":
                return  # still idle: what has been shown is not shown again
            self._frames.stop()
            self._hiding.start(FAULT_MS if status.fault else OUTCOME_MS)
        else:
            self._hiding.stop()
            self._begin_state(before, status)
        if before.microphone and status.microphone != before.microphone:
            self._naming.start(MICROPHONE_MS)
        self._show_lines()
        if status.state != before.state:
            self.raise_()  # a window raised meanwhile may cover it

    def _begin_state(self, before: Status, status: Status) -> None:
        if status.state == "arming" and before.state != "arming":
            self._recorded_s = 0.0
            self._screen = QGuiApplication.screenAt(QCursor.pos())
        if status.state == "recording" and before.state != "recording":
            self._meter = level_meter.Meter()
            self._bridge.take_level()
        if status.state == "recording":
            self._frames.start(FRAME_MS)
        elif status.state == "finishing":
            self._frames.start(PULSE_MS)
        else:
            self._frames.stop()

    def _show_lines(self) -> None:
        self._set_lines(self._status)
        self._place()
        self.update()

    def _set_lines(self, status: Status) -> None:
        told = status.state == "idle" or status.fault == status.backend_reason
        self._note = "" if told else texts.substitute(status.backend, status.backend_reason)
        if status.fault:
            self._tail.set(texts.fault(status.fault).sentence)
        elif self._naming.isActive() and status.state == "recording":
            self._tail.set(texts.MICROPHONE_NOW.format(name=status.microphone))
        elif status.state == "idle":
            self._tail.set("")
        else:
            self._tail.set(status.text.reveal(), status.tentative.reveal())

    def _place(self) -> None:
        lines = self._note_height + round(self._tail.height)
        height = _ROW + (lines + _BELOW if lines else 0)
        screen = self._screen if self._screen in QGuiApplication.screens() else None
        space = (screen or QGuiApplication.primaryScreen()).availableGeometry()
        width = min(self._width(), space.width())
        left = space.left() + (space.width() - width) // 2
        top = space.bottom() + 1 - _ABOVE_SCREEN_END - height
        place = QRect(left, top, width, height)
        if place != self.geometry() or not self.isVisible():
            self.setGeometry(place)
            self._shape()
        if not self.isVisible():
            self._theme = self._look()
            self.show()

    @property
    def _note_height(self) -> int:
        return _NOTE if self._note else 0

    def _width(self) -> int:
        """As wide as a dictation needs it; an outcome in a word or two is a small pill."""
        if self._status.state != "idle" or self._tail.height:
            return _WIDTH
        word = QFontMetricsF(self._word_font).horizontalAdvance(_row(self._status)[1])
        return round(_SIDE + _ICON + _GAP + word + _SIDE) + 4

    def _shape(self) -> None:
        """Cut the corners off where nothing could blend them with what lies below."""
        self._composited = composited()
        if self._composited:
            self.clearMask()
        else:
            self.setMask(QRegion(_pill(QRectF(self.rect()), _RADIUS).toFillPolygon().toPolygon()))

    def _take_scheme(self) -> None:
        self._theme = self._look()
        self.update()

    # -- moving parts

    def _next_frame(self) -> None:
        if self._status.state == "recording":
            self._meter.push(self._bridge.take_level())
            self._recorded_s = max(0.0, self._clock() - self._status.since)
        self.update(0, 0, self.width(), _ROW)

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRegion(event.region())
        colours = self._theme
        if not self._composited:
            painter.fillRect(self.rect(), QColor(colours.edge))
        painter.setPen(QPen(QColor(colours.edge), 1.0))
        painter.setBrush(QColor(colours.ground))
        painter.drawPath(_pill(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS - 0.5))
        self._paint_row(painter, colours)
        if self._note:
            painter.setFont(self._note_font)
            painter.setPen(QColor(colours.quiet))
            place = QRectF(_SIDE, _ROW - 6, self.width() - 2 * _SIDE, _NOTE)
            shown = QFontMetricsF(self._note_font).elidedText(self._note, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, shown)
        if self._tail.height:
            painter.setPen(QColor(colours.fault if self._status.fault else colours.text))
            self._tail.draw(painter, _SIDE, _ROW - 2 + self._note_height, QColor(colours.quiet))

    def _paint_row(self, painter: QPainter, colours: theme.Theme) -> None:
        status = self._status
        name, word = _row(status)
        middle = _ROW / 2
        if status.state == "finishing":
            painter.setOpacity(level_meter.pulse(self._clock()))
        size = QSize(_ICON, _ICON)
        painter.drawPixmap(_SIDE, round(middle - _ICON / 2), icon(name).pixmap(size, self.devicePixelRatio()))
        painter.setOpacity(1.0)
        left = _SIDE + _ICON + _GAP
        painter.setFont(self._word_font)
        painter.setPen(QColor(colours.text))
        width = QFontMetricsF(self._word_font).horizontalAdvance(word)
        painter.drawText(QRectF(left, 0, width + 2, _ROW), Qt.AlignmentFlag.AlignVCenter, word)
        if status.state == "idle":
            return
        right = self.width() - _SIDE
        if self._recorded_s or status.state == "recording":
            painter.setFont(self._time_font)
            painter.setPen(QColor(colours.quiet))
            place = QRectF(right - _TIME_WIDTH, 0, _TIME_WIDTH, _ROW)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, self._elapsed())
        if status.state == "recording":
            start = left + width + 2 * _GAP
            space = QRectF(start, 0, right - _TIME_WIDTH - start, _ROW)
            self._meter.draw(painter, space, QColor(colours.level), QColor(colours.silence))

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(self._recorded_s), 60)
        return f"{minutes}:{seconds:02}"


def _row(status: Status) -> tuple[str, str]:
    """Icon and word."""
    if status.state != "idle":
        return status.state, texts.working(status.state, status.engine)
    became = Outcome(status.outcome or Outcome.CANCELLED)
    return _OUTCOME_ICONS[became], texts.outcome(became)


def _pill(rect: QRectF, radius: float) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(rect, radius, radius)
    return path


def _scaled(font: QFont, factor: float, weight: QFont.Weight) -> QFont:
    scaled = QFont(font)
    scaled.setPointSizeF(font.pointSizeF() * factor)
    scaled.setWeight(weight)
    return scaled
