"""Small made models: a catalogue of one entry, and the bytes that belong to it."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from lysnrai_desktop.core.catalogue import Catalogue, Model, ModelFile, Package

CONTENT = {
    "config.json": b'{"made": true}',
    "model.bin": random.Random(1).randbytes(200_000),
    "tokenizer.json": random.Random(2).randbytes(3_000),
    "vocabulary.txt": b"a\nb\n",
}
REVISION = "0123456789abcdef0123456789abcdef01234567"
SIZE_BYTES = sum(map(len, CONTENT.values()))

MADE = Model(
    name="made",
    repository="owner/made",
    revision=REVISION,
    licence="MIT",
    languages=frozenset({"en"}),
    memory_mib=1,
    memory_measured=False,
    files=tuple(
        ModelFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in CONTENT.items()
    ),
    packages=(
        Package("made-part1", "1.0", {name: f"made_part1/{name}" for name in CONTENT}),
        Package("made-part2", "1.0", {"model.bin": "made_part2/rest"}),
    ),
    extra="model-made",
)
CATALOGUE = Catalogue((MADE,))
ON_HUB = {f"owner/made/resolve/{REVISION}/{name}": content for name, content in CONTENT.items()}


def write_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


def install_packages(site: Path, version: str = "1.0") -> None:
    """Both distributions, as an installer leaves them; model.bin is in two parts."""
    half = len(CONTENT["model.bin"]) // 2
    first = CONTENT | {"model.bin": CONTENT["model.bin"][:half]}
    for name, members in (("made_part1", first), ("made_part2", {"rest": CONTENT["model.bin"][half:]})):
        (site / name).mkdir(parents=True)
        for member, content in members.items():
            (site / name / member).write_bytes(content)
        information = site / f"{name}-{version}.dist-info"
        information.mkdir()
        distribution = name.replace("_", "-")
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")


def flip(path: Path, at: int) -> None:
    """Turn one bit of a file; the second time turns it back."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
