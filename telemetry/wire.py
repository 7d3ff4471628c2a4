"""The contract between any client and the platform service: what stands on the wire, and how it is judged.

    Event ──encode_event──▶ bytes ──parse_event──▶ Event      or Refused(reason, field)
    text ──find_pii──▶ rule

One definition serves four ends: the types below decode bodies (in C, about 4 µs an event), the JSON Schema files and
the golden examples are generated from them (telemetry/golden.py), and where a body is refused the same types are walked
once more to say which field is at fault and why. Sentences in quotation marks in comments are from the contract.

Absent here: time (it is passed in), network, storage, and what a client or the service does with a verdict.

Imports: pii, msgspec. May be imported by: everyone; the service imports of telemetry this module alone.
"""

from __future__ import annotations

import json
import math
import os
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta, Raw, Struct, inspect

from telemetry.pii import Rule, find_pii, is_suspicious

__all__ = [
    "CONTRACT",
    "FUTURE_S",
    "MAX_BATCH_EVENTS",
    "MAX_BATCH_GZIP_BYTES",
    "MAX_BATCH_PLAIN_BYTES",
    "MAX_CONTENT_BYTES",
    "MAX_EVENT_BYTES",
    "PAST_S",
    "Batch",
    "Config",
    "Content",
    "Device",
    "Dictation",
    "Event",
    "Install",
    "InstallAnswer",
    "Ledger",
    "Level",
    "Problem",
    "Reason",
    "Receipt",
    "Refused",
    "Rule",
    "Sampling",
    "Verdict",
    "Verdicts",
    "compare_versions",
    "encode_content",
    "encode_event",
    "find_pii",
    "fingerprint",
    "format_time",
    "judge_content",
    "judge_privacy",
    "judge_time",
    "new_id",
    "parse_batch",
    "parse_event",
    "parse_time",
    "share_of_percentage",
    "share_of_sampling",
]

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
_UUID: Final = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
_EVENT_ID: Final = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[47][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$"
_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"

Slug64 = Annotated[str, Meta(min_length=1, max_length=64, pattern=_SLUG)]
Slug32 = Annotated[str, Meta(min_length=1, max_length=32, pattern=_SLUG)]
EventName = Annotated[str, Meta(max_length=100, pattern="^[a-z][a-z0-9_]*$")]
Uuid = Annotated[str, Meta(min_length=36, max_length=36, pattern=_UUID)]
EventId = Annotated[str, Meta(min_length=36, max_length=36, pattern=_EVENT_ID)]
Time = Annotated[str, Meta(max_length=27, pattern=_TIME)]
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


# ---------------------------------------------------------------------------------------------- encode and parse

_ENCODE: Final = msgspec.json.Encoder()
_DECODE_EVENT: Final = msgspec.json.Decoder(Event)
_DECODE_CONTENT: Final = msgspec.json.Decoder(Content)
_DECODE_BATCH: Final = msgspec.json.Decoder(Batch)
_EVENT_TYPE: Final = inspect.type_info(Event)
_FIELDS: Final[dict[str, inspect.Field]] = (
    {field.encode_name: field for field in _EVENT_TYPE.fields} if isinstance(_EVENT_TYPE, inspect.StructType) else {}
)
_EXTENSION: Final = re.compile(r"x-[a-z0-9-]{1,40}")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_IDS: Final = ("id", "session_id", "anonymous_install_id")

# The decoder in C is right about everything but escapes: a NUL, a lone surrogate, and a line feed at the end, which `$`
# lets pass. An event that holds one takes the careful way.
_ESCAPES: Final = re.compile(rb"\\[un]")


_ids: Final[list[str]] = []
"""Random ids made ahead: one call for randomness can cost more than all the rest of an event."""


def new_id() -> str:
    """A random UUID of version 4 (RFC 9562, 5.4). Safe from any thread and after a fork."""
    try:
        return _ids.pop()
    except IndexError:
        made = os.urandom(16 * 64)
        _ids.extend(_uuid4(made[start : start + 16]) for start in range(16, len(made), 16))
        return _uuid4(made[:16])


def _uuid4(random: bytes) -> str:
    number = int.from_bytes(random) & ~(0xF << 76) & ~(0x3 << 62) | 4 << 76 | 2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ids.clear)


def encode_event(event: Event) -> bytes:
    """The event as compact UTF-8 JSON, without what is absent."""
    return _ENCODE.encode(event)


def parse_event(body: bytes | Raw) -> Event:
    """Decode one event and hold it against every limit of form.

    Keys that begin with `x-` are checked and left out of the result; keep the bytes where they count.

    Raises:
        Refused: with the reason and, where one is at fault, the top-level key. "Of several faults of form any one may
            be told."
    """
    body = bytes(body)
    if len(body) <= MAX_EVENT_BYTES and _ESCAPES.search(body) is None:
        try:
            return _checked(_DECODE_EVENT.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass  # which field and why: below
    return _parse_carefully(body)


def encode_content(content: Content) -> bytes:
    """The content as JSON, held against every limit of form. Raises Refused, and what encoding raises for no JSON."""
    body = _ENCODE.encode(content)
    if _ESCAPES.search(body) is None and len(body) < MAX_CONTENT_BYTES:
        try:
            _DECODE_CONTENT.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass  # which field and why: below
        else:
            return body
    value = json.loads(body)
    for key, item in value.items():
        _hold(item, _FIELDS[key].type, key)
    if len(body) >= MAX_CONTENT_BYTES:
        raise Refused("too_large")
    return body


def parse_batch(body: bytes) -> Batch:
    """Decode the envelope. Raises Refused("invalid_json"), with field "batchId" where that alone is wrong."""
    try:
        batch = _DECODE_BATCH.decode(body)
    except msgspec.ValidationError as error:
        raise Refused("invalid_json", "batchId" if "batchId" in str(error) else None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("invalid_json") from None
    if batch.batch_id.endswith("\n"):
        raise Refused("invalid_json", "batchId")
    return batch


def _checked(event: Event) -> Event:
    """What the types cannot say: the time exists, numbers are finite."""
    if parse_time(event.occurred_at) is None:
        raise Refused("bad_type", "occurredAt")
    return event


def _parse_carefully(body: bytes) -> Event:
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refused("invalid_json") from None
    if not isinstance(value, dict):
        raise Refused("invalid_json")
    known: dict[str, Any] = {}
    for key, content in value.items():
        if key in _FIELDS:
            if content is not None:
                known[key] = _hold(content, _FIELDS[key].type, key)
        elif not _EXTENSION.fullmatch(key):
            raise Refused("unknown_field", key if _PLAIN_KEY.fullmatch(key) else None)
        else:
            _hold_extension(content, key, level=2)
    for key, field in _FIELDS.items():
        if field.required and key not in known:
            raise Refused("missing_field", key)
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    if len(compact) > MAX_EVENT_BYTES:
        raise Refused("too_large")
    return _checked(msgspec.convert(known, Event))


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _hold(value: Any, kind: inspect.Type, key: str) -> Any:  # noqa: C901  # one branch for each kind of type
    """Return the value in the form of its type, or raise Refused with the contract's reason for that fault."""
    match kind:
        case inspect.UnionType(types=types):
            return _hold(value, next(each for each in types if not isinstance(each, inspect.NoneType)), key)
        case inspect.LiteralType(values=values):
            if isinstance(values[0], int):
                if _whole(value, key) not in values:
                    raise Refused("bad_type", key)
                return int(value)
            if not isinstance(value, str):
                raise Refused("bad_type", key)
            if value not in values:
                raise Refused("unknown_enum", key)
            return value
        case inspect.StrType():
            return _hold_text(value, kind, key)
        case inspect.IntType(ge=least, le=most):
            number = _whole(value, key)
            if (least is not None and number < least) or (most is not None and number > most):
                raise Refused("bad_type", key)
            return number
        case inspect.FloatType(gt=above, le=most):
            real = _finite(value, key)
            if (above is not None and real <= above) or (most is not None and real > most):
                raise Refused("bad_type", key)
            return real
        case inspect.DictType(key_type=key_type, value_type=value_type, max_length=longest):
            if not isinstance(value, dict):
                raise Refused("bad_type", key)
            if longest is not None and len(value) > longest:
                raise Refused("too_long", key)
            return {_hold(name, key_type, key): _hold(content, value_type, key) for name, content in value.items()}
        case inspect.StructType(fields=fields):
            if not isinstance(value, dict):
                raise Refused("bad_type", key)
            inner = {field.encode_name: field.type for field in fields}
            if value.keys() - inner.keys():
                raise Refused("unknown_field", key)
            return {name: _hold(item, inner[name], key) for name, item in value.items() if item is not None}
        case _:
            raise AssertionError(f"the contract has no {kind}")


def _hold_text(value: Any, kind: inspect.StrType, key: str) -> str:
    if not isinstance(value, str) or not _is_text(value):
        raise Refused("bad_type", key)
    if kind.max_length is not None and len(value) > kind.max_length:
        # For a name the length is a limit; an id or a time of another length is simply none.
        raise Refused("bad_type" if kind.pattern in {_UUID, _EVENT_ID, _TIME} else "too_long", key)
    if len(value) < (kind.min_length or 0):
        raise Refused("bad_type", key)
    if kind.pattern is not None and (value.endswith("\n") or re.search(kind.pattern, value) is None):
        raise Refused("bad_type", key)
    return value


def _hold_extension(value: Any, key: str, level: int) -> None:
    """An `x-` field: any type, nesting up to 3 with the event as level 1."""
    if isinstance(value, dict | list):
        if level > 3:
            raise Refused("bad_type", key)
        for name in value if isinstance(value, dict) else ():
            _hold_extension(name, key, level + 1)
        for item in value.values() if isinstance(value, dict) else value:
            _hold_extension(item, key, level + 1)
    elif isinstance(value, str):
        if not _is_text(value):
            raise Refused("bad_type", key)
    elif value is not None and not isinstance(value, bool):
        _finite(value, key)


def _is_text(value: str) -> bool:
    """Whether there is neither a NUL nor a lone surrogate in it."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _whole(value: Any, key: str) -> int:
    """An integer; 1.0 is one, true is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise Refused("bad_type", key)
    return int(value)


def _finite(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("bad_type", key)
    try:
        number = float(value)
    except OverflowError:
        raise Refused("bad_type", key) from None
    if not math.isfinite(number):
        raise Refused("bad_type", key)
    return number


# ---------------------------------------------------------------------------------------------------------- time


def format_time(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC with milliseconds: 2026-11-24T11:07:19.123Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_time(text: object) -> float | None:
    """Seconds since 1970, or None for anything but `…Z` with 0 to 6 digits after the seconds."""
    if not isinstance(text, str) or re.fullmatch(_TIME, text) is None or text.endswith("\n"):
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


# ------------------------------------------------------------------------------------------------------- privacy

_VERSION_FIELDS: Final = frozenset({"osVersion", "appVersion", "buildNumber"})
_NOT_IN_VERSIONS: Final = frozenset[Rule]({"ip", "phone"})
_UNSEARCHED: Final = frozenset({"id", "sessionId", "anonymousInstallId", "occurredAt"})


def judge_privacy(fields: Mapping[str, Any]) -> None:
    """Search the keys and values of every string for personal data.

    Args:
        fields: an event, or part of one, by its names on the wire.

    Raises:
        Refused: "pii_detected", with field and rule, never the value.
    """
    found: list[str] = []
    for field, value in fields.items():
        if field not in _UNSEARCHED:
            _collect(value, found)
    if not is_suspicious("\n".join(found)):
        return
    for field, value in fields.items():
        if field not in _UNSEARCHED:
            skip = _NOT_IN_VERSIONS if field in _VERSION_FIELDS else frozenset[Rule]()
            found.clear()
            _collect(value, found)
            for text in found:
                if (rule := find_pii(text, skip)) is not None:
                    raise Refused("pii_detected", field, rule)


def judge_content(content: Content) -> None:
    """As judge_privacy, for what a client records: about 2 µs where its words were seen before."""
    _clean("module", content.module)
    _clean("eventName", content.event_name)
    for field, text in (
        ("message", content.message),
        ("errorDomain", content.error_domain),
        ("errorCode", content.error_code),
        ("userId", content.user_id),
    ):
        if text is not None:
            _clean(field, text)
    if content.tags:
        for key, text in content.tags.items():
            _clean("tags", key)
            _clean("tags", text)
    if content.metrics:
        for key in content.metrics:
            _clean("metrics", key)
    if (told := content.dictation) is not None:
        for text in (told.backend, told.reason, told.language, told.model, told.result):
            if text is not None:
                _clean("dictation", text)


_known_clean: Final[set[str]] = set()
"""Words that no rule finds anything in: an app says the same few again and again."""

_MOST_KNOWN: Final = 4096


def _clean(field: str, text: str) -> None:
    if text in _known_clean:
        return
    if (rule := find_pii(text)) is not None:
        raise Refused("pii_detected", field, rule)
    if len(_known_clean) >= _MOST_KNOWN:
        _known_clean.clear()
    _known_clean.add(text)


def _collect(value: Any, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            found.append(key)
            if not isinstance(item, float | int):
                _collect(item, found)
    elif isinstance(value, list):
        for item in value:
            _collect(item, found)


# --------------------------------------------------------------------------------- fingerprints, shares, versions


def fingerprint_text(parts: list[str | None]) -> str:
    """The JSON that a fingerprint is the hash of: each part lower-cased, then NFC, a missing one null."""
    folded = [None if part is None else unicodedata.normalize("NFC", part.lower()) for part in parts]
    return json.dumps(folded, ensure_ascii=False, separators=(",", ":"))


def fingerprint(event: Event) -> str | None:
    """Which kind of failure this is; None for debug and info, which do not cluster."""
    if event.level in {"debug", "info"}:
        return None
    return fingerprint_of(
        [event.platform, event.channel, event.module, event.event_name, event.error_domain, event.error_code]
    )


def fingerprint_of(parts: list[str | None]) -> str:
    import hashlib

    return "v1:" + hashlib.sha256(fingerprint_text(parts).encode()).hexdigest()[:16]


def share_of_percentage(install_id: str) -> float:
    """Where an install stands in [0, 1) for `percentage`: it is in when this is below percentage / 100."""
    return _share(install_id.lower())


def share_of_sampling(install_id: str) -> float:
    """Where an install stands in [0, 1) for sampling: its events are kept when this is below the rate."""
    return _share("sampling:" + install_id.lower())


def share_hash(text: str) -> bytes:
    import hashlib

    return hashlib.sha256(text.encode()).digest()[:8]


def _share(text: str) -> float:
    return int.from_bytes(share_hash(text)) / 2**64


_VERSION: Final = re.compile(r"[vV]?(?P<numbers>\d+(?:\.\d+)*)(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


def compare_versions(left: str, right: str) -> int | None:
    """-1, 0 or 1 by SemVer precedence with any number of numeric parts; None where one cannot be parsed."""
    a, b = _version(left), _version(right)
    if a is None or b is None:
        return None
    return (a > b) - (a < b)


def _version(text: str) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]] | None:
    match = _VERSION.fullmatch(text)
    if match is None or not text.isascii():
        return None
    numbers = [int(number) for number in match["numbers"].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    identifiers = (match["pre"] or "").split(".")
    if match["pre"] and not all(identifiers):
        return None
    # A release is later than its pre-releases; numeric identifiers come before words (SemVer 2.0.0, 11.4).
    pre = tuple((not each.isdigit(), int(each) if each.isdigit() else 0, each) for each in identifiers if each)
    return tuple(numbers), match["pre"] is None, pre
