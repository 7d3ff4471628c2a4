"""What the worker does next.

    Situation ──next_task──▶ Register │ Erase │ FetchConfig │ Upload(n) │ Sleep(s) │ Rest

Imports: connection, numbers, wire. May be imported by: the rest of policy.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from telemetry.policy.connection import Connection
from telemetry.policy.numbers import CONFIG_AGE_S, METERED_INTERVAL_S, SOONEST_S
from telemetry.wire import MAX_BATCH_EVENTS, Config

Consent = Literal["unset", "off", "errors", "all"]


class Situation(Struct, frozen=True):
    """All that the next step depends on."""

    now: float
    connection: Connection
    config: Config
    consent: Consent
    config_at: float | None = None
    """When the configuration was last asked for; None: never."""

    ready: int = 0
    """Events that may be sent now."""

    ready_fresh: int = 0
    """Of these, how many were never told `retry`."""

    next_ready_at: float | None = None
    """When the next of the events that wait alone may be sent; None where none does."""

    registered: bool = False
    erasures: int = 0
    flush: bool = False
    """Somebody asked for it, or the app has just started."""

    metered: bool = False
    user_paused: bool = False


class Register(Struct, frozen=True):
    pass


class Erase(Struct, frozen=True):
    pass


class FetchConfig(Struct, frozen=True):
    pass


class Upload(Struct, frozen=True):
    limit: int
    fresh_only: bool = False
    """Leave out what was told `retry`."""


class Sleep(Struct, frozen=True):
    """Look again after so many seconds, or when woken. Never less than a clock can tell apart."""

    for_s: float

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "for_s", max(SOONEST_S, self.for_s))


class Rest(Struct, frozen=True):
    """Nothing will change by itself: wait to be woken."""


Task = Register | Erase | FetchConfig | Upload | Sleep | Rest


def next_task(s: Situation) -> Task:
    """The next thing to do. Doing it changes the situation; ask again then."""
    if s.user_paused:
        return Rest()
    blocked_s = max(
        s.connection.pause.left_s(s.now) if s.connection.pause else 0.0,
        s.connection.wait.left_s(s.now) if s.connection.wait and (s.connection.wait.ordered or not s.flush) else 0.0,
    )
    wanted = s.erasures > 0 or (s.consent in {"errors", "all"} and (s.ready > 0 or s.next_ready_at is not None))
    if blocked_s > 0:
        return Sleep(blocked_s) if wanted else Rest()
    if s.erasures:
        return Erase()
    if not wanted:
        return _tend_config(s)
    if not s.registered:
        return Register() if s.ready else Sleep(_until(s.next_ready_at, s.now))
    if s.connection.config_stale or _config_left_s(s) <= 0:
        return FetchConfig()
    if not s.config.enabled:
        return Sleep(_config_left_s(s))
    return _upload(s)


def _upload(s: Situation) -> Task:
    full = min(s.config.batch_size, MAX_BATCH_EVENTS)
    limit = min(full, s.connection.batch_limit or full)
    interval_s = max(s.config.flush_interval_s, METERED_INTERVAL_S if s.metered else 0.0)
    due_s = 0.0
    if not (s.flush or (s.ready >= limit and not s.metered)):
        # A clock that went back must not put the next upload off for longer than the interval.
        due_s = interval_s - max(0.0, s.now - s.connection.last_upload_at)
    held_s = s.connection.deferred.left_s(s.now) if s.connection.deferred else 0.0
    ready = s.ready_fresh if held_s > 0 else s.ready
    if ready and due_s <= 0:
        return Upload(limit, fresh_only=held_s > 0)
    waits = [max(_config_left_s(s), 1.0)]
    if ready:
        waits.append(due_s)
    elif s.ready:
        waits.append(held_s)
    if s.next_ready_at is not None:
        waits.append(_until(s.next_ready_at, s.now))
    return Sleep(min(waits))


def _tend_config(s: Situation) -> Task:
    """With nothing to send: an install that is known to the service keeps its configuration fresh."""
    if not s.registered or s.consent not in {"errors", "all"}:
        return Rest()
    if s.connection.config_stale or _config_left_s(s) <= 0:
        return FetchConfig()
    return Sleep(_config_left_s(s))


def _config_left_s(s: Situation) -> float:
    """Seconds until the configuration is too old; one that came in the future is, since the clock went back."""
    if s.config_at is None or s.config_at > s.now:
        return 0.0
    return CONFIG_AGE_S - (s.now - s.config_at)


def _until(at: float | None, now: float) -> float:
    return CONFIG_AGE_S if at is None else max(0.0, at - now)
