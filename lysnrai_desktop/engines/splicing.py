"""Windows shorter than 30 s for weights that know no others: encode what sounds, append what never changes.

    10 ms frames    ├────── sound ──────┤─ margin ─┤─────────── exact zeros, up to 30 s ───────────┤
    20 ms positions ├────────── encoded ───────────┤────── appended: the same in every window ─────┤

Released Whisper weights were trained on windows of 30 s whose rest is padding. If they are given less, the decoder
misses the encoded padding that tells it where speech ends, and repeats itself. What is appended here is the encoder's
own output for the padding behind short words, the mean over words of several languages. Positions are absolute: what
is appended at 12 s was learned at 12 s. It is learned once per model, in float32, which serves every compute type
(`python -m tests.bench.splicing learn`), and shipped under the sum of the weights it belongs to.

A model is spliced if the catalogue says that it was measured, if its weights are those, and if one known sentence
reads the same both ways with these libraries: found out at the first load, and written down beside the model. A model
that nobody measured is spliced if `lysnrai calibrate` (calibration.py) learned a padding for it here, compared both
ways and found them equally good: padding and verdict then lie beside the model too.

Imports: core. May be imported by: whisper, calibration.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
import wave
import zlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from lysnrai_desktop import ASSETS
from lysnrai_desktop.core.catalogue import parse

Padding = NDArray[np.float32]
"""1 x 1500 positions x the width of the model."""

MARGIN = 100
"""Frames behind the last sound that are encoded all the same."""
LEAST = 100
"""Frames; the words that padding is learned behind are shorter."""

_SHIPPED = ASSETS / "models" / "padding"
_SENTENCE = ASSETS / "models" / "sentence.wav"
_STAMP = ".spliced"
_LEARNED = ".padding.npy"


def frames_to_encode(window: NDArray[np.float32]) -> int:
    """How many of a window's frames (bands x frames) the encoder has to see; even, as two make a position."""
    # faster-whisper fills a window up with exact zeros, and a frame of sound is never all zero
    sound = np.flatnonzero(window.any(axis=0))
    end = (int(sound[-1]) + 1 if len(sound) else 0) + MARGIN
    return min(int(window.shape[1]), max(LEAST, end + end % 2))


def spliced(encoded: Any, padding: Padding) -> Any:
    """What the decoder gets to see for a window whose beginning was encoded."""
    beginning = np.array(encoded)
    whole = np.concatenate([beginning, padding[:, beginning.shape[1] :]], axis=1)
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(whole))


def padding_for(weights: Path, compute_type: str, agrees: Callable[[Padding], bool]) -> Padding | None:
    """The padding to use with a model; None: full windows.

    Args:
        weights: model.bin. Hashed if it could be one that was measured (0.1 s for base).
        compute_type: what CTranslate2 made of the wish.
        agrees: whether `sentence` reads the same with this padding. Asked once, the answer is kept beside the model.
    """
    sha256 = measured(weights)
    if sha256 is None:
        return _learned_here(weights, compute_type)
    shipped = _SHIPPED / f"{sha256[:16]}.npy"
    padding = _padding(shipped)
    circumstances = _circumstances(sha256, compute_type, shipped)
    known = _answers(weights.parent)
    if circumstances not in known:
        known[circumstances] = agrees(padding)
        _write_answers(weights.parent, known)
    return padding if known[circumstances] else None


def sentence() -> NDArray[np.float32]:
    """'He might even have been made amiable himself', 16 kHz. A recording of LibriVox, in the public domain."""
    with wave.open(str(_SENTENCE)) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2")
    return samples.astype(np.float32) / np.float32(32768)


def keep(weights: Path, compute_type: str, padding: Padding, *, as_good: bool) -> bool:
    """Use a padding that was learned here from now on, or do not; False: the model's folder cannot be written to."""
    learned = weights.parent / _LEARNED
    try:
        with learned.open("wb") as file:
            np.save(file, padding[0].astype(np.float16))
    except OSError:
        return False
    circumstances = _circumstances(_sha256(weights), compute_type, learned)
    return _write_answers(weights.parent, _answers(weights.parent) | {circumstances: as_good})


def _learned_here(weights: Path, compute_type: str) -> Padding | None:
    learned = weights.parent / _LEARNED
    if not learned.exists():
        return None
    as_good = _answers(weights.parent).get(_circumstances(_sha256(weights), compute_type, learned), False)
    return _padding(learned) if as_good else None


def _padding(file: Path) -> Padding:
    padding: Padding = np.load(file).astype(np.float32)[np.newaxis]
    return padding


def _circumstances(sha256: str, compute_type: str, padding: Path) -> str:
    libraries = [version(name) for name in ("ctranslate2", "faster-whisper")]
    return " ".join([sha256, compute_type, *libraries, f"{zlib.crc32(padding.read_bytes()):08x}"])


def measured(weights: Path) -> str | None:
    """The sum of these weights, if the catalogue says of them that they can be spliced."""
    with (ASSETS / "models" / "catalogue.toml").open("rb") as document:
        models = parse(tomllib.load(document)).models
    files = [file for model in models if model.spliced for file in model.files if file.name == weights.name]
    if weights.stat().st_size not in {file.size_bytes for file in files}:
        return None
    sha256 = _sha256(weights)
    return sha256 if sha256 in {file.sha256 for file in files} else None


def _sha256(weights: Path) -> str:
    with weights.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _answers(folder: Path) -> dict[str, bool]:
    try:
        known = json.loads((folder / _STAMP).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write_answers(folder: Path, known: dict[str, bool]) -> bool:
    """False: the folder cannot be written to. What was to be found out is asked again at the next load."""
    try:
        draft = folder / f"{_STAMP}.{os.getpid()}"
        draft.write_text(json.dumps(known), "utf-8")
        draft.replace(folder / _STAMP)
    except OSError:
        return False
    return True
