"""What is spoken: recordings of a wanted length, made of whole human sentences with natural pauses between.

Imports: tests.speech.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests import speech
from tests.speech import Clip

RATE_HZ = 48_000
PAUSES_S = (0.4, 0.6, 0.8)
NEAR = 0.12
"""How far from the wanted length a recording may be, as a part of it."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording and what is said in it."""

    text: str
    path: Path
    duration_s: float


def utterances(length_s: float, count: int, folder: Path) -> list[Utterance]:
    """Make `count` recordings of about this length, no two alike, the same ones each time."""
    found: list[Utterance] = []
    clips = _sentences()
    for first in range(len(clips)):
        chosen = _fill(clips[first:] + clips[:first], length_s)
        if chosen and " ".join(clip.text for clip in chosen) not in [utterance.text for utterance in found]:
            found.append(_join(chosen, folder / f"utterance-{length_s:g}s-{len(found)}.wav"))
        if len(found) == count:
            return found
    raise ValueError(f"no {count} recordings of {length_s:g} s can be made of these sentences")


def with_pause(utterance: Utterance, pause_s: float) -> Utterance:
    """Return the recording with so much silence behind it."""
    if not pause_s:
        return utterance
    path = utterance.path.with_stem(f"{utterance.path.stem}-pause-{pause_s:g}s")
    sound = np.concatenate([speech.samples(utterance.path, RATE_HZ), np.zeros(round(pause_s * RATE_HZ), np.float32)])
    speech.write_wav(path, sound, RATE_HZ)
    return Utterance(utterance.text, path, len(sound) / RATE_HZ)


def single_sentences(count: int, folder: Path) -> list[Utterance]:
    """Return `count` recordings of one sentence each, 2 to 8 s long: the novel's and evenly chosen prompts."""
    novel = speech.librivox()
    return [_one(clip, folder) for clip in [*novel, *speech.thinned(_prompts(), count - len(novel))]]


def _sentences() -> list[Clip]:
    """The novel's five among forty prompts."""
    novel, prompts = speech.librivox(), speech.thinned(_prompts(), 40)
    return [
        clip
        for one, eight in zip(novel, (prompts[i : i + 8] for i in range(0, 40, 8)), strict=True)
        for clip in (one, *eight)
    ]


def _prompts() -> list[Clip]:
    return [clip for clip in speech.prompts(words=(6, 40), longest_s=8.0) if clip.duration_s >= 2.0]


def _fill(clips: list[Clip], length_s: float) -> list[Clip]:
    """Take the clips that fit, one after the other; none if that does not come near the length."""
    chosen: list[Clip] = []
    total_s = 0.0
    pauses = _pauses()
    for clip in clips:
        more_s = clip.duration_s + (next(pauses) if chosen else 0.0)
        if total_s + more_s <= length_s * (1 + NEAR):
            chosen.append(clip)
            total_s += more_s
        if total_s >= length_s * (1 - NEAR):
            return chosen
    return []


def _pauses() -> Iterator[float]:
    return itertools.cycle(PAUSES_S)


def _join(clips: list[Clip], path: Path) -> Utterance:
    parts = [speech.samples(clips[0], RATE_HZ)]
    for clip, pause_s in zip(clips[1:], _pauses(), strict=False):
        parts += [np.zeros(round(pause_s * RATE_HZ), np.float32), speech.samples(clip, RATE_HZ)]
    sound = np.concatenate(parts)
    speech.write_wav(path, sound, RATE_HZ)
    return Utterance(" ".join(clip.text for clip in clips), path, len(sound) / RATE_HZ)


def _one(clip: Clip, folder: Path) -> Utterance:
    return Utterance(clip.text, speech.as_wav(clip, folder, RATE_HZ), clip.duration_s)
