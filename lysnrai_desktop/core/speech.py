"""What was said: values that carry speech, and keep it to themselves.

Spoken text travels through the program as `SpokenText`. Its `str` and `repr` show only its length, so a log
line, an error text or a traceback that happens to format it gives nothing away. Only two places may
call `reveal()`: the inserter and the parts that show or print text to the user who spoke it.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby


class SpokenText:
    """Text that somebody said. Immutable, comparable, and silent about its content when formatted."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the user's own screen, clipboard or terminal. Never for a log."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __len__(self) -> int:
        return len(self._text)

    @property
    def word_count(self) -> int:
        """Words as they are written, between spaces."""
        return len(self._text.split())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpokenText) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"<{len(self._text)} characters>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a take and the final text for it."""

    start: int
    """First sample of the take that this text covers, at the take's own rate."""
    end: int
    """One past the last sample covered; end >= start."""
    text: SpokenText
    language: str = ""
    """ISO 639-1 code the engine used, "" if it did not say."""
    engine: str = ""
    """Who said so (core.failover.Backend), "" if that was not written down."""
    reason: str = ""
    """Why that was not the preferred one: a fault's code; "" where it was."""


@dataclass(frozen=True, slots=True)
class Leg:
    """What one engine heard of a take, until another took over."""

    engine: str
    audio_s: float
    reason: str
    """Why it was not the preferred one: a fault's code; "" where it was."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """The finals of one take, in order of their samples."""

    segments: tuple[Segment, ...] = ()

    def plus(self, segment: Segment) -> Transcript:
        """This transcript with one more final at its end."""
        return Transcript((*self.segments, segment))

    @property
    def end(self) -> int:
        """One past the last sample that has a final: an engine that takes over starts here."""
        return self.segments[-1].end if self.segments else 0

    def text(self) -> SpokenText:
        """The finals joined as the engine gave them, single spaces between."""
        return joined(segment.text for segment in self.segments)

    def legs(self, rate_hz: int) -> tuple[Leg, ...]:
        """Who heard it, in order. `rate_hz`: the take's own."""
        return tuple(
            Leg(engine, sum(each.end - each.start for each in segments) / rate_hz, segments[0].reason)
            for engine, segments in (
                (engine, list(group)) for engine, group in groupby(self.segments, lambda segment: segment.engine)
            )
        )


def joined(texts: Iterable[SpokenText]) -> SpokenText:
    """Texts in order with one space between; empty ones leave no trace."""
    stripped = (text.reveal().strip() for text in texts)
    return SpokenText(" ".join(text for text in stripped if text))
