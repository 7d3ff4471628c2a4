"""`python -m tests.bench`: measure, write build/bench.json and build/bench.md, print the table."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from tests.bench import account, azure, dictated, faults, idle, insert, press, release, start, telemetry_cost
from tests.bench.bench import Bench
from tests.bench.figures import Figure, report, table
from tests.desktop.machine import virtual_desktop
from tests.desktop.processes import NotInTime
from tests.e2e.app import HOTKEY
from tests.fixtures_models import FOLDER as MODELS, prepared

BUILD = Path(__file__).parents[2] / "build"

MEASUREMENTS: Mapping[str, Callable[[Bench], list[Figure]]] = {
    "start": start.measure,
    "idle": idle.measure,
    "press": press.measure,
    "release": release.measure,
    "insert": insert.measure,
    "faults": faults.measure,
    "azure": azure.measure,
    "telemetry": telemetry_cost.measure,
    "wer": dictated.measure,
    "more": release.measure_more,
    "account": account.measure,
}
USUAL = ("start", "idle", "press", "release", "insert", "faults", "telemetry")
"""Without those that speak for long: `wer` six minutes, `more` three quarters of an hour, `account` ten minutes."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--only", nargs="+", choices=MEASUREMENTS, metavar="NAME", help=", ".join(MEASUREMENTS))
    chosen.add_argument("--all", action="store_true", help="those that take long too: wer, more, account")
    parser.add_argument("--quick", action="store_true", help="fewer samples: to see that it works")
    parser.add_argument("--model", default="base")
    parser.add_argument("--language", default="auto", help="for the app and the peers' way")
    options = parser.parse_args(arguments)
    names = options.only or (MEASUREMENTS if options.all else USUAL)

    prepared(options.model)
    load_before = os.getloadavg()[0]
    figures: list[Figure] = []
    failed: list[str] = []
    with virtual_desktop() as desktop:
        bench = Bench(desktop, MODELS, options.model, options.language, options.quick)
        for name in names:
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                figures += MEASUREMENTS[name](bench)
            except NotInTime as late:
                failed.append(name)
                desktop.screen.key_up(HOTKEY)
                print(f"{name} FAILED: {late}", file=sys.stderr, flush=True)
    circumstances = {
        "command": " ".join(["python -m tests.bench", *arguments]),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "faster-whisper": version("faster-whisper"),
        "model": options.model,
        "language": options.language,
        "load_before": round(load_before, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "failed": ", ".join(failed),
    }
    result = report(circumstances, figures)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (BUILD / "bench.md").write_text(table(result), encoding="utf-8")
    print(table(result))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
