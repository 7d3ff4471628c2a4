"""A plain Qt editor that tells what reached it: `python -m tests.desktop.qt_editor TITLE RECORD`.

After each change, once it is painted, RECORD is replaced by one JSON object: `text`, `at`
(time.time() of the painting), `keys` (names of all keys pressed in it, modifiers left out).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QFont, QKeyEvent, QKeySequence, QPaintEvent
from PySide6.QtWidgets import QApplication, QPlainTextEdit

_MODIFIERS = {Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Shift, Qt.Key.Key_Meta, Qt.Key.Key_AltGr}


class Editor(QPlainTextEdit):
    """Text area with a record of its text and keys."""

    def __init__(self, title: str, record: Path) -> None:
        super().__init__()
        self._record = record
        self._keys: list[str] = []
        self._changed = True
        self.setWindowTitle(title)
        self.setFont(QFont("DejaVu Sans", 13))
        self.resize(720, 320)
        self.textChanged.connect(self._note_change)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt names its overrides)
        if event.key() not in _MODIFIERS:
            combination = QKeyCombination(event.modifiers(), Qt.Key(event.key()))
            self._keys.append(QKeySequence(combination).toString())
            self._note_change()
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        super().paintEvent(event)
        if self._changed:
            self._changed = False
            self._write()

    def _note_change(self) -> None:
        self._changed = True
        self.viewport().update()

    def _write(self) -> None:
        record = {"text": self.toPlainText(), "at": time.time(), "keys": self._keys}
        draft = self._record.with_suffix(".draft")
        draft.write_text(json.dumps(record), encoding="utf-8")
        draft.replace(self._record)


if __name__ == "__main__":
    app = QApplication([])
    editor = Editor(sys.argv[1], Path(sys.argv[2]))
    editor.show()
    app.exec()
