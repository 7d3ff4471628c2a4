"""settings.toml: read with its mistakes reported by line, written with its comments kept.

The file is the user's. A value that cannot be used is replaced by its default and reported; a file that is no TOML at
all is reported and left alone, and the app runs on what it last had, or on the defaults. Order of precedence:
flags and LYSNRAI_SECTION_NAME variables, then the file, then defaults.

Imports: core. May be imported by: app, cli.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lysnrai_desktop.core.faults import DiskFull, DiskReadOnly, SettingsInvalid
from lysnrai_desktop.core.settings import Problem, Settings, override, parse

log = logging.getLogger(__name__)

_SECTION = re.compile(r"^\s*\[\s*([\w.\"-]+)\s*\]")
_KEY = re.compile(r"^\s*([\w\"-]+)\s*=")
_OTHER_NAMES = {
    "AZURE_SPEECH_REGION": "azure.region",
    "AZURE_SPEECH_ENDPOINT": "azure.endpoint",
    "PLATFORM_SERVICE_URL": "telemetry.url",
    "PLATFORM_PRODUCT_KEY": "telemetry.product_key",
}
_NEVER = (-1, -1, -1)
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class Complaint:
    """A problem and where it stands."""

    line: int
    """From 1; 0 where it comes from a flag or a variable."""
    problem: Problem

    def __str__(self) -> str:
        where = f"settings.toml, line {self.line}: " if self.line else ""
        return f"{where}{self.problem.key} {self.problem.reason}"


class SettingsFile:
    """Settings as they are now: `current()` looks at the file again when it has changed."""

    def __init__(self, path: Path, overrides: Mapping[str, str] | None = None) -> None:
        """`overrides`: dotted names and texts, as from `overrides_from`."""
        self._path = path
        self._overrides = dict(overrides or {})
        self._seen: tuple[int, int, int] | None = _NEVER
        self._settings = Settings()
        self.complaints: tuple[Complaint, ...] = ()
        """What is wrong with the file as last read."""

    def current(self) -> Settings:
        """The settings now. Costs one stat while the file is unchanged; safe from any thread."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            self._read()
        return self._settings

    def set(self, key: str, value: str | bool | float | list[str]) -> None:
        """Write one setting ("engine.model"), atomically, with all comments kept.

        Raises SettingsInvalid where the file is no TOML or has something else in the section's place, DiskFault.
        """
        import tomlkit
        from tomlkit.exceptions import ParseError

        section, _, name = key.partition(".")
        try:
            document = tomlkit.parse(self._path.read_text("utf-8") if self._path.exists() else "")
            if section not in document:
                document.add(section, tomlkit.table())
            document[section][name] = value
        except (ParseError, UnicodeDecodeError, TypeError):
            raise SettingsInvalid("settings.toml cannot be understood, so it is left alone") from None
        except OSError:
            raise DiskReadOnly("settings.toml cannot be read") from None
        self._write(tomlkit.dumps(document))

    def create(self, text: str) -> None:
        """Write a first file, unless there is one. Raises DiskFault."""
        if not self._path.exists():
            self._write(text)

    def _write(self, text: str) -> None:
        place = self._path.resolve()  # a link into somebody's collection of settings stays one
        fresh = place.with_suffix(".toml.new")
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(place)
        except OSError as error:
            fault = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else DiskReadOnly
            raise fault from None

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> None:
        complaints: list[Complaint] = []
        try:
            text = self._path.read_bytes().decode("utf-8")
            settings, problems = parse(tomllib.loads(text))
            complaints += [Complaint(_line_of(problem.key, text), problem) for problem in problems]
            with contextlib.suppress(OSError):  # another's file, or a disk that cannot be written: it can still be read
                if self._path.stat().st_mode & 0o077:
                    self._path.chmod(0o600)
        except FileNotFoundError:
            settings = Settings()
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            settings = self._settings
            complaints.append(_unreadable(error))
        self._settings = self._overridden(settings, complaints)
        self.complaints = tuple(complaints)
        for complaint in complaints:
            log.warning("%s", complaint)

    def _overridden(self, settings: Settings, complaints: list[Complaint]) -> Settings:
        for key, text in self._overrides.items():
            settings, problem = override(settings, key, text)
            if problem is not None:
                complaints.append(Complaint(0, problem))
        return settings


def overrides_from(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings named by the environment: LYSNRAI_ENGINE_MODEL is engine.model. Other variables are not ours."""
    sections = Settings.__dataclass_fields__
    found = {key: environ[name] for name, key in _OTHER_NAMES.items() if environ.get(name)}
    for name, value in environ.items():
        section, _, key = name.removeprefix("LYSNRAI_").lower().partition("_")
        if name.startswith("LYSNRAI_") and key and section in sections:
            found[f"{section}.{key}"] = value
    return found


def _unreadable(error: OSError | UnicodeDecodeError | tomllib.TOMLDecodeError) -> Complaint:
    match error:
        case tomllib.TOMLDecodeError():
            at = _TOML_LINE.search(str(error))
            return Complaint(int(at[1]) if at else 1, Problem("the file", "is not valid TOML here"))
        case UnicodeDecodeError():
            before: bytes = error.object[: error.start]
            return Complaint(before.count(b"\n") + 1, Problem("the file", "is not UTF-8 here"))
        case OSError():
            return Complaint(1, Problem("the file", "cannot be read"))


def _line_of(key: str, text: str) -> int:
    """The line on which a setting or section stands; the first if it is written in some unusual way."""
    section, _, name = key.partition(".")
    here = ""
    for number, line in enumerate(text.splitlines(), 1):
        if opened := _SECTION.match(line):
            here = opened[1].strip('"')
            if not name and here.partition(".")[0] == section:
                return number
        elif (given := _KEY.match(line)) and (here, given[1].strip('"')) in ((section, name), ("", section)):
            return number
    return 1
