"""A window with a line to write in, of GTK 3 or Qt: `python line_editor.py gtk|qt TITLE RECORD text|password`.

RECORD holds the text, as that of tests/desktop/qt_editor.py. GTK's runs on the system's own Python.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def note(record: Path, text: str) -> None:
    draft = record.with_suffix(".draft")
    draft.write_text(json.dumps({"text": text, "at": time.time(), "keys": []}), encoding="utf-8")
    draft.replace(record)


def gtk(title: str, record: Path, kind: str) -> None:
    import gi  # type: ignore[import-not-found]

    gi.require_version("Gtk", "3.0")
    from gi.repository import Gtk  # type: ignore[import-not-found]

    window, entry = Gtk.Window(title=title), Gtk.Entry()
    box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
    entry.set_visibility(kind != "password")
    entry.connect("changed", lambda _: note(record, entry.get_text()))
    button = Gtk.Button(label="Go")
    for each in (entry, button):
        box.add(each)
    window.add(box)
    window.show_all()
    note(record, "")
    Gtk.main()


def qt(title: str, record: Path, kind: str) -> None:
    from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QVBoxLayout, QWidget

    app = QApplication([])
    window, line, button = QWidget(), QLineEdit(), QPushButton("Go")
    column = QVBoxLayout(window)
    if kind == "password":
        line.setEchoMode(QLineEdit.EchoMode.Password)
    line.textChanged.connect(lambda text: note(record, text))
    for each in (line, button):
        column.addWidget(each)
    window.setWindowTitle(title)
    window.show()
    note(record, "")
    app.exec()


if __name__ == "__main__":
    _, toolkit, title, record, kind = sys.argv
    {"gtk": gtk, "qt": qt}[toolkit](title, Path(record), kind)
