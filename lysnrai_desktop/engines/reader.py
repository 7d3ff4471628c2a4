"""Reads pieces one after the other, on a thread of its own, so that edges of speech are not told behind a reading.

    Piece ────▶ quiet? ─▶ language ─▶ model ─▶ guards ─▶ Final
    Guess ────▶ the same, while it is not known whether the piece is whole ──▶ kept, and a Partial
    Glimpse ──▶ the same, while somebody speaks on; breaks off when there is something better to do ──▶ a Partial

A lull in the speech is taken for its end on the chance that it is: what there is is read at once. If the piece turns
out to have no more speech in it, its text is there already. What was read of a piece before is the draft of its next
reading: what the model still finds likely of it, now that it hears more, is not worked out again (model.py).

What to doubt and which language to take is decided in core; when to guess and glimpse, before (ear.py).

Imports: core. May be imported by: whisper.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from lysnrai_desktop.core import endpointing, engine_messages as wire, guards, language as languages
from lysnrai_desktop.core.agreement import Agreement
from lysnrai_desktop.core.faults import EngineOutOfMemory
from lysnrai_desktop.core.guards import Reading
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.engines.engine import Say
from lysnrai_desktop.engines.model import BrokenOff, Model, lacks_memory
from lysnrai_desktop.engines.pieces import End, Glimpse, Guess, Piece, Session, Sound, Work
from lysnrai_desktop.engines.silero import RATE_HZ, probabilities

MARGIN_S = 0.3
"""Kept on both sides of speech. Whisper makes words of clicks and breath in what is beyond (measured)."""
QUIET_PEAK = 0.05
"""A piece that is never louder is listened to a second time, amplified: Silero misses words below -30 dB."""
AMPLIFIED_PEAK = 0.5
MAX_GAIN = 100.0
AMPLIFIED_ONSET = 0.6
"""Amplified white noise was taken for speech with up to 0.50, the quietest words with 0.66 (measured)."""
GUESS_WITHIN_S = 1.0
"""Where the last reading took longer, nothing is read on a guess: it would hold up what follows."""
COLD_S = 120.0
"""After so long without a reading, the first words of a dictation find caches and pages cold, and a computer that slept
has given them to others: a sentence is read while they are being spoken."""


@dataclass(slots=True)
class _Draft:
    """What was read of the present piece so far."""

    piece: Piece
    reading: Reading
    language: str
    whole: bool
    """If the piece has no more speech than this, this is its text."""
    agreement: Agreement = field(default_factory=Agreement)


class Reader:
    def __init__(self, model: Model, say: Say, work: Work, now: Callable[[], float] = time.time) -> None:
        """`now`: a clock that goes on while the computer sleeps."""
        self._model, self._say, self._work, self._now = model, say, work, now
        self._last_language = ""
        self._draft: _Draft | None = None
        self._read_at_s = float("-inf")

    def run(self) -> None:
        self._warm()
        while True:
            self._work.is_being_read = False
            work = self._work.todo.get()
            self._work.is_being_read = True
            match work:
                case Session() as session if session.wanted():
                    self._say(wire.Started(session.number))
                    if self._now() - self._read_at_s > COLD_S:
                        self._warm()
                case End(session=session) if session.wanted():
                    self._say(wire.Done(session.number))
                case Guess(piece=piece, void=False) if self._may_guess(piece):
                    self._answer(piece, self._read_ahead)
                case Glimpse(piece=piece, void=False) as glimpse if self._may_guess(piece):
                    self._answer(piece, lambda piece, glimpse=glimpse: self._glimpse(piece, glimpse))
                case Piece(session=session) as piece if session.wanted():
                    self._answer(piece, self._finish)
                case Glimpse() as glimpse:
                    glimpse.void = True
                case _:
                    pass

    def _warm(self) -> None:
        """What the libraries put off until they are first used should not be somebody's dictation."""
        probabilities(np.zeros(RATE_HZ, np.float32))
        self._model.read_sentence()
        self._read_at_s = self._now()

    def _may_guess(self, piece: Piece) -> bool:
        # a quiet piece may have more speech in it than the ear knows of
        return piece.session.wanted() and not _is_quiet(piece) and self._work.took_s <= GUESS_WITHIN_S

    def _answer(self, piece: Piece, answer: Callable[[Piece], None]) -> None:
        try:
            answer(piece)
        except BrokenOff:
            pass
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
            self._say(wire.Failed(piece.session.number, EngineOutOfMemory.code))

    def _finish(self, piece: Piece) -> None:
        session, draft = piece.session, self._draft_of(piece)
        if draft is not None and draft.whole and draft.piece.speech == piece.speech:
            reading, language = draft.reading, draft.language
        else:
            reading, language = self._read(piece, draft)
        self._draft = None
        if language and not session.language:
            session.language = language
            if len(session.possible) > 1:
                self._last_language = language
        self._say(wire.Final(session.number, piece.start, piece.end, reading.text, session.language))

    def _read_ahead(self, piece: Piece, glimpse: Glimpse | None = None) -> None:
        """Read what may not be all, and show it."""
        draft = self._draft_of(piece)
        agreement = Agreement() if draft is None else draft.agreement
        reading, language = self._read(piece, draft, glimpse)
        agreement = agreement.heard(reading.text.reveal())
        self._draft = _Draft(piece, reading, language, whole=glimpse is None, agreement=agreement)
        if reading.text:
            stable, tentative = agreement.stable_text, agreement.tentative_text
            self._say(wire.Partial(piece.session.number, SpokenText(stable), SpokenText(tentative)))

    def _glimpse(self, piece: Piece, glimpse: Glimpse) -> None:
        try:
            self._read_ahead(piece, glimpse)
        finally:
            glimpse.void = True

    def _draft_of(self, piece: Piece) -> _Draft | None:
        draft = self._draft
        same = draft is not None and (draft.piece.session, draft.piece.start) == (piece.session, piece.start)
        return draft if same else None

    def _read(self, piece: Piece, draft: _Draft | None, glimpse: Glimpse | None = None) -> tuple[Reading, str]:
        """What is said in it, and the language; the latter is "" if nobody spoke and none is known yet."""
        session = piece.session
        speech = _speech_of(piece)
        if speech is None:
            return Reading(SpokenText(), 0.0), session.language
        began = time.monotonic()
        margin = round(MARGIN_S * RATE_HZ)
        sound = piece.sound[max(piece.floor, speech[0] - margin) : speech[1] + margin]
        speech_s = (speech[1] - speech[0]) / RATE_HZ
        language = session.language or self._language(session, sound)
        known = draft.reading.tokens if draft is not None and draft.language == language else ()
        unwanted = (lambda: glimpse.void) if glimpse is not None else None
        reading = self._model.read(sound, speech_s, language, session.prompt, draft=known, unwanted=unwanted)
        if glimpse is None:
            reading = self._doubted(piece, sound, reading, language)
        self._work.took_s = time.monotonic() - began
        self._read_at_s = self._now()
        if not guards.has_words(reading.text):
            reading = Reading(SpokenText(), speech_s)
        return reading, language

    def _doubted(self, piece: Piece, sound: Sound, reading: Reading, language: str) -> Reading:
        """The reading, or a better one."""
        prompt, speech_s = piece.session.prompt, reading.speech_s
        if guards.is_echo(reading.text, prompt):
            reading = self._model.read(sound, speech_s, language)
        if guards.is_doubtful(reading):
            again = self._model.read(piece.sound[piece.floor :], speech_s, language, doubted=True)
            reading = guards.better(reading, again)
        return reading

    def _language(self, session: Session, sound: Sound) -> str:
        if len(session.possible) == 1:
            return session.possible[0]
        return languages.choose(self._model.languages(sound), session.possible, self._last_language)


def _is_quiet(piece: Piece) -> bool:
    """Whether Silero may miss words in it."""
    return piece.peak < QUIET_PEAK


def _speech_of(piece: Piece) -> tuple[int, int] | None:
    """Where somebody speaks, after a second, amplified hearing if the piece is quiet."""
    peak = piece.peak
    if not _is_quiet(piece) or peak == 0.0:
        return piece.speech
    gain = min(MAX_GAIN, AMPLIFIED_PEAK / peak)
    own = piece.sound[piece.floor :]
    found = endpointing.speech_in(probabilities(own * np.float32(gain)), AMPLIFIED_ONSET)
    if found is None:
        return piece.speech
    first, last = (piece.floor + round(edge * RATE_HZ) for edge in found)
    return (first, last) if piece.speech is None else (min(first, piece.speech[0]), max(last, piece.speech[1]))
