"""Who this install is and what its user chose: small files beside the queue, so that they outlive a damaged one.

    install_id          UUID with dashes; made when the user first agrees
    install_secret      proves that the id is ours
    install_token       from the service; empty where it must be asked for again; absent where it never was
    telemetry_consent   off, errors or all; absent before the user has chosen
    erase-<install id>  an erasure the user asked for and the service has not confirmed

Each is readable by its owner alone, and replaced whole or not at all. Several processes may read and write them.

Absent here: the network, the queue.

Imports: policy (the words of consent), schema, wire. May be imported by: client, worker, inspect.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from telemetry.policy import Consent
from telemetry.schema import CLOSED
from telemetry.wire import new_id

MIN_LEVEL: Final[dict[Consent, int]] = {"unset": CLOSED, "off": CLOSED, "errors": 3, "all": 0}
"""The lowest level (index into wire.LEVELS) that each choice lets in."""

_UUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECRET: Final = re.compile("[A-Za-z0-9_-]{43}")


Mark = tuple[tuple[int, int], tuple[int, int]]


class Install(Struct, frozen=True):
    id: str
    secret: str
    token: str | None = None
    """None: the service does not know this install. "": it does, the token must be asked for again."""

    def __repr__(self) -> str:
        return f"Install({self.id})"


class Identity:
    """The files of one folder. Writing raises OSError where the disk refuses."""

    def __init__(self, home: Path) -> None:
        self._home = home

    # -- consent

    @property
    def consent(self) -> Consent:
        text = self._read("telemetry_consent")
        return text if text in ("off", "errors", "all") else "unset"  # type: ignore[return-value]

    def choose(self, consent: Consent) -> None:
        if consent == "unset":
            self._remove("telemetry_consent")
        else:
            self._write("telemetry_consent", consent)

    @property
    def mark(self) -> Mark:
        """Changes whenever any process writes the user's choice, or makes another install. Costs two microseconds."""
        return _mark(f"{self._home}/telemetry_consent"), _mark(f"{self._home}/install_id")

    def call_off(self) -> None:
        """Change the mark, so that every process ends the call that it is in."""
        with contextlib.suppress(OSError):
            now = time.time_ns()  # the system's own idea of now is some milliseconds old
            os.utime(self._home / "telemetry_consent", ns=(now, now))

    # -- install

    @property
    def install(self) -> Install | None:
        """This install; None before there is one."""
        install_id, secret = self._read("install_id"), self._read("install_secret")
        if not _UUID.fullmatch(install_id) or not _SECRET.fullmatch(secret):
            return None
        token = self._read("install_token") if (self._home / "install_token").exists() else None
        return Install(install_id, secret, token)

    def ensure_install(self) -> Install:
        """This install, made where there is none. Two processes that make it at once get the same one."""
        if (found := self.install) is not None:
            return found
        if not _UUID.fullmatch(self._read("install_id")):
            self._remove("install_id", "install_secret", "install_token")
        self._create("install_id", new_id())
        self._create("install_secret", _new_secret())
        if (made := self.install) is None:
            # An id whose secret cannot be read is of no use to anybody.
            self._remove("install_id", "install_secret", "install_token")
            self._create("install_id", new_id())
            self._create("install_secret", _new_secret())
            made = self.install
        if made is None:
            raise OSError("the install id cannot be kept")
        return made

    def keep_token(self, install: Install, token: str) -> None:
        """Keep the token, if the install is still this one; also for an erasure's install."""
        if self._read("install_id") == install.id:
            self._write("install_token", token)
        elif (self._home / f"erase-{install.id}").exists():
            self._write_erasure(Install(install.id, install.secret, token))

    def discard(self) -> None:
        """This install is no more; the next `ensure_install` makes another."""
        self._remove("install_id", "install_secret", "install_token")

    # -- erasure

    def ask_erasure(self) -> bool:
        """Write down that the service shall erase this install; False where it never heard of it."""
        install = self.install
        if install is None or install.token is None:
            return False
        self._write_erasure(install)
        return True

    def erasures(self) -> list[Install]:
        return list(self._erasures())

    def end_erasure(self, install: Install) -> None:
        self._remove(f"erase-{install.id}")

    def _erasures(self) -> Iterator[Install]:
        for file in sorted(self._home.glob("erase-*")):
            try:
                told = json.loads(file.read_text("utf-8"))
                install = Install(told["installId"], told["installSecret"], told["installToken"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if _UUID.fullmatch(install.id) and _SECRET.fullmatch(install.secret):
                yield install

    def _write_erasure(self, install: Install) -> None:
        told = {"installId": install.id, "installSecret": install.secret, "installToken": install.token or ""}
        self._write(f"erase-{install.id}", json.dumps(told))

    # -- files

    def _read(self, name: str) -> str:
        try:
            return (self._home / name).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def _remove(self, *names: str) -> None:
        for name in names:
            (self._home / name).unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        """Replace the file as a whole; after a loss of power it is the old or the new one."""
        temporary = self._temporary(name, text)
        try:
            temporary.replace(self._home / name)
        finally:
            temporary.unlink(missing_ok=True)

    def _create(self, name: str, text: str) -> None:
        """Make the file whole, or leave the one that is there."""
        temporary = self._temporary(name, text)
        try:
            with contextlib.suppress(FileExistsError):
                (self._home / name).hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)

    def _temporary(self, name: str, text: str) -> Path:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._home / f".{name}.{new_id()}"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        return temporary


def _mark(path: str) -> tuple[int, int]:
    """Of a file that is only ever replaced whole: its number, and its date, since a number comes again."""
    try:
        status = os.stat(path)  # noqa: PTH116  # half the time of Path.stat
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def _new_secret() -> str:
    """32 random bytes as 43 characters of base64url."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
