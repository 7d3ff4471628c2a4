"""The machine is measured in a process of its own, and what was found out about a model is kept beside it."""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper import WhisperModel

from lysnrai_desktop.core import calibration, engine_messages as wire
from lysnrai_desktop.core.calibration import Pair, Way, Windows
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.engines import calibration as measuring, model as models, splicing
from lysnrai_desktop.runtime.calibration import Result, run
from tests import speech

SENTENCE = "the quick brown fox jumps over the lazy dog again and again"


@pytest.fixture
def own(tiny_en: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model's folder; nobody has measured the model."""
    for file in tiny_en.iterdir():
        if not file.name.startswith("."):
            (tmp_path / file.name).symlink_to(file)
    monkeypatch.setattr(splicing, "measured", lambda _: None)
    return tmp_path


def bench(folder: Path) -> measuring.Bench:
    return measuring.Bench(folder, BytesIO())


def loaded(folder: Path) -> models.Model:
    return models.load(wire.Load(str(folder), "cpu", "int8", 2))


def found(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this be how a model reads, with a padding of noise."""
    noise = np.random.default_rng(1).normal(0, 1, (1, 1500, 384)).astype(np.float32)
    monkeypatch.setattr(measuring.Bench, "_learn", lambda *_: noise)
    monkeypatch.setattr(measuring.Bench, "_both_ways", lambda *_: iter(pairs))


@pytest.mark.parametrize(
    ("short", "verdict"), [(SENTENCE, Windows.AS_GOOD), (f"{SENTENCE} {SENTENCE} {SENTENCE}", Windows.WORSE)]
)
def test_the_next_load_goes_by_what_was_found(
    own: Path, monkeypatch: pytest.MonkeyPatch, short: str, verdict: Windows
) -> None:
    assert loaded(own).padding is None
    found([Pair(SpokenText(SENTENCE), SpokenText(short))] * 8, monkeypatch)

    assert bench(own)._windows(Way(), []) is verdict
    assert (loaded(own).padding is not None) is (verdict is Windows.AS_GOOD)


def test_too_little_speech_leaves_nothing_behind(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file.name for file in own.iterdir()}
    found([Pair(SpokenText(SENTENCE), SpokenText(SENTENCE))], monkeypatch)

    assert bench(own)._windows(Way(), []) is Windows.UNDECIDED
    assert {file.name for file in own.iterdir()} == before


def test_a_verdict_holds_for_the_padding_and_the_compute_type_it_was_made_with(own: Path) -> None:
    weights, padding = own / "model.bin", np.zeros((1, 1500, 384), np.float32)

    assert splicing.keep(weights, "int8_float32", padding, as_good=True)

    def never(_: splicing.Padding) -> bool:
        raise AssertionError("asked again")

    assert splicing.padding_for(weights, "int8_float32", never) is not None
    assert splicing.padding_for(weights, "float32", never) is None
    splicing.keep(weights, "int8_float32", padding + 1, as_good=False)
    assert splicing.padding_for(weights, "int8_float32", never) is None


def test_a_model_that_was_measured_is_not_compared_again(tiny_en: Path) -> None:
    assert bench(tiny_en)._windows(Way(), []) is Windows.MEASURED


def test_a_way_that_does_not_work_here_is_passed_over(tiny_en: Path) -> None:
    ways = [Way("cuda", "float16"), Way("cpu", "float16"), Way("cpu", "int8", 1, 1)]

    assert [timed.way for timed in bench(tiny_en)._those_that_work(ways)] == ways[-1:]


def test_each_reading_that_is_timed_is_a_reading(tiny_en: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    real = WhisperModel.encode

    def encode(self: WhisperModel, features: Any) -> Any:
        encoded.append(1)
        return real(self, features)

    monkeypatch.setattr(WhisperModel, "encode", encode)
    bench(tiny_en)._time(Way())

    assert len(encoded) >= 1 + measuring.READINGS


def test_the_packaged_sentences_are_what_their_list_says(tiny_en: Path) -> None:
    model, recordings = loaded(tiny_en), measuring.packaged()

    pairs = []
    for recording in recordings:
        assert recording.spoken is not None
        sound = np.frombuffer(recording.pcm, "<i2").astype(np.float32) / np.float32(32768)
        read = model.read(sound, len(sound) / recording.rate_hz, recording.language)
        pairs.append((recording.spoken.reveal(), read.text.reveal()))

    assert speech.word_error_rate(pairs) <= 5
    assert sum(len(spoken.split()) for spoken, _ in pairs) >= calibration.MIN_WORDS


def test_what_padding_is_learned_behind_is_shorter_than_any_short_window() -> None:
    donors = list(measuring.donors())

    assert len(donors) == len(measuring.packaged())
    assert all(len(donor) / 16_000 < splicing.LEAST / 100 for donor in donors)


QUICKLY = """
from lysnrai_desktop.core import calibration
from lysnrai_desktop.engines import calibration as measuring
calibration.ways = lambda *_: (calibration.DEFAULT,)
calibration.thread_counts = lambda *_: ()
measuring.READINGS = 1
measuring.main()
"""


def test_a_model_that_nobody_knows_reads_short_windows_once_it_was_measured(tiny_en: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_en, tmp_path / "own", ignore=shutil.ignore_patterns(".*"))
    weights = bytearray((tmp_path / "own" / "model.bin").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "own" / "model.bin").write_bytes(weights)
    steps: list[int] = []

    result = run(tmp_path / "own", "en", [], steps.append, (sys.executable, "-c", QUICKLY))

    assert isinstance(result, Result)
    assert result.windows is Windows.AS_GOOD
    assert steps == list(range(1, len(steps) + 1))
    model, clip = loaded(tmp_path / "own"), speech.prompts()[50]
    assert model.padding is not None
    text = model.read(speech.samples(clip), clip.duration_s, "en").text.reveal()
    assert speech.word_error_rate([(clip.text, text)]) == 0


def test_a_reader_that_fails_ends_the_measuring_too(tiny_en: Path) -> None:
    program = """
import threading
from lysnrai_desktop.engines import calibration

def calibrate(*_):
    threading.Thread(target=lambda: 1 / 0).start()
    threading.Event().wait()

calibration.Bench.calibrate = calibrate
calibration.main()
"""

    assert run(tiny_en, "en", (), print, (sys.executable, "-c", program)) == "engine.died"
