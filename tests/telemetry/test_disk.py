"""A full disk costs events in the order of their importance, never the app, and the ledger says how many."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry import Profile, Recorded, Telemetry
from telemetry.policy import HELD_EVENTS
from telemetry.store import Store
from telemetry.wire import Ledger

PROFILE = Profile("lysnrai", "desktop", "desktop_app", "linux", "0.1.0", "dev")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root may mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_fills_up_and_is_freed_loses_nothing_uncounted(small_disk: Path) -> None:
    client = Telemetry(small_disk, PROFILE)
    client.choose("all")
    outcomes = [client.record("lifecycle", "app_started", message="m" * 500) for _ in range(1500)]

    assert outcomes[0] is Recorded.STORED
    assert outcomes[-1] is Recorded.HELD
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert client.catch_up() == 0

    store = Store(small_disk)
    ledger = store.ledger()
    assert store.discrepancies() == []
    store.close()
    held = outcomes.count(Recorded.HELD)
    assert ledger.captured == 1500
    assert ledger.evicted == max(0, held - HELD_EVENTS)
    client.close()


@pytest.mark.logs("holds for this session")
def test_a_read_only_disk_holds_events_in_memory_and_has_them_when_it_can_be_written_again(small_disk: Path) -> None:
    before = Telemetry(small_disk, PROFILE)
    before.choose("all")
    before.record("lifecycle", "app_started")
    before.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    client = Telemetry(small_disk, PROFILE)
    client.start()
    outcomes = [client.record("lifecycle", "app_started", level) for level in ("info", "fatal")]
    client.choose("errors")
    client.phase("recording")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert client.catch_up() == 0
    client.close()

    assert outcomes == [Recorded.HELD] * 2
    store = Store(small_disk)
    assert store.discrepancies() == []
    assert store.ledger() == Ledger(captured=2, pending=1, purged=1)
    store.close()


@pytest.mark.logs("holds for this session")
def test_a_disk_that_is_full_from_the_beginning_costs_nobody_anything(small_disk: Path) -> None:
    descriptor = os.open(small_disk / "ballast", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="space"):
        sum(os.write(descriptor, b"x" * 4096) for _ in itertools.count())
    os.close(descriptor)

    client = Telemetry(small_disk, PROFILE)
    client.choose("all")
    client.start()

    assert client.consent == "all"
    assert client.record("lifecycle", "app_started") is Recorded.HELD
    client.forget_me()
    client.choose("off")
    assert client.record("lifecycle", "app_started") is Recorded.NO_CONSENT
    client.close()
