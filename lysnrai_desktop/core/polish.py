"""Transcript to inserted text: seams, spacing, capitals, replacements.

What the engine wrote is respected: nothing is added but a capital at the start of a sentence that has none, and the
user's own replacements; nothing is taken away but superfluous white space, and at the seams of pieces what is there
only because each was read as a text by itself: the stop or dots of a sentence that goes on, the capital of its rest.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import re

from lysnrai_desktop.core.context import LOOK_BACK, fitted
from lysnrai_desktop.core.settings import PolishSettings
from lysnrai_desktop.core.speech import SpokenText, Transcript

_SPACES = re.compile(r"\s+")
_SENTENCE_START = re.compile(r"(?:^|\n|[.!?…]\s+)([^\W\d_])(?![^\W_]*[A-Z])")
"""First letter of the text, of a line, or behind the end of a sentence; "3.5 mm" and "iPhone" are left alone."""
_AROUND_LINE_BREAK = re.compile(r" *\n *")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|approx|dr|mr|mrs|ms|st|z\.b|bzw|ca|usw)\.\s+$", re.IGNORECASE)

_DOTS = re.compile(r"(?:\.\.+|…)$")
_FIRST_WORD = re.compile(r"[^\W\d_]+(?!\w)")
_FULL_STOP = re.compile(r"[^\W\d_]\.$")


def polish(transcript: Transcript, settings: PolishSettings) -> SpokenText:
    """The text to insert; empty if no segment has a letter or digit.

    Whisper answers silence with marks alone (" ." from tiny.en, measured): such segments are left out.
    """
    text = ""
    for segment in transcript.segments:
        piece = _SPACES.sub(" ", segment.text.reveal()).strip()
        if any(character.isalnum() for character in piece):
            text = _went_on(text, piece) if text else piece
    for phrase, written in settings.replacements.items():
        text = _replaced(text, phrase, written)
    text = _AROUND_LINE_BREAK.sub("\n", text)
    if settings.capitalise:
        text = _SENTENCE_START.sub(_capital, text)
    return SpokenText(text)


def _went_on(text: str, piece: str) -> str:
    """The next piece behind the text so far, as they would stand if they had been read in one."""
    if _DOTS.search(text):
        text = text.rstrip(".… ")  # how Whisper writes that speech broke off
    elif _FULL_STOP.search(text) and _begins_in_mid_sentence(piece) and not _ABBREVIATION.search(f"{text} "):
        text = text[:-1]
    return text + fitted(SpokenText(piece), text[-LOOK_BACK:]).reveal()


def _begins_in_mid_sentence(piece: str) -> bool:
    """Whether its first word has no capital: Whisper gives one to what it hears as a beginning."""
    word = _FIRST_WORD.match(piece)
    return word is not None and word[0].islower()


def _replaced(text: str, phrase: str, written: str) -> str:
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    return re.sub(rf"(?<!\w){words}(?!\w)", lambda _: written, text, flags=re.IGNORECASE)


def _capital(match: re.Match[str]) -> str:
    if _ABBREVIATION.search(match.string[: match.start(1)]):
        return match[0]
    letter = match[1].upper()
    # "ß" and ligatures become two letters: such a start is left as it is
    return match[0][: -len(match[1])] + (letter if len(letter) == 1 else match[1])
