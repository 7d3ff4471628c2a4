"""`python -m tests.bench.telemetry_record`: what telemetry costs the app. Prints a table, and JSON with --json.

    record        one call, everything on: validation, personal data, ledger, caps, commit
    store         the insert of it
    drain         10 000 events over loopback to the test service in this process
    disk          bytes of the file for each event
    idle          CPU time of the process, and voluntary context switches, with a worker at rest

A peer is measured in the same run where it is installed (none is a requirement): persist-queue, opentelemetry-sdk,
posthog, snowplow-tracker, segment-analytics-python, each by the call an app makes, with a sink nobody listens at.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from telemetry import Device, Dictation, Profile, Telemetry
from telemetry.store import FILE, NewEvent, Store
from telemetry.testing import PRODUCT_KEY, Service
from telemetry.wire import new_id

DEVICE = Device(arch="x86_64", cpu_count=4)
PROFILE = Profile("lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev", os_version="6.1", device=DEVICE)
TAGS = {"backend": "whisper"}
METRICS = {"duration_ms": 2100.0, "latency_ms": 400, "word_count": 12, "segment_count": 2, "audio_ms": 2100}
DICTATION = Dictation(backend="whisper", duration_ms=2100, latency_ms=400, word_count=12)
NOWHERE = "http://127.0.0.1:9"

IDLE = """
import pathlib, resource, sys, time
from telemetry import Telemetry
from tests.bench.telemetry_record import PROFILE

client = Telemetry(pathlib.Path(sys.argv[1]), PROFILE, url=sys.argv[2], product_key="pk_test")
client.start()
client.flush()
before = resource.getrusage(resource.RUSAGE_SELF)
time.sleep(float(sys.argv[3]))
after = resource.getrusage(resource.RUSAGE_SELF)
client.close()
cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(cpu_s * 1000, after.ru_nvcsw - before.ru_nvcsw - 1)  # one is this thread's own sleep
"""

Figures = dict[str, float]


def timed(call: Callable[[], object], count: int) -> Figures:
    """Microseconds of one call."""
    for _ in range(200):
        call()
    taken = []
    for _ in range(count):
        began = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - began)
    taken.sort()
    return {"p50_us": taken[count // 2] / 1e3, "p99_us": taken[count * 99 // 100] / 1e3, "max_us": taken[-1] / 1e3}


def opened(home: Path, url: str = "") -> Telemetry:
    client = Telemetry(home, PROFILE, url=url, product_key=PRODUCT_KEY)
    client.choose("all")
    return client


def record(home: Path, count: int) -> Figures:
    client = opened(home)
    client.start()
    figures = timed(lambda: completed(client), count)
    client.close()
    return figures


def completed(client: Telemetry) -> None:
    client.record("dictation", "dictation_completed", tags=TAGS, metrics=METRICS, dictation=DICTATION)


def record_error(home: Path, count: int) -> Figures:
    client = opened(home)
    client.start()
    figures = timed(lambda: client.record("dictation", "dictation_failed", "error", tags=TAGS), count // 10)
    client.close()
    return figures


def store(home: Path, count: int) -> Figures:
    queue = Store(home)
    queue.open_gate(0)
    body = b"b" * 640
    figures = timed(lambda: queue.add(NewEvent(new_id(), "info", time.time(), body)), count)
    queue.close()
    return figures | {"per_second": 1e6 / figures["p50_us"]}


def drain(home: Path, count: int) -> Figures:
    with Service() as service:
        client = opened(home, service.url)
        for _ in range(count):
            completed(client)
        queue = Store(home)
        queue.truncate()
        queue.close()
        size = (home / FILE).stat().st_size
        began = time.perf_counter()
        client.start()
        client.flush(300)
        taken = time.perf_counter() - began
        arrived = len(service.events)
        client.close()
    return {"events": arrived, "seconds": taken, "per_second": arrived / taken, "disk_bytes_per_event": size / count}


def idle(home: Path, seconds: float) -> Figures:
    with Service() as service:
        client = opened(home, service.url)
        client.record("lifecycle", "app_started")
        client.start()
        client.flush()
        url = service.url
        client.close()
        # Measured in a process without the service, whose threads would be counted too.
        command = [sys.executable, "-c", IDLE, str(home), url, str(seconds)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {"seconds": seconds, "cpu_ms": float(told[0]), "wakeups": float(told[1])}


def start_up() -> Figures:
    """CPU milliseconds of `import telemetry`, best of five: other processes must not count."""
    program = "import time; began = time.process_time(); import telemetry; print((time.process_time() - began) * 1000)"
    told = [float(subprocess.check_output([sys.executable, "-c", program], text=True)) for _ in range(5)]
    return {"import_cpu_ms": min(told)}


# ---------------------------------------------------------------------------------------------------------- peers


def persist_queue(home: Path, count: int) -> Figures:
    import persistqueue  # type: ignore[import-not-found, unused-ignore]

    queue = persistqueue.SQLiteAckQueue(str(home / "persist"), auto_commit=True)
    return timed(lambda: queue.put({"event": "dictation_completed", **TAGS, **METRICS}), count // 10)


def opentelemetry(_home: Path, count: int) -> Figures:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # type: ignore[import-not-found, unused-ignore]
    from opentelemetry.sdk._logs import LoggerProvider  # type: ignore[import-not-found, unused-ignore]
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor  # type: ignore[import-not-found, unused-ignore]

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{NOWHERE}/v1/logs", timeout=1)))
    logger = provider.get_logger("bench")
    name, facts = "dictation_completed", {**TAGS, **METRICS}
    return timed(lambda: logger.emit(timestamp=time.time_ns(), body=name, attributes=facts, event_name=name), count)


def posthog(_home: Path, count: int) -> Figures:
    from posthog import Posthog  # type: ignore[import-not-found, unused-ignore]

    client = Posthog("phc_test", host=NOWHERE, max_queue_size=10**6)
    return timed(
        lambda: client.capture("dictation_completed", distinct_id="install", properties={**TAGS, **METRICS}), count
    )


def segment(_home: Path, count: int) -> Figures:
    from segment.analytics.client import Client  # type: ignore[import-not-found, unused-ignore]

    client = Client("key", host=NOWHERE, max_queue_size=10**6)
    return timed(lambda: client.track("install", "dictation_completed", {**TAGS, **METRICS}), count)


PEERS: dict[str, tuple[str, Callable[[Path, int], Figures]]] = {
    "persist-queue put": ("persistqueue", persist_queue),
    "opentelemetry emit": ("opentelemetry.sdk", opentelemetry),
    "posthog capture": ("posthog", posthog),
    "segment track": ("segment", segment),
}


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.telemetry_record", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="calls timed of each")
    parser.add_argument("--idle", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)

    measured: dict[str, Any] = {"start": start_up()}
    ours: dict[str, Callable[[Path, int], Figures]] = {
        "record": record,
        "record error (FULL)": record_error,
        "store": store,
        "drain": drain,
    }
    peers = {name: call for name, (module, call) in PEERS.items() if installed(module)}
    for name, call in {**ours, **peers}.items():
        with tempfile.TemporaryDirectory() as home:
            measured[name] = call(Path(home), chosen.count)
    with tempfile.TemporaryDirectory() as home:
        measured["idle"] = idle(Path(home), chosen.idle)
    measured["memory"] = {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

    if chosen.json:
        print(json.dumps(measured, indent=2))
    else:
        for name, figures in measured.items():
            print(f"{name:22}" + "  ".join(f"{key} {value:,.1f}" for key, value in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
