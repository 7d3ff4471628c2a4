"""`python telemetry_calls.py NAME FOLDER COUNT`: times the call by which an app records one event; prints JSON.

Each client is called as its documentation says, with the same event, and with a service that nobody listens at: what is
measured is what the app waits for. Standalone, for it runs in the peers' own environment: nothing of the project is
imported but by `ours`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module as load
from pathlib import Path
from typing import Any

TAGS = {"backend": "whisper"}
METRICS = {"duration_ms": 2100, "latency_ms": 400, "word_count": 12, "segment_count": 2, "audio_ms": 2100}
NOWHERE = "http://127.0.0.1:9"
WARM_UP = 200
SETTLING_S = 2.0
"""Libraries for the network are imported, on a thread that the caller's must take turns with."""

Call = Callable[[], object]


def ours(folder: Path) -> Call:
    """Everything on: form, personal data, ledger, caps, commit, a worker that delivers."""
    client = _telemetry(folder)
    return lambda: client.record("dictation", "dictation_completed", tags=TAGS, metrics=METRICS)


def ours_error(folder: Path) -> Call:
    """The same for an event that shall survive the loss of power."""
    client = _telemetry(folder)
    return lambda: client.record("dictation", "dictation_failed", "error", tags=TAGS, metrics=METRICS)


def _telemetry(folder: Path) -> Any:
    from telemetry import Device, Profile, Telemetry

    device = Device(arch="x86_64", cpu_count=4)
    profile = Profile(
        "lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev", os_version="12", build_number="1", device=device
    )
    client = Telemetry(folder, profile, url=NOWHERE, product_key="pk_test")
    client.choose("all")
    client.start()
    return client


def glean(folder: Path) -> Call:
    library, metrics = load("glean"), load("glean.metrics")
    library.Glean.initialize(
        application_id="bench",
        application_version="0.1.0",
        upload_enabled=True,
        data_dir=folder / "glean",
        configuration=library.Configuration(server_endpoint=NOWHERE),
    )
    meta = metrics.CommonMetricData(
        category="dictation",
        name="completed",
        send_in_pings=["events"],
        lifetime=metrics.Lifetime.PING,
        disabled=False,
    )
    event = metrics.EventMetricType(meta, [*TAGS, *METRICS])
    texts = {**TAGS, **{key: str(value) for key, value in METRICS.items()}}

    class Extra(load("glean.metrics.event").EventExtras):  # type: ignore[misc]  # what glean_parser would generate
        def to_ffi_extra(self) -> dict[str, str]:
            return dict(texts)

    return lambda: event.record(Extra())


def opentelemetry(_: Path) -> Call:
    levels = load("opentelemetry._logs").SeverityNumber
    otlp = load("opentelemetry.exporter.otlp.proto.http._log_exporter")
    batches = load("opentelemetry.sdk._logs.export").BatchLogRecordProcessor
    provider = load("opentelemetry.sdk._logs").LoggerProvider()
    provider.add_log_record_processor(batches(otlp.OTLPLogExporter(f"{NOWHERE}/v1/logs", timeout=1)))
    logger = provider.get_logger("bench")
    return lambda: logger.emit(
        timestamp=time.time_ns(),
        severity_number=levels.INFO,
        body="dictation_completed",
        attributes={**TAGS, **METRICS},
        event_name="dictation_completed",
    )


def posthog(_: Path) -> Call:
    client = load("posthog").Posthog("phc_test", host=NOWHERE, max_queue_size=10**6)
    return lambda: client.capture("dictation_completed", distinct_id="install", properties={**TAGS, **METRICS})


def sentry(_: Path) -> Call:
    sdk = load("sentry_sdk")
    sdk.init("http://key@127.0.0.1:9/1", default_integrations=False)
    return lambda: sdk.capture_event(
        {"message": "dictation_completed", "level": "info", "tags": TAGS, "extra": METRICS}
    )


def segment(_: Path) -> Call:
    client = load("segment.analytics.client").Client("key", host=NOWHERE, max_queue_size=10**6)
    return lambda: client.track("install", "dictation_completed", {**TAGS, **METRICS})


def snowplow(_: Path) -> Call:
    library = load("snowplow_tracker")
    emitter = library.AsyncEmitter("127.0.0.1", protocol="http", port=9, batch_size=50, buffer_capacity=10**6)
    tracker = library.Tracker("bench", emitter, app_id="bench")
    return lambda: tracker.track(
        library.StructuredEvent(category="dictation", action="completed", label="whisper", value=METRICS["duration_ms"])
    )


def persist_queue(folder: Path) -> Call:
    queue = load("persistqueue").SQLiteAckQueue(str(folder / "queue"), auto_commit=True)
    return lambda: queue.put({"name": "dictation_completed", **TAGS, **METRICS})


CLIENTS: dict[str, Callable[[Path], Call]] = {
    "ours": ours,
    "ours, error": ours_error,
    "Glean": glean,
    "OpenTelemetry": opentelemetry,
    "PostHog": posthog,
    "Segment": segment,
    "Sentry": sentry,
    "Snowplow": snowplow,
    "persist-queue": persist_queue,
}


def timed(call: Call, count: int) -> list[float]:
    """Microseconds of each of so many calls, once what the first ones set in motion has come to rest."""
    for _ in range(WARM_UP):
        call()
    time.sleep(SETTLING_S)
    for _ in range(WARM_UP):
        call()
    taken = []
    for _ in range(count):
        began = time.perf_counter_ns()
        call()
        taken.append((time.perf_counter_ns() - began) / 1000)
    return taken


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    name, folder, count = sys.argv[1:]
    taken = sorted(timed(CLIENTS[name](Path(folder)), int(count)))
    print(json.dumps({"p50": taken[len(taken) // 2], "p99": taken[len(taken) * 99 // 100]}), flush=True)
    os._exit(0)  # some clients wait at the end for a service that is not there
