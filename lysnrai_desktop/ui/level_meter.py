"""How loud it was during the last seconds, as a row of bars; the newest is on the right.

Imports: Qt. May be imported by: overlay.
"""

from __future__ import annotations

import math
from collections import deque

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter

QUIET_DBFS = -54.0
"""A quiet room stays flat."""
LOUD_DBFS = -6.0
_FRAMES_PER_BAR = 2
_BAR = 3.0
_STEP = 6.0
_TALLEST = 24.0


class Meter:
    def __init__(self) -> None:
        self._peaks: deque[float] = deque([0.0], maxlen=64)
        self._frames = 0

    def push(self, peak: float) -> None:
        """Take the peak since the last frame, 0 to 1."""
        if self._frames % _FRAMES_PER_BAR == 0:
            self._peaks.append(peak)
        else:
            self._peaks[-1] = max(self._peaks[-1], peak)
        self._frames += 1

    def draw(self, painter: QPainter, space: QRectF, sound: QColor, silence: QColor) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        count = int((space.width() + _STEP - _BAR) // _STEP)
        peaks = [0.0] * count + list(self._peaks)
        for place, peak in enumerate(peaks[-count:] if count > 0 else []):
            high = height(peak)
            painter.setBrush(sound if high else silence)
            tall = max(_BAR, high * _TALLEST)
            bar = QRectF(space.left() + place * _STEP, space.center().y() - tall / 2, _BAR, tall)
            painter.drawRoundedRect(bar, _BAR / 2, _BAR / 2)


def height(peak: float) -> float:
    """A peak's share of the meter, 0 to 1: even steps of loudness, as the ear has them, are even steps here."""
    if peak <= 0.0:
        return 0.0
    decibels = 20 * math.log10(peak)
    return min(1.0, max(0.0, (decibels - QUIET_DBFS) / (LOUD_DBFS - QUIET_DBFS)))


def pulse(at: float) -> float:
    """An opacity that breathes once in 1.6 s."""
    return 0.7 + 0.3 * math.cos(at * math.tau / 1.6)
