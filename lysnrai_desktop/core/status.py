"""What the app is doing, as one value: shown by tray and overlay, printed by `lysnrai status`.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lysnrai_desktop.core.speech import Leg, SpokenText, joined


@dataclass(frozen=True, slots=True)
class Status:
    state: str
    """idle, arming, recording, finishing or inserting."""
    since: float
    """When this state began, seconds since 1970."""
    fault: str | None = None
    """Code of the last thing that went wrong; cleared when the next dictation begins."""
    engine: str = ""
    """off, starting or ready, behind the engine's name: "whisper:ready"."""
    backend: str = ""
    """The engine of the present dictation (core.failover.Backend); "" while there is none."""
    backend_reason: str = ""
    """Why it is not the preferred one: a fault's code; "" where it is."""
    legs: tuple[Leg, ...] = ()
    """Who has heard the present dictation so far, or heard the last one."""
    model: str = ""
    take: str | None = None
    """The take being recorded or worked on."""
    outcome: str | None = None
    """What became of the last dictation."""
    dropped_blocks: int = 0
    """Audio that arrived and was not kept, and gaps in what arrived, since the app started."""
    microphone: str = ""
    """The label of the one that records, or did last, as the sound server knows it; it may move while recording."""
    text: SpokenText = SpokenText()
    """What has been understood so far, and stays. For the overlay only, as the next: never printed."""
    tentative: SpokenText = SpokenText()
    """What follows, and may still change."""

    @property
    def shown(self) -> SpokenText:
        return joined((self.text, self.tentative))

    def as_dict(self) -> dict[str, Any]:
        """What may be told outside the app, as JSON: everything but the text. Legs once the dictation has ended."""
        legs = self.legs if self.state == "idle" else ()
        return {
            "state": self.state,
            "fault": self.fault,
            "engine": self.engine,
            "backend": self.backend,
            "backend_reason": self.backend_reason,
            "legs": [{"engine": leg.engine, "audio_s": round(leg.audio_s, 2), "reason": leg.reason} for leg in legs],
            "model": self.model,
            "take": self.take,
            "since": round(self.since, 3),
            "outcome": self.outcome,
            "microphone": self.microphone,
            "dropped_blocks": self.dropped_blocks,
        }
