"""Sound as values: formats and positions. Samples are mono, 16-bit, signed, little-endian PCM everywhere.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_BYTES = 2
"""16-bit PCM."""


@dataclass(frozen=True, slots=True)
class Block:
    """What the microphone delivered in one go."""

    pcm: bytes
    rate_hz: int
    after_gap: bool = False
    """Sound was lost before it, says the sound card: this process was held up for longer than its buffer lasts."""

    @property
    def samples(self) -> int:
        return len(self.pcm) // SAMPLE_BYTES


@dataclass(frozen=True, slots=True)
class Device:
    """A microphone the user can choose."""

    name: str
    """Stable across restarts and re-plugging: what `recording.device` holds. Not an index."""
    label: str
    """For people."""
    is_default: bool = False
