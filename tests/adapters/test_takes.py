"""What an earlier run left behind is found, made whole and let go, and never while somebody is working on it."""

from __future__ import annotations

import os
import queue
import shutil
import stat
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.adapters import takes
from lysnrai_desktop.adapters.journal import Journal, RecordedTake
from lysnrai_desktop.adapters.takes import HEADER_BYTES, TakeFolder, header
from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import Event, Outcome
from lysnrai_desktop.core.faults import DiskReadOnly, TakeBusy, TakeUnknown
from lysnrai_desktop.core.takes import TRANSCRIBED, UNDELIVERED_KEEP_S, TakeRecord
from tests.desktop.processes import DEADLINE_S

RATE_HZ = 16_000
BLOCK = b"\x01\x00\xff\x7f" * 800  # 0.1 s
ID = "20261124T172036-4f2a"
STARTED = 1_795_540_836.0
LATER = STARTED + UNDELIVERED_KEEP_S + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "takes"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def store(folder: Path) -> TakeFolder:
    return TakeFolder(folder)


class Recorder:
    """The journal of another run."""

    def __init__(self, folder: Path) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.journal = Journal(folder, self.events.put, lambda _: None, pytest.fail, wall=lambda: STARTED)

    def take(self, outcome: Outcome | None = None, blocks: int = 1) -> RecordedTake:
        """A take; one with an outcome is over."""
        take = self.journal.open(1)
        for _ in range(blocks):
            take.block(Block(BLOCK, RATE_HZ))
        assert take.wait(blocks * 1600 - 1, DEADLINE_S)[0] == blocks * 1600
        if outcome is not None:
            take.end()
            take.keep(outcome, "engine.died" if outcome is Outcome.FAILED else "")
            self.settle()
        return take

    def settle(self) -> None:
        done = threading.Event()
        self.journal.soon(done.set)
        assert done.wait(DEADLINE_S)


@pytest.fixture
def recorder(folder: Path) -> Iterator[Recorder]:
    made = Recorder(folder)
    yield made
    made.journal.shut_down()


def leave(folder: Path, content: bytes, take_id: str = ID, sidecar: str | None = None) -> None:
    (folder / f"{take_id}.wav").write_bytes(content)
    if sidecar is not None:
        (folder / f"{take_id}.json").write_text(sidecar)


# --- what is found


def test_a_take_says_when_it_began_how_long_it_is_and_what_became_of_it(store: TakeFolder, recorder: Recorder) -> None:
    take = recorder.take(Outcome.FAILED, blocks=3)

    assert store.records() == [TakeRecord(take.id, STARTED, RATE_HZ, 4800, "failed", "engine.died", STARTED)]


def test_takes_come_oldest_first(store: TakeFolder, folder: Path) -> None:
    names = ["20261124T172036-4f2a", "20250101T000000-ffff", "20261124T172037-0000"]
    for name in names:
        leave(folder, header(RATE_HZ, 1600) + BLOCK, name)

    assert [record.id for record in store.records()] == sorted(names)


@pytest.mark.parametrize(
    "sidecar",
    [
        None,
        "",
        "{",
        "[]",
        "{}",
        '{"id": 5, "started": 1.0, "rate_hz": 16000, "samples": 1}',
        '{"id": "another", "started": 1.0, "rate_hz": 16000, "samples": 1}',
        f'{{"id": "{ID}", "started": NaN, "rate_hz": 16000, "samples": 1}}',
        f'{{"id": "{ID}", "started": "yesterday", "rate_hz": 16000, "samples": 1}}',
    ],
)
def test_without_a_sidecar_that_makes_sense_name_and_file_tell(
    store: TakeFolder, folder: Path, sidecar: str | None
) -> None:
    leave(folder, header(RATE_HZ, 1600) + BLOCK, sidecar=sidecar)

    assert store.records() == [TakeRecord(ID, STARTED, RATE_HZ, 1600)]


def test_a_sidecar_of_a_later_version_is_understood(store: TakeFolder, folder: Path) -> None:
    told = f'{{"id": "{ID}", "started": 1.0, "rate_hz": 8000, "samples": 0, "outcome": "failed", "mood": "good"}}'
    leave(folder, header(RATE_HZ, 1600) + BLOCK, sidecar=told)

    assert store.records() == [TakeRecord(ID, 1.0, RATE_HZ, 1600, "failed")]


@pytest.mark.parametrize("head", [header(RATE_HZ, 5), bytes(HEADER_BYTES), b"?" * HEADER_BYTES])
def test_the_length_is_that_of_the_file_whatever_the_header_says(store: TakeFolder, folder: Path, head: bytes) -> None:
    leave(folder, head + BLOCK + b"\x00", sidecar=f'{{"id": "{ID}", "started": 1, "rate_hz": {RATE_HZ}, "samples": 0}}')

    (record,) = store.records()
    assert (record.rate_hz, record.samples) == (RATE_HZ, 1600)
    with store.open(ID) as take:
        assert take.wait(0, 0) == (1600, True)
        assert take.read(0, 10**9) == BLOCK
        assert take.read(1599, 5) == BLOCK[-2:]
        assert take.read(1600, 5) == take.read(10**9, 5) == b""


def test_what_another_program_put_there_is_not_ours(store: TakeFolder, folder: Path) -> None:
    stereo = BytesIO()
    with wave.open(stereo, "wb") as file:
        file.setparams((2, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(BLOCK)
    leave(folder, stereo.getvalue())
    before = (folder / f"{ID}.wav").read_bytes()

    store.tidy(LATER, 0.0)

    assert store.records() == []
    assert (folder / f"{ID}.wav").read_bytes() == before


@pytest.mark.parametrize("name", ["nothing", "../takes/" + ID, "/etc/passwd", "", ".", "*"])
def test_only_the_name_of_a_take_opens_one(store: TakeFolder, folder: Path, name: str) -> None:
    leave(folder, header(RATE_HZ, 1600) + BLOCK)

    with pytest.raises(TakeUnknown):
        store.open(name)


def test_without_a_folder_there_are_no_takes(store: TakeFolder, folder: Path) -> None:
    folder.rmdir()

    store.tidy(LATER, 0.0)
    assert store.records() == []


# --- whose it is


def test_a_take_under_way_is_neither_listed_nor_opened_nor_removed(
    store: TakeFolder, folder: Path, recorder: Recorder
) -> None:
    take = recorder.take()

    assert store.records() == []
    with pytest.raises(TakeBusy):
        store.open(take.id, patience_s=0.0)
    store.tidy(LATER * 2, 0.0)
    assert (folder / f"{take.id}.wav").exists()

    take.end()
    take.keep(Outcome.FAILED, "engine.died")
    recorder.settle()
    assert [record.id for record in store.records()] == [take.id]


def test_a_take_that_is_read_is_nobody_elses_until_it_is_closed(store: TakeFolder, recorder: Recorder) -> None:
    take = recorder.take(Outcome.FAILED)

    with store.open(take.id):
        assert store.records() == []
        with pytest.raises(TakeBusy):
            store.open(take.id, patience_s=0.0)

    assert len(store.records()) == 1
    store.open(take.id).close()


def test_somebody_who_only_looks_does_not_keep_others_from_a_take(store: TakeFolder, recorder: Recorder) -> None:
    take = recorder.take(Outcome.FAILED)
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            store.records()

    looker = threading.Thread(target=look)
    looker.start()
    for _ in range(50):
        store.open(take.id, patience_s=DEADLINE_S).close()
    done.set()
    looker.join()


def test_a_take_dropped_while_one_waited_for_it_is_unknown(
    store: TakeFolder, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep, waits = time.sleep, threading.Event()

    def noticed(seconds: float) -> None:
        waits.set()
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", noticed)
    take = recorder.take(Outcome.FAILED)
    first = store.open(take.id)
    outcomes: queue.SimpleQueue[object] = queue.SimpleQueue()

    def second() -> None:
        try:
            outcomes.put(store.open(take.id, patience_s=DEADLINE_S))
        except TakeUnknown:
            outcomes.put("unknown")

    waiting = threading.Thread(target=second)
    waiting.start()
    assert waits.wait(DEADLINE_S)
    first.drop()
    first.close()
    waiting.join()

    assert outcomes.get() == "unknown"


# --- marked, dropped


def test_a_marked_take_is_no_longer_offered_and_goes_a_day_later(
    store: TakeFolder, folder: Path, recorder: Recorder
) -> None:
    take = recorder.take(Outcome.FAILED)
    with store.open(take.id) as opened:
        opened.mark(TRANSCRIBED, LATER)

    (record,) = store.records()
    assert (record.outcome, record.code, record.ended, record.is_offered) == (TRANSCRIBED, "", LATER, False)
    store.tidy(LATER + UNDELIVERED_KEEP_S, 0.0)
    assert len(store.records()) == 1
    store.tidy(LATER + UNDELIVERED_KEEP_S + 1, 0.0)
    assert list(folder.iterdir()) == []


def test_a_dropped_take_leaves_no_trace(store: TakeFolder, folder: Path, recorder: Recorder) -> None:
    take = recorder.take(Outcome.FAILED)
    (folder / f"{take.id}.json.part").touch()

    with store.open(take.id) as opened:
        opened.drop()

    assert list(folder.iterdir()) == []


# --- tidied


def test_tidying_removes_what_is_over_and_nothing_else(store: TakeFolder, folder: Path, recorder: Recorder) -> None:
    kept = {outcome: recorder.take(outcome).id for outcome in Outcome}
    under_way = recorder.take().id
    (folder / "notes.json").write_text("not a take")
    leave(folder, header(RATE_HZ, 1600) + BLOCK)

    store.tidy(LATER, keep_s=0.0)

    stay = {kept[Outcome.FAILED], kept[Outcome.CANCELLED], under_way}
    assert {path.stem for path in folder.glob("*.wav")} == {*stay, ID}
    assert {path.stem for path in folder.glob("*.json")} == {*stay, "notes"}


def test_a_take_with_a_header_that_is_behind_and_half_a_sample_is_made_whole(store: TakeFolder, folder: Path) -> None:
    leave(folder, header(RATE_HZ, 3) + BLOCK + b"\x07")

    store.tidy(LATER, 0.0)

    with wave.open(str(folder / f"{ID}.wav")) as recording:
        assert (recording.getframerate(), recording.getnframes()) == (RATE_HZ, 1600)
        assert recording.readframes(10**6) == BLOCK
    assert (folder / f"{ID}.wav").stat().st_size == HEADER_BYTES + len(BLOCK)


def test_what_a_process_leaves_that_is_killed_in_between_is_removed(store: TakeFolder, folder: Path) -> None:
    leave(folder, b"", "20200101T000000-0001")  # before the first block was written
    (folder / "20200101T000000-0002.wav.new").touch()
    takes.write_sidecar(folder, TakeRecord("20200101T000000-0003", 0.0, RATE_HZ, 0))  # in the middle of removing it

    store.tidy(LATER, 0.0)

    assert list(folder.iterdir()) == []


def test_a_file_is_ours_before_anybody_can_take_it_for_a_take(
    store: TakeFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = takes._lock
    seen: list[list[Path]] = []

    def looked_before(fd: int) -> bool:
        seen.append(list(folder.glob("*.wav")))
        return lock(fd)

    monkeypatch.setattr(takes, "_lock", looked_before)
    fd = takes.create(folder, ID)
    assert seen == [[]]
    with pytest.raises(TakeBusy):
        store.open(ID, patience_s=0.0)
    os.close(fd)


@pytest.fixture
def nobody() -> Iterator[Path]:
    """An empty folder of a user who may not write everywhere, as whom the test runs."""
    with tempfile.TemporaryDirectory() as name:
        before = os.geteuid()
        if before == 0:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(before)


def test_a_folder_that_cannot_be_written_can_still_be_read(nobody: Path) -> None:
    store = TakeFolder(nobody)
    leave(nobody, header(RATE_HZ, 1) + BLOCK)
    (nobody / f"{ID}.wav").chmod(0o400)
    nobody.chmod(0o500)

    with pytest.raises(DiskReadOnly):
        store.tidy(LATER, 0.0)
    assert [record.samples for record in store.records()] == [1600]
    with store.open(ID) as take:
        assert take.read(0, 1600) == BLOCK
        with pytest.raises(DiskReadOnly):
            take.mark(TRANSCRIBED, LATER)
        with pytest.raises(DiskReadOnly):
            take.drop()
    nobody.chmod(0o700)


def test_every_file_is_its_owners_alone(folder: Path, recorder: Recorder) -> None:
    recorder.take(Outcome.FAILED)

    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    shutil.rmtree(folder)


# --- pure parts


@given(st.integers(8000, 192_000), st.binary(max_size=400).filter(lambda pcm: len(pcm) % 2 == 0))
def test_the_header_is_understood_by_others(rate_hz: int, pcm: bytes) -> None:
    content = header(rate_hz, len(pcm) // 2)

    assert len(content) == HEADER_BYTES
    with wave.open(BytesIO(content + pcm)) as recording:
        assert recording.getframerate() == rate_hz
        assert recording.readframes(recording.getnframes()) == pcm


def test_a_take_too_long_for_its_header_still_has_one() -> None:
    assert header(192_000, 2**33)[40:44] == b"\xff\xff\xff\xff"
