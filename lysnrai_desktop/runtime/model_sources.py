"""Where the files of a model can come from: installed packages, a folder, a server laid out like the hub.

A source puts files into a folder and promises nothing about them: runtime/models.py compares every file with the
catalogue before it is used. A file half there is the beginning of the right one, as far as a source knows: servers go
on from its end.

A download runs in a process of its own (adapters/hub.py), because a thread that waits for a dead connection cannot be
stopped. This end watches the files grow, which gives progress and notices a stall whatever the library does, and ends
the process. The process also ends when this one does: its standard input closes.

Imports: core. May be imported by: runtime.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol
from urllib.parse import urlsplit

from lysnrai_desktop.core.catalogue import Model, ModelFile
from lysnrai_desktop.core.faults import DiskFull, ModelDownloadFailed

DOWNLOAD_COMMAND = (sys.executable, "-m", "lysnrai_desktop.adapters.hub")

_HUB = "https://huggingface.co"
_POLL_S = 0.05  # also the longest a download that ended goes unnoticed
_BLOCK_BYTES = 1 << 20

# No usage data, no progress bars, and plain HTTP: the hub's own protocol (xet) can neither be resumed nor watched.
_HUB_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_VERBOSITY": "error",
}


class Cancelled(Exception):
    """The user wants no more of it. What has arrived stays for the next time."""


Arrived = Callable[[int], None]
"""Told how many bytes of the wanted files are in the folder, each time there are more."""


class Source(Protocol):
    @property
    def name(self) -> str:
        """As in the setting models.sources."""

    @property
    def server(self) -> str:
        """The host that would be asked; "" where nothing leaves this machine."""

    def has(self, model: Model) -> bool:
        """Whether it is worth trying. Asks no server."""

    def fill(self, model: Model, files: Sequence[ModelFile], folder: Path, arrived: Arrived, cancelled: Event) -> None:
        """Bring the files into the folder. Blocks.

        Raises Cancelled, ModelDownloadFailed, DiskFull; OSError from the disk.
        """


@dataclass(frozen=True, slots=True)
class Packages:
    """Installed distributions of the pinned versions; their code is never imported."""

    name: str = "package"
    server: str = ""

    def has(self, model: Model) -> bool:
        return bool(model.packages) and all(_installed(p.distribution) == p.version for p in model.packages)

    def fill(self, model: Model, files: Sequence[ModelFile], folder: Path, arrived: Arrived, cancelled: Event) -> None:
        from importlib import metadata  # 14 ms, which no start of the app needs

        parts = {
            file.name: [
                Path(str(metadata.distribution(package.distribution).locate_file(member)))
                for package, member in model.parts(file)
            ]
            for file in files
        }
        _copy(parts, folder, arrived, cancelled)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that has the model in a folder of the model's name, on this machine or the network's disk."""

    folder: Path
    name: str = "folder"
    server: str = ""

    def has(self, model: Model) -> bool:
        return (self.folder / model.name).is_dir()

    def fill(self, model: Model, files: Sequence[ModelFile], folder: Path, arrived: Arrived, cancelled: Event) -> None:
        parts = {file.name: [self.folder / model.name / file.name] for file in files}
        _copy(parts, folder, arrived, cancelled)


@dataclass(frozen=True, slots=True)
class Server:
    """The hub, or a mirror laid out like it."""

    name: str
    endpoint: str
    stall_s: float
    """With nothing arriving for so long, the download is given up."""
    command: Sequence[str] = DOWNLOAD_COMMAND
    clock: Callable[[], float] = time.monotonic

    @property
    def server(self) -> str:
        try:
            return urlsplit(self.endpoint).hostname or self.endpoint
        except ValueError:
            return self.endpoint  # no address: the download will say so

    def has(self, model: Model) -> bool:  # noqa: ARG002 - only asking would tell
        return bool(self.endpoint)

    def fill(self, model: Model, files: Sequence[ModelFile], folder: Path, arrived: Arrived, cancelled: Event) -> None:
        names = [file.name for file in files]
        process = subprocess.Popen(
            [*self.command, self.endpoint, model.repository, model.revision, str(folder), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_HUB_ENVIRONMENT},
            text=True,
        )
        with process:
            try:
                too_much = self._watch(process, files, folder, arrived, cancelled)
            finally:
                process.kill()
            assert process.stdout is not None
            reason = process.stdout.read()
        if reason == "disk full":
            raise DiskFull(reason)
        if process.returncode and not too_much:
            raise ModelDownloadFailed(f"{self.name}: {reason or f'ended with status {process.returncode}'}")

    def _watch(
        self,
        process: subprocess.Popen[str],
        files: Sequence[ModelFile],
        folder: Path,
        arrived: Arrived,
        cancelled: Event,
    ) -> bool:
        """Block until the process has ended, or (True) has brought more than there can be."""
        before_bytes, grew_at = -1, self.clock()
        running = True
        while running:
            if cancelled.wait(_POLL_S):
                raise Cancelled
            running = process.poll() is None
            sizes = [_size(folder / file.name) for file in files]
            if any(size > file.size_bytes for size, file in zip(sizes, files, strict=True)):
                return True
            if sum(sizes) != before_bytes:
                before_bytes, grew_at = sum(sizes), self.clock()
                arrived(before_bytes)
            elif running and self.clock() - grew_at > self.stall_s:
                raise ModelDownloadFailed(f"{self.name}: nothing arrived for {self.stall_s:g} s")
        return False


def hub(environ: Mapping[str, str], stall_s: float) -> Server:
    return Server("hub", (environ.get("HF_ENDPOINT") or _HUB).rstrip("/"), stall_s)


def _installed(distribution: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _copy(parts: Mapping[str, Sequence[Path]], folder: Path, arrived: Arrived, cancelled: Event) -> None:
    """Write each file from its parts, one behind the other. A part that is not there leaves the file short."""
    done_bytes = 0
    for name, paths in parts.items():
        with open(folder / name, "wb", opener=_private) as target:
            for path in paths:
                if not path.is_file():
                    break
                with path.open("rb") as part:
                    while block := part.read(_BLOCK_BYTES):
                        if cancelled.is_set():
                            raise Cancelled
                        target.write(block)
                        done_bytes += len(block)
                        arrived(done_bytes)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
