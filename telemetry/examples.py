"""One example of each request and of each answer that the contract names, for every endpoint.

Imports: admin, wire. May be imported by: golden, tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from telemetry import admin, wire

RECEIVED: Final = "2026-11-24T11:07:19.158Z"
SENT: Final = "2026-11-24T11:07:19.123Z"
INSTALL: Final = "7f9c24e8-3b12-4fef-91e0-6bb0a2f5f2b1"
EVENT: Final[dict[str, Any]] = {
    "id": "3f0d8f0a-52a7-4d3e-9c11-0d2f6a1b7c55",
    "productId": "lysnrai",
    "platform": "desktop",
    "channel": "desktop_app",
    "osFamily": "linux",
    "appVersion": "0.1.0",
    "releaseChannel": "dev",
    "module": "dictation",
    "eventName": "dictation_completed",
    "level": "info",
    "sessionId": "0b7f3c1e-8a51-4a0c-b7a3-5f1f6f3f9d20",
    "sessionSeq": 3,
    "eventSeq": 14,
    "anonymousInstallId": INSTALL,
    "occurredAt": "2026-11-24T11:07:18.000Z",
    "schemaVersion": 1,
}
FULL: Final[dict[str, Any]] = EVENT | {
    "osVersion": "6.1.0.25",
    "buildNumber": "1204",
    "message": "engine <id> left after <n> ms",
    "errorDomain": "engine",
    "errorCode": "engine.crashed",
    "tags": {"backend": "whisper"},
    "metrics": {"audio_ms": 2100, "peak": 0.5},
    "dictation": {"backend": "whisper", "language": "en-GB", "durationMs": 2100, "wordCount": 6, "result": "inserted"},
    "device": {"arch": "x86_64", "cpuCount": 4, "memoryMb": 8192, "locale": "en-GB"},
    "userId": "u-1",
    "sampleRate": 0.5,
    "x-trial": {"arm": "b"},
}


BATCH_ID: Final = "9f2b1d6c-4c0a-4c8e-8f4b-6c7d0f1e2a3b"
CLUSTER_ID: Final = "0b9e4a52-6d0f-4c55-9a43-1f0c8e7d2b11"
POLICY_ID: Final = "5d7a1c3e-2b4f-4e6a-8c9d-0a1b2c3d4e5f"
FINGERPRINT: Final = "v1:51d8bcbf44968c3b"
OTHER: Final = "v1:e8aa072d735ef87f"
SUBJECT: Final = "9c1f" * 16
ADMIN: Final = {"Authorization": "Bearer example-api-token"}
TOKEN: Final = {"X-Install-Token": "example-token"}

STORED: Final[dict[str, Any]] = EVENT | {
    "sampleRate": 1.0,
    "correctedAt": "2026-11-24T11:07:18.035Z",
    "receivedAt": RECEIVED,
    "clockSkewMs": 35,
    "countryCode": "US",
    "regionCode": "US:WA",
    "fingerprint": None,
    "pk": "lysnrai:202611:desktop",
    "ttl": 2_592_000,
}
CLUSTER: Final[dict[str, Any]] = {
    "id": CLUSTER_ID,
    "status": "open",
    "fixedInVersion": None,
    "until": None,
    "resolvedAt": None,
    "openedAt": RECEIVED,
    "severity": "error",
    "fingerprints": [FINGERPRINT, OTHER],
    "parts": [
        {"platform": "desktop", "channel": "desktop_app", "module": "dictation", "eventName": "recognition_failed",
         "errorDomain": "engine", "errorCode": None},
        {"platform": "ios", "channel": "main_app", "module": "dictation", "eventName": "mic_permission_denied",
         "errorDomain": None, "errorCode": None},
    ],
    "counts": {"events": 123, "installs": 11, "users": 2},
    "affectedVersions": ["1.9.0", "1.10.1"],
    "firstSeenAt": RECEIVED,
    "lastSeenAt": RECEIVED,
    "timeline": [{"day": "2026-11-24", "warn": 0, "error": 120, "fatal": 3}],
}  # fmt: skip
POLICY: Final[dict[str, Any]] = {
    "name": "Thin out beta",
    "enabled": True,
    "collect": True,
    "priority": 100,
    "targeting": {"platforms": ["ios"], "versionRange": {"min": "1.2.0", "max": "2.0.0"}, "percentage": 40},
    "sampling": {"default": 0.5, "byModule": {"recovery": 1}, "byEvent": {"app_started": 0.1}},
    "minLevel": "info",
    "blockedEvents": ["settings_changed"],
    "limits": {"batchSize": 25, "flushIntervalS": 60},
    "startsAt": None,
    "expiresAt": None,
}

PROMETHEUS: Final = """\
# TYPE telemetry_events_ingested counter
telemetry_events_ingested_total{platform="desktop"} 140
# TYPE telemetry_events_duplicate counter
telemetry_events_duplicate_total{platform="desktop"} 12
# TYPE telemetry_events_rejected counter
telemetry_events_rejected_total{platform="desktop",reason="pii_detected"} 3
# TYPE telemetry_events_rate_limited counter
telemetry_events_rate_limited_total{platform="desktop"} 7
# TYPE telemetry_ledgers_ignored counter
telemetry_ledgers_ignored_total 0
# EOF
"""

Request = dict[str, Any]
Answers = dict[str, list[dict[str, Any]]]


def examples() -> Answers:
    """By the file's name `<method>-<path>`: pairs of a request and one answer to it."""
    return _for_clients() | _events_and_clusters() | _policies() | _numbers()


def _cases(request: Request, good: Sequence[tuple[int, Any]], bad: Sequence[int]) -> list[dict[str, Any]]:
    told = [*good, *((status, problem(status)) for status in bad)]
    return [{"request": request, "status": status, "answer": body} for status, body in told]


def problem(status: int) -> dict[str, Any]:
    title = _RENAMED.get(status) or HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status}


_RENAMED: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
"""As RFC 9110 has them; http.HTTPStatus only from Python 3.13 on."""


def _page(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "nextCursor": None}


def _for_clients() -> Answers:
    install = {"installId": INSTALL, "productKey": "pk_example", "platform": "desktop", "installSecret": "A" * 43}
    ledger = wire.Ledger(captured=14, pending=2, leased=1, delivered=7, rejected=1, evicted=1, purged=2)
    batch = {"batchId": BATCH_ID, "sentAt": SENT, "events": [EVENT, FULL], "ledger": msgspec.to_builtins(ledger)}
    results = [
        {"id": EVENT["id"], "status": "accepted"},
        {"id": EVENT["id"], "status": "duplicate"},
        {"id": EVENT["id"], "status": "rejected", "reason": "pii_detected", "field": "tags", "rule": "email"},
        {"id": None, "status": "rejected", "reason": "invalid_json"},
        {"id": EVENT["id"], "status": "retry", "reason": "rate_limited", "retryAfterMs": 4200},
    ]
    verdicts = {
        "batchId": BATCH_ID,
        "receivedAt": RECEIVED,
        "counts": {"accepted": 1, "duplicate": 1, "rejected": 2, "retry": 1},
        "results": results,
        "configEtag": '"5d0c"',
    }
    none = {"accepted": 0, "duplicate": 0, "rejected": 0, "retry": 0}
    nothing: dict[str, Any] = {**verdicts, "counts": none, "results": [], "configEtag": None}
    query = {
        key: EVENT[key] for key in ("productId", "platform", "channel", "osFamily", "appVersion", "releaseChannel")
    }
    query["anonymousInstallId"] = INSTALL
    config = msgspec.to_builtins(wire.Config(version=17, sampling=wire.Sampling(by_event={"app_started": 0.5})))
    empty = {"batchId": BATCH_ID, "sentAt": SENT, "events": []}
    return {
        "post-installs": _cases(
            {"body": install}, [(201, {"installToken": "example-token"})], (400, 401, 409, 413, 415, 429)
        ),
        "post-events": [
            *_cases({"headers": TOKEN, "body": batch}, [(200, verdicts)], (400, 401, 403, 413, 415, 429, 503)),
            *_cases({"headers": TOKEN, "body": empty}, [(200, nothing)], ()),
        ],
        "get-config": [
            *_cases({"headers": TOKEN, "query": query}, [(200, config)], (400, 401, 403)),
            *_cases({"headers": TOKEN | {"If-None-Match": '"5d0c"'}, "query": query}, [(304, None)], ()),
        ],
    }


def _events_and_clusters() -> Answers:
    row = {key: value for key, value in CLUSTER.items() if key != "timeline"}
    resolved = CLUSTER | {"status": "resolved", "fixedInVersion": "1.11.0", "resolvedAt": RECEIVED}
    path = {"id": CLUSTER_ID}
    match = ADMIN | {"If-Match": '"7a10"'}
    patches: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"status": "open"}, CLUSTER),
        ({"status": "resolved", "fixedInVersion": "1.11.0"}, resolved),
        ({"status": "ignored", "until": "2026-12-24T00:00:00.000Z"},
         CLUSTER | {"status": "ignored", "until": "2026-12-24T00:00:00.000Z"}),
        ({"mergeInto": CLUSTER_ID}, CLUSTER),
        ({"split": [OTHER]}, CLUSTER | {"fingerprints": [FINGERPRINT], "parts": CLUSTER["parts"][:1]}),
    ]  # fmt: skip
    return {
        "get-query": _cases(
            {"headers": ADMIN, "query": {"level": "info", "limit": "50"}}, [(200, _page(STORED))], (400, 401)
        ),
        "get-events-id": _cases({"headers": ADMIN, "path": {"id": EVENT["id"]}}, [(200, STORED)], (401, 404)),
        "get-clusters": _cases({"headers": ADMIN, "query": {"status": "open"}}, [(200, _page(row))], (400, 401)),
        "get-clusters-id": _cases({"headers": ADMIN, "path": path}, [(200, CLUSTER)], (401, 404)),
        "patch-clusters-id": [
            *(
                case
                for body, answer in patches
                for case in _cases({"headers": match, "path": path, "body": body}, [(200, answer)], ())
            ),
            *_cases(
                {"headers": match, "path": path, "body": {"split": []}},
                [],
                (400, 401, 403, 404, 412, 413, 415, 422, 428),
            ),
        ],
    }


def _policies() -> Answers:
    policy = {"id": POLICY_ID, "createdAt": RECEIVED, "updatedAt": RECEIVED, **POLICY}
    path = {"id": POLICY_ID}
    match = ADMIN | {"If-Match": '"3f21"'}
    levels = {level: {"kept": 0, "sampledOut": 0, "blocked": 0} for level in wire.LEVELS}
    preview = {
        "installs": {"matching": 812, "all": 4021},
        "events": {
            "all": 10_000,
            "kept": 9_400,
            "sampledOut": 500,
            "blocked": 100,
            "byLevel": levels
            | {
                "info": {"kept": 9_400, "sampledOut": 500, "blocked": 0},
                "debug": {"kept": 0, "sampledOut": 0, "blocked": 100},
            },
        },
    }
    body = {"headers": ADMIN, "body": POLICY}
    return {
        "post-policies": _cases(body, [(201, policy)], (400, 401, 403, 413, 415, 422)),
        "get-policies": _cases({"headers": ADMIN}, [(200, _page(policy))], (400, 401)),
        "get-policies-id": _cases({"headers": ADMIN, "path": path}, [(200, policy)], (401, 404)),
        "put-policies-id": _cases(
            {"headers": match, "path": path, "body": POLICY},
            [(200, policy)],
            (400, 401, 403, 404, 412, 413, 415, 422, 428),
        ),
        "delete-policies-id": _cases({"headers": match, "path": path}, [(204, None)], (401, 403, 404, 412, 428)),
        "post-policies-preview": _cases(
            {"headers": ADMIN, "body": {"policy": POLICY, "days": 7, "events": 10_000}},
            [(200, preview)],
            (400, 401, 413, 415, 422),
        ),
    }


def _numbers() -> Answers:
    few = {"before": 8, "after": 0}
    of_user = {"subject": SUBJECT, "tombstone": True, "tables": {"events": few, "ids": few}}
    of_install = of_user | {"tables": {"events": few, "ids": few, "ledgers": few, "installs": few}}
    dry = of_user | {
        "tombstone": False,
        "tables": {"events": {"before": 8, "after": 8}, "ids": {"before": 8, "after": 8}},
    }
    row = {"appVersion": "1.4.0", "platform": "desktop", "captured": 25, "accounted": 23, "difference": 2}
    places = [
        {"countryCode": "US", "regionCode": "US:WA", "events": 4, "installs": 1},
        {"countryCode": None, "regionCode": None, "events": 2, "installs": 1},
    ]
    metrics = admin.Metrics(
        ingested=140,
        duplicates=12,
        pii_blocked=3,
        rate_limited=7,
        ledgers_ignored=0,
        rejected={reason: 3 if reason == "pii_detected" else 0 for reason in wire.REASONS if reason != "rate_limited"},
        by_platform={
            platform: admin.PlatformMetrics(ingested=140, duplicates=12, rejected=3, rate_limited=7)
            if platform == "desktop"
            else admin.PlatformMetrics()
            for platform in (*wire.PLATFORMS, "unknown")
        },
    )
    audit: dict[str, Any] = {
        "id": 4711,
        "at": RECEIVED,
        "actor": "anna",
        "role": "operator",
        "action": "cluster.update",
        "subject": CLUSTER_ID,
        "outcome": "done",
        "status": 200,
        "detail": {"status": "resolved"},
    }
    refused = audit | {"id": 4712, "role": "viewer", "outcome": "refused", "status": 403, "detail": None}
    install_path, user_path = {"installId": INSTALL}, {"userId": "u-1"}
    return {
        "delete-user-userId": [
            *_cases({"headers": ADMIN, "path": user_path}, [(200, of_user)], (400, 401, 403, 404)),
            *_cases({"headers": ADMIN, "path": user_path, "query": {"dryRun": "true"}}, [(200, dry)], ()),
        ],
        "delete-install-installId": [
            *_cases({"headers": ADMIN, "path": install_path}, [(200, of_install)], (400, 401, 403, 404)),
            *_cases({"headers": TOKEN, "path": install_path}, [(200, few | {"tombstone": True})], (401, 403)),
        ],
        "get-ledger": _cases({"headers": ADMIN}, [(200, _page(row | {"accepted": 4, "duplicate": 1}))], (400, 401)),
        "get-geo": _cases({"headers": ADMIN}, [(200, _page(*places))], (400, 401)),
        "get-metrics": _cases({"headers": ADMIN}, [(200, msgspec.to_builtins(metrics))], (401,)),
        "get-metrics-prometheus": _cases({"headers": ADMIN}, [(200, PROMETHEUS)], (401,)),
        "get-audit": _cases({"headers": ADMIN}, [(200, _page(audit, refused))], (400, 401, 403)),
        "get-healthz": _cases({}, [(200, {"status": "ok"})], ()),
        "get-readyz": _cases({}, [(200, {"status": "ok"})], (503,)),
    }
