"""Where the app keeps its files, and who may read them: the user alone.

    $LYSNRAI_HOME, else ~/.LysnrAI
    ├── settings.toml
    ├── takes/            audio that has not been delivered yet
    ├── models/
    ├── log/lysnrai.log
    └── run/              lock and control socket

Every file is 0600, every folder 0700. A folder that cannot be written is no reason not to start: takes then stay in
memory, the log goes to standard error, and lock and socket lie in $XDG_RUNTIME_DIR/lysnrai-<hash of the folder's path>.

Imports: core. May be imported by: adapters, app, cli.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The app's folder and the places in it."""

    folder: Path
    runtime: Path | None = None
    """The user's own folder for sockets, gone with the session: $XDG_RUNTIME_DIR."""

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
    def run(self) -> tuple[Path, ...]:
        """Where lock and control socket may lie, the first that can be written; a client asks in the same order."""
        own = self.folder / "run"
        if self.runtime is None:
            return (own,)
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return own, self.runtime / f"lysnrai-{name}"

    def prepare(self) -> bool:
        """Make the folders, for the owner alone. False where the disk refuses: the app then runs from memory."""
        made = [_make(folder) for folder in (self.folder, self.takes, self.log.parent, self.run[0])]
        return all(made)

    def prepare_run(self) -> Path | None:
        """Make the first folder of `run` that can be written; None where the user has none of his own."""
        return next((folder for folder in self.run if _make(folder)), None)


def home(environ: Mapping[str, str]) -> Home:
    """The app's folder, by the environment. Nothing is created."""
    named, runtime = environ.get("LYSNRAI_HOME"), environ.get("XDG_RUNTIME_DIR")
    folder = Path(named).expanduser().absolute() if named else Path.home() / ".LysnrAI"
    return Home(folder, Path(runtime) if runtime and Path(runtime).is_absolute() else None)


def _make(folder: Path) -> bool:
    """Whether there is such a folder now, writable, and only for its owner."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)  # refused where it is somebody else's
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
