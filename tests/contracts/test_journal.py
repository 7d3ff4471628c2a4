"""What every implementation of the ports `Journal` and `Take` promises."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lysnrai_desktop.adapters import journal as adapter
from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import Event, MicrophoneLive, Outcome, TakeClosed
from lysnrai_desktop.ports import Journal, Take
from tests.desktop.processes import DEADLINE_S
from tests.fakes.journal import FakeJournal

RATE_HZ = 8000
TENTH = b"\x01\x00\xff\x7f" * 400  # 0.1 s


@dataclass
class Bench:
    events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    journal: Journal = field(init=False)

    def next(self) -> Event:
        return self.events.get(timeout=DEADLINE_S)

    def take(self, session: int, *blocks: bytes) -> Take:
        """A take that has got these blocks, all of them readable."""
        take = self.journal.open(session)
        for pcm in blocks:
            take.block(Block(pcm, RATE_HZ))
        samples = sum(map(len, blocks)) // 2
        assert not samples or take.wait(samples - 1, DEADLINE_S)[0] == samples
        return take


@pytest.fixture(params=["fake", "disk"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = Bench()
    if request.param == "fake":
        made.journal = FakeJournal(made.events.put)
    else:
        made.journal = adapter.Journal(tmp_path / "takes", made.events.put, lambda _: None, pytest.fail)
    yield made
    made.journal.shut_down()
    assert made.journal.dropped_blocks == 0


def test_it_is_live_with_the_first_block_and_not_before(bench: Bench) -> None:
    take = bench.journal.open(7)
    assert bench.events.empty()
    assert take.rate_hz == 0

    take.block(Block(TENTH, RATE_HZ))
    take.block(Block(TENTH, RATE_HZ))

    live = bench.next()
    assert isinstance(live, MicrophoneLive)
    assert live.session == 7
    assert take.rate_hz == RATE_HZ
    assert take.wait(800, DEADLINE_S)[0] == 1600
    assert bench.events.empty()


def test_all_that_came_can_be_read_from_anywhere(bench: Bench) -> None:
    take = bench.take(1, TENTH, b"\x02\x00" * 5)

    assert take.read(0, 10**9) == TENTH + b"\x02\x00" * 5
    assert take.read(798, 4) == TENTH[-4:] + b"\x02\x00" * 2
    assert take.read(805, 4) == b""
    assert take.read(10**6, 4) == b""
    assert take.read(0, 0) == b""


def test_it_is_closed_once_with_its_length_after_its_last_block(bench: Bench) -> None:
    take = bench.take(3, TENTH)
    bench.next()

    take.end()
    take.end()

    closed = bench.next()
    assert isinstance(closed, TakeClosed)
    assert (closed.session, closed.audio_s) == (3, 0.1)
    assert take.wait(10**9, DEADLINE_S) == (800, True)
    assert take.read(0, 800) == TENTH
    bench.journal.shut_down()
    assert bench.events.empty()


def test_a_take_without_a_block_is_closed_too(bench: Bench) -> None:
    take = bench.journal.open(4)

    take.end()

    closed = bench.next()
    assert isinstance(closed, TakeClosed)
    assert closed.audio_s == 0.0
    assert take.wait(0, DEADLINE_S) == (0, True)


def test_waiting_ends_when_the_time_is_up(bench: Bench) -> None:
    take = bench.take(1, TENTH)

    assert take.wait(800, 0.0) == (800, False)


def test_an_erased_take_holds_nothing_lets_waiters_go_and_is_never_closed(bench: Bench) -> None:
    take = bench.take(1, TENTH)
    bench.next()
    answers: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
    waiter = threading.Thread(target=lambda: answers.put(take.wait(10**9, DEADLINE_S)))
    waiter.start()

    take.erase()
    take.block(Block(TENTH, RATE_HZ))
    take.end()

    assert answers.get(timeout=DEADLINE_S) == (0, True)
    waiter.join()
    bench.journal.shut_down()
    assert take.read(0, 800) == b""
    assert bench.events.empty()


def test_a_take_can_be_kept_before_its_end(bench: Bench) -> None:
    take = bench.take(1, TENTH)

    take.keep(Outcome.FAILED, "engine.died")
    take.block(Block(TENTH, RATE_HZ))
    take.end()

    assert isinstance(bench.next(), MicrophoneLive)
    closed = bench.next()
    assert isinstance(closed, TakeClosed)
    assert closed.audio_s == 0.2


def test_takes_have_names_of_their_own(bench: Bench) -> None:
    names = [bench.journal.open(session).id for session in range(50)]

    assert len(set(names)) == 50


def test_another_rate_in_one_take_is_a_bug_and_says_so(bench: Bench) -> None:
    take = bench.take(1, TENTH)

    with pytest.raises(ValueError, match=r"rate|Hz"):
        take.block(Block(TENTH, RATE_HZ + 1))


def test_shutting_down_lets_waiters_go_and_keeps_what_was_heard(bench: Bench) -> None:
    take = bench.take(1, TENTH)

    bench.journal.shut_down()

    assert take.wait(10**9, DEADLINE_S)[1]
