"""A program that copies: `python -m tests.adapters.insertion.clipboard_owner`. Prints a line when it has.

What is on its clipboard: a picture with text, rich text and files, as an office program puts them there.
"""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QMimeData, QTimer, QUrl
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication

TEXT = "formerly — ä😀"
HTML = "<b>formerly</b> — ä😀"
FILES = ["file:///tmp/one%20file.txt", "file:///tmp/two.txt"]
BINARY = bytes(range(256)) * 2000
"""Half a megabyte, more than one X request holds."""


def content() -> QMimeData:
    image = QImage(60, 40, QImage.Format.Format_ARGB32)
    image.fill(QColor(200, 30, 60, 120))
    made = QMimeData()
    made.setText(TEXT)
    made.setHtml(HTML)
    made.setUrls([QUrl(file) for file in FILES])
    made.setImageData(image)
    made.setData("application/x-binary", QByteArray(BINARY))
    return made


if __name__ == "__main__":
    app = QApplication([])
    clipboard = app.clipboard()
    clipboard.setMimeData(content())
    QTimer.singleShot(0, lambda: print("copied" if clipboard.ownsClipboard() else "refused", flush=True))
    app.exec()
