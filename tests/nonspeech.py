"""Sounds without a word in them, as a microphone hears them: from none of them may text be made.

Each maker takes a length in samples at RATE_HZ and gives samples in [-1, 1] at the level in `SOUNDS`. They are random
but always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.speech import write_wav

RATE_HZ = 16_000

Samples = NDArray[np.float64]
Maker = Callable[[int, np.random.Generator], Samples]


def hum(count: int, _: np.random.Generator) -> Samples:
    """Mains hum with its overtones."""
    at_s = np.arange(count) / RATE_HZ
    overtones = ((1, 1.0), (2, 0.6), (3, 0.4), (5, 0.2), (7, 0.1))
    return np.asarray(sum(gain * np.sin(2 * np.pi * 50 * number * at_s) for number, gain in overtones))


def key_clicks(count: int, random: np.random.Generator) -> Samples:
    """Somebody types six keys a second: a burst for each key down, a fainter one for each key up."""
    sound = 1e-4 * random.standard_normal(count)
    at = 0
    while (at := at + int(random.exponential(RATE_HZ / 6)) + 800) < count - 1000:
        length = int(random.integers(80, 400))
        sound[at : at + length] += random.standard_normal(length) * np.exp(-5 * np.arange(length) / length)
        sound[at + length + 300 : at + length + 360] += 0.3 * random.standard_normal(60)
    return sound


def breath(count: int, random: np.random.Generator) -> Samples:
    """Somebody breathes into the microphone."""
    at_s = np.arange(count) / RATE_HZ
    air = _coloured(count, random, 300, 5000)
    swell = np.maximum(0, np.sin(2 * np.pi * at_s / 1.6)) ** 2
    return np.asarray(air * swell + 1e-4 * random.standard_normal(count))


def chords(count: int, _: np.random.Generator) -> Samples:
    """Major chords, one every 0.75 s, that die away like a piano's."""
    at_s, sound = np.arange(count) / RATE_HZ, np.zeros(count)
    for number in range(int(count / RATE_HZ / 0.75)):
        since_s = at_s - number * 0.75
        root_hz = (220.0, 174.6, 261.6, 196.0)[number % 4]
        tones = [
            np.sin(2 * np.pi * root_hz * interval * overtone * at_s) / overtone
            for interval in (1, 1.26, 1.5)
            for overtone in (1, 2, 3, 4)
        ]
        sound += np.where(since_s >= 0, np.exp(-2 * np.maximum(since_s, 0)), 0) * np.sum(tones, axis=0)
    return sound


def fan(count: int, random: np.random.Generator) -> Samples:
    """Pink noise, as of a fan."""
    return _coloured(count, random, 30, 8000)


def _coloured(count: int, random: np.random.Generator, low_hz: float, high_hz: float) -> Samples:
    """Noise that loses 3 dB an octave, between two frequencies."""
    spectrum, hz = np.fft.rfft(random.standard_normal(count)), np.fft.rfftfreq(count, 1 / RATE_HZ)
    return np.fft.irfft(spectrum * ((hz >= low_hz) & (hz <= high_hz)) * np.maximum(hz, 20) ** -0.5, count)


def silence(count: int, _: np.random.Generator) -> Samples:
    """Nothing but the room."""
    return np.zeros(count)


SOUNDS: dict[str, tuple[Maker, float]] = {
    "silence": (silence, 0),
    "hum": (hum, -30),
    "key clicks": (key_clicks, -35),
    "breath": (breath, -35),
    "chords": (chords, -25),
    "fan": (fan, -30),
}
"""Maker and level in dBFS (RMS), as loud as they are beside a laptop."""


def make(name: str, duration_s: float) -> Samples:
    """Return one of SOUNDS at its level."""
    maker, level_db = SOUNDS[name]
    sound = maker(round(duration_s * RATE_HZ), np.random.default_rng(7))
    return np.asarray(np.clip(sound / (np.sqrt(np.mean(sound**2)) or 1) * 10 ** (level_db / 20), -1, 1))


def as_wav(name: str, duration_s: float, folder: Path) -> Path:
    """Write one of SOUNDS for playing; returns its path in `folder`."""
    path = folder / f"{name.replace(' ', '-')}-{duration_s:g}s.wav"
    if not path.exists():
        write_wav(path, make(name, duration_s), RATE_HZ)
    return path
