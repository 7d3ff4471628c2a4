"""The Qt binding keeps Python's books. PySide6 6.12.0 does not on Python 3.11 (docs/decisions/qt-binding.md)."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject
from PySide6.QtGui import QImage, QPainter


def test_a_call_that_returns_nothing_takes_no_reference_from_none() -> None:
    image, thing = QImage(8, 8, QImage.Format.Format_ARGB32), QObject()
    painter = QPainter(image)
    before = sys.getrefcount(None)

    for _ in range(1000):
        painter.setOpacity(0.5)
        thing.setObjectName("x")

    lost = before - sys.getrefcount(None)
    painter.end()
    assert lost < 100
