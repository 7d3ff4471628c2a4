"""The end of a growing text: its last two lines, "…" in front where more came before; the end may be tentative.

Imports: Qt. May be imported by: overlay.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QFont, QPainter, QTextCharFormat, QTextLayout, QTextOption

LINES = 2
_ENOUGH = 400
"""Characters: more never fit, and half an hour of speech need not be laid out for each new word."""

_MORE = "… "


class Tail:
    def __init__(self, font: QFont, width: float) -> None:
        self._font = font
        self._width = width
        self._text = ("", "")
        self._tentative = 0
        """How many characters at the end may still change."""
        self._layout = QTextLayout()
        self.height = 0.0
        """0 while there is no text."""

    def set(self, certain: str, tentative: str = "") -> None:
        if (certain, tentative) == self._text:
            return
        self._text = (certain, tentative)
        self._tentative = len(" ".join(tentative.split()))
        text = f"{certain} {tentative}" if tentative else certain
        shown = " ".join(text[-_ENOUGH:].split())
        self._lay_out(_MORE + shown if len(text) > _ENOUGH else shown)
        if self._layout.lineCount() <= LINES:
            return
        start = self._layout.lineAt(self._layout.lineCount() - LINES).textStart()
        shown = self._layout.text()[start:]
        self._lay_out(_MORE + shown)
        while self._layout.lineCount() > LINES:  # "…" has made three of them
            shown = shown[_first_word(shown) :]
            self._lay_out(_MORE + shown)

    @property
    def shown(self) -> str:
        return self._layout.text()

    @property
    def shown_tentative(self) -> str:
        return self.shown[max(0, len(self.shown) - self._tentative) :]

    def draw(self, painter: QPainter, x: float, y: float, tentative: QColor) -> None:
        """In the painter's pen colour, the end in that of what is tentative; x, y: the upper left corner."""
        end = QTextLayout.FormatRange()
        end.start, end.length = len(self.shown) - len(self.shown_tentative), len(self.shown_tentative)
        other = QTextCharFormat()
        other.setForeground(tentative)
        end.format = other
        self._layout.draw(painter, QPointF(x, y), [end] if self.shown_tentative else [])

    def _lay_out(self, text: str) -> None:
        layout = QTextLayout(text, self._font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.setCacheEnabled(True)
        layout.beginLayout()
        self.height = 0.0
        while text:
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(self._width)
            line.setPosition(QPointF(0, self.height))
            self.height += line.height()
        layout.endLayout()
        self._layout = layout


def _first_word(text: str) -> int:
    """Where the second word begins. Chinese and Japanese have no spaces: there a character is a word."""
    return text.find(" ", 0, 32) + 1 or 1
