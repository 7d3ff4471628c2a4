"""An engine and a take to try it with: what goes in, what came out of it.

Imports: the app's engine link, tests.fakes. May be imported by: tests of engines.
"""

from __future__ import annotations

import queue
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import EngineDone, EngineFailed, Event, Final, SessionEvent
from lysnrai_desktop.core.settings import EngineSettings, Settings
from lysnrai_desktop.core.speech import Segment, SpokenText, joined
from lysnrai_desktop.runtime.engine_kinds import EngineKind, LocateModel, whisper
from lysnrai_desktop.runtime.engine_link import EngineLink
from tests.desktop.processes import DEADLINE_S
from tests.fakes.journal import FakeTake

HOST = [sys.executable, "-m", "lysnrai_desktop.engines.host"]
SCRIPTED = Settings(engine=EngineSettings(model="scripted"))

E = TypeVar("E", bound=SessionEvent)


def settings_for(**engine: Any) -> Settings:
    return Settings(engine=EngineSettings(**engine))


def new_take() -> FakeTake:
    return FakeTake("take", 1, lambda _: None, lambda: 0.0)


def take_of(samples: NDArray[np.floating], rate_hz: int = 16_000) -> FakeTake:
    """A take that is complete."""
    take = new_take()
    take.block(Block(pcm(samples), rate_hz))
    take.end()
    return take


def pcm(samples: NDArray[np.floating]) -> bytes:
    return bytes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2"))


def noise(seconds: float, rate_hz: int = 16_000) -> NDArray[np.float64]:
    """What the scripted engine counts the seconds of."""
    return 0.1 * np.random.default_rng(5).standard_normal(round(seconds * rate_hz))


def text_of(finals: list[Segment]) -> str:
    return joined(final.text for final in finals).reveal()


class Hearing:
    """An engine link, and what it posted."""

    def __init__(self, kind: EngineKind, start_s: float = 60.0, take_up_s: float = 60.0) -> None:
        self.states: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self.partials: list[tuple[int, SpokenText, SpokenText]] = []
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.link = EngineLink(
            self.events.put,
            lambda *partial: self.partials.append(partial),
            lambda state, model: self.states.put((state, model)),
            kind,
            start_s=start_s,
            take_up_s=take_up_s,
        )

    def next(self, kind: type[E]) -> E:
        """The next event of this kind; others are passed over, but for a failure."""
        while True:
            event = self.events.get(timeout=DEADLINE_S)
            if isinstance(event, kind):
                return event
            assert not isinstance(event, EngineFailed), event.code

    def finals(self, session: int) -> list[Segment]:
        """All the finals until the session is done."""
        found: list[Segment] = []
        while True:
            event = self.events.get(timeout=DEADLINE_S)
            assert not isinstance(event, EngineFailed), event.code
            match event:
                case Final(session=number, segment=segment):
                    assert number == session
                    found.append(segment)
                case EngineDone(session=number):
                    assert number == session
                    return found
                case _:
                    continue

    def hear(self, session: int, take: FakeTake, settings: Settings, from_sample: int = 0) -> list[Segment]:
        """The finals of a take that is complete."""
        self.link.start(session, take, from_sample, settings)
        self.link.finish(session)
        return self.finals(session)

    def until_state(self, wanted: str) -> None:
        while self.states.get(timeout=DEADLINE_S)[0] != wanted:
            pass


def hearing(
    command: list[str], locate: LocateModel = Path, **bounds: float
) -> AbstractContextManager[Hearing, bool | None]:
    """One as the app links Whisper."""
    return linked(whisper(locate, command), **bounds)


@contextmanager
def linked(kind: EngineKind, **bounds: float) -> Iterator[Hearing]:
    it = Hearing(kind, **bounds)
    try:
        yield it
    finally:
        it.link.shut_down()


def engine_pids() -> set[int]:
    """Engine processes that this process has started."""
    children: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # that thread has just ended
            children.update(int(pid) for pid in file.read_text().split())
    return {pid for pid in children if _is_engine(pid)}


def _is_engine(pid: int) -> bool:
    try:
        return b"engines.host" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return False
