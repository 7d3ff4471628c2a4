"""Audio files of many kinds become blocks, and what is none says so."""

from __future__ import annotations

import tracemalloc
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from lysnrai_desktop.adapters.audio_file import audio_file
from lysnrai_desktop.core.faults import AudioFileUnreadable

TONE_HZ = 440


def tone(rate_hz: int, seconds: float, channels: int = 1) -> NDArray[np.int16]:
    """Shape (samples, channels)."""
    wave_form = np.sin(2 * np.pi * TONE_HZ * np.arange(round(rate_hz * seconds)) / rate_hz) * 12_000
    return np.repeat(wave_form.astype(np.int16)[:, None], channels, axis=1)


def encode(path: Path, codec: str, sound: NDArray[np.int16], rate_hz: int) -> Path:
    """Write a file in the container that its name says."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[sound.shape[1]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, av.AudioStream)
        for start in range(0, len(sound), 960):
            frame = av.AudioFrame.from_ndarray(sound[start : start + 960].reshape(1, -1), "s16", layout)
            frame.sample_rate = rate_hz
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decode(path: Path) -> tuple[NDArray[np.int16], int, float]:
    with audio_file(path) as file:
        blocks = list(file.blocks())
        assert {block.rate_hz for block in blocks} == {file.rate_hz}
        return np.frombuffer(b"".join(block.pcm for block in blocks), np.int16), file.rate_hz, file.duration_s


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "channels"),
    [
        ("a.wav", "pcm_s16le", 44_100, 1),
        ("a.wav", "pcm_s16le", 96_000, 2),
        ("a.flac", "flac", 48_000, 2),
        ("a.ogg", "libopus", 48_000, 2),
        ("a.opus", "libopus", 48_000, 1),
        ("a.mp3", "libmp3lame", 22_050, 1),
        ("a.m4a", "aac", 44_100, 2),
        ("a.mkv", "aac", 48_000, 6),
        ("a.amr", "libopencore_amrnb", 8_000, 1),
        ("no extension", "", 16_000, 1),
    ],
)
def test_it_comes_as_mono_at_the_files_own_rate(
    tmp_path: Path, name: str, codec: str, rate_hz: int, channels: int
) -> None:
    path = encode(tmp_path / (name if codec else "a.wav"), codec or "pcm_s16le", tone(rate_hz, 1.0, channels), rate_hz)
    path = path.rename(tmp_path / name)

    heard, heard_hz, duration_s = decode(path)

    assert heard_hz == rate_hz
    assert len(heard) == pytest.approx(rate_hz, abs=0.1 * rate_hz)
    assert duration_s == pytest.approx(1.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) * rate_hz / len(heard) == pytest.approx(TONE_HZ, abs=3)


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac")])
def test_mono_16_bit_without_loss_stays_as_it_is(tmp_path: Path, name: str, codec: str) -> None:
    sound = np.random.default_rng(1).integers(-32768, 32767, (12_345, 1), np.int16)

    heard, _, _ = decode(encode(tmp_path / name, codec, sound, 48_000))

    assert np.array_equal(heard, sound[:, 0])


def test_the_channels_of_a_stereo_file_are_mixed(tmp_path: Path) -> None:
    sound = tone(48_000, 0.5, 2)
    sound[:, 1] = 0

    heard, _, _ = decode(encode(tmp_path / "a.wav", "pcm_s16le", sound, 48_000))

    assert 0.4 < np.abs(heard).max() / np.abs(sound).max() < 0.8


def test_the_sound_of_a_video_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        assert isinstance(video, av.VideoStream)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("flac", rate=16_000, layout="mono")
        assert isinstance(audio, av.AudioStream)
        for pts in range(3):
            picture = av.VideoFrame(64, 64, "yuv420p")
            picture.pts = pts
            container.mux(video.encode(picture))
        frame = av.AudioFrame.from_ndarray(tone(16_000, 0.25).reshape(1, -1), "s16", "mono")
        frame.sample_rate = 16_000
        frame.pts = 0
        container.mux(audio.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))

    heard, rate_hz, _ = decode(path)

    assert (len(heard), rate_hz) == (4000, 16_000)


def test_a_file_cut_short_gives_what_is_left(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp3", "libmp3lame", tone(44_100, 4.0), 44_100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    heard, _, _ = decode(path)

    assert len(heard) / 44_100 == pytest.approx(2.0, abs=0.2)


def test_a_damaged_part_in_the_middle_is_left_out(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp3", "libmp3lame", tone(44_100, 4.0), 44_100)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)

    heard, _, _ = decode(path)

    assert 3.0 < len(heard) / 44_100 < 4.2


def test_the_take_of_a_crashed_dictation_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as recording:
        recording.setparams((1, 2, 48_000, 0, "NONE", ""))
        recording.writeframes(tone(48_000, 0.5).tobytes())
    with path.open("ab") as file:
        file.write(b"\x01\x02\x03")  # behind what the header counts

    heard, _, _ = decode(path)

    assert len(heard) >= 24_000
    assert np.array_equal(heard[:24_000], tone(48_000, 0.5)[:, 0])


@pytest.mark.parametrize(
    "content",
    [b"", b"Dear diary, this is no sound at all.\n" * 50, b"RIFF\x10\x00\x00\x00WAVEfmt ", bytes(100_000)],
    ids=["empty", "text", "half a header", "zeros"],
)
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a"])
def test_what_is_not_audio_is_refused_without_a_word_about_it(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(AudioFileUnreadable) as refused:
        decode(tmp_path / name)

    assert str(tmp_path) not in str(refused.value)
    assert "diary" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.wav", tmp_path):
        with pytest.raises(AudioFileUnreadable):
            decode(path)


def test_what_a_playlist_names_is_not_opened(tmp_path: Path) -> None:
    encode(tmp_path / "a.ts", "aac", tone(48_000, 1.0), 48_000)
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{tmp_path}/a.ts\n#EXT-X-ENDLIST\n")

    with pytest.raises(AudioFileUnreadable):
        decode(playlist)


def test_a_name_that_looks_like_an_address_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    encode(tmp_path / "a.wav", "pcm_s16le", tone(8000, 0.1), 8000).rename("concat:a.wav|b.wav")

    heard, _, _ = decode(Path("concat:a.wav|b.wav"))

    assert len(heard) == 800


def test_a_long_file_is_not_held_in_memory(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.wav", "pcm_s16le", np.zeros((48_000 * 120, 1), np.int16), 48_000)

    tracemalloc.start()
    with audio_file(path) as file:
        samples = sum(block.samples for block in file.blocks())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert samples == 48_000 * 120
    assert most < 1_000_000  # of 11.5 MB
