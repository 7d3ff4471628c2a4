"""A clipboard manager: `python -m tests.adapters.insertion.clipboard_watcher [take]`.

Fetches the text at once whenever the clipboard gets a new owner, and prints its length. With `take` it then owns the
clipboard itself, with the same text, as some do.
"""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QApplication


def note() -> None:
    if not clipboard.ownsClipboard():
        text = clipboard.text()
        if "take" in sys.argv:
            clipboard.setText(text)
        print(len(text), flush=True)


if __name__ == "__main__":
    app = QApplication([])
    clipboard = app.clipboard()
    clipboard.dataChanged.connect(note)
    print("watching", flush=True)
    app.exec()
