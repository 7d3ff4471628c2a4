"""`python -m tests.bench.finish`: what is left to do in the engine when the speaker has stopped.

The engine hears human sentences in real time, 0.1 s at a time, as the app feeds it. Counted is what passes between its
last sample and `Done`: by the clock, and in processor seconds of the process, which other work on the machine disturbs
less. Beside it, by turns, in the same process, with the same weights, threads and audio, one pass of
`WhisperModel.transcribe` with its defaults over the whole recording. Ratios are medians of the ratios of the pairs.

    at once    released 0.1 s after the last sound, which is what is still on its way when the key comes up
    pause      released 0.4 s later

The desktop, the hotkey and the insertion are in `python -m tests.bench` instead.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.engines import whisper
from tests import speech
from tests.bench.utterances import Utterance, utterances
from tests.fixtures_models import prepared
from tests.hearing import pcm

RATE_HZ = 16_000
BLOCK_S = 0.1
ENDS_S = {"at once": 0.1, "pause": 0.5}
"""Silence behind the last sound."""
RESULT = Path(__file__).parents[2] / "build" / "finish.json"


@dataclass(frozen=True, slots=True)
class Pair:
    length_s: float
    end: str
    wall_s: float
    cpu_s: float
    speaking_cpu_s: float
    """While the speaker spoke."""
    one_pass_wall_s: float
    one_pass_cpu_s: float
    spoken: str
    text: str
    one_pass_text: str


class Bench:
    def __init__(self, model: str, language: str) -> None:
        self._language = language
        self._said: queue.SimpleQueue[wire.FromEngine] = queue.SimpleQueue()
        self._engine = whisper.WhisperEngine(self._said.put)
        threads = whisper._threads()
        self._engine.load(wire.Load(str(prepared(model)), "cpu", "int8", threads))
        self._one_pass = WhisperModel(str(prepared(model)), device="cpu", compute_type="int8", cpu_threads=threads)
        self._sessions = 0

    def pair(self, utterance: Utterance, length_s: float, end: str) -> Pair:
        sound = _with_end(speech.samples(utterance.path), ENDS_S[end])
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        self._sessions += 1
        hearing = self._engine.start(wire.Start(self._sessions, 0, self._language, ()), lambda: True)
        for at in range(0, len(sound), round(BLOCK_S * RATE_HZ)):
            block = sound[at : at + round(BLOCK_S * RATE_HZ)]
            time.sleep(max(0.0, began_s + (at + len(block)) / RATE_HZ - time.monotonic()))
            hearing.audio(wire.Audio(self._sessions, RATE_HZ, pcm(block)))
        ended_s, ended_cpu_s = time.monotonic(), time.process_time()
        hearing.finish()
        text = " ".join(final.text.reveal() for final in self._finals() if final.text)
        done_s, done_cpu_s = time.monotonic(), time.process_time()
        language = None if self._language == "auto" else self._language
        one_pass_text = "".join(segment.text for segment in self._one_pass.transcribe(sound, language=language)[0])
        return Pair(
            length_s,
            end,
            done_s - ended_s,
            done_cpu_s - ended_cpu_s,
            ended_cpu_s - began_cpu_s,
            time.monotonic() - done_s,
            time.process_time() - done_cpu_s,
            utterance.text,
            text,
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


def _rows(pairs: list[Pair]) -> Iterator[str]:
    yield "| speech | released | wait s (one pass) | ratio | processor s (one pass) | ratio | per s of speech | n |"
    yield "|--:|---|--:|--:|--:|--:|--:|--:|"
    for length_s, end in sorted({(pair.length_s, pair.end) for pair in pairs}):
        chosen = [pair for pair in pairs if (pair.length_s, pair.end) == (length_s, end)]

        def median(of: str, over: str | None = None, chosen: list[Pair] = chosen) -> float:
            return float(statistics.median(getattr(p, of) / (getattr(p, over) if over else 1.0) for p in chosen))

        all_cpu = statistics.median((p.cpu_s + p.speaking_cpu_s) / p.length_s for p in chosen)
        yield (
            f"| {length_s:g} s | {end} | {median('wall_s'):.2f} ({median('one_pass_wall_s'):.2f}) "
            f"| {median('wall_s', 'one_pass_wall_s'):.2f} | {median('cpu_s'):.2f} ({median('one_pass_cpu_s'):.2f}) "
            f"| {median('cpu_s', 'one_pass_cpu_s'):.2f} | {all_cpu:.2f} | {len(chosen)} |"
        )
    ours = speech.word_error_rate([(pair.spoken, pair.text) for pair in pairs])
    theirs = speech.word_error_rate([(pair.spoken, pair.one_pass_text) for pair in pairs])
    yield f"\nword errors {ours:.2f} %, one pass {theirs:.2f} %; load {os.getloadavg()[0]:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base")
    parser.add_argument("--language", default="en", help='for both; with "auto" one pass encodes its window twice')
    parser.add_argument("--lengths", type=float, nargs="+", default=[3.0, 8.0, 20.0])
    parser.add_argument("--count", type=int, default=9)
    options = parser.parse_args()
    bench = Bench(options.model, options.language)
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory() as folder:
        for length_s in options.lengths:
            spoken = utterances(length_s, options.count, Path(folder))
            pairs += [bench.pair(utterance, length_s, end) for utterance in spoken for end in ENDS_S]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([asdict(pair) for pair in pairs], ensure_ascii=False, indent=1), encoding="utf-8")
    print("\n".join(_rows(pairs)))
    os._exit(0)  # the engine's thread waits for ever


if __name__ == "__main__":
    main()
