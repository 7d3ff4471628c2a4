"""Word errors through the whole app, beside one pass of the same model over the same recordings."""

from __future__ import annotations

import sys
from pathlib import Path

from tests import speech
from tests.bench.bench import Bench, dictate
from tests.bench.figures import Figure
from tests.bench.utterances import Utterance, single_sentences

COUNT = 50
COUNT_QUICK = 10


def measure(bench: Bench) -> list[Figure]:
    spoken = single_sentences(bench.times(COUNT, COUNT_QUICK), bench.desktop.folder)
    with bench.app() as app, bench.desktop.qt_editor() as editor:
        through_the_app = [dictate(bench, app, editor, utterance).text for utterance in spoken]
    one_pass = _one_pass(bench.models / bench.model, spoken)
    unlike = [
        (utterance.text, ours, one)
        for utterance, ours, one in zip(spoken, through_the_app, one_pass, strict=True)
        if speech.normalise(ours) != speech.normalise(one)
    ]
    for texts in unlike:
        print("\nspoken    {}\napp       {}\none pass  {}".format(*texts), file=sys.stderr)
    rates = [_rate(spoken, through_the_app), _rate(spoken, one_pass)]
    note = f"{len(spoken)} recordings"
    return [
        Figure("accuracy", f"word errors through the app, language {bench.language}", "%", (rates[0],), note),
        Figure("accuracy", "word errors in one pass, language en", "%", (rates[1],), note),
        Figure("accuracy", "difference", "%", (rates[0] - rates[1],), "aim: under 1"),
        Figure("accuracy", "other words than in one pass", "recordings", (float(len(unlike)),), note),
    ]


def _one_pass(folder: Path, spoken: list[Utterance]) -> list[str]:
    from faster_whisper import WhisperModel

    model = WhisperModel(str(folder), device="cpu", compute_type="int8")
    texts = []
    for utterance in spoken:
        segments, _ = model.transcribe(speech.samples(utterance.path), language="en")
        texts.append("".join(segment.text for segment in segments))
    return texts


def _rate(spoken: list[Utterance], texts: list[str]) -> float:
    return speech.word_error_rate((utterance.text, text) for utterance, text in zip(spoken, texts, strict=True))
