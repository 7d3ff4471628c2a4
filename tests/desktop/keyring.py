"""Keyrings for tests: GNOME's, and a file that stands in for one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from lysnrai_desktop.adapters.secrets import Keyring
from tests.desktop.processes import call, eventually, running

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


@contextlib.contextmanager
def gnome_keyring(folder: Path, environment: Mapping[str, str], locked: bool = False) -> Iterator[None]:
    """Run GNOME's keyring on the session bus of the environment, its files in `folder`. No prompt can be shown."""
    password = folder / "password"
    password.write_text("of the keyring")
    unlock = "" if locked else f"--unlock < '{password}'"
    command = ("sh", "-c", f"exec gnome-keyring-daemon --foreground --components=secrets {unlock}")
    own = {**environment, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}

    def offered() -> bool:
        names = call(
            (
                *("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"),
                *("org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"),
            ),
            environment,
        )
        return "true" in names

    with running(command, own, log=folder / "keyring.log"):
        eventually(offered, "the keyring answers")
        yield
