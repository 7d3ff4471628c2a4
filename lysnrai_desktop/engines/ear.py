"""Turns the audio of one session into edges of speech and pieces; runs on the host's thread, and never waits.

    audio ─▶ resample ─▶ Silero ─▶ core/endpointing ─┬─ Voice ──▶ said at once
                                                     ├─ Lull ───▶ Guess      what there is, if it is all
                                                     └─ Cut ────▶ Piece
                                   core/pace ──────────────────▶ Glimpse    what there is, while somebody speaks on

Where to cut and when a glimpse is worth it is decided in core. What is decided here: which samples a piece has.
At most one guess or glimpse is waiting or being read; it is void as soon as there is something better.

Imports: core. May be imported by: whisper.
"""

from __future__ import annotations

import os

import numpy as np
import soxr

from lysnrai_desktop.core import endpointing, engine_messages as wire, pace
from lysnrai_desktop.core.endpointing import STEP_S, Cut, Listening, Lull, Voice
from lysnrai_desktop.engines.engine import Say
from lysnrai_desktop.engines.pieces import End, Glimpse, Guess, Piece, Session, Sound, Work
from lysnrai_desktop.engines.silero import RATE_HZ, STEP, Silero

BEFORE_S = 0.5
"""How far a piece may reach back over its cut, into the pause."""
LIVE_S = 0.3
"""A microphone's audio comes in shorter stretches; a take that is read from the disk comes in longer ones, and as fast
as it is taken: nobody watches its words appear."""


class Ear:
    def __init__(self, start: wire.Start, session: Session, say: Say, work: Work) -> None:
        self._session, self._say, self._work = session, say, work
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
        self._ahead: Guess | Glimpse | None = None
        """What of the present piece is read before it is whole."""
        self._read_ahead_s = 0.0
        """How much speech of it that was."""

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
            self._glimpse()

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
                if isinstance(self._ahead, Guess):
                    self._ahead.void = True
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
            self._read_ahead(Guess(self._piece(lull)))

    def _glimpse(self) -> None:
        listening = self._listening
        if not listening.speaking or listening.first is None or (self._ahead is not None and not self._ahead.void):
            return
        speech_s = (listening.last - listening.first) * STEP_S
        if pace.is_due(speech_s, speech_s - self._read_ahead_s, self._work.took_s, _load()):
            self._read_ahead(Glimpse(self._piece(endpointing.finish(listening, self._heard / RATE_HZ))))

    def _read_ahead(self, work: Guess | Glimpse) -> None:
        self._forget_glimpse()
        self._ahead = work
        first, behind = work.piece.speech or (0, 0)
        self._read_ahead_s = (behind - first) / RATE_HZ
        self._work.todo.put(work)

    def _forget_glimpse(self) -> None:
        if isinstance(self._ahead, Glimpse):
            self._ahead.void = True

    def _cut(self, cut: Cut, last: bool = False) -> None:
        piece = self._piece(cut, last)
        self._forget_glimpse()
        self._ahead, self._read_ahead_s = None, 0.0
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


def _load() -> float:
    """Of each core, in the last minute."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0
