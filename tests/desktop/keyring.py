"""Keyrings for tests: a file that stands in for one."""

from __future__ import annotations

import sys
from pathlib import Path

from lysnrai_desktop.adapters.secrets import Keyring

_STAND_IN = """
import pathlib, sys
kept, seen, verb = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
with seen.open("a") as file:
    print(verb, file=file)
if verb == "read":
    if not kept.exists():
        sys.exit(3)
    sys.stdout.write(kept.read_text())
elif verb == "write":
    kept.write_text(sys.stdin.read())
elif verb == "erase":
    if not kept.exists():
        sys.exit(3)
    kept.unlink()
"""


class StandIn:
    """A keyring that is a file, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.kept, self._seen = folder / "kept", folder / "seen"
        self.keyring = Keyring(command=(sys.executable, "-c", _STAND_IN, str(self.kept), str(self._seen)))

    def asked(self) -> list[str]:
        return self._seen.read_text().split() if self._seen.exists() else []
