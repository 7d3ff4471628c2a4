"""`python -m tests.bench.finish`: what is left to do in the engine when the speaker has stopped, and what came before.

The engine hears human sentences in real time, 0.1 s at a time, as the app feeds it. Counted is what passes between its
last sample and `Done`: by the clock, and in processor seconds of the process, which other work on the machine disturbs
less. Beside it, by turns, in the same process, with the same weights, threads and audio, one pass of
`WhisperModel.transcribe` with its defaults over the whole recording. Ratios are medians of the ratios of the pairs.

    at once    released 0.1 s after the last sound, which is what is still on its way when the key comes up
    pause      released 0.4 s later

Partials are made meanwhile, as in the app. What the wait is made of is drawn in build/finish.svg. The desktop, the
hotkey and the insertion are in `python -m tests.bench` instead; what is seen while one speaks in `python -m
tests.bench.partials`.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.engines import model as models
from lysnrai_desktop.engines.whisper import WhisperEngine
from tests import speech
from tests.bench import plot
from tests.bench.utterances import Utterance, utterances
from tests.fixtures_models import prepared
from tests.hearing import pcm

RATE_HZ = 16_000
BLOCK_S = 0.1
ENDS_S = {"at once": 0.1, "pause": 0.5}
"""Silence behind the last sound."""
BUILD = Path(__file__).parents[2] / "build"
PARTS = ("endpoint", "encoder", "decoder", "rest")
"""What the wait is made of: listening to the last block; the model; features, guards, threads."""

# --- what was measured


@dataclass(frozen=True, slots=True)
class Pair:
    model: str
    length_s: float
    end: str
    wall_s: float
    cpu_s: float
    speaking_cpu_s: float
    """While the speaker spoke."""
    parts_s: dict[str, float]
    """Of `wall_s`."""
    one_pass_wall_s: float
    one_pass_cpu_s: float
    spoken: str
    text: str
    one_pass_text: str


class Stopwatch:
    """CTranslate2's model, and when it was at what."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.spans: list[tuple[str, float, float]] = []
        self.encode = self._timed("encoder", model.encode)
        self.generate = self._timed("decoder", model.generate)
        self.align = self._timed("decoder", model.align)
        self.detect_language = self._timed("decoder", model.detect_language)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def within(self, part: str, began: float, ended: float) -> float:
        return sum(max(0.0, min(end, ended) - max(begin, began)) for name, begin, end in self.spans if name == part)

    def _timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*positional: Any, **named: Any) -> Any:
            began = time.monotonic()
            try:
                return work(*positional, **named)
            finally:
                self.spans.append((part, began, time.monotonic()))

        return timed


class Bench:
    def __init__(self, name: str, language: str, partials: bool = True) -> None:
        self._name, self._language = name, language
        self._said: queue.SimpleQueue[wire.FromEngine] = queue.SimpleQueue()
        self._engine = WhisperEngine(self._said.put)
        folder = str(prepared(name))
        load = wire.Load(folder, "cpu", "int8", 0)
        model = models.load(load)
        self._watch = model.model = Stopwatch(model.model)
        self._engine.use(model)
        if partials:
            self._engine._glimpser.start(load)
            while not self._engine._glimpser.is_ready:
                time.sleep(0.1)
        self._one_pass = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=models.usual_threads())
        self._sessions = 0

    def pair(self, utterance: Utterance, length_s: float, end: str) -> Pair:
        sound = _with_end(speech.samples(utterance.path), ENDS_S[end])
        self._sessions += 1
        self._watch.spans.clear()
        last_s = began_s = time.monotonic()
        began_cpu_s = time.process_time()
        hearing = self._engine.start(wire.Start(self._sessions, 0, self._language, ()), lambda: True)
        for at in range(0, len(sound), round(BLOCK_S * RATE_HZ)):
            block = sound[at : at + round(BLOCK_S * RATE_HZ)]
            time.sleep(max(0.0, began_s + (at + len(block)) / RATE_HZ - time.monotonic()))
            last_s = time.monotonic()
            hearing.audio(wire.Audio(self._sessions, RATE_HZ, pcm(block)))
        ended_cpu_s = time.process_time()
        hearing.finish()
        heard_s = time.monotonic()
        text = " ".join(final.text.reveal() for final in self._finals())
        done_s, done_cpu_s = time.monotonic(), time.process_time()
        language = None if self._language == "auto" else self._language
        one_pass_s, one_pass_cpu_s = time.monotonic(), time.process_time()
        one_pass_text = "".join(segment.text for segment in self._one_pass.transcribe(sound, language=language)[0])
        parts_s = {part: self._watch.within(part, heard_s, done_s) for part in ("encoder", "decoder")}
        parts_s["endpoint"] = heard_s - last_s
        wall_s = done_s - last_s
        return Pair(
            self._name,
            length_s,
            end,
            wall_s,
            done_cpu_s - ended_cpu_s,
            ended_cpu_s - began_cpu_s,
            {**parts_s, "rest": max(0.0, wall_s - sum(parts_s.values()))},
            time.monotonic() - one_pass_s,
            time.process_time() - one_pass_cpu_s,
            utterance.text,
            " ".join(text.split()),
            one_pass_text,
        )

    def _finals(self) -> Iterator[wire.Final]:
        while not isinstance(message := self._said.get(), wire.Done):
            if isinstance(message, wire.Final):
                yield message


def _with_end(sound: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
    last = int(np.flatnonzero(np.abs(sound) > 0.02)[-1])
    room = 1e-4 * np.random.default_rng(1).standard_normal(round(seconds * RATE_HZ))
    return np.concatenate([sound[:last], room.astype(np.float32)])


# --- what is told


def table(pairs: Sequence[Pair]) -> Iterator[str]:
    """Lines of Markdown: the wait, and what it is made of."""
    groups = _groups(pairs)
    yield "| model | speech | released | wait, s (one pass) | ratio | cpu, s (one pass) | ratio | per s spoken | n |"
    yield "|---|--:|---|--:|--:|--:|--:|--:|--:|"
    for (model, length_s, end), chosen in groups.items():
        ours, theirs = _median(p.wall_s for p in chosen), _median(p.one_pass_wall_s for p in chosen)
        cpu, their_cpu = _median(p.cpu_s for p in chosen), _median(p.one_pass_cpu_s for p in chosen)
        yield (
            f"| {model} | {length_s:g} s | {end} | {ours:.2f} ({theirs:.2f}) "
            f"| {_median(p.wall_s / p.one_pass_wall_s for p in chosen):.2f} | {cpu:.2f} ({their_cpu:.2f}) "
            f"| {_median(p.cpu_s / p.one_pass_cpu_s for p in chosen):.2f} "
            f"| {_median((p.cpu_s + p.speaking_cpu_s) / p.length_s for p in chosen):.2f} | {len(chosen)} |"
        )
    yield ""
    yield "| model | speech | released | " + " | ".join(f"{part}, ms" for part in PARTS) + " | together, ms |"
    yield "|---|--:|---|" + "--:|" * (len(PARTS) + 1)
    for (model, length_s, end), chosen in groups.items():
        parts = parts_ms(chosen)
        cells = " | ".join(f"{parts[part]:.0f}" for part in PARTS)
        yield f"| {model} | {length_s:g} s | {end} | {cells} | {sum(parts.values()):.0f} |"
    yield ""
    for model in dict.fromkeys(p.model for p in pairs):
        chosen = [p for p in pairs if p.model == model]
        ours = speech.word_error_rate([(p.spoken, p.text) for p in chosen])
        theirs = speech.word_error_rate([(p.spoken, p.one_pass_text) for p in chosen])
        yield f"{model}: word errors {ours:.2f} %, one pass {theirs:.2f} %"
    yield f"load {os.getloadavg()[0]:.1f}"


def parts_ms(pairs: Sequence[Pair]) -> dict[str, float]:
    """Means, for medians of parts do not add up to the whole."""
    return {part: 1000 * statistics.fmean(p.parts_s[part] for p in pairs) for part in PARTS}


def _groups(pairs: Sequence[Pair]) -> dict[tuple[str, float, str], list[Pair]]:
    keys = sorted({(p.model, p.length_s, p.end) for p in pairs})
    return {key: [p for p in pairs if (p.model, p.length_s, p.end) == key] for key in keys}


def _median(samples: Iterator[float] | Sequence[float]) -> float:
    return statistics.median(samples)


def measure(
    model: str,
    language: str,
    lengths_s: Sequence[float],
    count: int,
    ends: Sequence[str] = tuple(ENDS_S),
    partials: bool = True,
) -> list[Pair]:
    """Dictate `count` recordings of each length and end, each with one pass behind it."""
    bench = Bench(model, language, partials)
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory() as folder:
        for length_s in lengths_s:
            spoken = utterances(length_s, count, Path(folder))
            pairs += [bench.pair(utterance, length_s, end) for utterance in spoken for end in ends]
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["base", "tiny.en"])
    parser.add_argument("--language", default="en", help='for both; with "auto" one pass encodes its window twice')
    parser.add_argument("--lengths", type=float, nargs="+", default=[3.0, 8.0, 20.0, 60.0])
    parser.add_argument("--count", type=int, default=9, help="9 of all lengths and both models: an hour")
    parser.add_argument("--no-partials", action="store_true", help="finals alone, for their processor time")
    options = parser.parse_args()
    pairs = [
        pair
        for model in options.models
        for pair in measure(model, options.language, options.lengths, options.count, partials=not options.no_partials)
    ]
    BUILD.mkdir(exist_ok=True)
    (BUILD / "finish.json").write_text(json.dumps([asdict(pair) for pair in pairs], ensure_ascii=False, indent=1))
    bars = {
        f"{model}, {length:g} s, {end}": parts_ms(chosen) for (model, length, end), chosen in _groups(pairs).items()
    }
    (BUILD / "finish.svg").write_text(plot.stacked("From the last sample to the whole text", "ms", bars), "utf-8")
    print("\n".join(table(pairs)))
    os._exit(0)  # the engine's thread waits for ever


if __name__ == "__main__":
    main()
