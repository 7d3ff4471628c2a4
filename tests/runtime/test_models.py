"""A model is used only when it is whole, and gets here whole or not at all, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from lysnrai_desktop.core.catalogue import Model, ModelFile
from lysnrai_desktop.core.faults import (
    DiskFull,
    DiskReadOnly,
    Fault,
    ModelDamaged,
    ModelDownloadFailed,
    ModelMissing,
    ModelUnknown,
)
from lysnrai_desktop.core.settings import ModelSettings
from lysnrai_desktop.runtime.model_sources import Arrived, Folder, Source
from lysnrai_desktop.runtime.models import (
    SPARE_BYTES,
    ModelPath,
    Models,
    Offer,
    Presence,
    Progress,
    load_catalogue,
    models_dir,
)
from tests.fixtures_models import FOLDER as PREPARED
from tests.runtime.made_models import CATALOGUE, CONTENT, MADE, SIZE_BYTES, flip, install_packages, write_folder

ROOT = Path(__file__).parents[2]


@dataclass
class Carrier:
    """A source that brings what it is told to, for a server's sake or not."""

    name: str = "carrier"
    server: str = ""
    content: dict[str, bytes] = field(default_factory=lambda: dict(CONTENT))
    fault: Fault | OSError | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)
    """The files it was asked for, each time."""
    inside: Event = field(default_factory=Event)
    go_on: Event | None = None

    def has(self, model: Model) -> bool:
        return model == MADE

    def fill(
        self,
        model: Model,
        files: Sequence[ModelFile],
        folder: Path,
        arrived: Arrived,
        cancelled: Event,
    ) -> None:
        assert self.has(model)
        assert not cancelled.is_set()
        self.asked.append(tuple(file.name for file in files))
        self.inside.set()
        if self.go_on is not None:
            assert self.go_on.wait(20)
        for file in files:
            # Goes on from what is there, as a server does.
            with (folder / file.name).open("ab") as target:
                target.write(self.content[file.name][target.tell() :])
            arrived(sum((folder / name.name).stat().st_size for name in files if (folder / name.name).exists()))
        if self.fault is not None:
            raise self.fault


def store(folder: Path, *sources: Source, download: str = "always", free_bytes: int = 1 << 50) -> Models:
    settings = ModelSettings(download=download)
    return Models(folder, CATALOGUE, settings, sources=sources, free_bytes=lambda _: free_bytes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "models"


# ---- where the models are


def test_models_lie_in_the_apps_folder_unless_the_environment_says_otherwise() -> None:
    home = Path("/home/me/.LysnrAI")

    assert models_dir(home, {}) == home / "models"
    assert models_dir(home, {"LYSNRAI_MODELS": ""}) == home / "models"
    assert models_dir(home, {"LYSNRAI_MODELS": "/srv/models"}) == Path("/srv/models")


def test_sources_are_tried_as_the_settings_order_them(folder: Path) -> None:
    settings = ModelSettings(
        sources=("hub", "folder", "mirror", "package"), folder="~/models", mirror="https://mirror.example/"
    )

    sources = Models(folder, CATALOGUE, settings, environ={})._sources

    assert [source.name for source in sources] == ["hub", "folder", "mirror", "package"]
    assert [source.server for source in sources] == ["huggingface.co", "", "mirror.example", ""]


def test_a_mirror_or_folder_that_is_not_set_is_no_source(folder: Path) -> None:
    settings = ModelSettings(sources=("package", "mirror", "folder", "hub"))

    sources = Models(folder, CATALOGUE, settings, environ={"HF_ENDPOINT": "https://hub.example"})._sources

    assert [source.name for source in sources] == ["package", "hub"]
    assert sources[1].server == "hub.example"


# ---- using what is there


def test_a_model_that_was_never_got_is_missing(folder: Path) -> None:
    with pytest.raises(ModelMissing):
        store(folder).locate("made")


def test_a_name_that_is_neither_model_nor_folder_is_unknown(folder: Path) -> None:
    models = store(folder)

    for call in (models.locate, models.get, models.verify, models.remove):
        with pytest.raises(ModelUnknown) as unknown:
            call(str(folder / "no-such-model"))
        assert str(folder) not in str(unknown.value)


def test_a_model_put_there_by_hand_is_used_if_it_is_whole(folder: Path) -> None:
    write_folder(folder / "made")

    assert store(folder).locate("made") == ModelPath(folder / "made", "made", verified=True)


def test_a_damaged_model_is_not_used_and_the_file_is_named(folder: Path) -> None:
    write_folder(folder / "made")
    flip(folder / "made" / "tokenizer.json", 7)

    with pytest.raises(ModelDamaged) as damaged:
        store(folder).locate("made")

    assert (damaged.value.model, damaged.value.file) == ("made", "tokenizer.json")


@pytest.mark.parametrize("name", ["a" * 300, "~nobody-of-that-name/model", "/proc/1/cwd/model"])
def test_a_folder_that_cannot_even_be_looked_at_is_unknown(folder: Path, name: str) -> None:
    with pytest.raises(ModelUnknown):
        store(folder).locate(name)


def test_an_own_folder_is_used_and_marked_as_not_verified(folder: Path, tmp_path: Path) -> None:
    own = write_folder(tmp_path / "my model")
    (own / "model.bin").write_bytes(b"trained at home")

    assert store(folder).locate(str(own)) == ModelPath(own, "my model", verified=False)


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"])
def test_an_own_folder_without_a_file_that_is_needed_is_not_used(folder: Path, tmp_path: Path, name: str) -> None:
    own = write_folder(tmp_path / "my model")
    (own / name).unlink()

    with pytest.raises(ModelDamaged, match=name) as damaged:
        store(folder).locate(str(own))

    assert "my model" not in str(damaged.value)


def test_the_list_tells_what_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_packages(tmp_path / "site")
    models = store(folder)

    (absent,) = models.list()
    write_folder(folder / "made")
    monkeypatch.syspath_prepend(tmp_path / "site")
    (ready,) = models.list()
    flip(folder / "made" / "model.bin", 7)
    (damaged,) = models.list()

    assert (absent.presence, absent.wrong_file, absent.packaged) == (Presence.ABSENT, "", False)
    assert (ready.presence, ready.wrong_file, ready.packaged) == (Presence.READY, "", True)
    assert (damaged.presence, damaged.wrong_file) == (Presence.DAMAGED, "model.bin")


def test_verifying_names_every_wrong_file(folder: Path) -> None:
    models = store(folder)
    with pytest.raises(ModelMissing):
        models.verify("made")
    write_folder(folder / "made")

    assert models.verify("made") == ()
    flip(folder / "made" / "model.bin", 7)
    (folder / "made" / "config.json").unlink()
    assert models.verify("made") == ("config.json", "model.bin")


# ---- getting one


def test_what_was_got_is_whole_private_and_told_on_the_way(folder: Path) -> None:
    told: list[Progress] = []
    umask = os.umask(0)
    try:
        got = store(folder, Carrier()).get("made", progress=told.append)
    finally:
        os.umask(umask)

    assert got == ModelPath(folder / "made", "made", verified=True)
    assert {path.name: path.read_bytes() for path in got.path.iterdir() if path.name != ".verified"} == CONTENT
    assert told[-1] == Progress("carrier", SIZE_BYTES, SIZE_BYTES)
    assert {path.stat().st_mode & 0o777 for path in (folder, got.path)} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}


def test_a_model_that_is_here_is_not_fetched_again(folder: Path) -> None:
    write_folder(folder / "made")
    carrier = Carrier()

    assert store(folder, carrier).get("made") is not None

    assert carrier.asked == []


def test_of_a_damaged_model_only_the_wrong_files_are_brought(folder: Path) -> None:
    write_folder(folder / "made")
    flip(folder / "made" / "tokenizer.json", 7)
    (folder / "made" / "vocabulary.txt").unlink()
    (folder / "made" / "preprocessor_config.json").write_text("{}")
    (folder / "made" / "notes").mkdir()
    carrier = Carrier()

    assert store(folder, carrier).get("made") is not None

    assert carrier.asked == [("tokenizer.json", "vocabulary.txt")]
    assert store(folder).verify("made") == ()


def test_a_truncated_file_of_a_model_is_not_gone_on_with(folder: Path) -> None:
    write_folder(folder / "made")
    (folder / "made" / "model.bin").write_bytes(b"something else")
    carrier = Carrier()

    assert store(folder, carrier).get("made") is not None

    assert carrier.asked == [("model.bin",)], "once: nothing wrong was gone on with"


def test_repairing_a_model_leaves_what_it_was_linked_to_alone(folder: Path, tmp_path: Path) -> None:
    elsewhere = write_folder(tmp_path / "elsewhere")
    (elsewhere / "model.bin").write_bytes(b"precious")
    folder.mkdir(parents=True)
    (folder / "made").symlink_to(elsewhere)

    assert store(folder, Carrier()).get("made") is not None
    (folder / "made" / "model.bin").unlink()
    (folder / "made" / "model.bin").symlink_to(elsewhere / "model.bin")
    assert store(folder, Carrier()).get("made") is not None

    assert (elsewhere / "model.bin").read_bytes() == b"precious"
    assert store(folder).verify("made") == ()


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_a_source_that_brings_a_wrong_file_is_not_believed(folder: Path, name: str) -> None:
    wrong = Carrier(content=CONTENT | {name: bytes(len(CONTENT[name]))})

    with pytest.raises(ModelDamaged) as damaged:
        store(folder, wrong).get("made")

    assert damaged.value.file == name
    with pytest.raises(ModelMissing):
        store(folder).locate("made")


def test_the_next_source_is_tried_for_what_the_one_before_did_not_bring(folder: Path) -> None:
    wrong = Carrier(content=CONTENT | {"model.bin": b"too short"})
    unreachable = Carrier(content=dict.fromkeys(CONTENT, b""), fault=ModelDownloadFailed("unreachable"))
    right = Carrier()

    assert store(folder, wrong, unreachable, right).get("made") is not None

    assert right.asked == [("model.bin",)]


def test_a_wrong_beginning_left_by_another_try_is_thrown_away(folder: Path) -> None:
    (folder / ".made.part").mkdir(parents=True)
    (folder / ".made.part" / "model.bin").write_bytes(b"not how it begins")
    carrier = Carrier()

    assert store(folder, carrier).get("made") is not None

    assert carrier.asked == [tuple(CONTENT), ("model.bin",)]


def test_without_a_source_that_has_it_a_model_stays_missing_and_leaves_nothing(folder: Path) -> None:
    with pytest.raises(ModelMissing):
        store(folder).get("made")

    assert [path.name for path in folder.iterdir()] == [".made.lock"]


def test_consent_is_asked_with_server_and_bytes_before_a_source_is(folder: Path) -> None:
    (folder / ".made.part").mkdir(parents=True)
    (folder / ".made.part" / "model.bin").write_bytes(CONTENT["model.bin"][:50_000])
    hub, mirror = Carrier(server="hub.example"), Carrier(server="mirror.example")
    offers: list[Offer] = []

    def agree_to_the_second(offer: Offer) -> bool:
        offers.append(offer)
        assert hub.asked == mirror.asked == []
        return len(offers) == 2

    assert store(folder, hub, mirror, download="ask").get("made", consent=agree_to_the_second) is not None

    assert offers == [Offer(MADE, server, SIZE_BYTES - 50_000) for server in ("hub.example", "mirror.example")]
    assert hub.asked == []


def test_nobody_is_asked_where_downloads_are_forbidden(folder: Path) -> None:
    hub = Carrier(server="hub.example")

    with pytest.raises(ModelMissing):
        store(folder, hub, download="never").get("made", consent=lambda _: pytest.fail("was asked"))

    assert hub.asked == []


def test_consent_that_nobody_gives_is_refused(folder: Path) -> None:
    hub = Carrier(server="hub.example")

    with pytest.raises(ModelMissing):
        store(folder, hub, download="ask").get("made")

    assert hub.asked == []


def test_without_room_nothing_is_begun(folder: Path) -> None:
    carrier = Carrier()

    with pytest.raises(DiskFull):
        store(folder, carrier, free_bytes=SIZE_BYTES + SPARE_BYTES - 1).get("made")

    assert carrier.asked == []
    assert store(folder, carrier, free_bytes=SIZE_BYTES + SPARE_BYTES).get("made") is not None


@pytest.mark.parametrize(
    ("refusal", "fault"),
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EROFS, DiskReadOnly), (errno.EACCES, DiskReadOnly)],
)
def test_a_disk_that_refuses_is_a_fault_that_tells_no_path(folder: Path, refusal: int, fault: type[Fault]) -> None:
    refusing = Carrier(fault=OSError(refusal, os.strerror(refusal), str(folder)))

    with pytest.raises(fault) as refused:
        store(folder, refusing).get("made")

    assert str(folder) not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_what_a_disk_does_beyond_that_is_not_hidden(folder: Path) -> None:
    with pytest.raises(OSError, match="Input/output"):
        store(folder, Carrier(fault=OSError(errno.EIO, "Input/output error"))).get("made")


def test_a_model_is_made_ready_by_getting_it_only_where_that_is_needed(folder: Path) -> None:
    carrier = Carrier()
    models = store(folder, carrier)

    assert models.ready("made") == ModelPath(folder / "made", "made", verified=True)
    assert models.ready("made").verified
    flip(folder / "made" / "model.bin", 7)
    assert models.ready("made").verified

    assert carrier.asked == [tuple(CONTENT), ("model.bin",)]


def test_an_own_folder_is_made_ready_by_nobody(folder: Path, tmp_path: Path) -> None:
    own = write_folder(tmp_path / "my model")
    models = store(folder, Carrier())

    assert models.ready(str(own)).verified is False
    (own / "config.json").unlink()
    with pytest.raises(ModelDamaged):
        models.ready(str(own))


def test_a_model_is_not_made_ready_against_the_users_will(folder: Path) -> None:
    hub = Carrier(server="hub.example")

    with pytest.raises(ModelMissing):
        store(folder, hub, download="ask").ready("made")

    assert hub.asked == []


# ---- cancelling, killing, two at once


def test_cancelling_ends_a_get_and_keeps_what_has_arrived(folder: Path) -> None:
    cancelled = Event()
    source = Folder(write_folder(folder.parent / "held" / "made").parent)

    def cancel_in_the_middle(_: Progress) -> None:
        cancelled.set()

    got = store(folder, source).get("made", progress=cancel_in_the_middle, cancelled=cancelled)

    assert got is None
    assert (folder / ".made.part" / "config.json").read_bytes() == CONTENT["config.json"]
    with pytest.raises(ModelMissing):
        store(folder).locate("made")


def test_a_second_get_waits_for_the_first_and_takes_what_that_brought(folder: Path) -> None:
    first, second = Carrier(go_on=Event()), Carrier()
    got: list[ModelPath | None] = []

    def get(carrier: Carrier, cancelled: Event) -> threading.Thread:
        call = lambda: got.append(store(folder, carrier).get("made", cancelled=cancelled))  # noqa: E731
        thread = threading.Thread(target=call)
        thread.start()
        return thread

    holder = get(first, Event())
    assert first.inside.wait(20)
    gives_up = Event()
    impatient, patient = get(second, gives_up), get(second, Event())
    gives_up.set()
    impatient.join(20)
    assert got == [None], "cancelled while it waited"
    assert first.go_on is not None
    first.go_on.set()
    holder.join(20)
    patient.join(20)

    assert got[1:] == [ModelPath(folder / "made", "made", verified=True)] * 2
    assert second.asked == []


_GET_IN_A_PROCESS = """
import sys
from pathlib import Path
from lysnrai_desktop.core.settings import ModelSettings
from lysnrai_desktop.runtime.models import Models, load_catalogue

models = Models(Path(sys.argv[1]), load_catalogue(), ModelSettings(sources=("package",), download="never"))
"""


def in_a_process(script: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _GET_IN_A_PROCESS + script, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_that_get_the_same_model_both_have_it(folder: Path) -> None:
    processes = [in_a_process("print(models.get('tiny.en').path)", folder) for _ in range(2)]

    outputs = [process.communicate(timeout=60) for process in processes]

    assert outputs == [(f"{folder / 'tiny.en'}\n", "")] * 2
    assert real(folder).verify("tiny.en") == ()


def real(folder: Path) -> Models:
    return Models(folder, load_catalogue(), ModelSettings(sources=("package",), download="never"))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_real_model_left_half_by_a_kill_is_never_used_and_then_completed(folder: Path, share: float) -> None:
    die = "lambda p: p.done_bytes > p.total_bytes * SHARE and os.kill(os.getpid(), 9)".replace("SHARE", str(share))
    process = in_a_process(f"import os\nmodels.get('base', progress={die})", folder)

    process.communicate(timeout=60)

    assert process.returncode == -9
    assert list((folder / ".base.part").iterdir()), "something has arrived"
    with pytest.raises(ModelMissing):
        real(folder).locate("base")
    assert real(folder).get("base") is not None
    assert real(folder).verify("base") == ()


_KILLED_AT_EACH_STEP = """
import os, shutil, sys
from pathlib import Path
from lysnrai_desktop.core.faults import ModelFault
from lysnrai_desktop.runtime.model_sources import Folder
from tests.runtime.made_models import CONTENT, MADE, flip, write_folder
from tests.runtime.test_models import store

def get_and_die(folder, source, step):
    '''Be killed when the disk is about to be asked for the step'th time; True if it came to that.'''
    child = os.fork()
    if child == 0:
        steps = 0
        def count(event, arguments):
            nonlocal steps
            if event == "open" or event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"):
                steps += 1
                if steps == step:
                    os.kill(os.getpid(), 9)
        sys.addaudithook(count)
        store(folder, source).get("made")
        os._exit(0)
    return os.waitpid(child, 0)[1] == 9

base = Path(sys.argv[1])
held = Folder(write_folder(base / "held" / "made").parent)
for damaged in (False, True):
    step = 0
    killed = True
    while killed:
        step += 1
        folder = base / f"models-{damaged}-{step}"
        folder.mkdir()
        if damaged:
            write_folder(folder / "made")
            flip(folder / "made" / "model.bin", 100)
        killed = get_and_die(folder, held, step)
        try:
            found = store(folder).locate("made").path
        except ModelFault:
            found = None
        if found is not None:
            assert all((found / name).read_bytes() == content for name, content in CONTENT.items()), step
        found = store(folder, held).get("made").path
        assert all((found / name).read_bytes() == content for name, content in CONTENT.items()), step
        assert sorted(p.name for p in folder.iterdir()) == [".made.lock", "made"], step
        shutil.rmtree(folder)
    print(step)
"""


def test_killed_at_any_step_it_is_whole_or_not_used_and_the_next_get_completes_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_AT_EACH_STEP, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stderr == ""
    steps = [int(line) for line in done.stdout.split()]
    assert len(steps) == 2
    assert min(steps) > 10, "it was killed at that many steps"


# ---- packages


def test_a_model_in_parts_comes_from_installed_packages(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_packages(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    models = Models(folder, CATALOGUE, ModelSettings(sources=("package",), download="never"))
    told: list[Progress] = []

    got = models.get("made", progress=told.append)

    assert got is not None
    assert (got.path / "model.bin").read_bytes() == CONTENT["model.bin"]
    assert told[-1] == Progress("package", SIZE_BYTES, SIZE_BYTES)
    assert [p.done_bytes for p in told] == sorted(p.done_bytes for p in told)


def test_packages_of_another_version_are_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_packages(tmp_path / "site", version="1.1")
    monkeypatch.syspath_prepend(tmp_path / "site")

    with pytest.raises(ModelMissing):
        Models(folder, CATALOGUE, ModelSettings(sources=("package",))).get("made")


@pytest.mark.parametrize("member", ["made_part1/model.bin", "made_part2/rest"])
@pytest.mark.parametrize("absent", [False, True], ids=["flipped", "absent"])
def test_a_damaged_package_is_not_believed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str, absent: bool
) -> None:
    install_packages(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    if absent:
        (tmp_path / "site" / member).unlink()
    else:
        flip(tmp_path / "site" / member, 5)

    with pytest.raises(ModelDamaged, match=r"model\.bin"):
        Models(folder, CATALOGUE, ModelSettings(sources=("package",))).get("made")


def test_the_real_models_come_whole_from_their_packages(tiny_en: Path, base: Path) -> None:
    for path in (tiny_en, base):
        assert real(PREPARED).verify(path.name) == ()
        assert real(PREPARED).locate(path.name) == ModelPath(path, path.name, verified=True)


# ---- folders


def test_a_folder_that_lacks_the_model_is_no_source(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        store(folder, Folder(tmp_path)).get("made")


def test_a_folder_with_a_file_short_is_not_believed(folder: Path, tmp_path: Path) -> None:
    held = write_folder(tmp_path / "held" / "made")
    (held / "vocabulary.txt").unlink()

    with pytest.raises(ModelDamaged, match=r"vocabulary\.txt"):
        store(folder, Folder(held.parent)).get("made")


# ---- removing


def test_what_is_removed_is_gone_and_can_be_got_again(folder: Path) -> None:
    models = store(folder, Carrier())
    models.get("made")
    (folder / ".made.part").mkdir()

    assert models.remove("made") is True

    assert [path.name for path in folder.iterdir()] == [".made.lock"]
    assert models.remove("made") is False
    assert models.get("made") is not None


def test_removing_a_model_that_is_only_linked_leaves_the_other_folder(folder: Path, tmp_path: Path) -> None:
    elsewhere = write_folder(tmp_path / "elsewhere")
    folder.mkdir(parents=True)
    (folder / "made").symlink_to(elsewhere)

    assert store(folder).remove("made") is True

    assert sorted(path.name for path in elsewhere.iterdir()) == sorted(CONTENT)
    assert not (folder / "made").is_symlink()
