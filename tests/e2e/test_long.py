"""A dictation of half an hour costs no more at its end than at its beginning, and ends as any other.

Journal, engine process and dictation thread are the app's own; the microphone speaks faster than people, and the engine
says the number of each second, so that one that is lost or doubled shows. LYSNRAI_TEST_EFFORT=full takes the full time.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.journal import Journal
from lysnrai_desktop.core.dictation import Sound, Start, Stop
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.runtime.engine_kinds import whisper
from lysnrai_desktop.runtime.engine_link import EngineLink
from lysnrai_desktop.runtime.items import Item, Partial
from lysnrai_desktop.runtime.loop import DictationLoop, Ports
from tests.desktop.processes import eventually
from tests.fakes.inserter import FakeInserter, FakeWindow
from tests.fakes.microphone import FakeMicrophone
from tests.hearing import HOST, SCRIPTED, engine_pids, noise, pcm

MINUTES = 30 if os.environ.get("LYSNRAI_TEST_EFFORT") == "full" else 5
RATE_HZ = 48_000
BLOCK = pcm(noise(0.02, RATE_HZ))
GROWTH_BYTES = 16 << 20
"""A minute is 6 MB: whoever keeps all of it would need far more."""


class Nobody:
    """A screen that nobody looks at."""

    def show(self, status: Status) -> None: ...

    def level(self, peak: float) -> None: ...

    def tell(self, code: str) -> None:
        pytest.fail(code)

    def cue(self, sound: Sound) -> None: ...


class Dictation:
    def __init__(self, folder: Path) -> None:
        inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.microphone = FakeMicrophone(inbox.put)
        self.window = FakeWindow("Editor")
        inserter = FakeInserter()
        inserter.focused = self.window
        self.journal = Journal(folder, inbox.put, lambda _: None, pytest.fail)
        self.link = EngineLink(
            inbox.put,
            lambda session, stable, tentative: inbox.put(Partial(session, stable, tentative)),
            lambda _state, _model: None,
            whisper(Path, [*HOST, "scripted"]),
        )
        engines = {Backend.WHISPER: self.link}
        ports = Ports(self.microphone, self.journal, engines, inserter, None, Nobody())
        self.loop = DictationLoop(ports, lambda: SCRIPTED, inbox)
        self.loop.start()

    def speak(self, seconds: int, until: int) -> None:
        """Go on for so long; returns when the text of second number `until` - 1 is there."""
        for _ in range(seconds * 50):
            self.microphone.hear(BLOCK, RATE_HZ)
        ends = (f" {until - 1}", f" {until - 1} {until}")  # the second is a partial
        eventually(lambda: self.loop.status.shown.reveal().endswith(ends), f"text up to second {until}")

    def shut_down(self) -> None:
        self.loop.shut_down()
        self.journal.shut_down()
        self.link.shut_down()


@pytest.fixture
def dictation(tmp_path: Path) -> Iterator[Dictation]:
    made = Dictation(tmp_path / "takes")
    yield made
    made.shut_down()


def resident(pid: int | str) -> int:
    """Memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_half_an_hour_has_steady_memory_no_growing_delay_and_each_second_once(dictation: Dictation) -> None:
    dictation.loop.post(Start(time.monotonic()))
    eventually(lambda: dictation.microphone.session, "the microphone is open")
    memory: list[tuple[int, int]] = []
    work_s: list[float] = []
    for minute in range(1, MINUTES + 1):
        before = time.process_time()
        dictation.speak(60, until=60 * minute)
        work_s.append(time.process_time() - before)
        (engine,) = engine_pids()
        memory.append((resident("self"), resident(engine)))

    dictation.loop.post(Stop(time.monotonic()))

    eventually(lambda: dictation.window.text, "it is written")
    assert dictation.window.text == " ".join(map(str, range(60 * MINUTES)))
    assert dictation.journal.dropped_blocks == 0
    grown = [last - second for second, last in zip(memory[1], memory[-1], strict=True)]
    assert max(grown) < GROWTH_BYTES, memory
    assert sum(work_s[-2:]) < 2 * sum(work_s[1:3]), work_s
    print([f"{app >> 20} {engine >> 20} MiB, {s:.1f} s" for (app, engine), s in zip(memory, work_s, strict=True)])
