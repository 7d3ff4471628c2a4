"""Where files lie, and who may see them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.paths import home


def test_lock_and_socket_lie_in_the_home(tmp_path: Path) -> None:
    made = home({"LYSNRAI_HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path)})

    assert made.prepare()
    assert made.prepare_run() == tmp_path / "home" / "run"


@pytest.fixture
def unwritable(tmp_path: Path) -> dict[str, str]:
    """A home that cannot be made: a file stands in its place, which also stops root."""
    (tmp_path / "home").write_text("")
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    return {"LYSNRAI_HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(runtime)}


def test_where_the_home_cannot_be_written_they_lie_in_a_folder_of_the_user_alone(unwritable: dict[str, str]) -> None:
    made = home(unwritable)

    assert not made.prepare()
    folder = made.prepare_run()
    assert folder is not None
    assert folder.parent == Path(unwritable["XDG_RUNTIME_DIR"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder == home(unwritable).run[-1], "a client looks for it there"


def test_two_homes_share_no_such_folder(unwritable: dict[str, str]) -> None:
    other = home(unwritable | {"LYSNRAI_HOME": "/elsewhere"})

    assert other.run[-1] != home(unwritable).run[-1]


@pytest.mark.parametrize("runtime", ["", "relative"])
def test_without_a_folder_of_the_users_own_there_is_none(unwritable: dict[str, str], runtime: str) -> None:
    assert home(unwritable | {"XDG_RUNTIME_DIR": runtime}).prepare_run() is None


def test_a_folder_that_others_can_enter_is_closed_to_them(tmp_path: Path) -> None:
    made = home({"LYSNRAI_HOME": str(tmp_path)})
    (tmp_path / "takes").mkdir(mode=0o755)
    (tmp_path / "takes").chmod(0o755)

    assert made.prepare()
    assert stat.S_IMODE((tmp_path / "takes").stat().st_mode) == 0o700
