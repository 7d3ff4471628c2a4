"""Events held in memory while the disk refuses them: a ring, which counts what it cannot hold.

Absent here: when events are held, and how they are written later (client).

Imports: policy (how many), wire. May be imported by: client.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from msgspec import Struct

from telemetry.policy import HELD_EVENTS
from telemetry.wire import Level


class Captured(Struct, frozen=True):
    """An event on its way to the disk: all but its number, which it gets when it enters the queue."""

    id: str
    level: Level
    at: float
    content: bytes


class Held:
    """Any thread may hold; the rest is done under the client's lock."""

    def __init__(self) -> None:
        self._events: deque[Captured] = deque()
        self.overflowed: Counter[Level] = Counter()
        """How many had to go, by level; to be counted when the disk is back."""

    def __len__(self) -> int:
        return len(self._events)

    def __bool__(self) -> bool:
        return bool(self._events or self.overflowed)

    def hold(self, event: Captured) -> None:
        """Keep it; beyond the bound the oldest goes."""
        self._events.append(event)
        while len(self._events) > HELD_EVENTS:
            self.overflowed[self._events.popleft().level] += 1

    def take(self) -> Captured | None:
        """The oldest; None where there is none. What cannot be written after all is to be put back."""
        try:
            return self._events.popleft()
        except IndexError:
            return None

    def put_back(self, event: Captured) -> None:
        self._events.appendleft(event)

    def keep_only(self, wanted: Callable[[Captured], bool]) -> None:
        for event in [each for each in self._events if not wanted(each)]:
            self._events.remove(event)

    def clear(self) -> None:
        self._events.clear()
        self.overflowed.clear()
