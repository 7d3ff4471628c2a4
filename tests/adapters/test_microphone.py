"""The microphone against a real sound server, and against what sound servers do to programs."""

from __future__ import annotations

import contextlib
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from lysnrai_desktop.adapters import portaudio
from lysnrai_desktop.adapters.journal import Journal
from lysnrai_desktop.adapters.microphone import PREROLL_S, PortAudioMicrophone, _Line
from lysnrai_desktop.core.audio import Block, Device
from lysnrai_desktop.core.dictation import Event, MicrophoneFailed, MicrophoneLive
from lysnrai_desktop.core.faults import MicrophoneBusy, MicrophoneDenied, MicrophoneFault, MicrophoneMissing
from tests import speech
from tests.desktop.machine import home_folder
from tests.desktop.processes import DEADLINE_S, call, eventually
from tests.desktop.sound import MICROPHONE, RATE_HZ, PulseServer, pulse_server
from tests.fakes.microphone import Heard


class Bench:
    """A microphone on a sound server, and what it posted."""

    def __init__(self, server: PulseServer, now: Callable[[], float] = time.monotonic) -> None:
        self.server = server
        self.warm_s = 0.0
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.names: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.microphone = PortAudioMicrophone(self.events.put, lambda: self.warm_s, self.names.put, now)

    def record(self, session: int, device: str = "") -> Heard:
        heard = Heard()
        self.microphone.open(session, device, heard)
        assert heard.first.wait(DEADLINE_S)
        return heard

    def opening(self) -> bool:
        job = self.microphone._job
        return job is not None and job.opens is not None

    def settle(self) -> None:
        """Return when the microphone's thread has done all it was asked for, and looked at the clock since."""
        for _ in range(2):
            done = threading.Event()
            self.microphone._work.put(done.set)
            assert done.wait(DEADLINE_S)

    def failure(self) -> tuple[int, str]:
        event = self.events.get(timeout=DEADLINE_S)
        assert isinstance(event, MicrophoneFailed)
        return event.session, event.code

    def streams(self) -> list[str]:
        """Numbers of the streams that record here, those of the microphone's own remapping left out."""
        lines = self.server.control("list", "short", "source-outputs").splitlines()
        return [line.split()[0] for line in lines if "protocol-native" in line]


@contextlib.contextmanager
def on(server: PulseServer, now: Callable[[], float] = time.monotonic) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_SERVER", server.environment["PULSE_SERVER"])
        bench = Bench(server, now)
        yield bench
        if server.process.poll() is None:
            server.thaw()
        bench.microphone.shut_down()


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[PulseServer]:
    with home_folder() as (folder, environment), pulse_server(folder, environment) as made:
        yield made


@pytest.fixture
def bench(server: PulseServer) -> Iterator[Bench]:
    with on(server) as made:
        yield made


@pytest.fixture
def own(sound: PulseServer) -> Iterator[Bench]:
    """On a server of the test's own, that it may ruin."""
    with on(sound) as made:
        yield made


# --- what is heard


def test_all_that_is_played_is_in_the_journal_sample_by_sample(bench: Bench, tmp_path: Path) -> None:
    played = np.random.default_rng(3).uniform(-0.25, 0.25, 2 * RATE_HZ)
    speech.write_wav(tmp_path / "played.wav", played, RATE_HZ)
    journal = Journal(tmp_path / "takes", bench.events.put, lambda _: None, pytest.fail)
    take = journal.open(1)
    bench.microphone.open(1, "", take)
    assert isinstance(bench.events.get(timeout=DEADLINE_S), MicrophoneLive)

    # Far ahead, so that a busy machine makes no gaps: those would be the player's.
    player = ("paplay", "--latency-msec=2000", "--device=mic_sink", tmp_path / "played.wav")
    call(player, bench.server.environment)
    # What was played last may still be on its way: more than all of it is as good as silence behind it.
    at_end = take.wait(0, 0)[0]
    assert take.wait(at_end + RATE_HZ // 2, DEADLINE_S)[0] > at_end
    bench.microphone.close(1)
    while not take.wait(10**9, DEADLINE_S)[1]:
        pass
    journal.shut_down()

    with wave.open(str(tmp_path / "takes" / f"{take.id}.wav")) as recording:
        assert recording.getframerate() == RATE_HZ
        heard = np.frombuffer(recording.readframes(recording.getnframes()), "<i2") / 32768
    lag = lag_of(heard, played[: RATE_HZ // 10])
    for start in range(0, len(played), RATE_HZ // 10):
        part = slice(start, start + RATE_HZ // 10)
        assert np.corrcoef(played[part], heard[lag:][part])[0, 1] > 0.99, f"{start} samples into it"


def lag_of(heard: NDArray[np.float64], sound: NDArray[np.float64]) -> int:
    size = len(heard) + len(sound)
    return int(np.argmax(np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(sound, size).conj(), size)[: len(heard)]))


def test_it_records_at_each_microphones_own_rate(bench: Bench) -> None:
    sink = ("module-null-sink", "sink_name=low", "rate=16000", "channels=1", "norewinds=1")
    module = bench.server.control("load-module", *sink)

    rates = [bench.record(1, name).blocks[0].rate_hz for name in ("low.monitor", MICROPHONE, "")]

    assert rates == [16_000, 48_000, 48_000]
    bench.server.unplug(module)


def test_it_is_live_only_when_sound_arrives_not_when_the_stream_is_open(bench: Bench) -> None:
    bench.server.control("suspend-source", MICROPHONE, "1")
    heard = Heard()
    bench.microphone.open(1, "", heard)
    eventually(bench.streams, "the stream is open")
    assert not heard.blocks

    bench.server.control("suspend-source", MICROPHONE, "0")

    assert heard.first.wait(DEADLINE_S)


# --- which microphone


def test_monitors_of_loudspeakers_are_no_microphones(bench: Bench) -> None:
    devices = bench.microphone.devices()

    assert [(device.name, device.label, device.is_default) for device in devices] == [
        (MICROPHONE, "Virtual_Microphone", True)
    ]


def test_a_microphone_chosen_by_name_is_the_one_that_records(bench: Bench) -> None:
    module = bench.server.add_microphone("second", "Second")

    bench.record(1, "second")

    sources = dict(line.split()[:2] for line in bench.server.control("list", "short", "sources").splitlines())
    outputs = bench.server.control("list", "source-outputs")
    ours = [block for block in outputs.split("Source Output #") if "ALSA Capture" in block]
    assert [sources[number] for block in ours for number in re.findall(r"Source: (\d+)", block)] == ["second"]
    bench.microphone.close(1)
    bench.server.unplug(module)


def test_when_only_loudspeakers_are_left_the_microphone_is_missing(own: Bench) -> None:
    own.server.unplug()

    own.microphone.open(1, "", Heard())

    assert own.failure() == (1, "microphone.missing")
    assert own.microphone.devices() == []


def test_without_a_sound_server_the_microphone_is_missing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent")

    bench.microphone.open(1, "", Heard())

    assert bench.failure() == (1, "microphone.missing")


def test_a_sound_server_that_does_not_let_us_in_denies_the_microphone(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.server.guarded() as address:
        (tmp_path / "cookie").write_bytes(bytes(256))
        monkeypatch.setenv("PULSE_COOKIE", str(tmp_path / "cookie"))
        monkeypatch.setenv("PULSE_SERVER", address)

        bench.microphone.open(1, "", Heard())

        assert bench.failure() == (1, "microphone.denied")


def test_a_sound_server_that_comes_later_is_found(server: PulseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent")
    bench = Bench(server)
    bench.microphone.open(1, "", Heard())
    assert bench.failure() == (1, "microphone.missing")

    monkeypatch.setenv("PULSE_SERVER", server.environment["PULSE_SERVER"])

    assert bench.record(2).first.is_set()
    bench.microphone.shut_down()


# --- what goes wrong while recording


def test_unplugging_the_only_microphone_is_noticed_though_the_server_goes_on_with_the_loudspeakers(own: Bench) -> None:
    heard = own.record(1)

    own.server.unplug()

    assert own.failure() == (1, "microphone.lost")
    assert heard.ended.wait(DEADLINE_S)
    assert heard.blocks


def test_a_new_default_goes_on_being_recorded(bench: Bench) -> None:
    module = bench.server.add_microphone("second", "Second")
    bench.server.control("set-default-source", "second")
    heard = bench.record(1)
    assert bench.names.get(timeout=DEADLINE_S) == "Second"

    bench.server.unplug(module)  # the server moves the stream to what is the default now
    assert bench.names.get(timeout=DEADLINE_S) == "Virtual_Microphone"
    before = len(heard.blocks)
    eventually(lambda: len(heard.blocks) > before + 150, "three seconds more, and several looks")

    assert bench.events.empty()
    bench.server.control("set-default-source", MICROPHONE)


def test_a_server_that_dies_loses_the_microphone(own: Bench) -> None:
    heard = own.record(1)

    own.server.kill()

    assert own.failure() == (1, "microphone.lost")
    assert heard.ended.wait(DEADLINE_S)
    assert heard.blocks


def test_a_server_that_hangs_loses_the_microphone_and_the_next_recording_works_once_it_is_back(bench: Bench) -> None:
    heard = bench.record(1)

    bench.server.freeze()

    assert bench.failure() == (1, "microphone.lost")
    assert heard.ended.wait(DEADLINE_S)
    bench.server.thaw()
    assert bench.record(2).first.is_set()


def test_a_recording_ends_while_the_server_hangs(bench: Bench) -> None:
    heard = bench.record(1)
    bench.server.freeze()

    bench.microphone.close(1)

    assert heard.ended.wait(DEADLINE_S)  # the server is thawed by nobody before this
    assert bench.events.empty()
    assert bench.microphone.devices() == ()


def test_opening_on_a_server_that_hangs_can_be_given_up(bench: Bench) -> None:
    bench.server.freeze()
    heard = Heard()

    bench.microphone.open(1, "", heard)
    bench.microphone.close(1)

    assert heard.ended.wait(DEADLINE_S)
    bench.server.thaw()
    assert bench.record(2).first.is_set()


def test_a_stream_that_opens_when_nobody_waits_any_more_is_closed(bench: Bench) -> None:
    workers = 1
    eventually(lambda: portaudio_threads() == workers, "those that other tests left behind have ended")
    bench.server.freeze()
    bench.microphone.open(1, "", Heard())
    eventually(bench.opening, "it is being opened")
    bench.microphone.close(1)
    eventually(lambda: portaudio_threads() > workers, "the one that hangs is left behind")

    bench.server.thaw()

    eventually(lambda: portaudio_threads() == workers, "it has come back")
    bench.record(2)
    bench.microphone.close(2)
    eventually(lambda: not bench.streams(), "no stream is left open")


def test_an_opening_that_is_wanted_again_is_waited_for(server: PulseServer) -> None:
    clock = 0.0
    with on(server, lambda: clock) as bench:
        server.freeze()
        bench.microphone.open(1, "", Heard())
        eventually(bench.opening, "it is being opened")
        bench.microphone.close(1)
        again = Heard()
        bench.microphone.open(2, "", again)
        bench.settle()

        clock = 5.0
        bench.settle()

        assert bench.opening()
        server.thaw()
        assert again.first.wait(DEADLINE_S)


def portaudio_threads() -> int:
    return sum(thread.name == "portaudio" for thread in threading.enumerate())


def test_shutting_down_does_not_wait_for_a_server_that_hangs(bench: Bench) -> None:
    heard = bench.record(1)
    bench.server.freeze()

    bench.microphone.shut_down()

    assert heard.ended.is_set()


def test_a_process_ends_while_its_sound_server_hangs(bench: Bench) -> None:
    program = """
import queue, sys
from lysnrai_desktop.adapters.microphone import PortAudioMicrophone
from tests.fakes.microphone import Heard
heard = Heard()
microphone = PortAudioMicrophone(print, lambda: 0.0)
microphone.open(1, "", heard)
assert heard.first.wait(20)
print("recording", flush=True)
sys.stdin.readline()
microphone.shut_down()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=dict(bench.server.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "recording\n"
        bench.server.freeze()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(DEADLINE_S) == 0


# --- warm and cold


def test_the_microphone_is_released_after_each_recording(bench: Bench) -> None:
    bench.record(1)
    assert len(bench.streams()) == 1

    bench.microphone.close(1)

    eventually(lambda: not bench.streams(), "the stream is closed")


def test_a_warm_microphone_stays_open_and_gives_the_moment_before(bench: Bench) -> None:
    bench.warm_s = 600.0
    first = bench.record(1)
    streams = bench.streams()
    bench.microphone.close(1)
    assert first.ended.wait(DEADLINE_S)

    second = bench.record(2)
    eventually(lambda: len(second.blocks) > 20, "it records")

    assert bench.streams() == streams
    bench.microphone.shut_down()
    stretches = np.lib.stride_tricks.sliding_window_view(np.frombuffer(first.pcm + second.pcm, np.int16), 12)
    noise = stretches[(stretches != 0).sum(axis=1) > 8]  # the room falls silent where its player is late
    assert len(np.unique(noise, axis=0)) == len(noise), "something is in it twice"


def test_a_warm_microphone_is_released_when_its_time_is_over(bench: Bench) -> None:
    bench.warm_s = 0.3
    bench.record(1)

    bench.microphone.close(1)

    eventually(lambda: not bench.streams(), "the stream is closed")


def test_a_warm_microphone_whose_server_died_is_opened_anew(own: Bench) -> None:
    own.warm_s = 600.0
    heard = own.record(1)
    own.microphone.close(1)
    assert heard.ended.wait(DEADLINE_S)

    own.server.kill()
    own.microphone.open(2, "", Heard())

    assert own.failure()[0] == 2


# --- without a sound server: devices of ALSA's own, which PortAudio knows by name


def test_devices_of_portaudio_serve_where_no_sound_server_answers_us(server: PulseServer, tmp_path: Path) -> None:
    program = """
from lysnrai_desktop.adapters.microphone import PortAudioMicrophone
from tests.fakes.microphone import Heard
heard, events = Heard(), []
microphone = PortAudioMicrophone(events.append, lambda: 0.0)
assert "headset" in [device.name for device in microphone.devices()], microphone.devices()
microphone.open(1, "headset", heard)
assert heard.first.wait(20), events
microphone.shut_down()
"""
    socket = server.environment["PULSE_SERVER"]
    (tmp_path / ".asoundrc").write_text(f'pcm.headset {{ type pulse server "{socket}" hint.description "x" }}\n')
    environment = {**server.environment, "HOME": str(tmp_path), "PULSE_SERVER": "unix:/nonexistent"}

    call((sys.executable, "-c", program), environment)


REFUSED = """
import fcntl, os, pty, sys, termios
from pathlib import Path
from lysnrai_desktop.adapters import portaudio
from lysnrai_desktop.core.faults import MicrophoneFault

folder, changes = Path(sys.argv[1]), iter(range(1, 9))
config = (folder / "alsa.conf").open("r+")

def headset(kind):
    config.seek(0)
    config.truncate()
    config.write('pcm.headset { hint.description "x" ' + kind + ' }')
    config.flush()
    os.utime(config.fileno(), (next(changes),) * 2)  # ALSA reads it again when its date is another

def opened():
    try:
        portaudio.open_input("headset", lambda _: None, lambda: None, may_look_again=True).close()
    except MicrophoneFault as fault:
        return fault.code
    return "opened"

(folder / "closed").touch(0)
(folder / "open").touch(0o666)
nodes = {name: folder / name for name in ("busy", "denied", "mixed")}
for node in nodes.values():
    node.mkdir()
ours, theirs = pty.openpty()
held = os.ttyname(theirs)
os.chmod(held, 0o666)
fcntl.ioctl(theirs, termios.TIOCEXCL)  # who opens it from now on is told that it is busy
(nodes["busy"] / "pcmC0D0c").symlink_to(held)
(nodes["denied"] / "pcmC0D0c").symlink_to(folder / "closed")
(nodes["mixed"] / "pcmC0D0c").symlink_to(folder / "closed")
(nodes["mixed"] / "pcmC1D0c").symlink_to(folder / "open")
portaudio.inputs(may_look_again=True)  # all that is imported late is imported now
if os.getuid() == 0:
    os.fchown(config.fileno(), 65534, 65534)
    os.setgroups([])
    os.setresgid(*[65534] * 3)
    os.setresuid(*[65534] * 3)

headset(f'type pulse server "{sys.argv[2]}"')
print(opened())
headset(f'type oss device "{held}"')
print(opened())
for name in ("busy", "denied", "mixed"):
    print(portaudio._nothing_there(nodes[name]).code)
"""


def test_a_device_that_another_program_holds_is_busy_and_one_that_we_may_not_open_is_denied(
    server: PulseServer,
) -> None:
    """The kernel's own refusals: ALSA's plug-in for OSS opens whatever file it is given, here one that is held."""
    with tempfile.TemporaryDirectory() as name, server.open_to_all() as address:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "alsa.conf").touch()
        alsa = f"/usr/share/alsa/alsa.conf:{folder / 'alsa.conf'}"
        environment = {
            **server.environment,
            "HOME": name,
            "PULSE_SERVER": "unix:/nonexistent",
            "ALSA_CONFIG_PATH": alsa,
        }

        told = call((sys.executable, "-c", REFUSED, folder, address), environment)

    assert told.split() == ["opened", "microphone.busy", "microphone.busy", "microphone.denied", "microphone.missing"]


# --- cards that no machine without hardware has


class Refused(Exception):
    """As sounddevice raises it: text, PortAudio's code, what the host said."""


@dataclass
class Card:
    """Stands in for the library `sounddevice`, with one card in the machine."""

    channels: tuple[int, ...] = (1, 2)
    rates: tuple[int, ...] = (44_100, 48_000)
    refusal: Refused | None = None
    overflows: tuple[bool, ...] = (False,)
    """Of each block: whether sound was lost before it."""
    opened: list[tuple[int, int]] = field(default_factory=list)
    PortAudioError: type[Refused] = Refused

    def query_devices(self, kind: str = "") -> object:
        card = {"name": "Card", "index": 0, "max_input_channels": max(self.channels), "default_samplerate": 44_100.0}
        return card if kind else [{**card, "name": "Speakers", "max_input_channels": 0}, card]

    def RawInputStream(self, *, channels: int, samplerate: int, callback: Callable[..., None], **_: object) -> Stream:  # noqa: N802
        if self.refusal:
            raise self.refusal
        if channels not in self.channels:
            raise Refused("Invalid number of channels", -9998)
        if samplerate not in self.rates:
            raise Refused("Invalid sample rate", -9997)
        self.opened.append((channels, samplerate))
        samples = np.array([[100] * channels, [-300] * channels], np.int16).data
        flags = [SimpleNamespace(input_overflow=overflow) for overflow in self.overflows]

        def start() -> None:
            for each in flags:
                callback(samples, 2, None, each)

        return Stream(start)

    def _terminate(self) -> None: ...

    def _initialize(self) -> None: ...


@dataclass
class Stream:
    start: Callable[[], None]


def opened_on(card: Card, monkeypatch: pytest.MonkeyPatch, device: str = "") -> Heard:
    monkeypatch.setattr(portaudio, "_sounddevice", lambda: card)
    heard = Heard()
    portaudio.open_input(device, heard.block, heard.end, may_look_again=True)
    return heard


@pytest.mark.parametrize("device", ["", "Card"])
def test_a_card_is_opened_with_one_channel_at_its_own_rate(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    card = Card()

    heard = opened_on(card, monkeypatch, device)

    assert card.opened == [(1, 44_100)]
    assert heard.blocks == [Block(np.array([100, -300], np.int16).tobytes(), 44_100)]


def test_a_card_without_a_single_channel_is_mixed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(channels=(4,))

    heard = opened_on(card, monkeypatch)

    assert card.opened == [(4, 44_100)]
    assert heard.blocks == [Block(np.array([100, -300], np.int16).tobytes(), 44_100)]


def test_what_was_lost_before_a_block_is_marked_but_not_what_was_there_before_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = opened_on(Card(overflows=(True, False, True)), monkeypatch)

    assert [block.after_gap for block in heard.blocks] == [False, False, True]


def test_cards_are_listed_once_and_loudspeakers_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portaudio, "_sounddevice", Card)

    assert portaudio.inputs(may_look_again=True) == [Device("Card", "Card", is_default=True)]


@pytest.mark.parametrize(
    ("refusal", "fault"),
    [
        (Refused("Device unavailable", -9985), MicrophoneBusy),
        (Refused("Unanticipated host error", -9999, (0, -16, "Device or resource busy")), MicrophoneBusy),
        (Refused("Unanticipated host error", -9999, (0, -13, "Permission denied")), MicrophoneDenied),
        (Refused("Unanticipated host error", -9999, (0, -5, "Input/output error")), MicrophoneMissing),
        (Refused("Invalid sample rate", -9997), MicrophoneMissing),
    ],
)
def test_why_a_card_does_not_open_is_told(
    monkeypatch: pytest.MonkeyPatch, refusal: Refused, fault: type[MicrophoneFault]
) -> None:
    with pytest.raises(fault):
        opened_on(Card(refusal=refusal), monkeypatch)


def test_a_card_of_another_name_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MicrophoneMissing):
        opened_on(Card(), monkeypatch, "Headset")


# --- pure parts


@given(st.lists(st.one_of(st.integers(1, 40), st.sampled_from(["begin", "end"])), max_size=30))
def test_no_block_is_in_two_takes_and_none_that_came_during_one_is_in_no_take(history: list[int | str]) -> None:
    line, now, takes, wanted, recording = _Line("", lambda: 0.0), 0, [], [], False
    for event in history:
        if event == "begin":
            takes.append(Heard())
            line.attach(takes[-1])
            recording = True
        elif event == "end":
            line.detach()
            recording = False
        else:
            for _ in range(int(event)):
                line.hear(Block(now.to_bytes(2, "little"), RATE_HZ))
                wanted += [now] if recording else []
                now += 1

    heard = [int.from_bytes(block.pcm, "little") for take in takes for block in take.blocks]
    assert heard == sorted(set(heard)), "in order, and none twice"
    assert set(wanted) <= set(heard)
    assert len(set(heard) - set(wanted)) <= round(PREROLL_S / portaudio.BLOCK_S) * len(takes), (
        "beside the moment before"
    )


@given(st.integers(1, 8), st.lists(st.integers(-32768, 32767), max_size=30))
def test_mixing_down_averages_the_channels_and_never_wraps(channels: int, samples: list[int]) -> None:
    whole = samples[: len(samples) // channels * channels]

    mono = np.frombuffer(portaudio.mix_down(np.array(whole, np.int16).tobytes(), channels), np.int16)

    frames = [whole[i : i + channels] for i in range(0, len(whole), channels)]
    assert len(mono) == len(frames)
    for got, frame in zip(mono.tolist(), frames, strict=True):
        assert min(frame) <= got <= max(frame)
        assert abs(got - sum(frame) / channels) <= 0.5
