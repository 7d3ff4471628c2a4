"""The contract's other half: what administrators and the service say to each other, and how policies make a Config.

    policies, one client, a moment ──merge──▶ Config

The same rules hold as for wire.py: these types decode the bodies and make the schemas. No client needs this module; the
service and the golden files do.

Absent here: storage, endpoints, ETags.

Imports: wire, msgspec. May be imported by: golden, the service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from telemetry.wire import (
    Config,
    Count,
    Level,
    OsFamily,
    Platform,
    Rate,
    ReleaseChannel,
    Sampling,
    Slug32,
    Time,
    Uuid,
    compare_versions,
    parse_time,
    share_of_percentage,
)

Severity = Literal["warn", "error", "fatal"]
Few = Meta(max_length=200)
"""Of lists and maps in a policy."""

Country = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
Region = Annotated[str, Meta(pattern="^[A-Z]{2}:[A-Z0-9]{1,3}$")]
Fingerprint = Annotated[str, Meta(pattern="^v1:[0-9a-f]{16}$")]


class VersionRange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ends are included. A bound must be a version, and min not after max; `is_sound` says whether."""

    min: str | None = None
    max: str | None = None

    @property
    def is_sound(self) -> bool:
        parsed = all(bound is None or compare_versions(bound, bound) is not None for bound in (self.min, self.max))
        return parsed and (self.min is None or self.max is None or compare_versions(self.min, self.max) != 1)

    def holds(self, version: str) -> bool:
        """What cannot be parsed is in every range."""
        below = self.min is not None and compare_versions(version, self.min) == -1
        above = self.max is not None and compare_versions(version, self.max) == 1
        return not below and not above


class Targeting(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Dimensions are joined by *and*, the values of one by *or*; an empty or absent one is everybody."""

    platforms: Annotated[list[Platform], Few] = []
    channels: Annotated[list[Slug32], Few] = []
    os_families: Annotated[list[OsFamily], Few] = []
    release_channels: Annotated[list[ReleaseChannel], Few] = []
    version_range: VersionRange | None = None
    country_codes: Annotated[list[Country], Few] = []
    region_codes: Annotated[list[Region], Few] = []
    percentage: Annotated[int, Meta(ge=0, le=100)] | None = None


class PolicySampling(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    default: Rate | None = None
    by_module: Annotated[dict[str, Rate], Few] = {}
    by_event: Annotated[dict[str, Rate], Few] = {}


class Limits(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    batch_size: Annotated[int, Meta(ge=1, le=100)] | None = None
    flush_interval_s: Annotated[int, Meta(ge=5, le=3600)] | None = None
    max_queue_size: Annotated[int, Meta(ge=10, le=100_000)] | None = None
    max_queue_bytes: Annotated[int, Meta(ge=65_536, le=2**30)] | None = None
    max_age_days: Annotated[int, Meta(ge=1, le=30)] | None = None


class PolicyBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST and PUT /policies."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    enabled: bool = True
    """Whether the policy is active."""

    collect: bool = True
    """Whether it lets events be collected."""

    priority: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0
    targeting: Targeting = Targeting()
    sampling: PolicySampling = PolicySampling()
    min_level: Level | None = None
    blocked_events: Annotated[list[str], Few] = []
    limits: Limits = Limits()
    starts_at: Time | None = None
    expires_at: Time | None = None


class Policy(PolicyBody, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    id: str
    created_at: Time
    updated_at: Time


class Preview(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /policies/preview."""

    policy: PolicyBody
    days: Annotated[int, Meta(ge=1, le=90)] = 7
    events: Annotated[int, Meta(ge=1, le=100_000)] = 10_000


class Part(Struct, frozen=True, kw_only=True, rename="camel"):
    platform: Platform
    channel: str
    module: str
    event_name: str
    error_domain: str | None
    error_code: str | None


class ClusterCounts(Struct, frozen=True, kw_only=True):
    events: Count
    installs: Count
    users: Count


class Day(Struct, frozen=True, kw_only=True):
    day: Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    warn: Count
    error: Count
    fatal: Count


class Cluster(Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /clusters/{id}; a row of the list is the same without `timeline`."""

    id: str
    status: Literal["open", "resolved", "ignored"]
    fixed_in_version: str | None
    until: Time | None
    resolved_at: Time | None
    opened_at: Time
    severity: Severity
    fingerprints: list[Fingerprint]
    parts: list[Part]
    counts: ClusterCounts
    affected_versions: list[str]
    first_seen_at: Time
    last_seen_at: Time
    timeline: list[Day] | msgspec.UnsetType = msgspec.UNSET


class Open(Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="open"):
    pass


class Resolved(
    Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag_field="status", tag="resolved"
):
    fixed_in_version: str | None = None


class Ignored(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="status", tag="ignored"):
    until: Time | None = None


class Merge(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    merge_into: str


class Split(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    split: Annotated[list[Fingerprint], Meta(min_length=1)]


CLUSTER_PATCHES: Final = (Open | Resolved | Ignored, Merge, Split)
"""PATCH /clusters/{id} is one of these."""


class TableCount(Struct, frozen=True, kw_only=True):
    before: Count
    after: Count


class AdminReceipt(Struct, frozen=True, kw_only=True):
    """What an administrator gets for an erasure; the install itself gets wire.Receipt."""

    subject: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    tombstone: bool
    tables: dict[str, TableCount]


class LedgerRow(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    captured: Count
    accounted: Count
    difference: int
    accepted: Count
    duplicate: Count
    app_version: str | None = None
    platform: Platform | None = None


class GeoRow(Struct, frozen=True, kw_only=True, rename="camel"):
    country_code: Country | None
    region_code: Region | None
    events: Count
    installs: Count


class PlatformMetrics(Struct, frozen=True, kw_only=True, rename="camel"):
    ingested: Count = 0
    duplicates: Count = 0
    rejected: Count = 0
    rate_limited: Count = 0


class Metrics(Struct, frozen=True, kw_only=True, rename="camel"):
    ingested: Count
    duplicates: Count
    pii_blocked: Count
    rate_limited: Count
    ledgers_ignored: Count
    rejected: dict[str, Count]
    by_platform: dict[str, PlatformMetrics]


Action = Literal[
    "policy.create", "policy.update", "policy.delete", "cluster.update", "cluster.merge", "cluster.split",
    "erase.user", "erase.install", "token.create", "token.revoke", "key.create", "key.revoke",
]  # fmt: skip


class AuditRow(Struct, frozen=True, kw_only=True):
    id: int
    at: Time
    actor: str
    role: Literal["viewer", "operator", "admin"] | None
    action: Action
    subject: str | None
    outcome: Literal["done", "refused"]
    status: Annotated[int, Meta(ge=200, le=599)]
    detail: dict[str, Any] | None


class LedgerPage(Struct, frozen=True, kw_only=True, rename="camel"):
    items: list[LedgerRow]
    next_cursor: str | None = None


class GeoPage(Struct, frozen=True, kw_only=True, rename="camel"):
    items: list[GeoRow]
    next_cursor: str | None = None


class AuditPage(Struct, frozen=True, kw_only=True, rename="camel"):
    items: list[AuditRow]
    next_cursor: str | None = None


# --------------------------------------------------------------------------------------------------------- merging


class Client(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whom a configuration is for: the fields of GET /config, and the country of the request."""

    platform: Platform
    channel: Slug32
    os_family: OsFamily
    app_version: str
    release_channel: ReleaseChannel
    anonymous_install_id: Uuid
    country_code: str | None = None
    region_code: str | None = None


def reaches(targeting: Targeting, client: Client) -> bool:
    """Whether a policy so targeted is for this client. An unknown country matches no country."""
    dimensions: tuple[tuple[Sequence[str], str | None], ...] = (
        (targeting.platforms, client.platform),
        (targeting.channels, client.channel),
        (targeting.os_families, client.os_family),
        (targeting.release_channels, client.release_channel),
        (targeting.country_codes, client.country_code),
        (targeting.region_codes, client.region_code),
    )
    if any(wanted and value not in wanted for wanted, value in dimensions):
        return False
    if targeting.version_range is not None and not targeting.version_range.holds(client.app_version):
        return False
    share = targeting.percentage
    return share is None or share_of_percentage(client.anonymous_install_id) < share / 100


def speaks(policy: PolicyBody, at: float) -> bool:
    """Whether a policy counts at this moment: active, from startsAt until before expiresAt."""
    begins, ends = parse_time(policy.starts_at), parse_time(policy.expires_at)
    return policy.enabled and (begins is None or begins <= at) and (ends is None or at < ends)


def merge(policies: Sequence[Policy], client: Client, at: float, *, version: int = 0, enabled: bool = True) -> Config:
    """The configuration of one client: the larger priority wins key by key, of equal ones the newer.

    Args:
        policies: all of them, in any order.
        client: whom it is for.
        at: the moment, in seconds since 1970.
        version: the number of policy changes so far.
        enabled: TELEMETRY_ENABLED.
    """
    matching = [policy for policy in policies if speaks(policy, at) and reaches(policy.targeting, client)]
    matching.sort(key=lambda policy: (policy.priority, parse_time(policy.created_at) or 0.0), reverse=True)
    limits = {name: _first(getattr(policy.limits, name) for policy in matching) for name in Limits.__struct_fields__}
    weakest_first = matching[::-1]
    default = _first(policy.sampling.default for policy in matching)
    ends = sorted((parse_time(policy.expires_at) or 0.0, policy.expires_at) for policy in matching if policy.expires_at)
    return Config(
        version=version,
        enabled=enabled and all(policy.collect for policy in matching),
        min_level=_first(policy.min_level for policy in matching) or "debug",
        sampling=Sampling(
            default=1.0 if default is None else default,
            by_module={name: rate for policy in weakest_first for name, rate in policy.sampling.by_module.items()},
            by_event={name: rate for policy in weakest_first for name, rate in policy.sampling.by_event.items()},
        ),
        blocked_events=sorted({name for policy in matching for name in policy.blocked_events}),
        expires_at=ends[0][1] if ends else None,
        **{name: limit for name, limit in limits.items() if limit is not None},
    )


def _first(values: Iterator[Any]) -> Any:
    return next((value for value in values if value is not None), None)
