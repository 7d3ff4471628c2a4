"""Takes on the disk: what is remembered about the audio of a dictation, whether it is offered, for how long it stays.

Rule 1. A take whose text reached nobody (it was interrupted, or failed) is offered, and stays until the user drops it.
Rule 2. Every other one goes by itself: at once where the text stands in its window, later where that is less sure.

What is absent: files (adapters/takes.py) and whatever was said.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass

from lysnrai_desktop.core.dictation import Outcome

UNDELIVERED_KEEP_S = 24 * 3600.0
"""For takes whose text may not have reached the user: long enough to notice, short enough not to pile up."""
TRANSCRIBED = "transcribed"
"""The outcome of a take that was offered, and whose text the user then got by asking for it."""


@dataclass(frozen=True, slots=True)
class TakeRecord:
    """What is known about a take."""

    id: str
    started: float
    """Seconds since 1970."""
    rate_hz: int
    samples: int
    """0 while it is being recorded, and for good if the process died then: the WAV file knows."""
    outcome: str | None = None
    """An Outcome or TRANSCRIBED. None: nothing became of it, it was interrupted."""
    code: str = ""
    """Fault code of the outcome."""
    ended: float = 0.0
    """When it had its outcome, in seconds since 1970; 0 while it has none."""

    @property
    def duration_s(self) -> float:
        return self.samples / self.rate_hz

    @property
    def is_offered(self) -> bool:
        return self.outcome is None or self.outcome == Outcome.FAILED


def is_expired(record: TakeRecord, now: float, keep_s: float) -> bool:
    """Whether a take may be removed.

    Args:
        now: seconds since 1970.
        keep_s: for how long the user wants the audio of delivered text kept (`takes.keep_s`).
    """
    if record.is_offered or record.outcome == Outcome.CANCELLED:
        return False
    kept_s = keep_s if record.outcome == Outcome.INSERTED else max(keep_s, UNDELIVERED_KEEP_S)
    return now - max(record.started, record.ended) > kept_s
