"""What stands on the wire: every type, limit and word of the contract.

These types decode the bodies, in C, and the JSON Schema files are generated from them. A limit that a type can state
stands in the type. Sentences in quotation marks in comments are from the contract.

Absent here: how a body is held against them, and which limit it broke (parsing).

Imports: pii (the names of its rules), msgspec. May be imported by: the rest of wire.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta, Raw, Struct

from telemetry.pii import Rule

CONTRACT: Final = 1
MAX_EVENT_BYTES: Final = 16 * 1024
MAX_BATCH_EVENTS: Final = 100
MAX_BATCH_GZIP_BYTES: Final = 512 * 1024
MAX_BATCH_PLAIN_BYTES: Final = 4 * 1024 * 1024
MAX_CONTENT_BYTES: Final = MAX_EVENT_BYTES - 2048
"""Of a client's event: what the rest of it, at its longest, leaves."""

PAST_S: Final = 30 * 86_400
FUTURE_S: Final = 600

Platform = Literal["ios", "android", "web", "desktop"]
OsFamily = Literal["ios", "android", "macos", "windows", "linux", "other"]
ReleaseChannel = Literal["dev", "alpha", "beta", "stable"]
Level = Literal["debug", "info", "warn", "error", "fatal"]
Status = Literal["accepted", "duplicate", "rejected", "retry"]
Reason = Literal[
    "invalid_json", "missing_field", "bad_type", "too_long", "unknown_field", "unknown_enum",
    "bad_timestamp_old", "bad_timestamp_future", "pii_detected", "policy_blocked", "sampled_out", "rate_limited",
    "tenant_disabled", "too_large", "erased_subject", "wrong_install",
]  # fmt: skip

LEVELS: Final[tuple[Level, ...]] = get_args(Level)
PLATFORMS: Final[tuple[Platform, ...]] = get_args(Platform)
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

_SLUG: Final = "^[a-z0-9][a-z0-9_-]*$"
UUID: Final = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
EVENT_ID: Final = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[47][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$"
TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"

Slug64 = Annotated[str, Meta(min_length=1, max_length=64, pattern=_SLUG)]
Slug32 = Annotated[str, Meta(min_length=1, max_length=32, pattern=_SLUG)]
EventName = Annotated[str, Meta(max_length=100, pattern="^[a-z][a-z0-9_]*$")]
Uuid = Annotated[str, Meta(min_length=36, max_length=36, pattern=UUID)]
EventId = Annotated[str, Meta(min_length=36, max_length=36, pattern=EVENT_ID)]
Time = Annotated[str, Meta(max_length=27, pattern=TIME)]
Text16 = Annotated[str, Meta(max_length=16)]
Text32 = Annotated[str, Meta(min_length=1, max_length=32)]
Text64 = Annotated[str, Meta(max_length=64)]
TagKey = Annotated[str, Meta(min_length=1, max_length=40)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Dictation(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """Facts about one dictation; never text, never audio."""

    backend: Text64 | None = None
    reason: Text64 | None = None
    language: Text64 | None = None
    model: Text64 | None = None
    duration_ms: Count | None = None
    latency_ms: Count | None = None
    segment_count: Count | None = None
    word_count: Count | None = None
    transcript_length: Count | None = None
    result: Text64 | None = None


class Device(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    model: Text64 | None = None
    arch: Text16 | None = None
    cpu_count: Count | None = None
    memory_mb: Count | None = None
    locale: Text16 | None = None


class Content(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """What happened: the part of an event that the caller of `record` says."""

    module: Slug64
    event_name: EventName
    level: Level
    message: Annotated[str, Meta(max_length=1024)] | None = None
    error_domain: Text64 | None = None
    error_code: Text64 | None = None
    tags: Annotated[dict[TagKey, Annotated[str, Meta(max_length=200)]], Meta(max_length=32)] | None = None
    metrics: Annotated[dict[TagKey, float], Meta(max_length=32)] | None = None
    dictation: Dictation | None = None
    user_id: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9._~:-]*$")] | None = None
    sample_rate: Annotated[float, Meta(gt=0, le=1)] | None = None
    """What the client applied; absent is 1."""


class Event(Content, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """One event as it stands on the wire. Keys that begin with `x-` may stand beside these."""

    id: EventId
    product_id: Slug64
    platform: Platform
    channel: Slug32
    os_family: OsFamily
    os_version: Text32 | None = None
    app_version: Text32
    build_number: Text32 | None = None
    release_channel: ReleaseChannel
    device: Device | None = None
    session_id: Uuid
    session_seq: Count
    event_seq: Count
    anonymous_install_id: Uuid
    occurred_at: Time
    schema_version: Literal[1]


class Ledger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of each event an install captured: `captured` is the sum of the others."""

    captured: Count = 0
    pending: Count = 0
    leased: Count = 0
    delivered: Count = 0
    rejected: Count = 0
    evicted: Count = 0
    expired: Count = 0
    purged: Count = 0
    unreadable: Count = 0

    @property
    def accounted(self) -> int:
        return sum(count for name, count in msgspec.structs.asdict(self).items() if name != "captured")


class Batch(Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of POST /events; each event is parsed alone, so that a bad one costs no other."""

    batch_id: Uuid
    events: list[Raw]
    sent_at: Any = None
    """Unreadable is as absent, so the type is open."""

    ledger: Any = None
    """A Ledger; any other form is ignored and counted."""


class Install(Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of POST /installs."""

    install_id: Uuid
    product_key: str
    platform: Platform
    install_secret: Annotated[str, Meta(min_length=43, max_length=43, pattern="^[A-Za-z0-9_-]{43}$")]


class InstallAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    install_token: Annotated[str, Meta(min_length=1, max_length=4096, pattern="^[!-~]+$")]


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The service's word on one event. Only this ends an event."""

    id: str | None
    status: Status
    reason: Reason | None = None
    field: str | None = None
    rule: Rule | None = None
    retry_after_ms: Annotated[int, Meta(ge=1, le=60_000)] | None = None


class Counts(Struct, frozen=True, kw_only=True):
    accepted: Count
    duplicate: Count
    rejected: Count
    retry: Count


class Verdicts(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer 200 to POST /events; results in the order of the events."""

    batch_id: Uuid
    received_at: Time
    counts: Counts
    results: list[Verdict]
    config_etag: str | None = None


Rate = Annotated[float, Meta(ge=0, le=1)]


class Sampling(Struct, frozen=True, kw_only=True, rename="camel"):
    """Shares of installs whose events are kept: byEvent counts before byModule before default."""

    default: Rate = 1.0
    by_module: dict[str, Rate] = {}
    by_event: dict[str, Rate] = {}


class Config(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /config: what the service wants of this client. The defaults hold until it was asked."""

    version: Count = 0
    enabled: bool = True
    min_level: Level = "debug"
    sampling: Sampling = Sampling()
    blocked_events: list[str] = []
    batch_size: Annotated[int, Meta(ge=1, le=100)] = 50
    flush_interval_s: Annotated[int, Meta(ge=5, le=3600)] = 60
    max_queue_size: Annotated[int, Meta(ge=10, le=100_000)] = 10_000
    max_queue_bytes: Annotated[int, Meta(ge=65_536, le=2**30)] = 32 * 2**20
    max_age_days: Annotated[int, Meta(ge=1, le=30)] = 30
    expires_at: Time | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """The answer to an install that erased itself."""

    before: Count
    after: Count
    tombstone: bool


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error's body, application/problem+json (RFC 9457). Holds no value that was sent."""

    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    type: str = "about:blank"
    detail: str | None = None
    field: str | None = None


class Refused(Exception):
    """A body or an event is not of the contract's form. Carries no value that was sent."""

    def __init__(self, reason: Reason, field: str | None = None, rule: Rule | None = None) -> None:
        super().__init__(reason, field, rule)
        self.reason: Reason = reason
        self.field = field
        self.rule: Rule | None = rule
