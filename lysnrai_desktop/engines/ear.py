"""Turns the audio of one session into edges of speech and pieces; runs on the host's thread, and never waits.

    audio ─▶ resample ─▶ Silero ─▶ core/endpointing ─┬─ Voice ──▶ said at once
                                                     ├─ Lull ───▶ Guess      what there is, if it is all
                                                     └─ Cut ────▶ Piece
                                   core/pace ──────────────────▶ Glimpse    what there is, while somebody goes on

Where to cut and when a glimpse is worth it is decided in core. What is decided here: which samples a piece has.
A guess is void as soon as somebody goes on, a glimpse as soon as the piece is whole.

Imports: core. May be imported by: whisper.
"""

from __future__ import annotations

import os

import numpy as np
import soxr

from lysnrai_desktop.core import endpointing, engine_messages as wire, pace
from lysnrai_desktop.core.endpointing import STEP_S, Cut, Listening, Lull, Voice
from lysnrai_desktop.engines.engine import Say
from lysnrai_desktop.engines.glimpser import Glimpser
from lysnrai_desktop.engines.pieces import End, Glimpse, Guess, Piece, Session, Shown, Sound, Work
from lysnrai_desktop.engines.silero import RATE_HZ, STEP, Silero

BEFORE_S = 0.5
"""How far a piece may reach back over its cut, into the pause."""
LIVE_S = 0.3
"""A microphone's audio comes in shorter stretches; a take that is read from the disk comes in longer ones, and as fast
as it is taken: nobody watches its words appear."""


class Ear:
    def __init__(self, start: wire.Start, session: Session, say: Say, work: Work, glimpser: Glimpser) -> None:
        self._session, self._say, self._work, self._glimpser = session, say, work, glimpser
        self._from_sample = self._final = start.from_sample
        self._received = 0
        self._rate_hz = RATE_HZ
        self._resampler: soxr.ResampleStream | None = None
        self._silero, self._listening = Silero(), Listening()
        self._parts: list[Sound] = []
        self._parts_at = 0
        """Position of the first part; positions here are 16 kHz samples since the session's start."""
        self._heard = 0
        self._spoken = 0
        """Where the speech of the last piece ended."""
        self._shown = Shown(session, say)
        self._guess: Guess | None = None
        """That of the present silence, as long as it has not become a piece."""
        self._glimpse: Glimpse | None = None
        self._glimpsed = 0
        """When the last one was asked for."""
        self._ahead_s = 0.0
        """How much speech of the present piece was to be read ahead, by guess or glimpse."""

    def audio(self, audio: wire.Audio) -> None:
        samples = np.frombuffer(audio.pcm, "<i2").astype(np.float32) / np.float32(32768)
        self._rate_hz = audio.rate_hz
        self._received += len(samples)
        if audio.rate_hz != RATE_HZ:
            if self._resampler is None:
                self._resampler = soxr.ResampleStream(audio.rate_hz, RATE_HZ, 1, dtype="float32")
            samples = self._resampler.resample_chunk(samples)
        self._hear(samples)
        if len(samples) < LIVE_S * RATE_HZ:
            self._look()

    def finish(self) -> None:
        if self._resampler is not None:
            self._hear(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        end = self._heard
        if end % STEP:
            self._listen(self._silero.hear(np.zeros(STEP - end % STEP, np.float32)))
        if self._final < self._from_sample + self._received:
            self._cut(endpointing.finish(self._listening, end / RATE_HZ), last=True)
        self._work.todo.put(End(self._session))

    def _hear(self, sound: Sound) -> None:
        self._parts.append(sound)
        self._heard += len(sound)
        self._listen(self._silero.hear(sound))

    def _listen(self, steps: list[float]) -> None:
        lull: Cut | None = None
        for probability in steps:
            silent_since = self._listening.last
            self._listening, decisions = endpointing.listen(self._listening, probability)
            if self._listening.last != silent_since:
                lull = None
                self._drop_guess()
            for decision in decisions:
                match decision:
                    case Voice(speaking=speaking):
                        self._say(wire.Voice(self._session.number, speaking))
                    case Lull(piece=piece):
                        lull = piece
                    case Cut():
                        lull = None
                        self._cut(decision)
        if lull is not None:  # and it lasts: a file is read faster than anybody goes on
            self._guess = Guess(self._piece(lull), self._shown)
            self._ahead_s = _speech_s(self._guess.piece)
            self._work.todo.put(self._guess)

    def _drop_guess(self) -> None:
        if self._guess is not None:
            self._guess.void = True
            self._guess = None

    def _look(self) -> None:
        """Have a glimpse of what is being said, if it is worth it."""
        listening, glimpser = self._listening, self._glimpser
        if not glimpser.is_ready or not listening.speaking or listening.first is None:
            return
        if self._work.is_being_read:  # it would have to wait, and its work would hide that the reader hangs
            return
        if self._guess is not None or (self._glimpse is not None and not self._glimpse.void):
            return
        speech_s = (listening.last - listening.first) * STEP_S
        since_s = (self._heard - self._glimpsed) / RATE_HZ
        if pace.is_due(speech_s, speech_s - self._ahead_s, since_s, glimpser.took_s, _load()):
            piece = self._piece(endpointing.finish(listening, self._heard / RATE_HZ))
            self._glimpse = Glimpse(piece, self._shown)
            self._glimpsed, self._ahead_s = self._heard, _speech_s(piece)
            glimpser.ask(self._glimpse)

    def _cut(self, cut: Cut, last: bool = False) -> None:
        piece = self._piece(cut, last)
        self._shown.end()
        self._shown = Shown(self._session, self._say)
        if self._glimpse is not None:
            self._glimpse.void = True
        self._guess, self._ahead_s = None, 0.0
        self._work.todo.put(piece)
        self._final = piece.end
        if piece.speech is not None:
            self._spoken = self._parts_at + piece.speech[1]
        keep_from = max(self._parts_at, round(cut.end_s * RATE_HZ) - round(BEFORE_S * RATE_HZ))
        self._parts = [piece.sound[keep_from - self._parts_at :]]
        self._parts_at = keep_from

    def _piece(self, cut: Cut, last: bool = False) -> Piece:
        # up to now, not only to the cut: the margin behind speech may reach over it
        sound = np.concatenate([*self._parts, np.zeros(0, np.float32)])
        speech = None
        if cut.speech is not None:
            first, behind = (round(edge * RATE_HZ) - self._parts_at for edge in cut.speech)
            speech = (first, behind)
        end = self._from_sample + (self._received if last else round(cut.end_s * self._rate_hz))
        return Piece(self._session, self._final, end, sound, speech, max(0, self._spoken - self._parts_at))


def _speech_s(piece: Piece) -> float:
    first, behind = piece.speech or (0, 0)
    return (behind - first) / RATE_HZ


def _load() -> float:
    """Of each core, in the last minute."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0
