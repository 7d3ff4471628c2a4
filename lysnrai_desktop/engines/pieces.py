"""What the ear hands to the reader: stretches of speech, whole ones and ones that may go on.

Imports: core, engine. May be imported by: ear, reader, whisper.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lysnrai_desktop.engines.engine import Wanted

Sound = NDArray[np.float32]
"""16 kHz, mono, in [-1, 1]."""


@dataclass(slots=True)
class Session:
    """What the reader knows of a session; the reader's own."""

    number: int
    wanted: Wanted
    possible: tuple[str, ...]
    prompt: str
    language: str = ""
    """Decided with the first speech."""


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


@dataclass(slots=True)
class Guess:
    """A piece, if nobody goes on speaking."""

    piece: Piece
    void: bool = False
    """Somebody went on."""


@dataclass(slots=True)
class Glimpse:
    """A piece that somebody is in the middle of, to be read for the overlay if there is nothing else to do."""

    piece: Piece
    void: bool = False
    """There is something else to do, or it is done."""


@dataclass(frozen=True, slots=True)
class End:
    session: Session


@dataclass(slots=True)
class Work:
    """What is to be read, in order: whoever is unwanted by the time it comes up is passed over."""

    todo: queue.SimpleQueue[Session | Guess | Glimpse | Piece | End] = field(default_factory=queue.SimpleQueue)
    took_s: float = 0.0
    """What the last reading took. Written by the reader."""
    is_being_read: bool = False
    """Something that was taken from `todo` is not done with. Written by the reader."""
