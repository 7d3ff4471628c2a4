"""kill -9 at any moment, and the take has every block that reached the callback, but for the last 100 ms at most.

A signal in which each sample is one more than the last is played into the virtual microphone in place of speech, so
that a sample that is missing, doubled or changed shows. Several programs record at the same time, each to be killed at
a moment of its own: 20 in all, and with LYSNRAI_TEST_EFFORT=full 20 in each state.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lysnrai_desktop.adapters.takes import TakeFolder
from tests.desktop.machine import home_folder
from tests.desktop.processes import DEADLINE_S, eventually, running
from tests.desktop.sound import RATE_HZ, PulseServer, pulse_server
from tests.e2e.recorder_to_kill import RECORD

STATES = {"arming": 5, "recording": 9, "finishing": 6}
"""How often each is killed."""
AT_ONCE = 10
if os.environ.get("LYSNRAI_TEST_EFFORT") == "full":
    STATES = dict.fromkeys(STATES, 20)
LOST_AT_MOST_S = 0.1
COUNTER_S = 20


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("counter") / "counter.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(np.arange(COUNTER_S * RATE_HZ, dtype=np.uint32).astype("<u2").tobytes())
    return path


@pytest.fixture(scope="module")
def counting() -> Iterator[PulseServer]:
    """A sound server whose microphone is free of the room's noise, so that samples come through unchanged."""
    with home_folder() as (folder, environment), pulse_server(folder, environment) as server:
        for line in server.control("list", "short", "sink-inputs").splitlines():
            server.control("set-sink-input-mute", line.split()[0], "1")
        yield server


class Recorder:
    """The program that is killed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self.process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self.received = self.counted = 0
        """Samples in all, and those of the signal."""
        self.last = 0
        self.read()

    def tell(self, word: str) -> None:
        self._stdin.write(f"{word}\n".encode())
        self._stdin.flush()

    def read(self) -> bool:
        """Take note of one more block; False when none will come."""
        record = self._stdout.read(RECORD.size)
        if len(record) < RECORD.size:
            return False
        samples, self.last = RECORD.unpack(record)
        self.received += samples
        self.counted += samples if self.last else 0
        return True

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)
        while self.read():
            pass


def samples_of(path: Path) -> NDArray[np.uint16]:
    with wave.open(str(path)) as recording:
        assert (recording.getframerate(), recording.getnchannels(), recording.getsampwidth()) == (RATE_HZ, 1, 2)
        return np.frombuffer(recording.readframes(recording.getnframes()), "<u2")


def first_counted(samples: NDArray[np.uint16]) -> int:
    """Where the counting signal begins: before it there is silence."""
    (counted,) = np.nonzero(samples)
    assert len(counted), "none of the signal was heard"
    return int(counted[0])


@pytest.mark.parametrize("state", STATES)
def test_after_kill_9_every_sample_is_there_but_for_the_last_tenth_of_a_second(
    counting: PulseServer, counter: Path, tmp_path: Path, state: str
) -> None:
    for first in range(0, STATES[state], AT_ONCE):
        kills = range(first, min(first + AT_ONCE, STATES[state]))
        chances = {tmp_path / str(kill): random.Random(f"{state} {kill}") for kill in kills}
        for folder, recorder in killed(counting, counter, state, chances).items():
            assert_whole(folder, recorder, state)


def killed(
    counting: PulseServer, counter: Path, state: str, chances: Mapping[Path, random.Random]
) -> dict[Path, Recorder]:
    """Let programs record into these folders, and kill each at its moment of this state."""
    # Far ahead, so that a busy machine makes no gaps: those would be the player's.
    player = ("paplay", "--latency-msec=2000", "--device=mic_sink", counter)
    with contextlib.ExitStack() as stack:
        processes = {
            folder: stack.enter_context(
                running(
                    (sys.executable, "-m", "tests.e2e.recorder_to_kill", folder),
                    counting.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for folder in chances
        }
        recorders = {folder: Recorder(process) for folder, process in processes.items()}
        stack.enter_context(running(player, counting.environment))
        if state == "arming":
            for folder, chance in chances.items():
                recorders[folder].tell("start")
                time.sleep(chance.uniform(0.0, 0.1))
                recorders[folder].kill()
            return recorders
        for recorder in recorders.values():
            recorder.tell("start")
        moments = {folder: RATE_HZ * chance.uniform(0.5, 1.5) for folder, chance in chances.items()}
        for folder in sorted(moments, key=lambda folder: moments[folder]):
            recorder = recorders[folder]
            while recorder.counted < moments[folder]:
                assert recorder.read()
            if state == "finishing":
                recorder.tell("stop")
                time.sleep(chances[folder].uniform(0.0, 0.2))
            recorder.kill()
        return recorders


def assert_whole(folder: Path, recorder: Recorder, state: str) -> None:
    """What was recorded is offered, and has every sample but for the last few."""
    store = TakeFolder(folder)
    store.tidy(time.time(), 0.0)
    records = store.records()
    lost = recorder.received - sum(record.samples for record in records)
    assert 0 <= lost <= LOST_AT_MOST_S * RATE_HZ
    if not records:
        assert state == "arming"
        return
    (record,) = records
    assert record.is_offered
    samples = samples_of(folder / f"{record.id}.wav")
    assert len(samples) == record.samples
    if state != "arming":
        counted = samples[first_counted(samples) :]
        assert len(counted) > 0.2 * RATE_HZ
        wrong = np.flatnonzero(np.diff(counted) != 1)
        assert not len(wrong), f"at {wrong[:5]} of {len(counted)}"
        assert int(counted[-1]) == (recorder.last - lost) % 65536, "and they are the ones that came last"


def test_a_take_of_a_process_that_lives_is_offered_to_nobody(counting: PulseServer, tmp_path: Path) -> None:
    folder = tmp_path / "takes"
    command = (sys.executable, "-m", "tests.e2e.recorder_to_kill", folder)
    with running(command, counting.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        recorder = Recorder(process)
        recorder.tell("start")
        eventually(lambda: [file for file in folder.glob("*.wav") if file.stat().st_size > RATE_HZ], "it records")
        process.send_signal(signal.SIGSTOP)
        store = TakeFolder(folder)

        assert store.records() == []
        store.tidy(time.time() + 1e9, 0.0)
        assert list(folder.glob("*.wav"))
        process.send_signal(signal.SIGCONT)
        recorder.kill()
        assert len(store.records()) == 1
