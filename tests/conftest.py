"""What holds for every test: nothing leaks out of it, nothing unexpected goes unseen, nobody's desktop is touched.

A test fails, whatever it asserts, if it leaves behind

    a warning         (pyproject.toml: filterwarnings = error)
    a log line        at WARNING or above, unless it says @pytest.mark.logs("regular expression", ...)
    a thread          that was not there before it
    a child process   that was not there before it

Threads and processes have SETTLE_S to end. What a fixture of a wider scope started may stay.

In here are no fixtures of the program's parts; those stand beside the tests that use them.
"""

import logging
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

T = TypeVar("T")

pytest_plugins = ["tests.fixtures_desktop", "tests.fixtures_models"]

SETTLE_S = 3.0

# Before anything of the program is imported: no test sees the screen, the microphone, the session bus or the files of
# whoever runs it, and none reaches a model hub. A test that wants a screen starts one and says so in its environment.
_HOME = Path(tempfile.mkdtemp(prefix="lysnrai-test-"))
for _name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "PULSE_SOURCE", "PULSE_SINK", "SSH_AUTH_SOCK"):
    os.environ.pop(_name, None)
_OURS = ("LYSNRAI_", "XDG_", "AZURE_")
for _name in [name for name in os.environ if name.startswith(_OURS) and name != "LYSNRAI_TEST_EFFORT"]:
    del os.environ[_name]
os.environ |= {
    "HOME": str(_HOME),
    "LYSNRAI_HOME": str(_HOME / ".LysnrAI"),
    "XDG_RUNTIME_DIR": str(_HOME / "run"),
    "PULSE_SERVER": f"unix:{_HOME}/no-sound-server",
    "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={_HOME}/no-system-bus",
    "QT_QPA_PLATFORM": "offscreen",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LC_ALL": "C.UTF-8",
}
(_HOME / "run").mkdir(mode=0o700)

# Time is never a reason to fail here: two cores, shared. In CI the same examples are drawn each time, so that a run
# that fails there fails at the next look too.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


_RAN = pytest.StashKey[bool]()
"""Of a test: a fixture may have skipped it."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    item.stash[_RAN] = True


class _Remember(logging.Handler):
    """Keeps the lines that somebody should have expected."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _every_warning_in_the_log_was_expected(request: pytest.FixtureRequest) -> Iterator[None]:
    remember = _Remember()
    logging.getLogger().addHandler(remember)
    yield
    logging.getLogger().removeHandler(remember)

    expected = [re.compile(pattern) for mark in request.node.iter_markers("logs") for pattern in mark.args]
    lines = [f"{record.levelname} {record.name}: {record.getMessage()}" for record in remember.records]
    unexpected = [line for line in lines if not any(pattern.search(line) for pattern in expected)]
    absent = [pattern.pattern for pattern in expected if not any(pattern.search(line) for line in lines)]
    if unexpected:
        pytest.fail("unexpected in the log:\n  " + "\n  ".join(unexpected), pytrace=False)
    if absent and _RAN in request.node.stash:
        pytest.fail("expected in the log, but not there:\n  " + "\n  ".join(absent), pytrace=False)


@pytest.fixture(autouse=True)
def _every_thread_and_process_ended() -> Iterator[None]:
    threads, processes = _threads(), _child_processes()
    yield

    left = _wait_until_empty(lambda: _threads() - threads)
    if left:
        pytest.fail(f"threads left running: {', '.join(sorted(thread.name for thread in left))}", pytrace=False)
    orphans = _wait_until_empty(lambda: _child_processes() - processes)
    if orphans:
        pytest.fail(f"child processes left: {', '.join(sorted(map(_command, orphans)))}", pytrace=False)


def _threads() -> set[threading.Thread]:
    """Python's own threads; a native one that once called into Python ("Dummy-1") never leaves the list."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("Dummy-")}


def _child_processes() -> set[int]:
    """Our direct children, those that ended but were never waited for included. Empty where /proc does not tell."""
    children: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        try:
            children.update(map(int, file.read_text().split()))
        except OSError:  # that thread has just ended
            continue
    return children


def _command(pid: int) -> str:
    try:
        return f"{Path(f'/proc/{pid}/comm').read_text().strip()} ({pid})"
    except OSError:
        return f"({pid})"


def _wait_until_empty(rest: Callable[[], set[T]]) -> set[T]:
    deadline = time.monotonic() + SETTLE_S
    while (left := rest()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
