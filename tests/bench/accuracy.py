"""`python -m tests.bench.accuracy`: whether our way writes down what was said as well as one pass does.

Ours: the engine's own code (pieces, short windows, guards, second tries) and the polish behind it. One pass:
`WhisperModel.transcribe` with its defaults (beam 5, full windows) on the whole recording. The recordings that judge
are those of tests/bench/judging.py. Counted are

    words       errors in words alone, after normalising (tests/speech.py)
    written     errors in words, capitals and punctuation marks
    repeats     texts of far more words than were spoken
    lost        sentences of which next to nothing is left

It takes long (both models and all languages: three quarters of an hour of both cores) and can be stopped at any time:
each reading is written to build/accuracy/ at once and found there the next time, as long as the code that reads, the
libraries and the model are the same; polish is applied anew. `--part 10` takes a tenth of the recordings.
"""

from __future__ import annotations

import argparse
import itertools
import json
import queue
import re
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import jiwer
import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from lysnrai_desktop.core import endpointing, engine_messages as wire, guards
from lysnrai_desktop.core.polish import polish
from lysnrai_desktop.core.settings import PolishSettings
from lysnrai_desktop.core.speech import Segment, SpokenText, Transcript
from lysnrai_desktop.engines import ear, model as models, pieces, reader, silero, splicing
from lysnrai_desktop.engines.whisper import WhisperEngine
from tests import speech
from tests.bench import judging
from tests.bench.judging import RATE_HZ, Recording
from tests.fixtures_models import prepared
from tests.hearing import pcm

FOLDER = Path(__file__).parents[2] / "build" / "accuracy"
BLOCK_S = 0.1
OURS, ONE_PASS = "ours", "one pass"
MANY, FEW = 1.6, 0.25
WITHIN = 0.3
"""Points of the word error rate by which ours may be worse."""

READING = (ear, models, pieces, reader, silero, splicing, endpointing, guards)
"""The modules on which it depends what is read. Partials do not change it."""

Texts = Mapping[str, str]
"""By the recording's id."""

_TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


# --- the two ways


class Ours:
    def __init__(self, model: str) -> None:
        self._said: queue.SimpleQueue[wire.FromEngine] = queue.SimpleQueue()
        self._engine = WhisperEngine(self._said.put)
        self._engine.use(models.load(wire.Load(str(prepared(model)), "cpu", "int8", 2)))
        self._sessions = itertools.count(1)

    def read(self, sound: NDArray[np.float32], language: str) -> list[str]:
        session = next(self._sessions)
        hearing = self._engine.start(wire.Start(session, 0, language, ()), lambda: True)
        for at in range(0, len(sound), round(BLOCK_S * RATE_HZ)):
            hearing.audio(wire.Audio(session, RATE_HZ, pcm(sound[at : at + round(BLOCK_S * RATE_HZ)])))
        hearing.finish()
        texts = []
        while not isinstance(message := self._said.get(), wire.Done):
            if isinstance(message, wire.Final):
                texts.append(message.text.reveal())
        return texts


class OnePass:
    def __init__(self, model: str) -> None:
        self._model = WhisperModel(str(prepared(model)), device="cpu", compute_type="int8", cpu_threads=2)

    def read(self, sound: NDArray[np.float32], language: str) -> list[str]:
        return ["".join(segment.text for segment in self._model.transcribe(sound, language=language)[0]).strip()]


class Store:
    """What one way and model read so far: a line for each recording, with the texts of its pieces."""

    def __init__(self, model: str, way: str) -> None:
        self._file = FOLDER / f"{model}-{way.replace(' ', '-')}-{_circumstances(way):08x}.jsonl"
        self.texts: dict[str, list[str]] = {}
        if self._file.exists():
            content = self._file.read_text("utf-8")
            whole = content[: content.rfind("\n") + 1]  # the last line may be half
            self._file.write_text(whole, "utf-8")
            self.texts = dict(json.loads(line) for line in whole.splitlines())

    def add(self, recording: str, texts: list[str]) -> None:
        self.texts[recording] = texts
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([recording, texts], ensure_ascii=False) + "\n")


def _circumstances(way: str) -> int:
    """Of what a reading depends on beside recording and model."""
    content = b"".join(Path(str(module.__file__)).read_bytes() for module in READING) if way == OURS else b""
    return zlib.crc32(content + " ".join(map(version, ("faster-whisper", "ctranslate2"))).encode())


def read(model: str, recordings: Sequence[Recording]) -> dict[str, Texts]:
    """The texts of both ways, by turns; those that are known already are not read again."""
    stores = {way: Store(model, way) for way in (OURS, ONE_PASS)}
    missing = [r for r in recordings if any(r.id not in store.texts for store in stores.values())]
    if missing:
        readers: dict[str, Ours | OnePass] = {OURS: Ours(model), ONE_PASS: OnePass(model)}
        began = time.monotonic()
        for number, recording in enumerate(missing, 1):
            sound = recording.samples()
            for way, store in stores.items():
                if recording.id not in store.texts:
                    store.add(recording.id, readers[way].read(sound, recording.language))
            left_s = (time.monotonic() - began) / number * (len(missing) - number)
            print(f"\r{model}: {number} of {len(missing)}, {left_s / 60:.0f} min left ", end="", file=sys.stderr)
        print(file=sys.stderr)
    language = {recording.id: recording.language for recording in recordings}
    return {
        OURS: {
            name: _polished(texts, language[name]) for name, texts in stores[OURS].texts.items() if name in language
        },
        ONE_PASS: {name: " ".join(texts) for name, texts in stores[ONE_PASS].texts.items()},
    }


def _polished(texts: Sequence[str], language: str) -> str:
    segments = [Segment(at, at + 1, SpokenText(text), language) for at, text in enumerate(texts)]
    return polish(Transcript(tuple(segments)), PolishSettings()).reveal()


# --- judging


@dataclass(frozen=True, slots=True)
class Score:
    """Of some texts together."""

    words: int = 0
    word_errors: int = 0
    tokens: int = 0
    token_errors: int = 0
    repeats: int = 0
    lost: int = 0

    def __add__(self, other: Score) -> Score:
        mine, theirs = asdict(self), asdict(other)
        return Score(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def word_error_rate(self) -> float:
        return 100 * self.word_errors / max(1, self.words)

    @property
    def written_error_rate(self) -> float:
        return 100 * self.token_errors / max(1, self.tokens)


def score(recording: Recording, text: str) -> Score:
    sentences = [speech.normalise(sentence, recording.language).split() for sentence in recording.sentences]
    reference = [word for sentence in sentences for word in sentence]
    written = speech.normalise(text, recording.language).split()
    right, errors = _aligned(reference, written)
    tokens = _TOKEN.findall(recording.text) if recording.is_written else []
    return Score(
        len(reference),
        errors,
        len(tokens),
        _aligned(tokens, _TOKEN.findall(text))[1] if tokens else 0,
        repeats=int(len(written) > MANY * len(reference) + 3),
        lost=sum(_is_lost(right, sentences)),
    )


def _aligned(reference: Sequence[str], found: Sequence[str]) -> tuple[list[bool], int]:
    """Which tokens of the reference were found, and the number of errors."""
    codes: dict[str, str] = {}
    as_words = [" ".join(codes.setdefault(each, f"w{len(codes)}") for each in side) for side in (reference, found)]
    result = jiwer.process_words(as_words[0], as_words[1] or "nothing")
    right = [False] * len(reference)
    for chunk in result.alignments[0]:
        if chunk.type == "equal":
            right[chunk.ref_start_idx : chunk.ref_end_idx] = [True] * (chunk.ref_end_idx - chunk.ref_start_idx)
    return right, result.substitutions + result.deletions + result.insertions


def _is_lost(right: Sequence[bool], sentences: Sequence[Sequence[str]]) -> Iterator[bool]:
    at = 0
    for sentence in sentences:
        yield sum(right[at : at + len(sentence)]) < FEW * len(sentence)
        at += len(sentence)


def rows(
    recordings: Sequence[Recording], texts: Mapping[str, Texts]
) -> Iterator[tuple[str, int, Score, Score, int, int]]:
    """By language and kind, by language, and of all: number of recordings, both scores, better in, worse in."""
    both = [
        (recording, score(recording, texts[OURS][recording.id]), score(recording, texts[ONE_PASS][recording.id]))
        for recording in recordings
        if all(recording.id in found for found in texts.values())
    ]
    languages = list(dict.fromkeys(recording.language for recording, _, _ in both))
    for language in languages:
        here = [each for each in both if each[0].language == language]
        for kind in (judging.ALONE, judging.NOISY, judging.JOINED):
            yield _row(f"{language}, {kind}", [each for each in here if each[0].kind == kind])
        yield _row(language, here)
    if len(languages) > 2:
        yield _row("other than English", [each for each in both if each[0].language != "en"])


def _row(name: str, both: Sequence[tuple[Recording, Score, Score]]) -> tuple[str, int, Score, Score, int, int]:
    better = sum(ours.word_errors < one_pass.word_errors for _, ours, one_pass in both)
    worse = sum(ours.word_errors > one_pass.word_errors for _, ours, one_pass in both)
    return (
        name,
        len(both),
        sum((ours for _, ours, _ in both), Score()),
        sum((one_pass for _, _, one_pass in both), Score()),
        better,
        worse,
    )


def table(model: str, found: Iterator[tuple[str, int, Score, Score, int, int]]) -> Iterator[str]:
    yield f"{model}: ours / one pass; ≤ {WITHIN}: no more than that many points worse in words"
    yield "| | n | words, % | ≤ | better / worse in | written, % | repeats | lost |"
    yield "|---|--:|--:|---|--:|--:|--:|--:|"
    for name, count, ours, one, better, worse in found:
        within = "yes" if ours.word_error_rate <= one.word_error_rate + WITHIN else "NO"
        yield (
            f"| {name} | {count} | {ours.word_error_rate:.2f} / {one.word_error_rate:.2f} | {within} "
            f"| {better} / {worse} | {ours.written_error_rate:.2f} / {one.written_error_rate:.2f} "
            f"| {ours.repeats} / {one.repeats} | {ours.lost} / {one.lost} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["base", "tiny.en"], choices=["base", "tiny.en"])
    parser.add_argument("--languages", nargs="+", default=list(speech.LANGUAGES), choices=speech.LANGUAGES)
    parser.add_argument(
        "--part", type=int, default=1, metavar="N", help="the Nth part of the recordings, always the same"
    )
    parser.add_argument("--unlike", action="store_true", help="print the texts in which ours has more errors")
    options = parser.parse_args()
    lines: list[str] = []
    for model in options.models:
        languages = [each for each in options.languages if each == "en" or not model.endswith(".en")]
        every = [recording for language in languages for recording in judging.recordings(language)]
        recordings = [each for each in every if zlib.crc32(each.id.encode()) % options.part == 0]
        texts = read(model, recordings)
        lines += [*table(model, rows(recordings, texts)), ""]
        if options.unlike:
            lines += _unlike(recordings, texts)
    print("\n".join(lines))
    (FOLDER / "accuracy.md").write_text("\n".join(lines), encoding="utf-8")


def _unlike(recordings: Sequence[Recording], texts: Mapping[str, Texts]) -> Iterator[str]:
    for recording in recordings:
        ours, one_pass = (texts[way][recording.id] for way in (OURS, ONE_PASS))
        if score(recording, ours).word_errors > score(recording, one_pass).word_errors:
            yield f"{recording.id}\n  spoken    {recording.text}\n  ours      {ours}\n  one pass  {one_pass}"


if __name__ == "__main__":
    main()
