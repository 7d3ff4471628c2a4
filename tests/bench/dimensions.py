"""`python -m tests.bench.dimensions`: what sizes cost whose weights are not to be had as packages.

Whisper of the true dimensions with random weights, int8, through CTranslate2 itself. How long it takes does not depend
on the values of weights, only on their number; the text is nonsense, so the number of tokens is fixed: as many as were
spoken. From the times of encoder and decoder follow the two ways: ours, which has the last piece left to read at the
release, in a short window; and the peers', which encodes and decodes everything then, in windows of 30 s.

The same for tiny and base, whose real weights say how far this can be trusted, and for the larger ones (--all), from
which core/calibration.py has its COSTS. Nothing about accuracy follows from any of it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from ctranslate2.specs import common_spec, whisper_spec
from numpy.typing import NDArray

BUILD = Path(__file__).parents[2] / "build"
MODELS = BUILD / "random-models"


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    encoder_layers: int
    decoder_layers: int
    heads: int
    bands: int = 80
    vocabulary: int = 51865


SIZES = {
    "tiny": Size(384, 4, 4, 6),
    "base": Size(512, 6, 6, 8),
    "small": Size(768, 12, 12, 12),
    "medium": Size(1024, 24, 24, 16),
    "distil-large-v3": Size(1280, 32, 2, 20, 128, 51866),
    "large-v3-turbo": Size(1280, 32, 4, 20, 128, 51866),
    "large-v3": Size(1280, 32, 32, 20, 128, 51866),
}
USUAL = ("tiny", "base", "small", "large-v3-turbo")

BEAM = 5
THREADS = 2
SENTENCE_S, SENTENCE_TOKENS = 3.0, 15
PIECE_S, PIECE_TOKENS = 4.5, 20
"""The last piece of a longer dictation."""
BEHIND_S = 1.0
"""Encoded behind speech in a short window."""
TOKENS_PER_S = 4.0
LENGTHS_S = (3.0, 8.0, 20.0, 60.0)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds."""

    encode_30: float
    encode_sentence: float
    encode_piece: float
    token: float

    def ours(self, length_s: float) -> float:
        if length_s <= SENTENCE_S:
            return self.encode_sentence + SENTENCE_TOKENS * self.token
        return self.encode_piece + PIECE_TOKENS * self.token

    def peers(self, length_s: float) -> float:
        tokens = max(SENTENCE_TOKENS, TOKENS_PER_S * length_s)
        return math.ceil(length_s / 30) * self.encode_30 + tokens * self.token

    @property
    def full(self) -> float:
        """A sentence in a full window."""
        return self.encode_30 + SENTENCE_TOKENS * self.token


# --- building


def build(name: str) -> Path:
    """Write a model of this size, once."""
    folder, size = MODELS / name, SIZES[name]
    if (folder / "model.bin").exists():
        return folder
    random = np.random.default_rng(0)
    spec = whisper_spec.WhisperSpec(size.encoder_layers, size.heads, size.decoder_layers, size.heads)
    _fill_encoder(spec.encoder, size, random)
    _fill_decoder(spec.decoder, size, random)
    spec.register_vocabulary(_vocabulary(size.vocabulary))
    spec.config.suppress_ids, spec.config.suppress_ids_begin, spec.config.lang_ids = [], [], [50259]
    spec.config.alignment_heads = [(size.decoder_layers - 1, head) for head in range(size.heads)]
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    return folder


def _fill_encoder(encoder: Any, size: Size, random: np.random.Generator) -> None:
    width = size.width
    for layer, inputs in ((encoder.conv1, size.bands), (encoder.conv2, width)):
        layer.weight = (0.02 * random.standard_normal((width, inputs, 3))).astype(np.float32)
        layer.bias = np.zeros(width, np.float32)
    encoder.position_encodings.encodings = (0.1 * random.standard_normal((1500, width))).astype(np.float32)
    _fill_norm(encoder.layer_norm, width)
    for layer in encoder.layer:
        _fill_layer(layer, width, random)


def _fill_decoder(decoder: Any, size: Size, random: np.random.Generator) -> None:
    width = size.width
    _fill_weight(decoder.embeddings, size.vocabulary, width, random)
    decoder.projection.weight, decoder.projection.weight_scale = (
        decoder.embeddings.weight,
        decoder.embeddings.weight_scale,
    )
    decoder.position_encodings.encodings = (0.1 * random.standard_normal((448, width))).astype(np.float32)
    _fill_norm(decoder.layer_norm, width)
    for layer in decoder.layer:
        _fill_layer(layer, width, random)
        _fill_norm(layer.attention.layer_norm, width)
        for linear, parts in zip(layer.attention.linear, (1, 2, 1), strict=True):
            _fill_linear(linear, parts * width, width, random)


def _fill_layer(layer: Any, width: int, random: np.random.Generator) -> None:
    _fill_norm(layer.self_attention.layer_norm, width)
    for linear, parts in zip(layer.self_attention.linear, (3, 1), strict=True):
        _fill_linear(linear, parts * width, width, random)
    _fill_norm(layer.ffn.layer_norm, width)
    _fill_linear(layer.ffn.linear_0, 4 * width, width, random)
    _fill_linear(layer.ffn.linear_1, width, 4 * width, random)


def _fill_linear(linear: common_spec.LinearSpec, outputs: int, inputs: int, random: np.random.Generator) -> None:
    _fill_weight(linear, outputs, inputs, random)
    linear.bias = np.zeros(outputs, np.float32)


def _fill_weight(layer: Any, outputs: int, inputs: int, random: np.random.Generator) -> None:
    layer.weight = random.integers(-127, 128, (outputs, inputs), np.int8)
    layer.weight_scale = np.full(outputs, 127 / 0.04, np.float32)


def _fill_norm(norm: common_spec.LayerNormSpec, width: int) -> None:
    norm.gamma, norm.beta = np.ones(width, np.float32), np.zeros(width, np.float32)


def _vocabulary(count: int) -> list[str]:
    first_time = count - 1501
    named = {
        50257: "<|endoftext|>",
        50258: "<|startoftranscript|>",
        50259: "<|en|>",
        first_time - 6: "<|translate|>",
        first_time - 5: "<|transcribe|>",
        first_time - 2: "<|nocaptions|>",
        first_time - 1: "<|notimestamps|>",
    }
    words = [named.get(number, f"token{number}") for number in range(first_time)]
    return words + [f"<|{0.02 * number:.2f}|>" for number in range(1501)]


# --- measuring


@dataclass(frozen=True, slots=True)
class Measured:
    wall: Times
    cpu: Times
    """Processor seconds of all threads: what other work on the machine disturbs less."""


def measure(name: str, runs: int = 5) -> Measured:
    model = ctranslate2.models.Whisper(str(build(name)), device="cpu", compute_type="int8", intra_threads=THREADS)
    size, random = SIZES[name], np.random.default_rng(1)

    def encode_s(seconds: float) -> NDArray[np.float64]:
        sound = 0.3 * random.standard_normal((1, size.bands, round(seconds * 50) * 2))
        window = ctranslate2.StorageView.from_array(sound.astype(np.float32))
        return _took_s(lambda: model.encode(window), runs)

    prompt = [[50258, 50259, size.vocabulary - 1501 - 5, size.vocabulary - 1501 - 1]]
    encoded = random.standard_normal((1, 1500, size.width)).astype(np.float32)
    whole = ctranslate2.StorageView.from_array(encoded)

    def tokens(count: int) -> None:
        # CTranslate2 stops at half of max_length, less the prompt
        model.generate(
            whole, prompt, beam_size=BEAM, max_length=2 * count, suppress_tokens=[50257], suppress_blank=False
        )

    token_s = (_took_s(lambda: tokens(40), runs) - _took_s(lambda: tokens(10), runs)) / 30
    both = [encode_s(30), encode_s(SENTENCE_S + BEHIND_S), encode_s(PIECE_S + BEHIND_S), token_s]
    return Measured(Times(*(float(each[0]) for each in both)), Times(*(float(each[1]) for each in both)))


def _took_s(work: Callable[[], object], runs: int) -> NDArray[np.float64]:
    """Seconds by the clock and of the processor: the least of some runs, after one that makes ready."""
    work()
    took = []
    for _ in range(runs):
        began = time.perf_counter(), time.process_time()
        work()
        took.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return np.asarray(np.array(took).min(axis=0))


def rows(found: dict[str, Measured]) -> Iterator[str]:
    yield "random weights of true dimensions, int8, beam 5, two threads: cost alone, no text; ours / peers' way"
    yield ""
    yield (
        "| | encoder, 30 s | encoder, 3 + 1 s | a token | " + " | ".join(f"{length:g} s" for length in LENGTHS_S) + " |"
    )
    yield "|---|--:|--:|--:|" + "--:|" * len(LENGTHS_S)
    for name, measured in found.items():
        times = measured.wall
        ways = [(times.ours(length), times.peers(length)) for length in LENGTHS_S]
        waits = " | ".join(f"{ours:.2f} / {peers:.2f} s ({ours / peers:.2f})" for ours, peers in ways)
        costs = f"{times.encode_30:.2f} s | {times.encode_sentence:.2f} s | {1000 * times.token:.1f} ms"
        yield f"| {name} | {costs} | {waits} |"
    if "base" in found:
        unit = found["base"].cpu.ours(SENTENCE_S)
        yield ""
        for name, measured in found.items():
            cpu = measured.cpu
            yield f'    "{name}": Cost({cpu.ours(SENTENCE_S) / unit:.2f}, {cpu.full / unit:.1f}),'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help=f"all sizes, not only {', '.join(USUAL)}")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    found: dict[str, Measured] = {}
    for name in SIZES if options.all else USUAL:
        found[name] = measure(name, options.runs)
        measured = {name: asdict(times) for name, times in found.items()}
        BUILD.joinpath("dimensions.json").write_text(json.dumps({"load": os.getloadavg()[0], **measured}, indent=1))
    print("\n".join(rows(found)))


if __name__ == "__main__":
    main()
