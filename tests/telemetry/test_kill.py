"""kill -9 at any moment: no event lost that record() returned for, none doubled at the service.

LYSNRAI_TEST_EFFORT=full kills 200 times instead of a few.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from telemetry import Profile, Telemetry
from telemetry.store import Store
from telemetry.testing import PRODUCT_KEY, Service, lies
from telemetry.wire import Ledger

ROUNDS = 200 if os.environ.get("LYSNRAI_TEST_EFFORT") == "full" else 6
PROFILE = Profile("lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev")

RECORDER = """
import os, pathlib, sys
from telemetry import Profile, Recorded, Telemetry

home, url, run = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
profile = Profile("lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev")
client = Telemetry(home, profile, url=url, product_key="pk_test")
client.start()
levels = ["debug", "info", "warn", "error", "fatal"]
os.write(1, b"ready\\n")
number = 0
while True:
    number += 1
    outcome = client.record("dictation", "dictation_started", levels[number % 5], metrics={"run": run, "n": number})
    if outcome is Recorded.STORED:
        os.write(1, b"%d\\n" % number)
    if number % 40 == 0:
        client.flush(0)
"""


@pytest.mark.timeout(1800 if ROUNDS > 50 else 180)
def test_whenever_the_process_is_killed_every_event_arrives_once(tmp_path: Path) -> None:
    chance = random.Random(12)
    first = Telemetry(tmp_path, PROFILE)
    first.choose("all")
    first.close()
    promised: set[tuple[int, int]] = set()

    with Service() as service:
        service.config["maxQueueSize"] = 100_000  # nothing shall be evicted while the service lies
        for run in range(ROUNDS):
            if run % 3 == 0:
                service.lie(lies.cut_off_after_committing, lies.half_a_body)
            promised |= {(run, number) for number in record_until_killed(tmp_path, service.url, run, chance)}
        # What the last one had leased comes back when its lease is over.
        rest = Telemetry(tmp_path, PROFILE, url=service.url, product_key=PRODUCT_KEY, clock=lambda: time.time() + 120)
        rest.start()
        while live_events(tmp_path):
            assert rest.flush(600 if ROUNDS > 50 else 60)
        crashes = rest.crashes
        rest.close(5)

        store = Store(tmp_path)
        assert store.discrepancies() == []
        ledger = store.ledger()
        store.close()
        arrived = [(event["metrics"]["run"], event["metrics"]["n"]) for event in service.events.values()]
        assert ledger == Ledger(captured=len(arrived), delivered=len(arrived))
        assert len(arrived) == len(set(arrived)), "doubled"
        lost = promised - set(arrived)
        assert not lost, f"{len(lost)} lost"
        assert len(promised) > ROUNDS
    assert len(crashes) == 1, "each start but the first saw the crash before it"


def record_until_killed(home: Path, url: str, run: int, chance: random.Random) -> list[int]:
    """Start a recorder, kill it at a random moment; the numbers that it was promised to keep."""
    process = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(home), url, str(run)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    wanted = chance.randrange(1, 150)
    promised = [int(process.stdout.readline()) for _ in range(wanted)]
    process.kill()
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    # What stands after the last line feed was not said to its end.
    return promised + [int(line) for line in rest.split(b"\n")[:-1]]


def live_events(home: Path) -> int:
    store = Store(home)
    try:
        ledger = store.ledger()
        return ledger.pending + ledger.leased
    finally:
        store.close()
