"""Reads pieces one after the other, on a thread of its own, so that edges of speech are not told behind a reading.

    Piece ────▶ quiet? ─▶ language ─▶ model ─▶ guards ─▶ Final
    Guess ────▶ the same, while it is not known whether the piece is whole ──▶ kept, and shown

A lull in the speech is taken for its end on the chance that it is: what there is is read at once. If the piece turns
out to have no more speech in it, its text is there already; otherwise that reading was for the overlay.

What to doubt and which language to take is decided in core; when to guess, in the ear.

Imports: core, model, pieces. May be imported by: whisper.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from lysnrai_desktop.core import endpointing, engine_messages as wire, guards, language as languages
from lysnrai_desktop.core.faults import EngineOutOfMemory
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.engines.engine import Say
from lysnrai_desktop.engines.model import Model, lacks_memory
from lysnrai_desktop.engines.pieces import End, Guess, Piece, Session, Sound, Work
from lysnrai_desktop.engines.silero import RATE_HZ, probabilities

AMPLIFIED_PEAK = 0.5
"""A quiet piece is listened to a second time, amplified: Silero misses words below -30 dB."""
MAX_GAIN = 100.0
AMPLIFIED_ONSET = 0.6
"""Amplified white noise was taken for speech with up to 0.50, the quietest words with 0.66 (measured)."""
GUESS_WITHIN_S = 1.0
"""Where the last reading took longer, nothing is read on a guess: it would hold up what follows."""
COLD_S = 120.0
"""After so long without a reading, the computer may have slept, and have given caches and memory to others: a sentence
is read while the first words are being spoken."""


class Reader:
    def __init__(self, model: Model, say: Say, work: Work, now: Callable[[], float] = time.time) -> None:
        """`now`: a clock that goes on while the computer sleeps."""
        self._model, self._say, self._work, self._now = model, say, work, now
        self._last_language = ""
        self._guessed: tuple[Piece, SpokenText, str] | None = None
        """The last guess, with its text and language."""
        self._took_s = 0.0
        """What the last reading took."""
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
                case Guess(piece=piece, void=False) as guess if self._may_guess(piece):
                    self._answer(piece, guess)
                case Piece(session=session) as piece if session.wanted():
                    self._answer(piece)
                case _:
                    pass

    def _warm(self) -> None:
        """What the libraries put off until they are first used should not be somebody's dictation."""
        probabilities(np.zeros(RATE_HZ, np.float32))
        self._model.read_sentence()
        self._read_at_s = self._now()

    def _may_guess(self, piece: Piece) -> bool:
        # a quiet piece may have more speech in it than the ear knows of
        return piece.session.wanted() and not piece.is_quiet and self._took_s <= GUESS_WITHIN_S

    def _answer(self, piece: Piece, guess: Guess | None = None) -> None:
        session = piece.session
        try:
            text, language = self._known(piece) or self._read(piece)
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
            self._say(wire.Failed(session.number, EngineOutOfMemory.code))
            return
        if guess is not None:
            self._guessed = (piece, text, language)
            guess.shown.read(text, piece.speech[1] if piece.speech else 0)
            return
        self._guessed = None
        if language and not session.language:
            session.language = language
            if len(session.possible) > 1:
                self._last_language = language
        self._say(wire.Final(session.number, piece.start, piece.end, text, session.language))

    def _known(self, piece: Piece) -> tuple[SpokenText, str] | None:
        """What was guessed, if it turned out that nobody went on."""
        if self._guessed is None:
            return None
        guess, text, language = self._guessed
        same = guess.session is piece.session and (guess.start, guess.speech) == (piece.start, piece.speech)
        return (text, language) if same else None

    def _read(self, piece: Piece) -> tuple[SpokenText, str]:
        """Text and language; the latter is "" if nobody spoke and none is known yet."""
        session = piece.session
        speech = _speech_of(piece)
        if speech is None:
            return SpokenText(), session.language
        began = time.monotonic()
        sound = piece.around(speech)
        speech_s = (speech[1] - speech[0]) / RATE_HZ
        language = session.language or self._language(session, sound)
        reading = self._model.read(sound, speech_s, language, session.prompt)
        if guards.is_echo(reading.text, session.prompt):
            reading = self._model.read(sound, speech_s, language)
        if guards.is_doubtful(reading):
            again = self._model.read(piece.sound[piece.floor :], speech_s, language, doubted=True)
            reading = guards.better(reading, again)
        self._took_s = time.monotonic() - began
        self._read_at_s = self._now()
        return reading.text if guards.has_words(reading.text) else SpokenText(), language

    def _language(self, session: Session, sound: Sound) -> str:
        if len(session.possible) == 1:
            return session.possible[0]
        return languages.choose(self._model.languages(sound), session.possible, self._last_language)


def _speech_of(piece: Piece) -> tuple[int, int] | None:
    """Where somebody speaks, after a second, amplified hearing if the piece is quiet."""
    peak = piece.peak
    if not piece.is_quiet or peak == 0.0:
        return piece.speech
    gain = min(MAX_GAIN, AMPLIFIED_PEAK / peak)
    own = piece.sound[piece.floor :]
    found = endpointing.speech_in(probabilities(own * np.float32(gain)), AMPLIFIED_ONSET)
    if found is None:
        return piece.speech
    first, last = (piece.floor + round(edge * RATE_HZ) for edge in found)
    return (first, last) if piece.speech is None else (min(first, piece.speech[0]), max(last, piece.speech[1]))
