"""Whether the files of a model are the published ones, and remembering that they are.

Hashing `base` takes 0.3 s and the largest model 6 s, so a success is written down in a stamp inside the model's
folder: size, modification and change time, and inode of each file, beside the sum that was found. The stamp holds as
long as all of these do; anything else about a file means hashing it again. A stamp cannot vouch for a file that
changed in the same tick of the clock it was written in, so files younger than `_SETTLED_NS` at that moment are hashed
once more, later.

Imports: core. May be imported by: runtime, app, cli.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from lysnrai_desktop.core.catalogue import Model, ModelFile

# What faster-whisper 1.2 and CTranslate2 4.8 read if it is there: one too many changes a model as much as a wrong one.
_READ_WHEN_PRESENT = (
    "config.json",
    "model.bin",
    "preprocessor_config.json",
    "tokenizer.json",
    "vocabulary.json",
    "vocabulary.txt",
)
_STAMP = ".verified"
_SETTLED_NS = 100_000_000  # ext4 counts in ticks of 1 to 10 ms, network file systems in coarser ones


def first_wrong(model: Model, folder: Path) -> str | None:
    """The name of a file that is absent, or not the published one, or one too many; None: the folder can be used.

    Trusts an earlier success where nothing has changed since, and remembers a new one.
    """
    if _vouched_for(model, folder):
        return next(_too_many(model, folder), None)
    wrong = next(_wrong(model, folder), None)
    if wrong is None:
        remember(model, folder)
    return wrong


def all_wrong(model: Model, folder: Path) -> tuple[str, ...]:
    """Like `first_wrong`, for every file and trusting nothing. Reads all of them: up to 6 s."""
    wrong = tuple(_wrong(model, folder))
    if wrong:
        (folder / _STAMP).unlink(missing_ok=True)
    else:
        remember(model, folder)
    return wrong


def is_published(path: Path, file: ModelFile) -> bool:
    """Whether the bytes at `path` are those of `file`; a file that cannot be read is not."""
    try:
        return path.stat().st_size == file.size_bytes and sha256(path) == file.sha256
    except OSError:
        return False


def sha256(path: Path) -> str:
    import hashlib  # 10 ms with OpenSSL, which a start with known models does without

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remember(model: Model, folder: Path) -> None:
    """Note that every file was just found to be the published one. A folder that cannot be written to stays without."""
    seen = {file.name: [*_identity(folder / file.name), file.sha256] for file in model.files}
    try:
        descriptor = os.open(folder / _STAMP, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as stamp:
        json.dump(seen, stamp)


def _wrong(model: Model, folder: Path) -> Iterator[str]:
    yield from _too_many(model, folder)
    for file in model.files:
        if not is_published(folder / file.name, file):
            yield file.name


def _too_many(model: Model, folder: Path) -> Iterator[str]:
    expected = {file.name for file in model.files}
    return (name for name in _READ_WHEN_PRESENT if name not in expected and os.path.lexists(folder / name))


def _vouched_for(model: Model, folder: Path) -> bool:
    try:
        written_ns = (folder / _STAMP).stat().st_mtime_ns
        seen = json.loads((folder / _STAMP).read_text("utf-8"))
        now = {file.name: _identity(folder / file.name) for file in model.files}
    except (OSError, ValueError):
        return False
    return all(
        isinstance(seen, dict)
        and seen.get(file.name) == [*now[file.name], file.sha256]
        and now[file.name][2] + _SETTLED_NS < written_ns
        for file in model.files
    )


def _identity(path: Path) -> tuple[int, int, int, int]:
    status = path.stat()
    # The change time cannot be set back, so a copy that keeps the modification time does not go unseen.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
