"""A take that was left is transcribed after all, and never at the expense of a dictation."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from lysnrai_desktop.core.dictation import EngineDone, EngineFailed, Final, Voice
from lysnrai_desktop.core.failover import ENGINE_TRIES
from lysnrai_desktop.core.faults import DiskReadOnly, InsertUnavailable, TakeUnknown
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import Segment, SpokenText
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.core.takes import TakeRecord
from lysnrai_desktop.ports import Post
from lysnrai_desktop.runtime.recovery import Recovery
from tests.desktop.processes import DEADLINE_S, eventually
from tests.fakes.engine import FakeEngine

IDLE, RECORDING = Status("idle", 0.0), Status("recording", 0.0)
SAMPLES = 16_000


class Stored:
    rate_hz = 8000

    def __init__(self, record: TakeRecord, full: bool) -> None:
        self.record = record
        self.closed = threading.Event()
        self._full = full

    def wait(self, beyond: int, timeout_s: float) -> tuple[int, bool]:
        raise NotImplementedError

    def read(self, start: int, limit: int) -> bytes:
        raise NotImplementedError

    def mark(self, outcome: str, now: float) -> None:
        if self._full:
            raise DiskReadOnly
        self.record = replace(self.record, outcome=outcome, ended=now)

    def drop(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.closed.set()


@dataclass
class Store:
    full: bool = False
    opened: dict[str, Stored] = field(default_factory=dict)

    def records(self) -> list[TakeRecord]:
        raise NotImplementedError

    def open(self, take_id: str) -> Stored:
        if take_id == "gone":
            raise TakeUnknown
        self.opened[take_id] = Stored(TakeRecord(take_id, 0.0, 8000, SAMPLES), self.full)
        return self.opened[take_id]


class Engine(FakeEngine):
    """Answers what the test tells it to, on its own session."""

    def __init__(self, post: Post) -> None:
        super().__init__()
        self._post = post
        self.started: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()

    def finish(self, session: int) -> None:
        super().finish(session)
        call = self.calls[-2][0]
        self.started.put((session, int(call.rpartition(" ")[2])))

    def hears(self, session: int, start: int, text: str, end: int = SAMPLES) -> None:
        self._post(Voice(session, 0.0, speaking=True))
        self._post(Final(session, 0.0, Segment(start, end, SpokenText(text))))

    def done(self, session: int) -> None:
        self._post(EngineDone(session, 0.0))

    def fails(self, session: int) -> None:
        self._post(EngineFailed(session, 0.0, "engine.died"))

    @property
    def is_shut_down(self) -> bool:
        return ("shut_down", 0) in self.calls


class Bench:
    def __init__(self, patience_s: float = 60.0) -> None:
        self.store = Store()
        self.engines: queue.SimpleQueue[Engine] = queue.SimpleQueue()
        self.given: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.refuses = False
        self.recovery = Recovery(
            self.store,
            self._engine,
            Settings,
            self._give,
            lambda: self.given.put("nothing"),
            self.given.put,
            patience_s,
        )

    def _engine(self, post: Post) -> Engine:
        engine = Engine(post)
        self.engines.put(engine)
        return engine

    def _give(self, text: SpokenText) -> None:
        if self.refuses:
            raise InsertUnavailable
        self.given.put(text.reveal())

    def engine(self) -> Engine:
        return self.engines.get(timeout=DEADLINE_S)

    def begun(self, engine: Engine) -> tuple[int, int]:
        """Session and first sample of what it was asked to hear next."""
        return engine.started.get(timeout=DEADLINE_S)

    def told(self) -> str:
        return self.given.get(timeout=DEADLINE_S)

    def closed(self, take_id: str) -> Stored:
        take = self.store.opened[take_id]
        assert take.closed.wait(DEADLINE_S)
        return take


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.recovery.shut_down()


def test_its_text_is_given_polished_and_the_take_marked(bench: Bench) -> None:
    bench.recovery.transcribe("one")
    engine = bench.engine()
    session, start = bench.begun(engine)
    engine.hears(session, 0, " hello  there.")
    engine.done(session)

    assert (start, bench.told()) == (0, "Hello there.")
    assert bench.closed("one").record.outcome == "transcribed"
    eventually(lambda: engine.is_shut_down, "the engine is gone when nothing is left")
    assert bench.recovery.present is None


def test_one_without_speech_is_told_and_marked_as_such(bench: Bench) -> None:
    bench.recovery.transcribe("one")
    engine = bench.engine()
    session, _ = bench.begun(engine)
    engine.hears(session, 0, " .")
    engine.done(session)

    assert bench.told() == "nothing"
    assert bench.closed("one").record.outcome == "nothing_heard"


def test_it_waits_for_the_end_of_a_dictation(bench: Bench) -> None:
    bench.recovery.status(RECORDING)
    bench.recovery.transcribe("one")
    bench.recovery.status(replace(RECORDING, state="inserting"))
    with pytest.raises(queue.Empty):
        bench.engines.get(timeout=0.05)

    bench.recovery.status(IDLE)

    assert bench.begun(bench.engine()) == (1, 0)


def test_it_makes_way_for_a_dictation_and_goes_on_from_the_last_final(bench: Bench) -> None:
    bench.recovery.transcribe("one")
    first = bench.engine()
    session, _ = bench.begun(first)
    first.hears(session, 0, "One.", end=4000)
    bench.recovery.status(RECORDING)
    eventually(lambda: first.is_shut_down, "the dictation has the computer to itself")
    first.hears(session, 4000, "Late.", end=8000)
    first.done(session)
    bench.recovery.status(IDLE)

    second = bench.engine()
    session, start = bench.begun(second)
    second.hears(session, start, "Two.")
    second.done(session)

    assert (start, bench.told()) == (4000, "One. Two.")


def test_making_way_again_and_again_is_no_failure(bench: Bench) -> None:
    bench.recovery.transcribe("one")
    for _ in range(2 * ENGINE_TRIES):
        bench.begun(bench.engine())
        bench.recovery.status(RECORDING)
        bench.recovery.status(IDLE)
    engine = bench.engine()
    session, _ = bench.begun(engine)
    engine.hears(session, 0, "Done.")
    engine.done(session)

    assert bench.told() == "Done."


def test_an_engine_that_fails_is_replaced_and_after_the_last_the_take_is_left_as_it_was(bench: Bench) -> None:
    bench.recovery.transcribe("one")
    for _ in range(ENGINE_TRIES):
        engine = bench.engine()
        engine.fails(bench.begun(engine)[0])

    assert bench.told() == "engine.died"
    assert bench.closed("one").record.outcome is None
    assert bench.engines.empty()


def test_an_engine_that_says_nothing_is_given_up() -> None:
    bench = Bench(patience_s=0.02)
    bench.recovery.transcribe("one")

    assert bench.told() == "engine.timeout"
    assert bench.closed("one").record.outcome is None
    bench.recovery.shut_down()


def test_texts_of_takes_that_waited_together_are_given_together(bench: Bench) -> None:
    for name in ("one", "one", "two", "gone", "two"):
        bench.recovery.transcribe(name)
    engine = bench.engine()
    for text in ("First.", "Second."):
        session, _ = bench.begun(engine)
        engine.hears(session, 0, text)
        engine.done(session)

    assert [bench.told() for _ in range(2)] == ["First.", "First.\nSecond."]
    assert bench.told() == "take.unknown"
    assert {name: take.record.outcome for name, take in bench.store.opened.items()} == dict.fromkeys(
        ("one", "two"), "transcribed"
    )


def refuse_text(bench: Bench) -> None:
    bench.refuses = True


def refuse_mark(bench: Bench) -> None:
    bench.store.full = True


@pytest.mark.parametrize(
    ("refuse", "told"), [(refuse_text, ["insert.unavailable"]), (refuse_mark, ["Hello.", "disk.read_only"])]
)
def test_what_cannot_be_given_or_marked_stays_offered(
    bench: Bench, refuse: Callable[[Bench], None], told: list[str]
) -> None:
    refuse(bench)
    bench.recovery.transcribe("one")
    engine = bench.engine()
    session, _ = bench.begun(engine)
    engine.hears(session, 0, "Hello.")
    engine.done(session)

    assert [bench.told() for _ in told] == told
    assert bench.closed("one").record.is_offered


def test_shutting_down_leaves_the_take_and_no_engine(bench: Bench) -> None:
    bench.recovery.transcribe("one")
    engine = bench.engine()
    bench.begun(engine)
    present = bench.recovery.present

    bench.recovery.shut_down()

    assert present is not None
    assert present.id == "one"
    assert engine.is_shut_down
    assert bench.closed("one").record.is_offered
