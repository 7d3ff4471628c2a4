"""What the client remembers of its dealings with the service, and what a restart, a network or a clock changes in it.

A clock that jumps lengthens a wait at most once by its own length, and never makes it eternal (`anchored`).

Imports: msgspec. May be imported by: the rest of policy.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace


class Wait(Struct, frozen=True, kw_only=True):
    since: float
    for_s: float
    ordered: bool = False
    """By the service: `flush()` does not override it."""

    cause: str = ""

    def left_s(self, now: float) -> float:
        """Seconds still to wait. A clock that went back counts as no time passed."""
        return max(0.0, self.for_s - max(0.0, now - self.since))


class Connection(Struct, frozen=True, kw_only=True):
    """What the client remembers of its dealings with the service, across restarts."""

    failures: int = 0
    """Failed exchanges in a row."""

    wait: Wait | None = None
    pause: Wait | None = None
    """Only the passing of an hour, a restart or `resume` ends it."""

    deferred: Wait | None = None
    """While this lasts, rows that the service once told `retry` are not offered again."""

    batch_limit: int | None = None
    lone_refusals: int = 0
    registered_anew: bool = False
    """Since the last 200; a second refusal is then a pause."""

    config_stale: bool = False
    last_answer: str = ""
    last_answer_at: float = 0.0
    last_delivery_at: float = 0.0
    last_upload_at: float = 0.0


def anchored(connection: Connection, now: float) -> Connection:
    """Begin anew, from now, each wait that began in the future: the clock went back."""

    def anchor(wait: Wait | None) -> Wait | None:
        return replace(wait, since=now) if wait is not None and wait.since > now else wait

    moved = replace(
        connection,
        wait=anchor(connection.wait),
        pause=anchor(connection.pause),
        deferred=anchor(connection.deferred),
        last_upload_at=min(connection.last_upload_at, now),
    )
    return connection if moved == connection else moved


def restarted(connection: Connection) -> Connection:
    """As a new start finds it: a pause is over, an ordered wait and the count of failures stay."""
    return replace(connection, pause=None, registered_anew=False)


def reconnected(connection: Connection) -> Connection:
    """The network is back: our own backoff has lost its reason, the service's order has not."""
    wait = connection.wait
    return connection if wait is None or wait.ordered else replace(connection, wait=None, failures=0)
