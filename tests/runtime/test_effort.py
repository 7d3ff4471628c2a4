"""A process that stands still is told from one that works, or waits for a disk that is slow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lysnrai_desktop.runtime.effort import WORK_S, Effort, effort, is_held_up, is_idle
from tests.desktop.processes import eventually

AT_REST = Effort(worked_s=1.0, fetched=2000, is_held_up=False)


@contextmanager
def program(code: str) -> Iterator[int]:
    """A Python program that says "up" when it is."""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        yield process.pid
        process.kill()


def test_a_process_that_has_nothing_to_do_is_idle() -> None:
    with program("print('up', flush=True); input()") as pid:
        eventually(lambda: is_idle(effort(pid), effort(pid)), "it has come to rest")

        assert is_idle(effort(pid), effort(pid))


def test_a_process_that_works_in_any_of_its_threads_is_not() -> None:
    spin = "import threading\ndef spin():\n while True: pass\nthreading.Thread(target=spin, daemon=True).start()\n"
    with program(spin + "print('up', flush=True); input()") as pid:
        before = effort(pid)

        eventually(lambda: not is_idle(before, effort(pid)), "its work is seen")
        assert is_held_up(pid), "and it would do more"


def test_a_process_that_reads_from_a_disk_is_not(tmp_path: Path) -> None:
    file = tmp_path / "model"
    file.write_bytes(os.urandom(1 << 16))
    os.sync()
    read = (
        f"import os; fd = os.open({str(file)!r}, os.O_RDONLY); print('up', flush=True); input();"
        "os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED); os.read(fd, 1 << 16); print('up', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", read], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        before = effort(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        after = effort(process.pid)
        process.kill()

    assert before
    assert after
    if after.fetched == before.fetched:
        pytest.skip("this file system has no disk under it")
    assert not is_idle(before, replace(after, worked_s=before.worked_s))


@pytest.mark.parametrize(
    ("after", "idle"),
    [
        (AT_REST, True),
        (replace(AT_REST, worked_s=1.0 + WORK_S / 2), True),
        (replace(AT_REST, worked_s=1.0 + 2 * WORK_S), False),
        (replace(AT_REST, fetched=2001), False),
        (replace(AT_REST, is_held_up=True), False),
        (None, False),
    ],
)
def test_little_work_is_none_and_who_is_held_up_is_not_idle(after: Effort | None, idle: bool) -> None:
    assert is_idle(AT_REST, after) is idle
    assert not is_idle(None, after)


def test_of_a_process_that_is_gone_nothing_is_known() -> None:
    with program("print('up', flush=True); input()") as pid:
        assert effort(pid)

    assert effort(pid) is None
