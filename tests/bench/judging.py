"""The recordings that judge: human sentences, alone, with noise, and joined with pauses. Always the same ones.

Of the prompts of each language every fourth by name is for tuning (`is_for_tuning`); none of them is in here. The
judging recordings are laid down by this rule, which is older than what they judge:

    alone     prompts of four words or more, of 2 s or longer; in English the five sentences of LibriVox too
    noisy     some of these with a sound of tests/nonspeech.py over them, 10 to 20 dB softer than the speech
    joined    two to fifteen of these, one after the other, pauses of 0.3 to 1.5 s between and a quiet room around them

Imports: tests.speech, tests.nonspeech.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests import nonspeech, speech
from tests.speech import Clip

RATE_HZ = 16_000
LEAST_S = 2.0
PAUSES_S = (0.3, 0.5, 0.8, 0.4, 1.5, 0.6)
ROOM = 3e-4
NOISES = ("fan", "hum", "key clicks", "breath", "white")
SNR_DB = (20.0, 10.0, 15.0)
JOINED_S = (8.0, 20.0, 58.0)

ALONE, NOISY, JOINED = "alone", "noisy", "joined"
_COUNTS = {"en": (200, 130, (80, 26, 14))}
_OTHER_COUNTS = (70, 15, (9, 4, 2))
"""How many alone (all there are, if there are fewer), noisy, and joined of each length."""


@dataclass(frozen=True, slots=True)
class Recording:
    id: str
    language: str
    kind: str
    clips: tuple[Clip, ...]
    noise: str = ""
    snr_db: float = 0.0

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(clip.text for clip in self.clips)

    @property
    def text(self) -> str:
        return " ".join(self.sentences)

    @property
    def is_written(self) -> bool:
        """Whether its text has capitals and punctuation; that of LibriVox has none."""
        return not any(clip.id.startswith("librivox") for clip in self.clips)

    def samples(self) -> NDArray[np.float32]:
        """Return it at RATE_HZ; made anew each time, to the last bit the same."""
        sound = np.concatenate(list(self._parts()))
        random = np.random.default_rng(zlib.crc32(self.id.encode()))
        if self.noise:
            sound = sound + _noise(self.noise, len(sound), _speech_rms(sound) * 10 ** (-self.snr_db / 20), random)
        if self.kind == JOINED:
            sound = sound + ROOM * random.standard_normal(len(sound))
        return np.asarray(np.clip(sound, -1, 1), np.float32)

    def _parts(self) -> Iterator[NDArray[np.float32]]:
        for number, clip in enumerate(self.clips):
            if number:
                yield np.zeros(round(PAUSES_S[number % len(PAUSES_S)] * RATE_HZ), np.float32)
            yield speech.samples(clip)


def is_for_tuning(number: int) -> bool:
    """Tell of a prompt by its place among `speech.prompts` of its language."""
    return number % 4 == 0


def recordings(language: str) -> list[Recording]:
    """Return all that judge in a language: at least 400 in English, 100 in each other."""
    alone, noisy, joined = _COUNTS.get(language, _OTHER_COUNTS)
    clips = _clips(language)
    found = [Recording(f"{language}/{clip.id}", language, ALONE, (clip,)) for clip in _thinned(clips, alone)]
    for number, clip in enumerate(_thinned(clips, noisy)):
        noise, snr_db = NOISES[number % len(NOISES)], SNR_DB[number % len(SNR_DB)]
        name = f"{language}/{clip.id}+{noise}{snr_db:g}"
        found.append(Recording(name, language, NOISY, (clip,), noise, snr_db))
    for length_s, count in zip(JOINED_S, joined, strict=True):
        for number, chosen in enumerate(_joined(clips, count, length_s)):
            found.append(Recording(f"{language}/joined-{length_s:g}s-{number}", language, JOINED, chosen))
    return found


def _thinned(clips: list[Clip], count: int) -> list[Clip]:
    return speech.thinned(clips, min(count, len(clips)))


def _joined(clips: list[Clip], count: int, length_s: float) -> list[tuple[Clip, ...]]:
    """Beginning at places far from each other; no two alike."""
    found: list[tuple[Clip, ...]] = []
    for number in range(count):
        first = number * len(clips) // count
        while len(chosen := _fill(clips, first, length_s)) < 2 or chosen in found:
            first = (first + 1) % len(clips)
        found.append(chosen)
    return found


def _clips(language: str) -> list[Clip]:
    prompts = [clip for number, clip in enumerate(speech.prompts(language)) if not is_for_tuning(number)]
    long_enough = [clip for clip in prompts if clip.duration_s >= LEAST_S]
    return long_enough + (speech.librivox() if language == "en" else [])


def _fill(clips: Sequence[Clip], first: int, length_s: float) -> tuple[Clip, ...]:
    """Take the clips that fit from a place on; leave out what would make it too long."""
    chosen: list[Clip] = []
    left_s = length_s
    for clip in [*clips[first:], *clips[:first]]:
        pause_s = PAUSES_S[len(chosen) % len(PAUSES_S)] if chosen else 0.0
        if clip.duration_s + pause_s <= left_s:
            chosen.append(clip)
            left_s -= clip.duration_s + pause_s
        if left_s < LEAST_S:
            break
    return tuple(chosen)


def _speech_rms(sound: NDArray[np.floating]) -> float:
    """Of what is spoken: the loudest half of its 20 ms frames."""
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    powers = np.sort((frames**2).mean(axis=1))
    return float(np.sqrt(powers[len(powers) // 2 :].mean()))


def _noise(name: str, count: int, rms: float, random: np.random.Generator) -> NDArray[np.float64]:
    sound = random.standard_normal(count) if name == "white" else nonspeech.SOUNDS[name][0](count, random)
    return np.asarray(sound * rms / (np.sqrt(np.mean(sound**2)) or 1.0))
