"""What the ear hands to the readers: stretches of speech, whole ones and ones that may go on.

Imports: core, engine. May be imported by: ear, reader, glimpser, model, whisper.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.agreement import Agreement
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.engines.engine import Say, Wanted
from lysnrai_desktop.engines.silero import RATE_HZ

Sound = NDArray[np.float32]
"""16 kHz, mono, in [-1, 1]."""

MARGIN_S = 0.3
"""Kept on both sides of speech. Whisper makes words of clicks and breath in what is beyond (measured)."""
QUIET_PEAK = 0.05
"""In a piece that is never louder Silero may miss words."""


@dataclass(slots=True)
class Session:
    number: int
    wanted: Wanted
    possible: tuple[str, ...]
    prompt: str
    language: str = ""
    """Decided with the first speech, by the reader."""


@dataclass(frozen=True, slots=True)
class Piece:
    session: Session
    start: int
    end: int
    """In samples of the take."""
    sound: Sound
    """The piece, and a little of the pause before it."""
    speech: tuple[int, int] | None
    """Where in `sound` somebody speaks."""
    floor: int
    """Where in `sound` it may begin: what lies before was read with the last piece."""

    @property
    def peak(self) -> float:
        return float(np.abs(self.sound).max(initial=0.0))

    @property
    def is_quiet(self) -> bool:
        return self.peak < QUIET_PEAK

    def around(self, speech: tuple[int, int]) -> Sound:
        """What is to be read: the speech, with a margin."""
        margin = round(MARGIN_S * RATE_HZ)
        return self.sound[max(self.floor, speech[0] - margin) : speech[1] + margin]


class Shown:
    """What the overlay has got of a piece so far. Readers on different threads tell it what they read."""

    def __init__(self, session: Session, say: Say) -> None:
        self._session, self._say = session, say
        self._lock = threading.Lock()
        self._agreement = Agreement()
        self._up_to = 0
        self._is_over = False

    def read(self, text: SpokenText, up_to: int) -> None:
        """Show what was read of the speech up to this sample of the piece, if nobody has read more by now."""
        with self._lock:
            if self._is_over or up_to < self._up_to or not text or not self._session.wanted():
                return
            self._up_to = up_to
            self._agreement = self._agreement.heard(text.reveal())
            stable, tentative = (SpokenText(part) for part in self._agreement.texts)
            self._say(wire.Partial(self._session.number, stable, tentative))

    def end(self) -> None:
        """The piece is whole: from now on its final is all that is said about it."""
        with self._lock:
            self._is_over = True


@dataclass(slots=True)
class Guess:
    """A piece, if nobody goes on speaking."""

    piece: Piece
    shown: Shown
    void: bool = False
    """Somebody went on."""


@dataclass(slots=True)
class Glimpse:
    """A piece that somebody is in the middle of, to be read for the overlay alone."""

    piece: Piece
    shown: Shown
    void: bool = False
    """It is done, or there is more of it, or all."""


@dataclass(frozen=True, slots=True)
class End:
    session: Session


@dataclass(slots=True)
class Work:
    """What is to be read, in order: whoever is unwanted by the time it comes up is passed over."""

    todo: queue.SimpleQueue[Session | Guess | Piece | End] = field(default_factory=queue.SimpleQueue)
    is_being_read: bool = False
    """Something that was taken from `todo` is not done with. Written by the reader."""
