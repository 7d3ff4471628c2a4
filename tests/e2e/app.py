"""The app under test: started as a user starts it, seen through nothing but its command line.

Times come from the desktop (keys, editors), states from `lysnrai status --follow --json`. `ask` says what the command
line would say, but starts no process for it; that the command line says it is tried in test_command_line.py.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from lysnrai_desktop.adapters import control_socket, paths
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import DEADLINE_S, NotInTime, eventually, running

COMMAND = (sys.executable, "-m", "lysnrai_desktop")
HOTKEY = "ctrl+alt+space"
READY_S = 120.0
"""The first start unpacks and verifies a model."""

Status = Mapping[str, Any]


class App:
    """A running app. Its statuses are read in order: each `until` goes on where the last one ended."""

    def __init__(self, process: subprocess.Popen[bytes], environment: Mapping[str, str], log: Path) -> None:
        self.process = process
        self.environment = environment
        self._log = log
        self._statuses: queue.SimpleQueue[Status] = queue.SimpleQueue()

    def lysnrai(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `lysnrai` with these arguments to its end; the exit status is the caller's business."""
        return subprocess.run(
            [*COMMAND, *arguments],
            env=dict(self.environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def ask(self, verb: str) -> Status:
        """Say what `lysnrai start`, `stop`, `cancel` or `toggle` says; returns the answer, {} if the app just ends.

        Raises:
            NotRunning: it has ended, or not begun.
        """
        answers = list(control_socket.ask(paths.home(self.environment).run, {"verb": verb}, DEADLINE_S))
        return answers[0] if answers else {}

    def status(self) -> Status:
        """Return what `lysnrai status --json` prints now."""
        return self.ask("status")

    def until(self, wanted: str | Callable[[Status], bool], deadline_s: float = DEADLINE_S) -> Status:
        """Return the next status in this state (or that `wanted` likes), skipping those before it.

        Raises:
            NotInTime: it did not come; the message has the states that came instead, and the end of the app's log.
        """
        end, skipped = time.monotonic() + deadline_s, []
        while (rest_s := end - time.monotonic()) > 0 and self.process.poll() is None:
            with contextlib.suppress(queue.Empty):
                status = self._statuses.get(timeout=min(rest_s, 0.2))
                if wanted(status) if callable(wanted) else status["state"] == wanted:
                    return status
                skipped.append(f"{status['state']} ({status['engine']}, fault {status['fault']})")
        lines = self._log.read_text(errors="replace").splitlines()[-15:]
        ended = "" if self.process.poll() is None else f", the app ended with {self.process.returncode}"
        came = " > ".join(skipped) or "no other state"
        raise NotInTime(f"no {wanted} within {deadline_s:g} s{ended}; came: {came}; log ends:\n" + "\n".join(lines))

    def follow(self, stream: IO[bytes]) -> None:
        """Read statuses until the stream ends; runs on a thread of its own."""
        for line in stream:
            self._statuses.put(json.loads(line))


@contextlib.contextmanager
def running_app(
    desktop: VirtualDesktop,
    settings: str = "",
    *,
    home: Path | None = None,
    models: Path | None = None,
    command: Sequence[str] = COMMAND,
) -> Iterator[App]:
    """Start the app on a desktop; ready when a dictation would begin and end without waiting for the engine.

    Args:
        settings: what settings.toml says, as TOML.
        home: LYSNRAI_HOME; the desktop's own by default.
        models: a folder of models shared between runs; by default the app makes its own, in its home.
        command: starts the app.
    """
    home = home or desktop.app_home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings:
        (home / "settings.toml").write_text(settings, encoding="utf-8")
        (home / "settings.toml").chmod(0o600)
    environment = {**desktop.environment, "LYSNRAI_HOME": str(home)}
    if models:
        environment["LYSNRAI_MODELS"] = str(models)
    log = desktop.folder / "app.log"
    with running(command, environment, log=log) as process:
        app = App(process, environment, log)

        def answers() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"the app ended with {process.returncode}:\n{log.read_text(errors='replace')}")
            try:
                return bool(app.status())
            except control_socket.NotRunning:
                return False

        eventually(answers, "the app answers", READY_S)
        follow = (*COMMAND, "status", "--follow", "--json")
        with running(follow, environment, stdout=subprocess.PIPE, log=desktop.folder / "follow.log") as follower:
            assert follower.stdout
            reader = threading.Thread(target=app.follow, args=(follower.stdout,), name="status reader")
            reader.start()
            try:
                app.until(ready, READY_S)
                yield app
            finally:
                follower.kill()
                reader.join()


@contextlib.contextmanager
def setting(app: App, toml: str) -> Iterator[None]:
    """Change settings.toml under the running app, for as long as the context lasts."""
    path = paths.home(app.environment).settings
    before = path.read_text()
    path.write_text(toml)
    try:
        yield
    finally:
        path.write_text(before)


def ready(status: Status) -> bool:
    """Tell whether a dictation could begin now and would not wait for its engine."""
    return status["state"] == "idle" and str(status["engine"]).endswith(":ready")
