"""A model is whole only if every file is the published one, and that is not forgotten while nothing changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from lysnrai_desktop.runtime import model_files
from lysnrai_desktop.runtime.model_files import all_wrong, first_wrong
from lysnrai_desktop.runtime.models import load_catalogue
from tests.runtime.made_models import CONTENT, MADE, flip, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "made")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were hashed, in order."""
    names: list[str] = []
    real = model_files.sha256

    def sha256(path: Path) -> str:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(model_files, "sha256", sha256)
    return names


def settled(folder: Path) -> None:
    """Look at a folder until its files are old enough for a stamp to vouch for them."""
    while not model_files._vouched_for(MADE, folder):
        assert first_wrong(MADE, folder) is None


def test_files_are_hashed_once_while_nothing_changes(folder: Path, hashed: list[str]) -> None:
    settled(folder)
    hashed.clear()

    assert first_wrong(MADE, folder) is None

    assert hashed == []


def test_a_stamp_as_young_as_a_file_does_not_vouch_for_it(folder: Path, hashed: list[str]) -> None:
    settled(folder)
    written_ns = max((folder / name).stat().st_ctime_ns for name in CONTENT) + 50_000_000
    os.utime(folder / ".verified", ns=(written_ns, written_ns))
    hashed.clear()

    assert first_wrong(MADE, folder) is None

    assert sorted(hashed) == sorted(CONTENT)


def test_a_look_through_hashes_every_file_all_the_same(folder: Path, hashed: list[str]) -> None:
    settled(folder)
    hashed.clear()

    assert all_wrong(MADE, folder) == ()

    assert sorted(hashed) == sorted(CONTENT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(name=st.sampled_from(sorted(CONTENT)), where=st.floats(0, 1, exclude_max=True), restore=st.booleans())
def test_one_flipped_bit_anywhere_is_found_and_named(folder: Path, name: str, where: float, restore: bool) -> None:
    path, at = folder / name, int(where * len(CONTENT[name]))
    assert first_wrong(MADE, folder) is None
    before = path.stat()

    flip(path, at)
    if restore:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert first_wrong(MADE, folder) == name
    assert all_wrong(MADE, folder) == (name,)
    flip(path, at)


@pytest.mark.parametrize("name", sorted(CONTENT))
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["truncated", "longer", "empty", "absent", "a folder"],
)
def test_a_file_that_is_not_what_it_was_is_named(folder: Path, name: str, damage: Callable[[Path], object]) -> None:
    settled(folder)

    damage(folder / name)

    assert first_wrong(MADE, folder) == name
    assert all_wrong(MADE, folder) == (name,)


@pytest.mark.parametrize("name", ["preprocessor_config.json", "vocabulary.json"])
def test_a_file_that_would_be_read_and_is_not_published_is_named(folder: Path, name: str) -> None:
    settled(folder)

    (folder / name).write_text("{}")

    assert first_wrong(MADE, folder) == name
    assert all_wrong(MADE, folder) == (name,)


def test_a_copy_is_not_vouched_for_by_the_stamp_that_came_with_it(folder: Path, hashed: list[str]) -> None:
    settled(folder)
    copy = shutil.copytree(folder, folder.with_name("copy"))
    hashed.clear()

    assert first_wrong(MADE, copy) is None

    assert sorted(hashed) == sorted(CONTENT)


@pytest.mark.parametrize("stamp", ["", "[]", "null", "{}", '{"model.bin": 1}', "\0\ufffd"])
def test_a_stamp_that_cannot_be_read_vouches_for_nothing(folder: Path, stamp: str) -> None:
    flip(folder / "model.bin", 100)

    (folder / ".verified").write_text(stamp)

    assert first_wrong(MADE, folder) == "model.bin"


def test_a_stamp_is_not_needed_to_use_a_model(folder: Path) -> None:
    (folder / ".verified").mkdir()  # cannot be written

    assert first_wrong(MADE, folder) is None


def test_a_flipped_byte_in_each_file_of_a_real_model_is_found(tiny_en: Path, tmp_path: Path) -> None:
    model = load_catalogue().find("tiny.en")
    assert model is not None
    folder = Path(shutil.copytree(tiny_en, tmp_path / "tiny.en"))

    for file in model.files:
        flip(folder / file.name, file.size_bytes // 2)

        assert first_wrong(model, folder) == file.name
        flip(folder / file.name, file.size_bytes // 2)
    assert first_wrong(model, folder) is None
