"""`python -m tests.bench.splicing learn|compare MODEL`: the padding of a model, and whether it may be spliced.

    learn      write assets/models/padding/SUM.npy: the mean of the encoder's output for 20 short prompts in five
               languages, each followed by padding up to 30 s, in float32
    compare    read recordings in short and in full windows with the engine's own code, pieces, guards, second tries;
               print word error rates, and what came out much longer (repeats) or shorter (lost)

Words are no longer than 0.9 s and have at most three words, recordings have at least four: no recording was learned
from. A quarter of them, every fourth by name, is for tuning; the rest judges (`--tuning` takes that quarter instead).
"""

from __future__ import annotations

import argparse
import json
import queue
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.engines import model as models, splicing, whisper
from lysnrai_desktop.runtime.model_files import sha256
from tests import speech
from tests.fixtures_models import prepared
from tests.hearing import pcm

RATE_HZ = 16_000
WORD_S = (0.4, 0.88)
WORDS_PER_LANGUAGE = 4
FULL, SHORT = "full windows", "short windows"
MUCH_LONGER, MUCH_SHORTER = 1.6, 0.6


# --- learn


def learn(name: str) -> Path:
    folder = prepared(name)
    model = WhisperModel(str(folder), device="cpu", compute_type="float32")
    outputs = []
    for word in _words():
        features = model.feature_extractor(speech.samples(word))[:, :-1]
        window = np.pad(features, ((0, 0), (0, 3000 - features.shape[1])))
        outputs.append(np.array(model.encode(window))[0])
    target = splicing._SHIPPED / f"{sha256(folder / 'model.bin')[:16]}.npy"
    np.save(target, np.mean(outputs, axis=0, dtype=np.float64).astype(np.float16))
    return target


def _words() -> Iterator[speech.Clip]:
    for language in speech.LANGUAGES:
        short = [c for c in speech.prompts(language, words=(1, 3)) if WORD_S[0] <= c.duration_s <= WORD_S[1]]
        yield from speech.thinned(short, WORDS_PER_LANGUAGE)


# --- compare


@dataclass(frozen=True, slots=True)
class Read:
    spoken: str
    full: str
    short: str
    full_cpu_s: float
    short_cpu_s: float


def recordings(language: str, count: int, tuning: bool = False) -> list[speech.Clip]:
    every = speech.prompts(language)
    chosen = speech.thinned([clip for i, clip in enumerate(every) if (i % 4 == 0) is tuning], count)
    return chosen + (speech.librivox() if language == "en" and not tuning else [])


def compare(name: str, clips: Sequence[speech.Clip]) -> list[Read]:
    """Both ways by turns, in one process."""
    said: queue.SimpleQueue[wire.FromEngine] = queue.SimpleQueue()
    engine, model = whisper.WhisperEngine(said.put), models.load(wire.Load(str(prepared(name)), "cpu", "int8", 2))
    padding = model.padding
    assert padding is not None, "the catalogue does not say `spliced`"
    engine.use(model)
    read = []
    for session, clip in enumerate(clips, 1):
        model.padding = None
        full, full_cpu_s = _hear(engine, said, 2 * session, clip)
        model.padding = padding
        short, short_cpu_s = _hear(engine, said, 2 * session + 1, clip)
        read.append(Read(clip.text, full, short, full_cpu_s, short_cpu_s))
    return read


def _hear(
    engine: whisper.WhisperEngine, said: queue.SimpleQueue[wire.FromEngine], session: int, clip: speech.Clip
) -> tuple[str, float]:
    sound = pcm(speech.samples(clip))
    began = time.process_time()
    hearing = engine.start(wire.Start(session, 0, clip.language, ()), lambda: True)
    hearing.audio(wire.Audio(session, RATE_HZ, sound))
    hearing.finish()
    texts = []
    while not isinstance(message := said.get(), wire.Done):
        if isinstance(message, wire.Final):
            texts.append(message.text.reveal())
    return " ".join(filter(None, texts)), time.process_time() - began


def _report(language: str, read: list[Read]) -> str:
    full = speech.word_error_rate([(r.spoken, r.full) for r in read], language)
    short = speech.word_error_rate([(r.spoken, r.short) for r in read], language)
    longer = sum(len(r.short) > MUCH_LONGER * len(r.full) + 5 for r in read)
    shorter = sum(len(r.short) < MUCH_SHORTER * len(r.full) - 5 for r in read)
    same = sum(r.short == r.full for r in read)
    cost = sum(r.short_cpu_s for r in read) / sum(r.full_cpu_s for r in read)
    return (
        f"{language}: {len(read)} recordings, word errors {full:.2f} % in full and {short:.2f} % in short windows, "
        f"{same} the same to the letter, {longer} much longer, {shorter} much shorter, cost {cost:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("learn", "compare"))
    parser.add_argument("model")
    parser.add_argument("--languages", nargs="+", default=["en"], choices=speech.LANGUAGES)
    parser.add_argument("--count", type=int, default=180, help="recordings of each language")
    parser.add_argument("--tuning", action="store_true")
    parser.add_argument("--json", type=Path, help="write every text here")
    options = parser.parse_args()
    if options.verb == "learn":
        print(learn(options.model))
        return
    found = {}
    for language in options.languages:
        found[language] = compare(options.model, recordings(language, options.count, options.tuning))
        print(_report(language, found[language]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({k: [asdict(r) for r in v] for k, v in found.items()}, ensure_ascii=False))


if __name__ == "__main__":
    main()
