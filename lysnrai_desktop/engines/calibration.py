"""Measuring this machine, in a process of its own: `python -m lysnrai_desktop.engines.calibration`.

    stdin    a job, as one line of JSON; then the samples of its recordings, 16-bit PCM, one behind the other
    stdout   one line of JSON for each step, at last the result or the code of a fault; never a word that was spoken

    1. for a model that the catalogue does not call measured: a padding for it is learned (splicing.py), and recordings
       are read in full and in short windows, by the engine's own code. Kept beside the model: padding and verdict
    2. how long the known sentence takes to read with each device, compute type, number of threads, beam

What is tried, and what is taken, is decided in core/calibration.py.

Imports: core. May be imported by: nobody; runtime/calibration.py starts it.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import ctranslate2
import numpy as np
from faster_whisper import decode_audio

from lysnrai_desktop import ASSETS
from lysnrai_desktop.core import calibration, endpointing, engine_messages as wire
from lysnrai_desktop.core.calibration import Pair, Timed, Way, Windows
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.speech import SpokenText, joined
from lysnrai_desktop.engines import splicing
from lysnrai_desktop.engines.host import die_with_parent, leave_with_traceback
from lysnrai_desktop.engines.model import Model, load as load_model, usual_threads
from lysnrai_desktop.engines.pieces import Sound
from lysnrai_desktop.engines.silero import RATE_HZ, probabilities
from lysnrai_desktop.engines.splicing import Padding
from lysnrai_desktop.engines.whisper import WhisperEngine

READINGS = 3
DONOR_S = 0.85
"""Of the end of each packaged sentence: what padding is learned behind must be shorter than any short window."""


@dataclass(frozen=True, slots=True)
class Recording:
    pcm: bytes
    rate_hz: int
    language: str
    spoken: SpokenText | None = None


class Bench:
    """One model folder, and where to tell how far it is."""

    def __init__(self, folder: Path, out: BinaryIO) -> None:
        self._folder, self._out = folder, out
        self._done = 0

    def say(self, **line: Any) -> None:
        self._out.write(json.dumps(line).encode() + b"\n")

    def calibrate(self, recordings: Sequence[Recording]) -> None:
        """Raises Fault where not even the default can be loaded."""
        windows = self._windows(calibration.DEFAULT, recordings)
        default, best = self._settings()
        if best.way.compute_type != default.way.compute_type:
            windows = self._windows(best.way, recordings)
        self.say(
            default=asdict(default.way) | {"read_s": default.read_s},
            best=asdict(best.way) | {"read_s": best.read_s},
            windows=windows,
        )

    # --- settings

    def _settings(self) -> tuple[Timed, Timed]:
        gpu_types = _gpu_types()
        first, *others = calibration.ways(bool(gpu_types), gpu_types)
        default = self._time(first)
        best = calibration.quickest(default, list(self._those_that_work(others)))
        counts = calibration.thread_counts(_cores(), usual_threads())
        threads = [Way(best.way.device, best.way.compute_type, count) for count in counts]
        best = calibration.quickest(best, list(self._those_that_work(threads)))
        quick = self._time(Way(best.way.device, best.way.compute_type, best.way.threads, calibration.QUICK_BEAM))
        return default, calibration.with_beam(best, quick)

    def _those_that_work(self, ways: Sequence[Way]) -> Iterator[Timed]:
        for way in ways:
            try:
                yield self._time(way)
            except Fault:
                continue  # not on this machine

    def _time(self, way: Way) -> Timed:
        model = self._load(way)
        took = []
        for _ in range(1 + READINGS):
            began = time.perf_counter()
            model.read_sentence()
            took.append(time.perf_counter() - began)
        self._step()
        return Timed(way, min(took[1:]))  # the first makes ready; what takes longer than the least is others' work

    def _load(self, way: Way) -> Model:
        return load_model(wire.Load(str(self._folder), way.device, way.compute_type, way.threads, way.beam))

    def _step(self) -> None:
        self._done += 1
        self.say(step=self._done)

    # --- short windows

    def _windows(self, way: Way, recordings: Sequence[Recording]) -> Windows:
        model = self._load(way)
        if model.model.device != "cpu":
            return Windows.NEEDLESS
        weights = self._folder / "model.bin"
        if splicing.measured(weights) is not None:
            return Windows.MEASURED if model.padding is not None else Windows.WORSE
        model.padding = None
        padding = self._learn(model)
        verdict = calibration.judge(list(self._both_ways(model, padding, recordings)))
        if verdict is not Windows.UNDECIDED:
            splicing.keep(weights, model.model.compute_type, padding, as_good=verdict.are_short)
        return verdict

    def _learn(self, model: Model) -> Padding:
        """The mean of what the encoder makes of the padding behind the ends of the packaged sentences."""
        outputs = []
        for donor in donors():
            features = model.feature_extractor(donor)[:, :-1]
            window = np.pad(features, ((0, 0), (0, model.feature_extractor.nb_max_frames - features.shape[1])))
            outputs.append(np.array(model.encode(window)))
            self._step()
        return np.asarray(np.mean(outputs, axis=0, dtype=np.float64), np.float32)

    def _both_ways(self, model: Model, padding: Padding, recordings: Sequence[Recording]) -> Iterator[Pair]:
        said: queue.SimpleQueue[wire.FromEngine] = queue.SimpleQueue()
        engine = WhisperEngine(said.put)
        engine.use(model)
        for number, recording in enumerate(recordings):
            model.padding = None
            full = _hear(engine, said, 2 * number + 1, recording)
            model.padding = padding
            short = _hear(engine, said, 2 * number + 2, recording)
            self._step()
            yield Pair(full, short, recording.spoken)


def packaged() -> list[Recording]:
    """Sentences of LibriVox, in the public domain, that come with the app."""
    document = tomllib.loads((ASSETS / "speech" / "sentences.toml").read_text("utf-8"))
    return [
        Recording(_pcm(_decoded(each["file"])), RATE_HZ, each["language"], SpokenText(each["text"]))
        for each in document["sentence"]
    ]


def donors() -> Iterator[Sound]:
    """The last words of each, and nothing behind them."""
    for recording in packaged():
        sound = np.frombuffer(recording.pcm, "<i2").astype(np.float32) / np.float32(32768)
        speech = endpointing.speech_in(probabilities(sound))
        assert speech is not None, "a packaged sentence has no speech in it"
        end = round(speech[1] * RATE_HZ)
        yield sound[max(0, end - round(DONOR_S * RATE_HZ)) : end]


def _decoded(name: str) -> Sound:
    sound: Sound = decode_audio(str(ASSETS / "speech" / name), sampling_rate=RATE_HZ)
    return sound


def _pcm(sound: Sound) -> bytes:
    return np.rint(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


def _hear(
    engine: WhisperEngine, said: queue.SimpleQueue[wire.FromEngine], session: int, recording: Recording
) -> SpokenText:
    hearing = engine.start(wire.Start(session, 0, recording.language, ()), lambda: True)
    hearing.audio(wire.Audio(session, recording.rate_hz, recording.pcm))
    hearing.finish()
    texts = []
    while not isinstance(message := said.get(), wire.Done):
        if isinstance(message, wire.Final):
            texts.append(message.text)
    return joined(texts)


def _gpu_types() -> tuple[str, ...]:
    """The compute types of the GPU; none without one."""
    try:
        return tuple(ctranslate2.get_supported_compute_types("cuda")) if ctranslate2.get_cuda_device_count() else ()
    except (RuntimeError, ValueError):  # a driver that does not fit, a build without
        return ()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a stray print is no line of ours
    die_with_parent()
    os.environ["HF_HUB_OFFLINE"] = "1"
    threading.excepthook = leave_with_traceback
    job = json.loads(sys.stdin.buffer.readline())
    taken = [
        Recording(sys.stdin.buffer.read(each["bytes"]), each["rate_hz"], job["language"]) for each in job["recordings"]
    ]
    english = [each for each in packaged() if job["language"] in ("auto", "") or each.language in job["language"]]
    bench = Bench(Path(job["folder"]), out)
    try:
        bench.calibrate([*english, *taken])
    except Fault as fault:
        bench.say(fault=fault.code)
    out.flush()
    os._exit(0)  # the engine's thread waits for ever


if __name__ == "__main__":
    main()
