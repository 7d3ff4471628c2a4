"""How often speech that goes on is read for the overlay: as often as the machine can carry, or not at all.

A partial is a luxury. It uses a SHARE of the clock at most: what took longer is repeated less often. Where the machine
has much other work there is none. Finals are read whatever the load, and nothing here is asked about them.

Absent here: clocks, readings, the load. Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

SHARE = 0.4
EVERY_S = 0.8
"""Two words or three. With 0.6 s base used 0.55 processor seconds for a second of speech, with 0.7 s 0.52; 0.13 of them
for finals (measured)."""
LEAST_SPEECH_S = 0.8
"""Shorter speech is read as something else (measured on single words)."""
BUSY = 1.5
"""Load for each core. Our own readings alone make 0.6."""


def is_due(speech_s: float, new_s: float, since_s: float, took_s: float, load: float) -> bool:
    """Whether the speech so far is worth a reading that nobody needs.

    Args:
        speech_s: how much speech there is behind the last final.
        new_s: how much of it no reading has had yet.
        since_s: what has passed since the last such reading began.
        took_s: what that reading took, by the clock: on a busy machine it takes longer.
        load: average of the last minute, for each core.
    """
    return load <= BUSY and speech_s >= LEAST_SPEECH_S and new_s >= EVERY_S and since_s >= took_s / SHARE
