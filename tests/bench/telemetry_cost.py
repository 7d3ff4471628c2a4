"""What telemetry costs the app, beside the clients that others use.

    record     one call, by turns with the peers', each in a process of its own
    insert     the insert alone
    deliver    10 000 events over loopback to the test service; bytes of the file for each
    idle       processor time and wake-ups of a process whose worker has nothing to do
    import     processor time of `import telemetry`

The peers come from the package index into an environment of the benchmark's own; those that do not are left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from telemetry import Profile, Telemetry
from telemetry.store import FILE, NewEvent, Store
from telemetry.testing import PRODUCT_KEY, Service
from telemetry.wire import new_id
from tests.bench import telemetry_calls as clients
from tests.bench.bench import Bench
from tests.bench.figures import Figure

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "build" / "bench-peers"
WANTED = Path(__file__).with_name("telemetry_peers.txt")
MODULES = {
    "Glean": "glean",
    "OpenTelemetry": "opentelemetry.sdk",
    "PostHog": "posthog",
    "Segment": "segment.analytics",
    "Sentry": "sentry_sdk",
    "Snowplow": "snowplow_tracker",
    "persist-queue": "persistqueue",
}
SURVIVES = {"Glean": "on disk soon after", "persist-queue": "on disk on return"}
"""A kill -9 after the call; of the others an event is in memory alone until it is sent."""
NOTES = {"ours": "on disk on return; aim: 30", "ours, error": "on the platter on return"}
CALLS, CALLS_QUICK = 5_000, 500
EVENTS, EVENTS_QUICK = 10_000, 1_000
WATCHED_S, WATCHED_QUICK_S = 60.0, 5.0
LONGEST_S = 120.0
PROFILE = Profile("lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev", os_version="12")

IDLE = """
import pathlib, resource, sys, time
from telemetry import Telemetry
from tests.bench.telemetry_cost import PRODUCT_KEY, PROFILE

client = Telemetry(pathlib.Path(sys.argv[1]), PROFILE, url=sys.argv[2], product_key=PRODUCT_KEY)
client.start()
client.flush()
before = resource.getrusage(resource.RUSAGE_SELF)
time.sleep(float(sys.argv[3]))
after = resource.getrusage(resource.RUSAGE_SELF)
client.close()
cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(cpu_s * 1000, after.ru_nvcsw - before.ru_nvcsw - 1)  # one is this thread's own sleep
"""
IMPORT = "import time; began = time.process_time(); import telemetry; print((time.process_time() - began) * 1000)"


def measure(bench: Bench) -> list[Figure]:
    return [
        *_record(bench.times(5), CALLS_QUICK if bench.quick else CALLS),
        _insert(CALLS_QUICK if bench.quick else CALLS),
        *_deliver(EVENTS_QUICK if bench.quick else EVENTS),
        *_idle(WATCHED_QUICK_S if bench.quick else WATCHED_S),
        Figure("telemetry", "import, processor", "ms", tuple(float(_python(IMPORT)) for _ in range(bench.times(5)))),
    ]


def _record(rounds: int, calls: int) -> Iterator[Figure]:
    python = {"ours": sys.executable, "ours, error": sys.executable, **_peers()}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in python}
    for _ in range(rounds):
        for name, interpreter in python.items():
            durable = name == "ours, error"
            taken[name].append(_timed(name, interpreter, calls // 10 if durable else calls))
    for name, each in taken.items():
        told = [figures for figures in each if figures]
        note = NOTES.get(name) or SURVIVES.get(name, "in memory")
        yield Figure("telemetry", f"{name}, p50 of a call", "µs", tuple(one["p50"] for one in told), note)
        aim = "aim: 300" if name == "ours" else ""
        yield Figure("telemetry", f"{name}, p99 of a call", "µs", tuple(one["p99"] for one in told), aim)


def _timed(name: str, interpreter: str, calls: int) -> dict[str, float]:
    """Percentiles of one process; empty where the client does not work here."""
    with tempfile.TemporaryDirectory() as folder:
        command = [interpreter, clients.__file__, name, folder, str(calls)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    if done.returncode:
        print(f"{name}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return {}
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _peers() -> dict[str, str]:
    """The interpreter for each peer that could be had."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
    # One by one: one that is not to be had shall not cost the others.
    wanted = [line for line in WANTED.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    stamp = PEERS / "installed"
    if not stamp.exists() or stamp.read_text("utf-8") != WANTED.read_text("utf-8"):
        for package in wanted:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", package], check=False)
        stamp.write_text(WANTED.read_text("utf-8"), encoding="utf-8")
    found = {}
    for name, module in MODULES.items():
        if subprocess.run([str(python), "-c", f"import {module}"], capture_output=True, check=False).returncode == 0:
            found[name] = str(python)
    return found


def _insert(calls: int) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        queue = Store(Path(folder))
        queue.open_gate(0)
        body = b"b" * 700
        taken = clients.timed(lambda: queue.add(NewEvent(new_id(), "info", time.time(), body)), calls)
        queue.close()
    return Figure("telemetry", "inserts", "/s", (1e6 * len(taken) / sum(taken),))


def _deliver(count: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, Service() as service:
        home = Path(folder)
        client = Telemetry(home, PROFILE, url=service.url, product_key=PRODUCT_KEY)
        client.choose("all")
        for _ in range(count):
            client.record("dictation", "dictation_completed", tags=clients.TAGS, metrics=dict(clients.METRICS))
        queue = Store(home)
        queue.truncate()
        queue.close()
        size = (home / FILE).stat().st_size
        began = time.perf_counter()
        client.start()
        client.flush(LONGEST_S)
        taken_s = time.perf_counter() - began
        arrived = len(service.events)
        client.close()
    return [
        Figure("telemetry", f"{arrived} events delivered over loopback", "s", (taken_s,)),
        Figure("telemetry", "delivered", "/s", (arrived / taken_s,)),
        Figure("telemetry", "on disk for each event", "bytes", (size / count,)),
    ]


def _idle(seconds: float) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, Service() as service:
        client = Telemetry(Path(folder), PROFILE, url=service.url, product_key=PRODUCT_KEY)
        client.choose("all")
        client.record("lifecycle", "app_started")
        client.start()
        client.flush()
        client.close()
        # In a process without the service, whose threads would be counted too.
        cpu_ms, wake_ups = _python(IDLE, folder, service.url, str(seconds)).split()
    what = f"idle worker, {seconds:.0f} s"
    return [
        Figure("telemetry", f"{what}, processor", "ms", (float(cpu_ms),)),
        Figure("telemetry", f"{what}, wake-ups", "times", (float(wake_ups),), "aim: 0"),
    ]


def _python(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
