"""Times on the wire, and how old an event may be.

Imports: values. May be imported by: the rest of wire.
"""

from __future__ import annotations

import functools
import math
import re
from datetime import UTC, datetime

from telemetry.wire.values import FUTURE_S, PAST_S, TIME, Reason


def format_time(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC with milliseconds: 2026-11-24T11:07:19.123Z."""
    whole = math.floor(seconds)
    # To the microsecond first: as a float, .123 may lie a little below itself.
    milliseconds = min(999, int((seconds - whole) * 1000 + 0.0005))
    return f"{_to_the_second(whole)}.{milliseconds:03d}Z"


@functools.lru_cache(maxsize=8)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def parse_time(text: object) -> float | None:
    """Seconds since 1970, or None for anything but `…Z` with 0 to 6 digits after the seconds."""
    if not isinstance(text, str) or re.fullmatch(TIME, text) is None or text.endswith("\n"):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def judge_time(occurred_at: float, received_at: float, sent_at: float | None) -> Reason | None:
    """Whether an event is too old or too new, after correction by the batch's skew; all in seconds since 1970.

    "So that a wrong clock on either side loses nothing": what counts is how long before sending it occurred. Without a
    readable `sent_at` the raw time is judged.
    """
    age_s = (received_at if sent_at is None else sent_at) - occurred_at
    if age_s > PAST_S:
        return "bad_timestamp_old"
    return "bad_timestamp_future" if age_s < -FUTURE_S else None
