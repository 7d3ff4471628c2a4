"""The contract between any client and the platform service: what stands on the wire, and how it is judged.

    Event ──encode_event──▶ bytes ──parse_event──▶ Event      or Refused(reason, field)
    text ──find_pii──▶ rule

    values    types, limits, reasons: what may stand where    parsing    bytes to values and back, and what is refused
    privacy   which strings are searched for personal data    times      on the wire; how old an event may be
    hashes    fingerprints, and shares of installs            versions   which is older
    ids       random ones

One definition serves four ends: the types decode bodies, the JSON Schema files and the golden examples are generated
from them (telemetry/golden.py), and where a body is refused the same types say which field is at fault.

Absent here: time (it is passed in), network, storage, and what a client or the service does with a verdict.

Imports: pii, msgspec. May be imported by: everyone; the service imports of telemetry this module alone.
"""

from telemetry.pii import Rule, find_pii
from telemetry.wire.hashes import (
    fingerprint,
    fingerprint_of,
    fingerprint_text,
    share_hash,
    share_of_percentage,
    share_of_sampling,
)
from telemetry.wire.ids import new_id
from telemetry.wire.parsing import encode_content, encode_event, parse_batch, parse_event
from telemetry.wire.privacy import judge_content, judge_privacy
from telemetry.wire.times import format_time, judge_time, parse_time
from telemetry.wire.values import (
    CONTRACT,
    FUTURE_S,
    LEVELS,
    MAX_BATCH_EVENTS,
    MAX_BATCH_GZIP_BYTES,
    MAX_BATCH_PLAIN_BYTES,
    MAX_CONTENT_BYTES,
    MAX_EVENT_BYTES,
    PAST_S,
    PLATFORMS,
    REASONS,
    STATUSES,
    Batch,
    Config,
    Content,
    Count,
    Device,
    Dictation,
    Event,
    Install,
    InstallAnswer,
    Ledger,
    Level,
    OsFamily,
    Platform,
    Problem,
    Rate,
    Reason,
    Receipt,
    Refused,
    ReleaseChannel,
    Sampling,
    Slug32,
    Time,
    Uuid,
    Verdict,
    Verdicts,
)
from telemetry.wire.versions import compare_versions

__all__ = [
    "CONTRACT",
    "FUTURE_S",
    "LEVELS",
    "MAX_BATCH_EVENTS",
    "MAX_BATCH_GZIP_BYTES",
    "MAX_BATCH_PLAIN_BYTES",
    "MAX_CONTENT_BYTES",
    "MAX_EVENT_BYTES",
    "PAST_S",
    "PLATFORMS",
    "REASONS",
    "STATUSES",
    "Batch",
    "Config",
    "Content",
    "Count",
    "Device",
    "Dictation",
    "Event",
    "Install",
    "InstallAnswer",
    "Ledger",
    "Level",
    "OsFamily",
    "Platform",
    "Problem",
    "Rate",
    "Reason",
    "Receipt",
    "Refused",
    "ReleaseChannel",
    "Rule",
    "Sampling",
    "Slug32",
    "Time",
    "Uuid",
    "Verdict",
    "Verdicts",
    "compare_versions",
    "encode_content",
    "encode_event",
    "find_pii",
    "fingerprint",
    "fingerprint_of",
    "fingerprint_text",
    "format_time",
    "judge_content",
    "judge_privacy",
    "judge_time",
    "new_id",
    "parse_batch",
    "parse_event",
    "parse_time",
    "share_hash",
    "share_of_percentage",
    "share_of_sampling",
]
