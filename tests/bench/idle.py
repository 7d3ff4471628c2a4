"""Memory, processor time and wake-ups while nobody dictates: without an engine, with one, and after dictations."""

from __future__ import annotations

from tests.bench import proc
from tests.bench.bench import Bench, dictate, engine_is, settle
from tests.bench.figures import Figure
from tests.bench.utterances import utterances
from tests.e2e.app import App

WATCHED_S = 30.0
WATCHED_QUICK_S = 10.0


def measure(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    with bench.app(engine="idle_s = 0.1") as app:
        app.until(lambda status: engine_is("off", status))
        settle()
        figures += _look(bench, app, "engine ended")
    with bench.app() as app, bench.desktop.qt_editor() as editor:
        settle()
        figures += _look(bench, app, "engine idle")
        for utterance in utterances(8, 3, bench.desktop.folder):
            dictate(bench, app, editor, utterance)
        settle()
        figures += _look(bench, app, "after 3 dictations")
    return figures


def _look(bench: Bench, app: App, when: str) -> list[Figure]:
    pids = {"app": app.process.pid}
    if engine := proc.engine_of(app.process.pid):
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
