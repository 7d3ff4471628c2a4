"""What a person sees in a terminal while something takes its time. No Qt.

Imports: nothing of this project. May be imported by: cli, transcribe.
"""

from __future__ import annotations

import sys

WIDTH = 30


class Bar:
    """A progress bar on standard error, where that is a terminal; nothing elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self._shows = not quiet and sys.stderr.isatty()

    def show(self, done: float, total: float) -> None:
        """`done` of `total` in any unit; a total of 0 is not known, and shows nothing."""
        if self._shows and total > 0:
            share = min(1.0, done / total)
            filled = int(WIDTH * share)
            self._write(f"\r{'█' * filled}{'·' * (WIDTH - filled)} {share:4.0%}")

    def clear(self) -> None:
        if self._shows:
            self._write("\r\033[K")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
