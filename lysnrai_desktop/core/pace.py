"""How often speech that goes on is read for the overlay: as often as the machine can carry, or not at all.

A partial is a luxury. It is read only while the engine has nothing else to do, it steps aside for a final, and it may
use a SHARE of the clock at most: what took longer is repeated less often. Where the machine has other work, or one
reading takes longer than anybody would wait for it, there is none; finals are read whatever the load.

Absent here: clocks, readings, the load. Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

SHARE = 0.4
EVERY_S = 0.6
"""Words come three in a second: a reading for each would show no more."""
LEAST_SPEECH_S = 0.8
"""Shorter speech is read as something else (measured on single words)."""
TOO_LONG_S = 1.0
"""A reading that takes longer is behind what is being said, and would have to be broken off for the next final."""
BUSY = 1.5
"""Load for each core. Our own readings alone make 0.6."""


def is_due(speech_s: float, since_s: float, took_s: float, load: float) -> bool:
    """Whether the speech so far is worth a reading that nobody needs.

    Args:
        speech_s: how much speech there is behind the last final.
        since_s: how much of it has come since the last reading began.
        took_s: what the last reading took, of whatever kind.
        load: average of the last minute, for each core.
    """
    if load > BUSY or took_s > TOO_LONG_S:
        return False
    return speech_s >= LEAST_SPEECH_S and since_s >= max(EVERY_S, took_s / SHARE)
