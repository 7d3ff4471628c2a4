"""A GTK 3 text area that tells what reached it: `/usr/bin/python3 gtk_editor.py TITLE RECORD`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import gi  # type: ignore[import-not-found]

gi.require_version("Gtk", "3.0")
from gi.repository import Gtk  # type: ignore[import-not-found]  # noqa: E402


def main(title: str, record: Path) -> None:
    window, view = Gtk.Window(title=title), Gtk.TextView()
    buffer = view.get_buffer()

    def note(*_: object) -> None:
        text = buffer.get_text(*buffer.get_bounds(), True)
        draft = record.with_suffix(".draft")
        draft.write_text(json.dumps({"text": text, "at": time.time(), "keys": []}), encoding="utf-8")
        draft.replace(record)

    buffer.connect("changed", note)
    window.add(view)
    window.set_default_size(720, 320)
    window.show_all()
    note()
    Gtk.main()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
