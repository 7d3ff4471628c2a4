"""The app's log: what happened, never what was said.

Imports: nothing of ours. May be imported by: app.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

MOST_BYTES = 1_000_000
"""Of the file, and of the one before it."""


class LogFile(logging.handlers.RotatingFileHandler):
    """What a full disk refuses goes to standard error."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MOST_BYTES, backupCount=1, encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        if isinstance(sys.exc_info()[1], OSError):
            sys.stderr.write(f"{self.format(record)}\n")
        else:
            super().handleError(record)


def log_to(path: Path | None) -> None:
    """Keep what the program logs in this file; on standard error where there is none."""
    handler = LogFile(path) if path else logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
