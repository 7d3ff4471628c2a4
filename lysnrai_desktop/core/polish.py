"""Transcript to inserted text: spacing, capitals, replacements.

What the engine wrote is respected: nothing is taken away but superfluous white space, and nothing is added but a
capital at the start of a sentence that has none, and the user's own replacements.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import re

from lysnrai_desktop.core.settings import PolishSettings
from lysnrai_desktop.core.speech import SpokenText, Transcript

_SPACES = re.compile(r"\s+")
_SENTENCE_START = re.compile(r"(?:^|\n|[.!?…]\s+)([^\W\d_])(?![^\W_]*[A-Z])")
"""First letter of the text, of a line, or behind the end of a sentence; "3.5 mm" and "iPhone" are left alone."""
_AROUND_LINE_BREAK = re.compile(r" *\n *")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|approx|dr|mr|mrs|ms|st|z\.b|bzw|ca|usw)\.\s+$", re.IGNORECASE)


def polish(transcript: Transcript, settings: PolishSettings) -> SpokenText:
    """The text to insert; empty if no segment has a letter or digit.

    Whisper answers silence with marks alone (" ." from tiny.en, measured): such segments are left out.
    """
    spoken = (segment.text.reveal() for segment in transcript.segments)
    text = " ".join(part for part in spoken if any(character.isalnum() for character in part))
    text = _SPACES.sub(" ", text).strip()
    for phrase, written in settings.replacements.items():
        text = _replaced(text, phrase, written)
    text = _AROUND_LINE_BREAK.sub("\n", text)
    if settings.capitalise:
        text = _SENTENCE_START.sub(_capital, text)
    return SpokenText(text)


def _replaced(text: str, phrase: str, written: str) -> str:
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    return re.sub(rf"(?<!\w){words}(?!\w)", lambda _: written, text, flags=re.IGNORECASE)


def _capital(match: re.Match[str]) -> str:
    if _ABBREVIATION.search(match.string[: match.start(1)]):
        return match[0]
    letter = match[1].upper()
    # "ß" and ligatures become two letters: such a start is left as it is
    return match[0][: -len(match[1])] + (letter if len(letter) == 1 else match[1])
