"""The catalogue of models: which there are, what their files must be, and who carries them.

    parse(document) -> Catalogue

Decided here: what an entry must say, and that no name in it can lead out of a model's folder. Absent: where models lie
and how they get there (runtime/models.py), and the entries themselves (assets/models/catalogue.toml).

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_REVISION = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelFile:
    name: str
    size_bytes: int
    sha256: str
    """Lower-case hexadecimal."""


@dataclass(frozen=True, slots=True)
class Package:
    """A Python distribution that carries files of a model, or parts of them."""

    distribution: str
    version: str
    members: Mapping[str, str]
    """Name of a model's file -> path in the distribution, with forward slashes."""


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    repository: str
    """Owner and name on the hub."""
    revision: str
    licence: str
    languages: frozenset[str]
    """Codes as Whisper has them: ISO 639-1, and a few of three letters."""
    memory_mib: int
    """What the engine's process holds after work, int8 on the CPU."""
    memory_measured: bool
    """False: estimated from the size of the file (how: assets/models/catalogue.toml)."""
    files: tuple[ModelFile, ...]
    packages: tuple[Package, ...]
    """Together they carry every file; none: no package is known."""
    extra: str
    """The extra of this project that installs the packages; "" without any."""
    spliced: bool = False
    """Measured: short windows with spliced padding read as well as full ones (engines/splicing.py)."""

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def parts(self, file: ModelFile) -> tuple[tuple[Package, str], ...]:
        """The packages and the members in them that make up `file`, in the order in which they are joined."""
        return tuple((package, package.members[file.name]) for package in self.packages if file.name in package.members)


@dataclass(frozen=True, slots=True)
class Catalogue:
    models: tuple[Model, ...]
    """From small to large."""

    def find(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)


def parse(document: Mapping[str, Any]) -> Catalogue:
    """The catalogue from a parsed TOML document.

    Raises:
        ValueError: an entry is incomplete or contradicts itself. The file is ours, so that is a bug.
    """
    languages = {name: frozenset(codes.split()) for name, codes in document["languages"].items()}
    models = tuple(_model(entry, languages) for entry in document["model"])
    _require(_distinct([model.name for model in models]), "a model's name stands twice")
    return Catalogue(models)


def _model(entry: Mapping[str, Any], languages: Mapping[str, frozenset[str]]) -> Model:
    try:
        model = Model(
            name=entry["name"],
            repository=entry["repository"],
            revision=entry["revision"],
            licence=entry["licence"],
            languages=languages[entry["languages"]],
            memory_mib=entry["memory_mib"],
            memory_measured=entry["memory_measured"],
            files=tuple(ModelFile(**file) for file in entry["files"]),
            packages=tuple(Package(**package) for package in entry.get("package", ())),
            extra=entry.get("extra", ""),
            spliced=entry.get("spliced", False),
        )
    except (KeyError, TypeError) as missing:
        raise ValueError(f"model {entry.get('name')!r} is incomplete: {missing}") from missing
    _check(model)
    return model


def _check(model: Model) -> None:
    names = [file.name for file in model.files]
    _require(bool(_FILE_NAME.fullmatch(model.name)), f"{model.name!r} cannot name a folder")
    _require(bool(_REPOSITORY.fullmatch(model.repository)), f"{model.name}: repository is not owner/name")
    _require(bool(_REVISION.fullmatch(model.revision)), f"{model.name}: revision is not a commit")
    _require(model.memory_mib > 0, f"{model.name}: memory is not positive")
    _require(_distinct(names) and bool(names), f"{model.name}: no file, or one twice")
    for file in model.files:
        _require(bool(_FILE_NAME.fullmatch(file.name)), f"{model.name}: {file.name!r} cannot name a file")
        _require(file.size_bytes > 0, f"{model.name}: {file.name} is empty")
        _require(bool(_SHA256.fullmatch(file.sha256)), f"{model.name}: {file.name} has no SHA-256")
        _require(bool(model.parts(file)) == bool(model.packages), f"{model.name}: no package has {file.name}")
    for package in model.packages:
        _require(set(package.members) <= set(names), f"{model.name}: {package.distribution} has a file too many")
        for member in package.members.values():
            steps = member.split("/")
            _require(all(_FILE_NAME.fullmatch(step) for step in steps), f"{model.name}: {member!r} leads elsewhere")


def _distinct(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
