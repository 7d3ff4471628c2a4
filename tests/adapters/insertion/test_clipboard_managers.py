"""Real clipboard managers beside the inserter: the former content comes back, and what they keep of ours is known.

LYSNRAI_TEST_EFFORT=full takes parcellite and copyq, too, which must be installed then.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.adapters.insertion.bench import INSERTED, Bench
from tests.desktop.bus import session_bus
from tests.desktop.editors import await_text, qt_editor
from tests.desktop.processes import call, eventually, running
from tests.desktop.screen import Screen, window_manager, x_server

History = Callable[[Mapping[str, str]], str]


def file_of(path: str) -> History:
    def read(environment: Mapping[str, str]) -> str:
        file = Path(environment["HOME"]) / path
        return file.read_bytes().decode(errors="ignore") if file.exists() else ""

    return read


def told_by_copyq(environment: Mapping[str, str]) -> str:
    try:
        return call(("copyq", "separator", ",", "read", "0", "1", "2", "3"), environment)
    except subprocess.CalledProcessError:  # it has not started yet
        return ""


@dataclass(frozen=True, slots=True)
class Manager:
    command: tuple[str, ...]
    history: History
    obeys: bool
    """Does not keep what it is asked not to keep."""


MANAGERS = {"xfce4-clipman": Manager(("xfce4-clipman",), file_of(".cache/xfce4/clipman/textsrc"), obeys=False)}
if os.environ.get("LYSNRAI_TEST_EFFORT") == "full":
    MANAGERS |= {
        "parcellite": Manager(("parcellite", "-n"), file_of(".local/share/parcellite/history"), obeys=False),
        "copyq": Manager(("copyq",), told_by_copyq, obeys=True),
    }


@pytest.fixture
def screen(home_environment: tuple[Path, dict[str, str]]) -> Iterator[Screen]:
    """With a session bus, for some managers want one."""
    folder, environment = home_environment
    with (
        session_bus(folder, environment) as bus,
        x_server(folder, {**environment, **bus}) as made,
        window_manager(folder, made),
    ):
        yield made


@pytest.mark.parametrize("name", MANAGERS)
def test_a_clipboard_manager_ends_up_with_what_was_copied(
    bench: Bench, screen: Screen, tmp_path: Path, name: str
) -> None:
    manager = MANAGERS[name]

    def holds(text: str) -> bool:
        return text in manager.history(screen.environment)

    with (
        running(manager.command, screen.environment, log=tmp_path / "manager.log"),
        qt_editor(tmp_path, screen) as editor,
    ):
        with screen.copied("formerly copied"):
            eventually(lambda: holds("formerly copied"), "the manager watches")

            assert bench.insert("said by voice") == INSERTED

            assert await_text(editor) == "said by voice"
            eventually(lambda: screen.clipboard() == "formerly copied", "the former content is back")
        with screen.copied("copied later"):
            eventually(lambda: holds("copied later"), "the manager has seen all")

            assert not (manager.obeys and holds("said by voice"))
