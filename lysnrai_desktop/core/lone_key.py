"""A modifier as a hotkey of its own: it counts only if it is pressed alone.

    own(lone, down, at, others_held)    the key itself moved
    other(lone, at)                     another key, or a button of the mouse, went down
    tick(lone, now)                     its time has come
        each -> the next state, and the edges that are to be told

Nobody is to lose a modifier by dictating with it. So a press is told only when ALONE_S have passed, or the key has gone
up, without another key: then dated when it happened. Another key shortly after that shows that it was a combination
after all, made slowly: the press is taken back (`Edge.alone`). Later than CHORD_S a dictation is not given up for a
key that was touched.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass

from lysnrai_desktop.core.hotkey import Edge

ALONE_S = 0.18
"""Between the two keys of a combination typed with both hands lie some 50 to 150 ms."""
CHORD_S = 1.0


@dataclass(frozen=True, slots=True)
class Lone:
    held: bool = False
    since: float | None = None
    """When the press that may count began."""
    told: bool = False

    @property
    def deadline(self) -> float | None:
        """When `tick` is due."""
        return None if self.since is None or self.told else self.since + ALONE_S


def own(lone: Lone, down: bool, at: float, others_held: bool) -> tuple[Lone, tuple[Edge, ...]]:
    if down:
        if lone.held:
            return lone, ()  # it repeats
        return Lone(held=True, since=None if others_held else at), ()
    if lone.since is None:
        return Lone(), ()
    up = Edge(False, at)
    return Lone(), (up,) if lone.told else (Edge(True, lone.since), up)


def other(lone: Lone, at: float) -> tuple[Lone, tuple[Edge, ...]]:
    if lone.since is None or (lone.told and at >= lone.since + CHORD_S):
        return lone, ()
    return Lone(held=True), (Edge(False, at, alone=False),) if lone.told else ()


def tick(lone: Lone, now: float) -> tuple[Lone, tuple[Edge, ...]]:
    if lone.deadline is None or lone.since is None or now < lone.deadline:
        return lone, ()
    return Lone(held=True, since=lone.since, told=True), (Edge(True, lone.since),)
