"""A download says how far it is, goes on where it broke, can be stopped at once, and is not believed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from lysnrai_desktop.core.faults import DiskFull, ModelDamaged, ModelDownloadFailed, ModelMissing
from lysnrai_desktop.core.settings import ModelSettings
from lysnrai_desktop.runtime.model_sources import Server
from lysnrai_desktop.runtime.models import Models, Offer, Progress
from tests.runtime.hub_server import HubServer, hub_server
from tests.runtime.made_models import CATALOGUE, CONTENT, MADE, ON_HUB, SIZE_BYTES

ROOT = Path(__file__).parents[2]
HALF_BYTES = 65_536  # the download writes 32 KiB at a time
MODEL_BIN = next(path for path in ON_HUB if path.endswith("model.bin"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with hub_server(dict(ON_HUB)) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def store(folder: Path, hub: HubServer, *, source: Server | None = None, download: str = "always") -> Models:
    server = source or Server("hub", hub.address, stall_s=60)
    return Models(folder, CATALOGUE, ModelSettings(download=download), sources=(server,))


def children() -> set[str]:
    return {pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()}


def test_a_model_comes_whole_from_a_server(hub: HubServer, folder: Path) -> None:
    told: list[Progress] = []

    got = store(folder, hub).get("made", progress=told.append)

    assert got is not None
    assert {name: (got.path / name).read_bytes() for name in CONTENT} == CONTENT
    assert hub.requests == [f"{name} 0" for name in CONTENT]
    assert [p.done_bytes for p in told] == sorted(p.done_bytes for p in told)
    assert told[-1] == Progress("hub", SIZE_BYTES, SIZE_BYTES)


def test_a_mirror_is_found_by_the_settings(hub: HubServer, folder: Path) -> None:
    settings = ModelSettings(sources=("mirror",), mirror=f"{hub.address}/", download="ask")
    asked: list[str] = []

    def agree(offer: Offer) -> bool:
        asked.append(offer.server)
        return True

    got = Models(folder, CATALOGUE, settings).get("made", consent=agree)

    assert got is not None
    assert asked == ["127.0.0.1"]


def test_a_refused_download_asks_the_server_for_nothing(hub: HubServer, folder: Path) -> None:
    with pytest.raises(ModelMissing):
        store(folder, hub, download="ask").get("made", consent=lambda _: False)

    assert hub.requests == []


def test_without_room_the_server_is_asked_for_nothing(hub: HubServer, folder: Path) -> None:
    models = Models(
        folder,
        CATALOGUE,
        ModelSettings(download="always"),
        sources=(Server("hub", hub.address, stall_s=60),),
        free_bytes=lambda _: 0,
    )

    with pytest.raises(DiskFull):
        models.get("made")

    assert hub.requests == []


def test_a_connection_that_breaks_half_way_is_gone_on_with(hub: HubServer, folder: Path) -> None:
    hub.break_after_bytes = HALF_BYTES

    assert store(folder, hub).get("made") is not None

    assert [request for request in hub.requests if request.startswith("model.bin")] == [
        "model.bin 0",
        f"model.bin {HALF_BYTES}",
    ]


def cancel_when_half_is_there(hub: HubServer, folder: Path) -> None:
    hub.hang_after_bytes = HALF_BYTES
    cancelled = Event()

    def look(progress: Progress) -> None:
        if progress.done_bytes == len(CONTENT["config.json"]) + HALF_BYTES:
            cancelled.set()

    before = children()
    assert store(folder, hub).get("made", progress=look, cancelled=cancelled) is None
    assert children() == before, "the download's process is gone when get returns"
    hub.hang_after_bytes = None
    hub.requests.clear()


def test_a_cancelled_download_is_gone_on_with_the_next_time(hub: HubServer, folder: Path) -> None:
    cancel_when_half_is_there(hub, folder)
    with pytest.raises(ModelMissing):
        store(folder, hub).locate("made")

    assert store(folder, hub).get("made") is not None

    assert hub.requests == [f"model.bin {HALF_BYTES}", "tokenizer.json 0", "vocabulary.txt 0"]


def test_a_server_that_cannot_go_on_sends_all_of_it_again(hub: HubServer, folder: Path) -> None:
    cancel_when_half_is_there(hub, folder)
    hub.ranges = False

    assert store(folder, hub).get("made") is not None


def test_a_stall_ends_the_download_and_keeps_what_is_there(hub: HubServer, folder: Path) -> None:
    hub.hang_after_bytes = HALF_BYTES
    half = len(CONTENT["config.json"]) + HALF_BYTES
    told: list[Progress] = []

    def clock() -> float:
        return 61.0 if told and told[-1].done_bytes == half else 0.0

    with pytest.raises(ModelDownloadFailed, match="nothing arrived for 60 s"):
        store(folder, hub, source=Server("hub", hub.address, 60, clock=clock)).get("made", progress=told.append)

    assert (folder / ".made.part" / "model.bin").stat().st_size == HALF_BYTES


def test_a_server_that_never_answers_is_a_stall(hub: HubServer, folder: Path) -> None:
    hub.hang_after_bytes = 0

    with pytest.raises(ModelDownloadFailed, match="nothing arrived"):
        store(folder, hub, source=Server("hub", hub.address, stall_s=0.2)).get("made")


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(bytes(len(CONTENT["model.bin"])), id="other bytes"),
        pytest.param(CONTENT["model.bin"][:-1], id="too short"),
        pytest.param(CONTENT["model.bin"] + bytes(1), id="a byte too many"),
        pytest.param(b"<html>please log in</html>", id="another page"),
    ],
)
def test_a_server_that_lies_is_not_believed(hub: HubServer, folder: Path, lie: bytes) -> None:
    hub.files[MODEL_BIN] = lie

    with pytest.raises(ModelDamaged, match=r"model\.bin"):
        store(folder, hub).get("made")

    assert not (folder / "made").exists()
    assert not (folder / ".made.part" / "model.bin").exists()


def test_a_server_that_sends_without_end_is_cut_off(hub: HubServer, folder: Path) -> None:
    hub.files[MODEL_BIN] = bytes(50_000_000)
    hub.hang_after_bytes = 2 * SIZE_BYTES  # the rest would come: only being cut off ends this

    with pytest.raises(ModelDamaged, match=r"model\.bin"):
        store(folder, hub).get("made")


def test_what_was_got_after_a_lie_was_left_half_is_still_right(hub: HubServer, folder: Path) -> None:
    hub.files[MODEL_BIN] = bytes(len(CONTENT["model.bin"]))
    cancel_when_half_is_there(hub, folder)
    hub.files[MODEL_BIN] = CONTENT["model.bin"]

    assert store(folder, hub).get("made") is not None

    assert [request for request in hub.requests if request.startswith("model.bin")] == [
        f"model.bin {HALF_BYTES}",
        "model.bin 0",
    ]


def test_a_beginning_longer_than_what_the_server_has_is_not_kept(hub: HubServer, folder: Path) -> None:
    cancel_when_half_is_there(hub, folder)
    hub.files[MODEL_BIN] = b"short"

    with pytest.raises(ModelDownloadFailed, match="416"):
        store(folder, hub).get("made")

    assert not (folder / ".made.part" / "model.bin").exists()


def test_a_server_without_the_model_says_so(hub: HubServer, folder: Path) -> None:
    hub.files.clear()

    with pytest.raises(ModelDownloadFailed, match="404"):
        store(folder, hub).get("made")

    assert not (folder / ".made.part").exists(), "nothing has arrived"


@pytest.mark.parametrize("address", ["http://host:port", "ftp://127.0.0.1", "somewhere"])
def test_an_address_that_is_none_is_a_failed_download(hub: HubServer, folder: Path, address: str) -> None:
    with pytest.raises(ModelDownloadFailed, match=r"mirror: (UnsupportedProtocol|InvalidURL)"):
        store(folder, hub, source=Server("mirror", address, stall_s=60)).get("made")


def test_a_user_who_is_offline_by_choice_stays_offline(
    hub: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(ModelDownloadFailed, match="HF_HUB_OFFLINE"):
        store(folder, hub).get("made")

    assert hub.requests == []


def test_an_address_is_named_by_its_host_alone() -> None:
    addresses = ("https://me:secret@mirror.example:8080/models", "http://[", "somewhere")

    assert [Server("mirror", address, 60).server for address in addresses] == [
        "mirror.example",
        "http://[",
        "somewhere",
    ]


def test_a_token_of_the_user_is_not_shown_to_a_server(
    hub: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")

    assert store(folder, hub).get("made") is not None

    assert not any("hf_secret" in headers for headers in hub.headers)


def test_a_download_that_crashes_is_a_failed_download(hub: HubServer, folder: Path) -> None:
    crash = (sys.executable, "-c", "import os; os.abort()")

    with pytest.raises(ModelDownloadFailed, match="status -6"):
        store(folder, hub, source=Server("hub", hub.address, 60, command=crash)).get("made")


def test_a_full_disk_is_not_called_a_failed_download(hub: HubServer, folder: Path) -> None:
    full = (sys.executable, "-c", "print('disk full', end=''); exit(1)")

    with pytest.raises(DiskFull):
        store(folder, hub, source=Server("hub", hub.address, 60, command=full)).get("made")


_DIE_WHEN_SOMETHING_ARRIVES = """
import os, sys
from pathlib import Path
from lysnrai_desktop.core.settings import ModelSettings
from lysnrai_desktop.runtime.model_sources import Server
from lysnrai_desktop.runtime.models import Models
from tests.runtime.made_models import CATALOGUE

def die(progress):
    if progress.done_bytes > 60_000:
        pids = [pid for f in Path("/proc/self/task").glob("*/children") for pid in f.read_text().split()]
        print(*pids, flush=True)
        os.kill(os.getpid(), 9)

source = Server("hub", sys.argv[2], stall_s=60)
Models(Path(sys.argv[1]), CATALOGUE, ModelSettings(download="always"), sources=(source,)).get("made", progress=die)
"""


def is_running(pid: str) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def test_a_download_ends_when_the_app_is_killed_and_is_gone_on_with(hub: HubServer, folder: Path) -> None:
    hub.hang_after_bytes = HALF_BYTES
    command = [sys.executable, "-c", _DIE_WHEN_SOMETHING_ARRIVES, str(folder), hub.address]

    killed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=False)

    assert killed.returncode == -signal.SIGKILL
    (pid,) = killed.stdout.split()
    deadline = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < deadline, "the download outlived the app"
        os.sched_yield()
    hub.hang_after_bytes = None
    hub.requests.clear()
    assert store(folder, hub).get("made") is not None
    assert hub.requests[0] == f"model.bin {HALF_BYTES}"


def test_every_model_of_the_catalogue_is_asked_for_at_its_revision(hub: HubServer, folder: Path) -> None:
    other = replace(MADE, revision="f" * 40)
    hub.files = {path.replace(MADE.revision, other.revision): content for path, content in ON_HUB.items()}
    source = Server("hub", hub.address, stall_s=60)
    settings = ModelSettings(download="always")

    with pytest.raises(ModelDownloadFailed, match="404"):
        Models(folder, CATALOGUE, settings, sources=(source,)).get("made")
    assert Models(folder, replace(CATALOGUE, models=(other,)), settings, sources=(source,)).get("made") is not None
