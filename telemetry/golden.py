"""Generates the golden files: what clients in other languages, and the service, are tested against.

    python -m telemetry schema tests/contracts/golden

Each file is made from the types and functions of telemetry/wire.py, so that it says what the code does; a test fails
when a checked-in file differs. The inputs stand here, the answers do not. All persons, numbers and addresses are
from ranges reserved for examples.

Imports: admin, examples, wire. May be imported by: __main__, tests.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from telemetry import admin, wire
from telemetry.examples import EVENT, FULL, INSTALL, RECEIVED, SENT, examples


def files() -> dict[str, str]:
    """Every golden file's text by its path below the folder."""
    content = {
        "reasons.json": _reasons(),
        "pii.json": {"cases": _pii()},
        "verdicts.json": {"cases": _verdicts()},
        "fingerprints.json": {"cases": _fingerprints()},
        "shares.json": {"cases": _shares()},
        "versions.json": {"cases": _versions()},
        "merge.json": {"cases": _merges()},
        **{f"schema/{name}.json": schema for name, schema in _schemas().items()},
        **{f"examples/{name}.json": {"cases": cases} for name, cases in examples().items()},
    }
    return {path: _text(value) for path, value in content.items()}


def write(folder: Path) -> None:
    for path, text in files().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


def _text(value: Mapping[str, Any]) -> str:
    value = _dedented({"contract": wire.CONTRACT, **value})
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _dedented(value: Any) -> Any:
    """With descriptions as Python 3.13 has docstrings: without the indentation of the source."""
    if isinstance(value, dict):
        return {
            key: inspect.cleandoc(item) if key == "description" and isinstance(item, str) else _dedented(item)
            for key, item in value.items()
        }
    return [_dedented(item) for item in value] if isinstance(value, list) else value


def _reasons() -> dict[str, Any]:
    return {
        "statuses": list(wire.STATUSES),
        "reasons": list(wire.REASONS),
        "rules": list(get_args(wire.Rule)),
        "levels": list(wire.LEVELS),
        "platforms": list(get_args(wire.Platform)),
        "osFamilies": list(get_args(wire.OsFamily)),
        "releaseChannels": list(get_args(wire.ReleaseChannel)),
    }


# ------------------------------------------------------------------------------------------------------------ pii

_PII_TEXTS: Final = (
    "", "model loaded in <n> ms", "anna@example.org", "Anna.Example+tag@mail.example.co.uk wrote",
    "anna@localhost", "@example",
    "anna＠example．org", "+44 20 7946 0958", "+12025550143", "+1234567", "202-555-0143",
    "(202) 555-0143", "202.555.0143",
    "2025550143", "202-555-014", "078-05-1120", "000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567",
    "123-45-0000", "123456789", "4111 1111 1111 1111", "4111111111111112", "5500-0000-0000-0004", "378282246310005",
    "2223003122003222", "1111111111111117", "４１１１１１１１１１１１１１１１", "192.0.2.7", "127.0.0.1:8080",
    "1.2.3", "1.2.3.4.5", "256.1.1.1",
    "2001:db8::7", "::1", "fe80::1%eth0", "12:30:45", "std::vector", "a::b", "::ffff:192.0.2.7", "/home/anna/models",
    "/Users/anna", "C:\\Users\\anna\\AppData", "c:/Users/anna", "D:\\Documents and Settings\\anna",
    "/home/", "/homework/x",
    "/var/lib/lysnrai", "at 10 20 30 40", "1764000000000", "error 0x80070005", "café", "2026-11-24T11:07:18.000Z",
)  # fmt: skip


def _pii() -> list[dict[str, Any]]:
    free = [{"text": text, "rule": wire.find_pii(text)} for text in _PII_TEXTS]
    return free + [
        {"text": text, "field": name, "rule": _rule_of({name: text})}
        for name in ("osVersion", "appVersion", "buildNumber")
        for text in ("10.0.22631.4460", "202-555-0143", "anna@example.org", "1.4.2")
    ]


def _rule_of(fields: Mapping[str, Any]) -> str | None:
    try:
        wire.judge_privacy(fields)
    except wire.Refused as refused:
        return refused.rule
    return None


# ------------------------------------------------------------------------------------------------------- verdicts


@dataclass(frozen=True, slots=True)
class Case:
    """One event and when it was sent; the verdict is what the code says of it."""

    name: str
    change: Mapping[str, Any] = field(default_factory=dict)
    without: str = ""
    sent_at: str | None = SENT
    raw: str | None = None
    """The event's own text, where it cannot be told by a change."""

    def text(self) -> str:
        if self.raw is not None:
            return self.raw
        event = {key: value for key, value in {**EVENT, **self.change}.items() if key != self.without}
        return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _map(count: int, value: Any = "v") -> dict[str, Any]:
    return {f"k{number}": value for number in range(count)}


def _filled(size: int) -> dict[str, Any]:
    """An `x-` field that makes the event exactly so many bytes long."""
    empty = len(Case("", {"x-filling": ""}).text().encode())
    return {"x-filling": "f" * (size - empty)}


_REQUIRED: Final = tuple(EVENT)
_CASES: Final = (
    Case("least"),
    Case("everything", FULL),
    Case("optional null is absence", {"message": None, "tags": None, "dictation": None, "sampleRate": None}),
    Case("id of version 7", {"id": "01938a3e-9d5b-7c31-8a44-3b8e1c0f5d21"}),
    Case("id in capitals", {"id": EVENT["id"].upper()}),
    Case("integer written 1.0", {"eventSeq": 1.0, "schemaVersion": 1.0}),
    Case("largest integer", {"eventSeq": 2**53 - 1}),
    Case("large metric", {"metrics": {"m": 1e308}}),
    Case("metric beyond 2^53", {"metrics": {"m": 2**53 + 1}}),
    Case("emoji in a tag", {"tags": {"mood": "🎙"}}),
    Case("time without fraction", {"occurredAt": "2026-11-24T11:07:18Z"}),
    Case("time with microseconds", {"occurredAt": "2026-11-24T11:07:18.123456Z"}),
    *(Case(f"without {key}", without=key) for key in _REQUIRED),
    *(Case(f"{key} null", {key: None}) for key in ("id", "platform", "eventSeq")),
    *(Case(f"{key} true", {key: True}) for key in ("id", "platform", "level", "eventSeq",
    "schemaVersion", "occurredAt")),
    *(Case(f"{key} empty", {key: ""}) for key in ("platform", "osFamily", "level", "releaseChannel")),
    *(Case(f"{key} empty", {key: ""}) for key in ("appVersion", "module", "eventName", "id", "productId")),
    *(Case(f"{key} unknown", {key: "amiga"}) for key in ("platform", "osFamily", "level", "releaseChannel")),
    Case("no object", raw='"event"'),
    Case("an array", raw="[1]"),
    Case("id without dashes", {"id": EVENT["id"].replace("-", "")}),
    Case("id of version 1", {"id": "3f0d8f0a-52a7-1d3e-9c11-0d2f6a1b7c55"}),
    Case("schema version 2", {"schemaVersion": 2}),
    Case("negative count", {"eventSeq": -1}),
    Case("count beyond 2^53", {"eventSeq": 2**53}),
    Case("count with fraction", {"eventSeq": 1.5}),
    Case("metric as text", {"metrics": {"m": "1"}}),
    Case("metric true", {"metrics": {"m": True}}),
    Case("metric 1e400", raw=Case("", {"metrics": {"m": 7}}).text().replace('{"m":7}', '{"m":1e400}')),
    Case("tag as number", {"tags": {"k": 1}}),
    Case("tags as list", {"tags": ["k"]}),
    Case("NUL", {"message": "a\0b"}),
    Case("lone surrogate", raw=Case("", {"message": "S"}).text().replace('"S"', '"\\ud800"')),
    Case("line feed at the end of a name", {"module": "dictation\n"}),
    Case("capitals in a name", {"eventName": "Dictation"}),
    Case("name beginning with a digit", {"eventName": "1st"}),
    Case("user id with a blank", {"userId": "u 1"}),
    Case("sample rate 0", {"sampleRate": 0}),
    Case("sample rate above 1", {"sampleRate": 1.01}),
    Case("time with an offset", {"occurredAt": "2026-11-24T11:07:18.000+00:00"}),
    Case("time that never was", {"occurredAt": "2026-02-30T11:07:18.000Z"}),
    Case("seven digits of a second", {"occurredAt": "2026-11-24T11:07:18.1234567Z"}),
    Case("nesting of three", {"x-deep": {"a": 1}}),
    Case("nesting of four", {"x-deep": {"a": {"b": {}}}}),
    *(
        case
        for key, most in (
            ("message", 1024), ("errorDomain", 64), ("errorCode", 64), ("appVersion", 32),
            ("osVersion", 32), ("buildNumber", 32),
            ("module", 64), ("channel", 32), ("eventName", 100), ("userId", 64),
        )
        for case in (Case(f"{key} of {most}", {key: "a" * most}), Case(f"{key} of {most + 1}",
        {key: "a" * (most + 1)}))
    ),
    Case("32 tags", {"tags": _map(32)}),
    Case("33 tags", {"tags": _map(33)}),
    Case("tag key of 40", {"tags": {"k" * 40: ""}}),
    Case("tag key of 41", {"tags": {"k" * 41: ""}}),
    Case("tag value of 200", {"tags": {"k": "v" * 200}}),
    Case("tag value of 201", {"tags": {"k": "v" * 201}}),
    Case("32 metrics", {"metrics": _map(32, 1)}),
    Case("33 metrics", {"metrics": _map(33, 1)}),
    Case("device arch of 17", {"device": {"arch": "a" * 17}}),
    Case("unknown key", {"colour": "red"}),
    Case("unknown key that cannot be told", {"söme thing": 1}),
    Case("unknown key in dictation", {"dictation": {"text": "hidden"}}),
    Case("16 KiB", _filled(wire.MAX_EVENT_BYTES)),
    Case("16 KiB and one", _filled(wire.MAX_EVENT_BYTES + 1)),
    Case("e-mail in the message", {"message": "mail anna@example.org"}),
    Case("path in a tag", {"tags": {"file": "/home/anna/x"}}),
    Case("card as a tag's key", {"tags": {"4111 1111 1111 1111": "1"}}),
    Case("address in an x- field", {"x-peer": ["192.0.2.7"]}),
    Case("user id that is a telephone", {"userId": "202-555-0143"}),
    Case("version of four numbers", {"osVersion": "10.0.22631.4460"}),
    Case("30 days old", {"occurredAt": "2026-10-25T11:07:19.123Z"}),
    Case("older than 30 days", {"occurredAt": "2026-10-25T11:07:19.122Z"}),
    Case("10 minutes ahead", {"occurredAt": "2026-11-24T11:17:19.123Z"}),
    Case("more than 10 minutes ahead", {"occurredAt": "2026-11-24T11:17:19.124Z"}),
    Case("a clock a year behind", {"occurredAt": "2025-11-24T11:00:00.000Z"}, sent_at="2025-11-24T11:07:19.000Z"),
    Case("not sent at a known time", {"occurredAt": "2025-11-24T11:00:00.000Z"}, sent_at=None),
)  # fmt: skip


def _verdicts() -> list[dict[str, Any]]:
    return [
        {
            "name": case.name,
            "event": json.loads(case.text()) if "1e400" not in case.text() and "\\ud800" not in case.text() else None,
            "eventText": case.text() if "1e400" in case.text() or "\\ud800" in case.text() else None,
            "sentAt": case.sent_at,
            "receivedAt": RECEIVED,
            "verdict": verdict(case.text().encode(), case.sent_at),
        }
        for case in _CASES
    ]


def verdict(event: bytes, sent_at: str | None) -> dict[str, str]:
    """The verdict of form, privacy and time on an event received at RECEIVED."""
    received = wire.parse_time(RECEIVED)
    assert received is not None
    try:
        parsed = wire.parse_event(event)
        wire.judge_privacy(json.loads(event))
    except wire.Refused as refused:
        told = {"status": "rejected", "reason": refused.reason, "field": refused.field, "rule": refused.rule}
        return {key: value for key, value in told.items() if value is not None}
    occurred = wire.parse_time(parsed.occurred_at)
    assert occurred is not None
    reason = wire.judge_time(occurred, received, wire.parse_time(sent_at))
    if reason is not None:
        return {"status": "rejected", "reason": reason, "field": "occurredAt"}
    return {"status": "accepted"}


# --------------------------------------------------------------------------------- fingerprints, shares, versions

_PARTS: Final[tuple[list[str | None], ...]] = (
    ["desktop", "desktop_app", "dictation", "recognition_failed", "engine", None],
    ["Desktop", "DESKTOP_APP", "Dictation", "Recognition_Failed", "Engine", None],
    ["ios", "main_app", "dictation", "mic_permission_denied", None, None],
    ["web", "user_dashboard", "lifecycle", "app_crashed", "cafe\u0301", "E|1"],
    ["web", "user_dashboard", "lifecycle", "app_crashed", "caf\u00e9", "E|1"],
    ["android", "main_app", "recovery", "engine_restarted", 'say "no"', "back\\slash"],
    ["android", "main_app", "recovery", "engine_restarted", "🎙", ""],
)
_INSTALLS: Final = (
    INSTALL,
    INSTALL.upper(),
    "00000000-0000-4000-8000-000000000000",
    "c0ffee00-1234-4abc-8def-0123456789ab",
    "01938a3e-9d5b-7c31-8a44-3b8e1c0f5d21",
)
_PAIRS: Final = (
    ("1.0", "1"), ("1.9.0", "1.10.1"), ("2.0.0", "2.0.0-rc.1"), ("2.0.0-alpha", "2.0.0-alpha.1"),
    ("2.0.0-2", "2.0.0-10"),
    ("2.0.0-alpha", "2.0.0-1"), ("1.2.3+build5", "1.2.3"), ("10.0.22631.4460", "10.0.22631"),
    ("v1.4", "1.4.0"), ("", "1"), ("1..2", "1.2"),
    ("nightly", "1.0"), ("1.2.3-", "1.2.3"), ("1.2.3", "1.2.3"),
)  # fmt: skip


def _fingerprints() -> list[dict[str, Any]]:
    return [
        {"parts": parts, "json": wire.fingerprint_text(parts), "fingerprint": wire.fingerprint_of(parts)}
        for parts in _PARTS
    ]


def _shares() -> list[dict[str, Any]]:
    return [
        {
            "installId": install,
            "percentageHash": wire.share_hash(install.lower()).hex(),
            "samplingHash": wire.share_hash("sampling:" + install.lower()).hex(),
            "inAt": {
                str(percent): wire.share_of_percentage(install) < percent / 100
                for percent in (0, 10, 25, 50, 55, 75, 90, 100)
            },
        }
        for install in _INSTALLS
    ]


def _versions() -> list[dict[str, Any]]:
    both_ways = [*_PAIRS, *((b, a) for a, b in _PAIRS if a != b)]
    return [{"a": a, "b": b, "order": wire.compare_versions(a, b)} for a, b in both_ways]


# ---------------------------------------------------------------------------------------------------------- merging

_CLIENT: Final = admin.Client(
    platform="ios",
    channel="keyboard_extension",
    os_family="ios",
    app_version="1.4.0",
    release_channel="beta",
    anonymous_install_id=INSTALL,
    country_code="US",
    region_code="US:WA",
)


def _policy(number: int, **fields: Any) -> dict[str, Any]:
    made = f"2026-11-0{number}T00:00:00.000Z"
    return {"id": f"p{number}", "name": f"Policy {number}", "createdAt": made, "updatedAt": made, **fields}


_MERGES: Final[tuple[tuple[str, list[dict[str, Any]]], ...]] = (
    ("no policy", []),
    ("the larger priority wins key by key", [
        _policy(1, priority=5, minLevel="warn", limits={"batchSize": 10}),
        _policy(2, priority=1, minLevel="info", limits={"batchSize": 20, "maxAgeDays": 7}),
    ]),
    ("of equal ones the newer", [_policy(2, minLevel="error"), _policy(1, minLevel="info")]),
    ("blocked events are united and sorted", [
        _policy(1, blockedEvents=["noise", "app_started"]), _policy(2, blockedEvents=["noise", "x"]),
    ]),
    ("sampling merges by key", [
        _policy(1, priority=1, sampling={"default": 0.5, "byEvent": {"a": 0.1}, "byModule": {"recovery": 1}}),
        _policy(2, sampling={"default": 0.2, "byEvent": {"a": 0.9, "b": 0.3}}),
    ]),
    ("one that does not collect stops all", [_policy(1, priority=9), _policy(2, collect=False)]),
    ("one that is not active is silent", [_policy(1, enabled=False, collect=False, minLevel="fatal")]),
    ("before it starts it is silent", [_policy(1, minLevel="fatal", startsAt="2026-11-24T11:07:19.159Z")]),
    ("from its start on it speaks", [_policy(1, minLevel="fatal", startsAt=RECEIVED)]),
    ("at its end it is silent", [_policy(1, minLevel="fatal", expiresAt=RECEIVED)]),
    ("the earliest end is told", [
        _policy(1, expiresAt="2026-12-02T00:00:00.000Z"), _policy(2, expiresAt="2026-12-01T00:00:00.000Z"),
    ]),
    ("all dimensions match", [_policy(1, minLevel="warn", targeting={
        "platforms": ["ios", "android"], "channels": ["keyboard_extension"], "osFamilies": ["ios"],
        "releaseChannels": ["beta"], "versionRange": {"min": "1.2.0", "max": "1.4"}, "countryCodes": ["US"],
        "regionCodes": ["US:WA"], "percentage": 55,
    })]),
    *(
        (f"another {name}", [_policy(1, minLevel="warn", targeting=targeting)])
        for name, targeting in (
            ("platform", {"platforms": ["web"]}),
            ("channel", {"channels": ["main_app"]}),
            ("system", {"osFamilies": ["macos"]}),
            ("release channel", {"releaseChannels": ["stable"]}),
            ("version, older", {"versionRange": {"max": "1.3.9"}}),
            ("version, newer", {"versionRange": {"min": "1.4.1"}}),
            ("country", {"countryCodes": ["DE"]}),
            ("region", {"regionCodes": ["US:OR"]}),
            ("share", {"percentage": 54}),
        )
    ),
)  # fmt: skip


def _merges() -> list[dict[str, Any]]:
    at = wire.parse_time(RECEIVED)
    assert at is not None
    cases = []
    for name, bodies in _MERGES:
        policies = [msgspec.convert(body, admin.Policy) for body in bodies]
        config = admin.merge(policies, _CLIENT, at, version=len(policies))
        whole = [msgspec.to_builtins(policy) for policy in policies]
        client = msgspec.to_builtins(_CLIENT)
        told = msgspec.to_builtins(config)
        cases.append({"name": name, "at": RECEIVED, "policies": whole, "client": client, "config": told})
    return cases


# --------------------------------------------------------------------------------------------------------- schemas

_TYPES: Final = {
    "install": wire.Install,
    "batch": wire.Batch,
    "event": wire.Event,
    "verdicts": wire.Verdicts,
    "config": wire.Config,
    "problem": wire.Problem,
    "policy": admin.Policy,
    "preview": admin.Preview,
    "cluster": admin.Cluster,
    "ledger": admin.LedgerPage,
    "geo": admin.GeoPage,
    "metrics": admin.Metrics,
    "audit": admin.AuditPage,
}
_SEVERAL: Final[dict[str, tuple[Any, ...]]] = {
    "receipt": (wire.Receipt, admin.AdminReceipt),
    "clusterPatch": admin.CLUSTER_PATCHES,
}
"""Bodies of more than one form."""


def _schemas() -> dict[str, dict[str, Any]]:
    schemas = {}
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    for name, kind in _TYPES.items():
        schemas[name] = {**dialect, **msgspec.json.schema(kind)}
    for name, kinds in _SEVERAL.items():
        forms, shared = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
        schemas[name] = {**dialect, "anyOf": list(forms), "$defs": shared}
    schemas["event"]["$defs"]["Event"]["patternProperties"] = {"^x-[a-z0-9-]{1,40}$": {}}
    batch = schemas["batch"]["$defs"]["Batch"]["properties"]
    batch["events"] |= {"maxItems": wire.MAX_BATCH_EVENTS}
    return schemas
