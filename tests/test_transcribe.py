"""`lysnrai transcribe` writes down files of any kind, with the real model, without a screen."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.adapters.audio_file import audio_file
from lysnrai_desktop.core.speech import Segment, SpokenText
from lysnrai_desktop.transcribe import FileAudio, Writer, timestamp
from tests import speech

SENTENCE = "he might even have been made amiable himself"


@pytest.fixture(scope="module")
def clip() -> Path:
    return next(clip for clip in speech.librivox() if clip.id.endswith("0930")).path


@pytest.fixture
def lysnrai(models_environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    environment = {**os.environ, **models_environment, "LYSNRAI_HOME": str(tmp_path / "home")}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lysnrai_desktop", "--set", "engine.model=tiny.en", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_text_comes_on_standard_output_alone(
    lysnrai: Callable[..., subprocess.CompletedProcess[str]], clip: Path
) -> None:
    done = lysnrai("transcribe", clip)

    assert speech.normalise(done.stdout) == speech.normalise(SENTENCE)
    assert (done.stderr, done.returncode) == ("", 0)


def test_several_files_of_several_kinds_and_one_that_is_none(
    lysnrai: Callable[..., subprocess.CompletedProcess[str]], clip: Path, tmp_path: Path
) -> None:
    mp3, nonsense = tmp_path / "speech.mp3", tmp_path / "nonsense.wav"
    encode(clip, mp3)
    nonsense.write_text("this is no sound")

    done = lysnrai("transcribe", "--format", "json", nonsense, mp3, tmp_path / "absent.ogg")

    (line,) = map(json.loads, done.stdout.splitlines())
    assert line["file"] == "speech.mp3"
    assert speech.normalise(line["text"]) == speech.normalise(SENTENCE)
    assert 0 <= line["start_s"] < line["end_s"] <= 3.5
    assert done.returncode == 1
    assert done.stderr.count("(audio_file.unreadable)") == 2
    assert str(tmp_path) not in done.stderr


def encode(source: Path, target: Path) -> None:
    """Write the sound of a file in another format, in stereo at 44.1 kHz."""
    with av.open(str(source)) as opened, av.open(str(target), "w") as out:
        stream = out.add_stream("mp3", rate=44_100)
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(stream.format, stream.layout, stream.rate)
        for frame in opened.decode(audio=0):
            for converted in resampler.resample(frame):
                out.mux(stream.encode(converted))
        out.mux(stream.encode(None))


@given(st.floats(0, 359_999))
def test_a_timestamp_is_as_the_formats_want_it(seconds: float) -> None:
    match = re.fullmatch(r"(\d\d):([0-5]\d):([0-5]\d),(\d\d\d)", timestamp(seconds, ","))

    assert match is not None
    hours, minutes, rest, milliseconds = map(int, match.groups())
    assert abs(hours * 3600 + minutes * 60 + rest + milliseconds / 1000 - seconds) <= 0.0005 + 1e-9


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("txt", "One.\nTwo.\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,000\nOne.\n\n2\n00:00:02,000 --> 00:00:03,500\nTwo.\n\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nOne.\n\n00:00:02.000 --> 00:00:03.500\nTwo.\n\n"),
    ],
)
def test_formats_number_what_has_words(form: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    writer = Writer(form, heading="")
    writer.begin()
    for start, end, text in ((0, 16000, " One. "), (16000, 32000, " ."), (32000, 56000, "Two.")):
        writer.segment(Segment(start, end, SpokenText(text)), 16000)
    writer.end()

    assert capsys.readouterr().out == expected


@pytest.fixture
def ramp(tmp_path: Path) -> Iterator[FileAudio]:
    """A long file in which every sample says where it stands."""
    path = tmp_path / "ramp.wav"
    speech.write_wav(path, (np.arange(400 * 8000) % 2000 - 1000).astype(np.float64) / 32768, 8000)
    with audio_file(path) as audio:
        yield FileAudio(audio)


def test_a_file_is_read_as_a_take_and_forgotten_behind_the_engine(ramp: FileAudio) -> None:
    at = 0
    while True:
        readable, ended = ramp.wait(at, 1.0)
        if at == readable and ended:
            break
        samples = np.frombuffer(ramp.read(at, 4000), "<i2")
        assert len(samples)
        assert samples[0] == at % 2000 - 1000
        at += len(samples)

    assert at == 400 * 8000
    assert len(ramp._pcm) < 2 * 400 * 8000
