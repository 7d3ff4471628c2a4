"""Is the microphone muted? Levels in, decision out.

The quietest room moves the last bit, so zeros mean a switch: the microphone's, or the system's. But programs that take
noise out of speech let nothing but zeros through in each pause. They are known by that: sound, zeros, and sound again.
So zeros are told after SILENCE_S; where they have turned out to be a pause before, only after GATED_S.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SILENCE_S = 1.5
GATED_S = 10.0
"""Longer than one thinks in mid-sentence."""
PAUSE_S = 0.3
"""Shorter zeros are those of a stream that stumbles."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What is known of a recording so far."""

    zeros: int = 0
    """Samples in a row, up to now."""
    was_heard: bool = False
    """There was something else. Some microphones begin with zeros, Bluetooth above all."""
    is_gated: bool = False
    """Zeros have been a pause."""
    is_silent: bool = False
    """To be told: nothing comes from this microphone."""


def hear(sound: Sound, peak: float, samples: int, rate_hz: int) -> Sound:
    """Take note of a block. `peak`: its loudest sample, 0 to 1."""
    if peak:
        was_pause = sound.was_heard and sound.zeros >= PAUSE_S * rate_hz
        return Sound(was_heard=True, is_gated=sound.is_gated or was_pause)
    zeros = sound.zeros + samples
    limit_s = GATED_S if sound.is_gated else SILENCE_S
    return replace(sound, zeros=zeros, is_silent=zeros >= limit_s * rate_hz)
