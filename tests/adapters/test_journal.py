"""The journal against crashes, full disks and readers in a hurry."""

from __future__ import annotations

import json
import os
import queue
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.adapters import takes
from lysnrai_desktop.adapters.journal import RETRY_S, SYNC_S, Journal, RecordedTake, peak
from lysnrai_desktop.adapters.takes import TakeFolder
from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import Event, Outcome, Silence, TakeClosed
from lysnrai_desktop.core.takes import TakeRecord
from tests.desktop.processes import DEADLINE_S, eventually

RATE_HZ = 48_000


def counting(start: int, samples: int) -> bytes:
    """A signal in which each sample says which it is."""
    return array("H", [n & 0xFFFF for n in range(start, start + samples)]).tobytes()


def samples_of(path: Path) -> bytes:
    with wave.open(str(path)) as recording:
        assert (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) == (1, 2, RATE_HZ)
        return bytes(recording.readframes(recording.getnframes()))


@dataclass
class Bench:
    folder: Path
    clock: float = 100.0
    wall: float = 1_795_000_000.0
    events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    levels: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = Journal(
            self.folder, self.events.put, self.levels.append, self.faults.append, lambda: self.clock, lambda: self.wall
        )

    def record(self, take: RecordedTake, blocks: int, samples: int = 960) -> None:
        """Go on with the counting signal; returns when all of it can be read."""
        have, _ = take.wait(-1, 0)
        for n in range(blocks):
            take.block(Block(counting(have + n * samples, samples), RATE_HZ))
        assert take.wait(have + blocks * samples - 1, DEADLINE_S)[0] == have + blocks * samples

    def wav(self, take: RecordedTake) -> Path:
        return self.folder / f"{take.id}.wav"

    def sidecar(self, take: RecordedTake) -> dict[str, object]:
        content = json.loads((self.folder / f"{take.id}.json").read_text())
        assert isinstance(content, dict)
        return content

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def settle(self) -> None:
        """Return when the journal's thread has done all it was asked for."""
        done = threading.Event()
        self.journal.soon(done.set)
        assert done.wait(DEADLINE_S)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "home" / "takes")
    yield made
    made.journal.shut_down()


# --- what is on disk


def test_what_a_reader_has_seen_is_in_a_valid_file_at_that_moment(bench: Bench) -> None:
    take = bench.journal.open(1)

    for n in range(1, 20):
        bench.record(take, 1)
        assert samples_of(bench.wav(take)) == counting(0, n * 960)


def test_a_take_has_the_time_in_its_name_and_only_its_owner_can_read_it(bench: Bench) -> None:
    take = bench.journal.open(1)
    bench.record(take, 1)
    take.end()
    bench.settle()

    assert take.id.startswith("20261118T110640-")
    assert bench.files() == [f"{take.id}.json", f"{take.id}.wav"]
    assert {stat.S_IMODE((bench.folder / name).stat().st_mode) for name in bench.files()} == {0o600}
    assert stat.S_IMODE(bench.folder.stat().st_mode) == stat.S_IMODE(bench.folder.parent.stat().st_mode) == 0o700


def test_a_dictation_that_never_heard_anything_leaves_no_file(bench: Bench) -> None:
    take = bench.journal.open(1)
    take.end()
    take.keep(Outcome.FAILED, "microphone.no_audio")
    bench.settle()

    assert not bench.folder.exists()


def test_the_sidecar_says_what_became_of_it(bench: Bench) -> None:
    take = bench.journal.open(1)
    bench.record(take, 2)
    during = bench.sidecar(take)
    take.end()
    take.keep(Outcome.ON_CLIPBOARD, "insert.target_gone")
    bench.settle()

    assert (during["outcome"], during["code"]) == (None, "")
    assert bench.sidecar(take) == {
        "id": take.id,
        "started": bench.wall,
        "rate_hz": RATE_HZ,
        "samples": 1920,
        "outcome": "on_clipboard",
        "code": "insert.target_gone",
        "ended": bench.wall,
    }
    assert TakeFolder(bench.folder).records() == [
        TakeRecord(take.id, bench.wall, RATE_HZ, 1920, "on_clipboard", "insert.target_gone", bench.wall)
    ]


def test_shutting_down_writes_all_that_was_queued_and_marks_the_take_interrupted(bench: Bench) -> None:
    take = bench.journal.open(1)
    for n in range(500):
        take.block(Block(counting(n * 960, 960), RATE_HZ))

    bench.journal.shut_down()

    assert samples_of(bench.wav(take)) == counting(0, 500 * 960)
    assert bench.sidecar(take)["samples"] == 500 * 960
    assert bench.sidecar(take)["outcome"] is None


def test_two_takes_at_a_time_do_not_mix(bench: Bench) -> None:
    one, other = bench.journal.open(1), bench.journal.open(2)
    for n in range(50):
        one.block(Block(counting(n * 100, 100), RATE_HZ))
        other.block(Block(counting(30_000 + n * 100, 100), RATE_HZ))
    one.end()
    other.end()
    bench.settle()

    assert samples_of(bench.wav(one)) == counting(0, 5000)
    assert samples_of(bench.wav(other)) == counting(30_000, 5000)


def test_a_block_after_the_end_is_counted_as_dropped(bench: Bench) -> None:
    take = bench.journal.open(1)
    bench.record(take, 1)
    take.end()

    take.block(Block(counting(960, 960), RATE_HZ))

    assert bench.journal.dropped_blocks == 1


def test_a_gap_in_what_comes_is_counted_as_dropped_and_what_follows_is_kept(bench: Bench) -> None:
    take = bench.journal.open(1)
    bench.record(take, 1)

    take.block(Block(counting(960, 960), RATE_HZ, after_gap=True))
    bench.settle()

    assert bench.journal.dropped_blocks == 1
    assert samples_of(bench.wav(take)) == counting(0, 2 * 960)


def test_half_a_sample_is_a_bug_and_says_so(bench: Bench) -> None:
    with pytest.raises(ValueError, match="samples"):
        bench.journal.open(1).block(Block(b"\x01\x02\x03", RATE_HZ))


def test_the_level_is_told_for_every_block(bench: Bench) -> None:
    take = bench.journal.open(1)
    for pcm in (b"\x00\x00", b"\x00\x40\x00\x00", b"\x00\x80\x01\x00"):
        take.block(Block(pcm, RATE_HZ))
    bench.settle()

    assert bench.levels == [0.0, 0.5, 1.0]


SILENT = bytes(2 * 960)


def silences(bench: Bench) -> list[bool]:
    return [event.on for event in _drained(bench) if isinstance(event, Silence)]


def test_digital_silence_is_noticed_after_a_second_and_a_half_and_so_is_its_end(bench: Bench) -> None:
    take = bench.journal.open(1)
    for _ in range(74):
        take.block(Block(SILENT, RATE_HZ))
    assert silences(bench) == []

    take.block(Block(SILENT, RATE_HZ))
    assert silences(bench) == [True]

    take.block(Block(SILENT, RATE_HZ))
    take.block(Block(counting(1, 960), RATE_HZ))
    assert silences(bench) == [False]


def test_the_quietest_room_is_not_taken_for_a_muted_microphone(bench: Bench) -> None:
    take = bench.journal.open(1)
    for n in range(300):
        take.block(Block(SILENT if n % 70 else array("h", [1] + [0] * 959).tobytes(), RATE_HZ))

    assert silences(bench) == []


# --- a crash

WRITER = """
import sys
from array import array
from pathlib import Path
from lysnrai_desktop.adapters import takes
from lysnrai_desktop.adapters.journal import Journal
from lysnrai_desktop.core.audio import Block

journal = Journal(Path(sys.argv[1]), lambda event: None, lambda peak: None, print)
take, heard = journal.open(1), 0
for size in map(int, sys.stdin):
    take.block(Block(array("H", [n & 0xFFFF for n in range(heard, heard + size)]).tobytes(), 48000))
    heard += size
    print(take.wait(heard - size, 20)[0], flush=True)
"""


@pytest.mark.parametrize("seed", range(5))
def test_after_kill_9_at_any_moment_the_file_is_valid_and_has_all_that_could_be_read(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    readable = 0
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path / "takes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(chance.randrange(1, 200)):
            process.stdin.write(f"{chance.choice((1, 480, 960, 4800, 48_000))}\n")
            process.stdin.flush()
            readable = int(process.stdout.readline())
        process.stdin.write("".join(f"{chance.randrange(1, 5000)}\n" for _ in range(50)))
        process.stdin.flush()
        for _ in range(chance.randrange(20)):  # it is in the middle of these
            readable = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    (wav,) = (tmp_path / "takes").glob("*.wav")
    left = samples_of(wav)
    assert len(left) // 2 >= readable
    assert left == counting(0, len(left) // 2)
    takes = TakeFolder(tmp_path / "takes")
    takes.tidy(0.0, 0.0)  # the next start: the last block may lie behind what the header counts
    (record,) = takes.records()
    assert (record.outcome, record.rate_hz) == (None, RATE_HZ)
    assert record.samples >= len(left) // 2
    assert samples_of(wav) == counting(0, record.samples)


# --- readers


@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=40), st.lists(st.integers(0, 40_000), min_size=1, max_size=9)
)
def test_readers_see_exactly_what_was_written_while_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], places: list[int]
) -> None:
    journal = Journal(tmp_path_factory.mktemp("takes"), lambda _: None, lambda _: None, pytest.fail)
    take = journal.open(1)
    heard = 0
    wrong: list[str] = []

    def follow() -> None:
        have, complete = 0, False
        while not complete:
            have, complete = take.wait(have, DEADLINE_S)
            for place in (*places, have - 10):
                want = counting(max(place, 0), max(0, min(have, max(place, 0) + 500) - max(place, 0)))
                if take.read(max(place, 0), 500)[: len(want)] != want:
                    wrong.append(f"at {place} of {have}")

    reader = threading.Thread(target=follow)
    reader.start()
    for size in sizes:
        take.block(Block(counting(heard, size), RATE_HZ))
        heard += size
    take.end()
    reader.join(DEADLINE_S)

    assert not wrong
    assert take.wait(10**9, 0) == (heard, True)
    assert take.read(0, 10**9) == counting(0, heard)
    journal.shut_down()


# --- erased, kept


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_an_erased_take_leaves_nothing_on_disk(bench: Bench, moment: str) -> None:
    take = bench.journal.open(1)
    if moment == "before":
        take.erase()
    for n in range(100):
        take.block(Block(counting(n * 960, 960), RATE_HZ))
        if n == 50 and moment == "during":
            take.wait(1000, DEADLINE_S)
            take.erase()
            assert not bench.folder.exists() or bench.files() == []
    take.end()
    if moment == "after":
        bench.settle()
        take.erase()
    take.keep(Outcome.CANCELLED, "")
    bench.settle()

    assert not bench.folder.exists() or bench.files() == []
    assert bench.journal.dropped_blocks == 0
    assert bench.faults == []


def test_erasing_in_the_middle_of_writing_is_safe_a_hundred_times(bench: Bench) -> None:
    for session in range(100):
        take = bench.journal.open(session)
        for _ in range(session % 10 + 1):
            take.block(Block(counting(0, 960), RATE_HZ))
        take.erase()
    bench.settle()

    assert not bench.folder.exists() or bench.files() == []
    assert _open_files(bench.folder) == []


def test_no_file_stays_open_when_a_dictation_is_over(bench: Bench) -> None:
    for session, outcome in enumerate(Outcome):
        take = bench.journal.open(session)
        bench.record(take, 1)
        if session % 2:
            take.keep(outcome, "")
            take.end()
        else:
            take.end()
            take.keep(outcome, "")
    bench.settle()

    assert _open_files(bench.folder) == []


def _open_files(folder: Path) -> list[str]:
    links = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(link.readlink()))
        except FileNotFoundError:  # the one that reads this folder
            continue
    return [link for link in links if str(folder) in link]


# --- a disk that refuses


def test_a_disk_that_cannot_be_written_is_told_once_and_the_dictation_goes_on_in_memory(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    bench = Bench(tmp_path / "home" / "takes")
    take = bench.journal.open(1)

    for _ in range(5):
        bench.record(take, 10)
        bench.clock += RETRY_S
    take.end()
    second = bench.journal.open(2)
    bench.record(second, 1)

    assert bench.faults == ["disk.read_only"]
    assert take.read(0, 10**9) == counting(0, 50 * 960)
    closed = [event for event in _drained(bench) if isinstance(event, TakeClosed)]
    assert [event.audio_s for event in closed] == [1.0]
    bench.journal.shut_down()


def test_what_waited_in_memory_is_written_when_the_disk_works_again(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    bench = Bench(tmp_path / "home" / "takes")
    take = bench.journal.open(1)
    bench.record(take, 10)
    (tmp_path / "home").unlink()
    bench.record(take, 1)
    assert not bench.folder.exists()  # not tried with every block

    bench.clock += RETRY_S
    bench.record(take, 1)

    assert samples_of(bench.wav(take)) == take.read(0, 10**9) == counting(0, 12 * 960)
    bench.journal.shut_down()


def test_the_end_of_a_dictation_tries_the_disk_once_more(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    bench = Bench(tmp_path / "home" / "takes")
    take = bench.journal.open(1)
    bench.record(take, 10)
    (tmp_path / "home").unlink()

    take.end()
    bench.settle()

    assert samples_of(bench.wav(take)) == counting(0, 10 * 960)
    assert bench.sidecar(take)["samples"] == 10 * 960
    bench.journal.shut_down()


FULL = """
import json, resource, sys
from array import array
from pathlib import Path
from lysnrai_desktop.adapters import takes
from lysnrai_desktop.adapters.journal import Journal
from lysnrai_desktop.adapters.takes import HEADER_BYTES
from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import Outcome

def counting(start, samples):
    return array("H", [n & 0xFFFF for n in range(start, start + samples)]).tobytes()

limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (HEADER_BYTES + 10_500 * 2, limit[1]))
clock, faults = [0.0], []
journal = Journal(Path(sys.argv[1]), lambda event: None, lambda peak: None, faults.append, lambda: clock[0])
take = journal.open(1)
for n in range(20):
    take.block(Block(counting(n * 1000, 1000), 48000))
assert take.wait(19_999, 20)[0] == 20_000
assert take.read(0, 20_000) == counting(0, 20_000)
assert take.read(9_000, 3_000) == counting(9_000, 3_000)
print(json.dumps(faults), flush=True)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
clock[0] += 10
take.block(Block(counting(20_000, 1000), 48000))
take.end()
while not take.wait(10**9, 20)[1]: pass
take.keep(Outcome.FAILED, "engine.died")
journal.shut_down()
"""


def test_on_a_full_disk_the_beginning_stays_the_rest_is_read_from_memory_and_written_when_there_is_room(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FULL, tmp_path / "takes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert json.loads(process.stdout.readline()) == ["disk.full"]
        (wav,) = (tmp_path / "takes").glob("*.wav")
        assert samples_of(wav) == counting(0, 10_000)

        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(DEADLINE_S) == 0

    assert samples_of(wav) == counting(0, 21_000)


@pytest.mark.parametrize("moment", ["while recording", "at the end"])
def test_a_folder_removed_in_the_middle_is_made_again_with_all_that_was_heard(bench: Bench, moment: str) -> None:
    take = bench.journal.open(1)
    bench.record(take, 10)
    shutil.rmtree(bench.folder)

    if moment == "while recording":
        bench.clock += SYNC_S
        bench.record(take, 2)
    take.end()
    bench.settle()

    assert samples_of(bench.wav(take)) == take.read(0, 10**9)
    assert len(take.read(0, 10**9)) >= 10 * 960 * 2
    assert bench.sidecar(take)["rate_hz"] == RATE_HZ
    take.keep(Outcome.FAILED, "engine.died")
    bench.settle()
    assert _open_files(bench.folder) == []


@pytest.fixture
def goes_on(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A disk that stands still until this is set."""
    goes_on, write_at = threading.Event(), takes.write_at

    def slow(fd: int, offset: int, content: bytes | memoryview) -> None:
        assert goes_on.wait(DEADLINE_S)
        write_at(fd, offset, content)

    monkeypatch.setattr(takes, "write_at", slow)
    return goes_on


def test_a_dictation_given_up_while_the_disk_stands_still_is_kept(bench: Bench, goes_on: threading.Event) -> None:
    take = bench.journal.open(1)
    take.block(Block(counting(0, 960), RATE_HZ))
    take.end()
    take.keep(Outcome.FAILED, "microphone.no_audio")  # nobody has seen a block

    goes_on.set()
    bench.settle()

    assert samples_of(bench.wav(take)) == counting(0, 960)
    assert bench.sidecar(take)["outcome"] == "failed"


def test_a_disk_that_stands_still_holds_nobody_up_and_costs_no_block(bench: Bench, goes_on: threading.Event) -> None:
    take = bench.journal.open(1)
    for n in range(500):
        take.block(Block(counting(n * 960, 960), RATE_HZ))  # returns although nothing can be written
    take.end()

    goes_on.set()
    bench.settle()

    assert samples_of(bench.wav(take)) == counting(0, 500 * 960)
    assert bench.journal.dropped_blocks == 0
    assert bench.faults == []


def _drained(bench: Bench) -> list[Event]:
    bench.settle()
    events = []
    while not bench.events.empty():
        events.append(bench.events.get())
    return events


# --- pure parts


@given(st.lists(st.integers(-32768, 32767), max_size=50))
def test_the_peak_is_the_loudest_sample(samples: list[int]) -> None:
    assert peak(array("h", samples).tobytes()) == max(map(abs, samples), default=0) / 32768


def test_a_reader_that_waits_is_woken_by_the_next_block(bench: Bench) -> None:
    take = bench.journal.open(1)
    answers: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
    waiter = threading.Thread(target=lambda: answers.put(take.wait(0, DEADLINE_S)))
    waiter.start()
    eventually(waiter.is_alive, "it waits")

    take.block(Block(counting(0, 10), RATE_HZ))

    assert answers.get(timeout=DEADLINE_S) == (10, False)
    waiter.join()
