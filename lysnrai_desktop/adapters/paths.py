"""Where the app keeps its files, and who may read them: the user alone.

    $LYSNRAI_HOME, else ~/.LysnrAI
    ├── settings.toml
    ├── takes/            audio that has not been delivered yet
    ├── models/
    ├── log/lysnrai.log
    └── run/              lock and control socket

Every file is 0600, every folder 0700.

Imports: core. May be imported by: adapters, app, cli.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The app's folder and the places in it."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "settings.toml"

    @property
    def takes(self) -> Path:
        return self.folder / "takes"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "lysnrai.log"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def prepare(self) -> bool:
        """Make the folders, for the owner alone. False where the disk refuses: the app then runs from memory."""
        try:
            for folder in (self.folder, self.takes, self.log.parent, self.run):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
        except OSError:
            return False
        return os.access(self.folder, os.W_OK)


def home(environ: Mapping[str, str]) -> Home:
    """The app's folder, by the environment. Nothing is created."""
    named = environ.get("LYSNRAI_HOME")
    return Home(Path(named).expanduser().absolute() if named else Path.home() / ".LysnrAI")
