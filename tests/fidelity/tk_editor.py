"""A Tk text area that tells what reached it: `/usr/bin/python3 tk_editor.py TITLE RECORD`."""

from __future__ import annotations

import json
import sys
import time
import tkinter as tk
from pathlib import Path


def main(title: str, record: Path) -> None:
    window = tk.Tk()
    window.title(title)
    view = tk.Text(window)
    view.pack()

    def note(*_: object) -> None:
        draft = record.with_suffix(".draft")
        text = view.get("1.0", "end-1c")
        found = {"text": text, "at": time.time(), "keys": [], "focused": window.focus_get() is view}
        draft.write_text(json.dumps(found), encoding="utf-8")
        draft.replace(record)
        view.edit_modified(False)

    view.bind("<<Modified>>", note)
    view.bind("<FocusIn>", note)
    view.focus_set()
    note()
    window.mainloop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
