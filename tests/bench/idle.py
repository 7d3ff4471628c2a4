"""Memory, processor time and wake-ups while nobody dictates: without an engine, with one, and after dictations.

The app is asked for its status now and then, but nobody follows it while it is watched: that would wake it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lysnrai_desktop.adapters import control_socket, paths
from tests.bench import proc
from tests.bench.bench import Bench, empty, engine_is, settle
from tests.bench.figures import Figure
from tests.bench.utterances import Utterance, utterances
from tests.desktop.editors import QtEditor, await_text
from tests.desktop.processes import eventually, running
from tests.e2e.app import COMMAND, HOTKEY, READY_S, Status

WATCHED_S = 30.0
WATCHED_QUICK_S = 10.0


def measure(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    with _unwatched_app(bench, engine="idle_s = 2") as pid:
        eventually(lambda: engine_is("off", _status(bench)), "the engine has ended")
        settle()
        figures += _look(bench, pid, "engine ended")
    with _unwatched_app(bench) as pid:
        settle()
        figures += _look(bench, pid, "engine idle")
        with bench.desktop.qt_editor() as editor:
            for utterance in utterances(8, 3, bench.desktop.folder):
                _dictate(bench, editor, utterance)
        settle()
        figures += _look(bench, pid, "after 3 dictations")
    return figures


@contextlib.contextmanager
def _unwatched_app(bench: Bench, engine: str = "") -> Iterator[int]:
    """Run the app until its engine is ready; yields its process."""
    with bench.app(engine=engine):
        pass  # makes the home with these settings, and the disk's cache warm
    with running(COMMAND, bench.desktop.environment, log=bench.desktop.folder / "app.log") as process:
        eventually(lambda: engine_is("ready", _status(bench)), "the engine is ready", READY_S)
        yield process.pid


def _status(bench: Bench) -> Status:
    try:
        return next(control_socket.ask(paths.home(bench.desktop.environment).run, {"verb": "status"}, READY_S))
    except control_socket.NotRunning:
        return {"state": "", "engine": ""}


def _dictate(bench: Bench, editor: QtEditor, utterance: Utterance) -> None:
    empty(bench, editor)
    bench.desktop.screen.key_down(HOTKEY)
    eventually(lambda: _status(bench)["state"] == "recording", "the app listens")
    bench.desktop.sound.speak(utterance.path)
    bench.desktop.screen.key_up(HOTKEY)
    await_text(editor)
    eventually(lambda: _status(bench)["state"] == "idle", "the dictation is over")


def _look(bench: Bench, pid: int, when: str) -> list[Figure]:
    pids = {"app": pid}
    if engine := proc.engine_of(pid):
        pids["engine"] = engine
    memories = {name: proc.memory(pid) for name, pid in pids.items()}
    activities = proc.activity(list(pids.values()), WATCHED_QUICK_S if bench.quick else WATCHED_S)
    figures: list[Figure] = []
    for (name, memory), activity in zip(memories.items(), activities, strict=True):
        what = f"{name}, {when}"
        figures += [
            Figure("memory", f"{what}, PSS", "MB", (memory.pss_mb,), "aim: 120" if name == "app" else ""),
            Figure("memory", f"{what}, RSS", "MB", (memory.rss_mb,)),
            Figure("idle", f"{what}, processor", "%", (activity.cpu_percent,), "aim: 0.3" if name == "app" else ""),
            Figure("idle", f"{what}, wake-ups", "/s", (activity.wake_ups_per_s,)),
        ]
    return figures
