"""`python -m tests.bench.partials`: what the overlay gets to show while somebody speaks, and what that costs.

The engine hears human sentences in real time, 0.1 s at a time. When each word was spoken is taken from the same model's
word timestamps in one pass over the recording; words on which the two disagree are not timed. Each recording is heard
twice, by turns with and without partials.

    first partial    from the beginning of speech
    stable           from the end of a word to the message that shows it as certain
    retracted        words shown as certain that are not in the text that is inserted, at their place
    processor        seconds of the process for each second of the recording

With `--in-step` the audio waits for the engine after each block: on a machine with other work the words and the
processor time are then those of a quick one that reads as often as it may, and the times mean nothing.
"""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire, pace
from lysnrai_desktop.core.agreement import agreeing, bare, split
from lysnrai_desktop.core.endpointing import speech_in
from lysnrai_desktop.engines import glimpser, model as models, whisper
from lysnrai_desktop.engines.ear import Ear
from lysnrai_desktop.engines.engine import Hearing
from lysnrai_desktop.engines.silero import probabilities
from tests import speech
from tests.bench.utterances import utterances
from tests.fixtures_models import prepared
from tests.hearing import pcm

RATE_HZ = 16_000
BLOCK_S = 0.1


@dataclass
class Heard:
    """What came of one recording."""

    duration_s: float
    cpu_s: float = 0.0
    wait_s: float = 0.0
    first_s: float | None = None
    stable_s: list[float] = field(default_factory=list)
    certain: int = 0
    retracted: int = 0
    partials: int = 0


class Bench:
    def __init__(self, model: str, in_step: bool) -> None:
        self._in_step = in_step
        self._said: queue.SimpleQueue[tuple[float, wire.FromEngine]] = queue.SimpleQueue()
        self._engine = whisper.WhisperEngine(lambda message: self._said.put((time.monotonic(), message)))
        threads = models.usual_threads()
        self._engine.load(wire.Load(str(prepared(model)), "cpu", "int8", threads))
        while not self._engine._glimpser.is_ready:
            time.sleep(0.1)
        self._one_pass = WhisperModel(str(prepared(model)), device="cpu", compute_type="int8", cpu_threads=threads)
        self._sessions = 0

    def hear(self, sound: NDArray[np.float32], language: str) -> Heard:
        heard = Heard(len(sound) / RATE_HZ)
        self._sessions += 1
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        hearing = self._engine.start(wire.Start(self._sessions, 0, language, ()), lambda: True)
        feeder = threading.Thread(target=self._feed, args=(hearing, sound, began_s))
        feeder.start()
        words = self._follow(heard, sound, began_s)
        feeder.join()
        heard.cpu_s = time.process_time() - began_cpu_s
        self._time_words(heard, sound, language, words, began_s)
        return heard

    def _feed(self, hearing: Hearing, sound: NDArray[np.float32], began_s: float) -> None:
        for at in range(0, len(sound), round(BLOCK_S * RATE_HZ)):
            block = sound[at : at + round(BLOCK_S * RATE_HZ)]
            if not self._in_step:
                time.sleep(max(0.0, began_s + (at + len(block)) / RATE_HZ - time.monotonic()))
            hearing.audio(wire.Audio(self._sessions, RATE_HZ, pcm(block)))
            while self._in_step and self._is_reading(hearing):
                time.sleep(0.01)
        hearing.finish()

    def _is_reading(self, hearing: Hearing) -> bool:
        assert isinstance(hearing, Ear)
        return self._engine.is_at_work() or not (hearing._glimpse is None or hearing._glimpse.void)

    def _follow(self, heard: Heard, sound: NDArray[np.float32], began_s: float) -> list[tuple[str, float]]:
        """The words of the text, and when each was first shown as certain; a final shows all of its own."""
        spoken = speech_in(probabilities(sound))
        assert spoken is not None
        words: list[tuple[str, float]] = []
        stable: list[tuple[str, float]] = []
        while True:
            at, message = self._said.get()
            match message:
                case wire.Partial():
                    heard.partials += 1
                    heard.first_s = at - began_s - spoken[0] if heard.first_s is None else heard.first_s
                    shown = split(message.stable.reveal())
                    stable += [(word, at) for word in shown[len(stable) :]]
                case wire.Final(text=text):
                    final = split(text.reveal())
                    kept = agreeing(final, [word for word, _ in stable])
                    heard.certain += len(stable)
                    heard.retracted += len(stable) - kept
                    words += [(word, stable[n][1] if n < kept else at) for n, word in enumerate(final)]
                    stable = []
                case wire.Done():
                    heard.wait_s = at - began_s - len(sound) / RATE_HZ
                    return words
                case _:
                    pass

    def _time_words(
        self, heard: Heard, sound: NDArray[np.float32], language: str, words: list[tuple[str, float]], began_s: float
    ) -> None:
        segments, _ = self._one_pass.transcribe(sound, language=language, word_timestamps=True)
        spoken = [(bare(word.word), word.end) for segment in segments for word in segment.words or ()]
        at = 0
        for word, shown_at in words:
            found = next((n for n in range(at, min(at + 4, len(spoken))) if spoken[n][0] == bare(word)), None)
            if found is not None:
                heard.stable_s.append(shown_at - began_s - spoken[found][1])
                at = found + 1


def _row(name: str, heard: list[Heard]) -> str:
    stable = sorted(s for h in heard for s in h.stable_s)
    first = [h.first_s for h in heard if h.first_s is not None]
    seconds = sum(h.duration_s for h in heard)
    certain, retracted = (sum(getattr(h, of) for h in heard) for of in ("certain", "retracted"))
    return (
        f"| {name} | {statistics.median(first) if first else float('nan'):.2f} s "
        f"| {stable[len(stable) // 2]:.2f} / {stable[len(stable) * 9 // 10]:.2f} s | {retracted} of {certain} "
        f"| {sum(h.cpu_s for h in heard) / seconds:.2f} | {statistics.median(h.wait_s for h in heard):.2f} s "
        f"| {sum(h.partials for h in heard)} in {seconds:.0f} s |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base")
    parser.add_argument("--language", default="en")
    parser.add_argument("--lengths", type=float, nargs="+", default=[3.0, 8.0, 20.0])
    parser.add_argument("--count", type=int, default=9)
    parser.add_argument("--in-step", action="store_true", help="whatever else the machine does")
    options = parser.parse_args()
    if options.in_step:
        glimpser._LOWEST, pace.BUSY, pace.SHARE = 0, float("inf"), float("inf")
    bench, busy = Bench(options.model, options.in_step), pace.BUSY
    found: dict[str, list[Heard]] = {"with partials": [], "without": []}
    with tempfile.TemporaryDirectory() as folder:
        for length_s in options.lengths:
            for utterance in utterances(length_s, options.count, Path(folder)):
                for name, limit in (("with partials", busy), ("without", -1.0)):
                    pace.BUSY = limit
                    found[name].append(bench.hear(speech.samples(utterance.path), options.language))
    print("| | first partial | stable, median / 90 % | retracted | processor | wait for the rest | partials |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, heard in found.items():
        print(_row(name, heard))
    print(f"\nload {os.getloadavg()[0]:.1f}")
    os._exit(0)  # the engine's thread waits for ever


if __name__ == "__main__":
    main()
