"""`python -m tests.bench.files`: how `lysnrai transcribe` writes down a long recording, beside other ways to do it.

    one by one    the engine that dictates: pieces in short windows, one after the other
    together      the engine for files: the same pieces, those that wait read several at a time (engines/batch.py)
    pipeline      faster-whisper's batched pipeline with its defaults: windows filled up to 30 s by its own VAD
    one pass      `WhisperModel.transcribe` with its defaults

Each in a process of its own, over the same joined recordings (those of a minute of tests/bench/judging.py). Processor
seconds are disturbed less than the clock by other work on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.engines.batch import BatchEngine
from lysnrai_desktop.engines.whisper import WhisperEngine
from tests import speech
from tests.bench import judging
from tests.bench.judging import JOINED, RATE_HZ
from tests.fixtures_models import prepared
from tests.hearing import pcm

Sound = NDArray[np.float32]
CHUNK_S = 0.5
PAUSE_S = 1.0


def joined(minutes: float) -> tuple[Sound, str]:
    """Recordings with pauses between, and what is said in them."""
    sounds: list[Sound] = []
    texts: list[str] = []
    left = minutes * 60 * RATE_HZ
    long = [recording for recording in judging.recordings("en") if recording.kind == JOINED]
    for recording in sorted(long, key=lambda each: -sum(clip.duration_s for clip in each.clips)):
        if left <= 0:
            break
        sounds += [recording.samples(), np.zeros(round(PAUSE_S * RATE_HZ), np.float32)]
        texts.append(recording.text)
        left -= len(sounds[-2]) + len(sounds[-1])
    return np.concatenate(sounds), " ".join(texts)


def engine(model: str, kind: type[WhisperEngine]) -> Callable[[Sound], Iterator[str]]:
    said: queue.SimpleQueue[wire.FromEngine] = queue.SimpleQueue()
    made = kind(said.put)
    made.load(wire.Load(str(prepared(model)), "cpu", "int8", 2))

    def feed(sound: Sound) -> None:
        hearing = made.start(wire.Start(1, 0, "en", ()), lambda: True)
        step = round(CHUNK_S * RATE_HZ)
        for at in range(0, len(sound), step):
            hearing.audio(wire.Audio(1, RATE_HZ, pcm(sound[at : at + step])))
        hearing.finish()

    def read(sound: Sound) -> Iterator[str]:
        threading.Thread(target=feed, args=(sound,), daemon=True).start()
        while not isinstance(message := said.get(), wire.Done):
            if isinstance(message, wire.Final):
                yield message.text.reveal()

    return read


def library(model: str, batched: bool) -> Callable[[Sound], Iterator[str]]:
    whisper = WhisperModel(str(prepared(model)), device="cpu", compute_type="int8", cpu_threads=2)

    def read(sound: Sound) -> Iterator[str]:
        one = BatchedInferencePipeline(whisper) if batched else whisper
        return (segment.text for segment in one.transcribe(sound, language="en")[0])

    return read


WAYS: dict[str, Callable[[str], Callable[[Sound], Iterator[str]]]] = {
    "one by one": lambda model: engine(model, WhisperEngine),
    "together": lambda model: engine(model, BatchEngine),
    "pipeline": lambda model: library(model, batched=True),
    "one pass": lambda model: library(model, batched=False),
}


def measure(model: str, way: str, minutes: float) -> dict[str, float]:
    """In a process that has done nothing else."""
    sound, spoken = joined(minutes)
    read = WAYS[way](model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    first_s = 0.0
    texts: list[str] = []
    for text in read(sound):
        first_s = first_s or time.monotonic() - began_s
        texts.append(text)
    wall_s = time.monotonic() - began_s
    return {
        "audio_s": len(sound) / RATE_HZ,
        "wall_s": wall_s,
        "cpu_s": time.process_time() - began_cpu_s,
        "first_s": first_s,
        "memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6,
        "word_errors": speech.word_error_rate([(spoken, " ".join(texts))]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.model, options.measure, options.minutes)), flush=True)
        os._exit(0)  # an engine's thread waits for ever
    print(f"{options.model}, {options.minutes:g} minutes of joined recordings, load {os.getloadavg()[0]:.1f}\n")
    print(
        "| | times as fast as spoken | processor s per s | first text s | memory beside the model, MB | word errors |"
    )
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for way in options.ways:
        command = [sys.executable, "-m", "tests.bench.files", "--model", options.model, "--measure", way]
        command += ["--minutes", str(options.minutes)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"| {way} | {found['audio_s'] / found['wall_s']:.1f} | {found['cpu_s'] / found['audio_s']:.3f} "
            f"| {found['first_s']:.1f} | {found['memory_mb']:.0f} | {found['word_errors']:.2f} % |",
            flush=True,
        )


if __name__ == "__main__":
    main()
