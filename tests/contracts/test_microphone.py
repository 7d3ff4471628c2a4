"""What every implementation of the port `Microphone` promises."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from lysnrai_desktop.adapters.microphone import PortAudioMicrophone
from lysnrai_desktop.core.audio import Device
from lysnrai_desktop.core.dictation import Event, MicrophoneFailed
from lysnrai_desktop.ports import Microphone
from tests.desktop.machine import home_folder
from tests.desktop.processes import DEADLINE_S
from tests.desktop.sound import MICROPHONE, PulseServer, pulse_server
from tests.fakes.microphone import FakeMicrophone, Heard

SECOND = "second_mic"


@dataclass
class Bench:
    """A microphone in a room that is never quite silent, and a second one that can be unplugged."""

    default: str
    events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    microphone: Microphone = field(init=False)
    unplug_second: Callable[[], None] = field(init=False)

    def record(self, session: int, device: str = "") -> Heard:
        """A recording whose first block has come."""
        heard = Heard()
        self.microphone.open(session, device, heard)
        assert heard.first.wait(DEADLINE_S)
        return heard

    def failure(self) -> MicrophoneFailed:
        event = self.events.get(timeout=DEADLINE_S)
        assert isinstance(event, MicrophoneFailed)
        return event


@contextlib.contextmanager
def fake(_request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench("fake")
    devices = Device("fake", "Fake microphone", is_default=True), Device(SECOND, "Second microphone")
    microphone = bench.microphone = FakeMicrophone(bench.events.put, devices=devices)
    bench.unplug_second = lambda: microphone.unplug(SECOND)
    over = threading.Event()

    def murmur() -> None:
        while not over.wait(0.001):
            microphone.hear(b"\x07\x00" * 48)

    room = threading.Thread(target=murmur)
    room.start()
    yield bench
    over.set()
    room.join()


@pytest.fixture(scope="module", autouse=True)  # before the first test, so that none seems to have left it behind
def server() -> Iterator[PulseServer]:
    with home_folder() as (folder, environment), pulse_server(folder, environment) as made:
        yield made


@contextlib.contextmanager
def portaudio(request: pytest.FixtureRequest) -> Iterator[Bench]:
    server: PulseServer = request.getfixturevalue("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_SERVER", server.environment["PULSE_SERVER"])
        patch.delenv("PULSE_SOURCE", raising=False)
        second = [server.add_microphone(SECOND, "Second_microphone")]
        bench = Bench(MICROPHONE)
        bench.microphone = PortAudioMicrophone(bench.events.put, warm_s=lambda: 0.0)
        bench.unplug_second = lambda: server.unplug(second.pop())
        yield bench
        bench.microphone.shut_down()
        for module in second:
            server.unplug(module)


@pytest.fixture(params=[fake, portaudio])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    make: Callable[[pytest.FixtureRequest], contextlib.AbstractContextManager[Bench]] = request.param
    with make(request) as made:
        yield made


def test_what_it_hears_comes_in_blocks_of_one_rate_until_it_is_closed(bench: Bench) -> None:
    heard = bench.record(1)

    bench.microphone.close(1)

    assert heard.ended.wait(DEADLINE_S)
    bench.microphone.shut_down()
    assert {block.rate_hz for block in heard.blocks} == {48_000}
    assert (heard.ends, heard.late_blocks) == (1, 0)
    assert bench.events.empty()


def test_every_microphone_listed_can_be_opened_by_its_name(bench: Bench) -> None:
    devices = bench.microphone.devices()

    assert {device.name for device in devices} == {bench.default, SECOND}
    assert [device.name for device in devices if device.is_default] == [bench.default]
    assert all(device.label for device in devices)
    for session, device in enumerate(devices, 1):
        assert bench.record(session, device.name).first.is_set()


def test_a_microphone_that_is_not_there_is_missing(bench: Bench) -> None:
    heard = Heard()

    bench.microphone.open(5, "no such microphone", heard)

    failure = bench.failure()
    assert (failure.session, failure.code) == (5, "microphone.missing")
    assert heard.ended.wait(DEADLINE_S)
    assert not heard.blocks


def test_a_microphone_that_vanishes_is_lost_once_and_what_it_heard_is_kept(bench: Bench) -> None:
    heard = bench.record(2, SECOND)

    bench.unplug_second()

    failure = bench.failure()
    assert (failure.session, failure.code) == (2, "microphone.lost")
    assert heard.ended.wait(DEADLINE_S)
    bench.microphone.close(2)
    bench.microphone.shut_down()
    assert (heard.ends, heard.late_blocks) == (1, 0)
    assert heard.blocks
    assert bench.events.empty()


def test_after_a_failure_it_can_be_opened_again(bench: Bench) -> None:
    bench.microphone.open(1, "no such microphone", Heard())
    bench.failure()
    bench.microphone.close(1)

    assert bench.record(2).first.is_set()


def test_opening_another_recording_ends_the_one_before(bench: Bench) -> None:
    before = bench.record(1)

    after = bench.record(2)
    bench.microphone.close(1)

    assert before.ended.wait(DEADLINE_S)
    assert not after.ended.is_set()
    assert (before.ends, before.late_blocks) == (1, 0)


def test_closing_what_is_not_open_does_nothing(bench: Bench) -> None:
    bench.microphone.close(9)

    assert bench.record(1).first.is_set()
    assert bench.events.empty()


def test_closed_before_the_first_block_it_still_ends(bench: Bench) -> None:
    heard = Heard()

    bench.microphone.open(1, "", heard)
    bench.microphone.close(1)

    assert heard.ended.wait(DEADLINE_S)
    assert bench.events.empty()


def test_hasty_presses_end_each_recording_once_and_leave_it_usable(bench: Bench) -> None:
    recordings = [Heard() for _ in range(50)]

    for session, heard in enumerate(recordings, 1):
        bench.microphone.open(session, SECOND if session % 3 else "", heard)
        if session % 2:
            bench.microphone.close(session)
    last = bench.record(51)
    bench.microphone.close(51)

    assert last.ended.wait(DEADLINE_S)
    assert {heard.ends for heard in recordings} == {1}
    assert {heard.late_blocks for heard in recordings} == {0}
    assert bench.events.empty()


def test_shutting_down_ends_the_recording_under_way(bench: Bench) -> None:
    heard = bench.record(1)

    bench.microphone.shut_down()

    assert heard.ended.wait(DEADLINE_S)
    assert (heard.ends, heard.late_blocks) == (1, 0)
