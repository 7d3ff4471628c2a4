"""Is this what was said? Judgements on what a speech model read out of a piece of audio.

Whisper answers anything with words: noise with "Thank you.", a window it cannot make sense of with one phrase for ever,
a vocabulary prompt with the vocabulary. What is decided here: whether a reading deserves a second try, which of two to
believe, whether a text has words at all. The thresholds caught each of 19 endless repeats, and doubt one of 156 good
sentences at most (measured).

Absent here: audio, models. Whether anybody spoke is decided before, by speech probabilities (core/endpointing.py).
Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lysnrai_desktop.core.speech import SpokenText

MAX_COMPRESSION = 2.0
MIN_LOGPROB = -0.9
MAX_CHARACTERS_PER_S = 25.0
MIN_CHARACTERS_PER_S = 3.0
LONG_S = 2.0
"""A shorter piece may be a single "I", and is rarely certain."""

MAX_PROMPT_CHARACTERS = 400
"""About 100 tokens: each costs time, and Whisper takes no more than 223."""

_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model read, and how sure it was."""

    text: SpokenText
    speech_s: float
    logprob: float = 0.0
    """Average over its tokens, at most 0."""
    compression: float = 1.0
    """How many times smaller the text becomes when compressed: repetition shows here."""


def is_doubtful(reading: Reading) -> bool:
    """Whether reading the same audio in another way may do better."""
    text = reading.text.reveal().strip()
    per_s = len(text) / max(reading.speech_s, 0.1)
    return (
        not has_words(reading.text)
        or reading.compression > MAX_COMPRESSION
        or (per_s > MAX_CHARACTERS_PER_S and len(text) > MAX_CHARACTERS_PER_S)
        or (reading.speech_s > LONG_S and (reading.logprob < MIN_LOGPROB or per_s < MIN_CHARACTERS_PER_S))
    )


def better(first: Reading, second: Reading) -> Reading:
    """The one to believe: the one that repeats itself less, then the surer one; any words before none."""
    return max(first, second, key=lambda r: (has_words(r.text), r.compression <= MAX_COMPRESSION, r.logprob))


def has_words(text: SpokenText) -> bool:
    """Whether there is a letter or digit in it. Silence is " ." to tiny.en."""
    return any(character.isalnum() for character in text.reveal())


def prompt(vocabulary: Sequence[str]) -> str:
    """What to show the model beforehand, so that it expects these terms; "" without any."""
    terms: list[str] = []
    for term in (" ".join(term.split()) for term in vocabulary):
        if term and sum(map(len, terms)) + 2 * len(terms) + len(term) <= MAX_PROMPT_CHARACTERS:
            terms.append(term)
    return f"{', '.join(terms)}." if terms else ""


def is_echo(text: SpokenText, shown: str) -> bool:
    """Whether the text says nothing but what the prompt said, in its order, two words or more.

    It may have been spoken nevertheless: read again without a prompt before deciding.
    """
    said, expected = (_WORDS.findall(part.lower()) for part in (text.reveal(), shown))
    if len(said) < 2 or len(expected) < 2:
        return False
    round_trip = expected * (len(said) // len(expected) + 2)
    return any(round_trip[at : at + len(said)] == said for at in range(len(expected)))
