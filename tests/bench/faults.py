"""From a fault until the user is told, and until the words are there after all; what keeping every word costs."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lysnrai_desktop.adapters.journal import Journal
from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import Event
from tests.bench.bench import Bench, empty, engine_is
from tests.bench.figures import Figure
from tests.bench.utterances import Utterance, utterances
from tests.desktop.editors import QtEditor, await_text
from tests.desktop.processes import eventually
from tests.e2e.app import App
from tests.e2e.test_ends import engines
from tests.hearing import noise, pcm

MINUTES = 5
RATE_HZ = 48_000


def measure(bench: Bench) -> list[Figure]:
    with bench.app() as app, bench.desktop.qt_editor() as editor:
        [spoken] = utterances(3, 1, bench.desktop.folder)
        times = range(bench.times(5))
        return [
            _told(bench, app, "muted", "microphone.silent", _mute, times),
            _told(bench, app, "unplugged", "microphone.lost", _unplug, times),
            _told(bench, app, "sound server hangs", "microphone.lost", _freeze, times),
            *_engine(bench, app, editor, spoken, signal.SIGKILL, "killed", times),
            *_engine(bench, app, editor, spoken, signal.SIGSTOP, "hangs", times),
            *_journal(),
        ]


Undo = Callable[[], None]


def _mute(bench: Bench) -> Undo:
    bench.desktop.sound.mute(on=True)
    return lambda: bench.desktop.sound.mute(on=False)


def _unplug(bench: Bench) -> Undo:
    bench.desktop.sound.unplug()
    return bench.desktop.sound.plug_in_again


def _freeze(bench: Bench) -> Undo:
    bench.desktop.sound.freeze()
    return bench.desktop.sound.thaw


def _told(bench: Bench, app: App, name: str, code: str, happen: Callable[[Bench], Undo], times: range) -> Figure:
    samples = []
    for _ in times:
        app.lysnrai("start")
        app.until("recording")
        at = time.monotonic()
        undo = happen(bench)
        app.until(lambda status: status["fault"] == code)
        samples.append(time.monotonic() - at)
        undo()
        app.lysnrai("cancel")
        if app.status()["state"] != "idle":
            app.until("idle")
    return Figure("faults", f"microphone {name}, until told", "s", tuple(samples))


def _engine(
    bench: Bench, app: App, editor: QtEditor, spoken: Utterance, number: signal.Signals, name: str, times: range
) -> list[Figure]:
    """Once everything is said: the whole of it is heard again."""
    ready, text = [], []
    for _ in times:
        empty(bench, editor)
        app.lysnrai("start")
        app.until("recording")
        bench.desktop.sound.speak(spoken.path)
        at = time.monotonic()
        for engine in engines(app):
            os.kill(engine, number)
        app.lysnrai("stop")
        app.until(lambda status: engine_is("starting", status))
        app.until(lambda status: engine_is("ready", status))
        ready.append(time.monotonic() - at)
        await_text(editor)
        text.append(time.monotonic() - at)
        app.until("idle")
    return [
        Figure("faults", f"engine {name}, until another is ready", "s", tuple(ready)),
        Figure("faults", f"engine {name}, until the text of {spoken.duration_s:.0f} s is seen", "s", tuple(text)),
    ]


def _journal() -> list[Figure]:
    """What it takes of one core, and of the disk, while somebody speaks."""
    block = Block(pcm(noise(0.02, RATE_HZ)), RATE_HZ)
    with tempfile.TemporaryDirectory() as name:
        events: list[Event] = []
        journal = Journal(Path(name), events.append, lambda _: None, print)
        take = journal.open(1)
        before = time.process_time()
        for _ in range(MINUTES * 60 * 50):
            take.block(block)
        take.end()
        eventually(lambda: take.wait(10**9, 0.1)[1], "all is on disk")
        work_s = time.process_time() - before
        size = sum(path.stat().st_size for path in Path(name).iterdir())
        journal.shut_down()
    return [
        Figure("faults", "journal, of one core", "%", (100 * work_s / (MINUTES * 60),)),
        Figure("faults", "journal, a minute on the disk", "MB", (size / MINUTES / 1e6,), f"{RATE_HZ // 1000} kHz"),
    ]
