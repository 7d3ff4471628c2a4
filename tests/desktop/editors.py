"""The windows that text is dictated into: other programs, which know nothing of the app."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.desktop.processes import DEADLINE_S, eventually, running
from tests.desktop.screen import Screen


class Editor(Protocol):
    """What a test asks of a target window."""

    @property
    def title(self) -> str: ...

    def text(self) -> str:
        """Return all text that arrived so far."""

    def changed_at(self) -> float:
        """Return the time.time() at which the last change was to be seen."""

    def pressed(self) -> list[str]:
        """Return the keys that were pressed in it; a terminal sees them as text instead."""


def await_text(
    editor: Editor, wanted: Callable[[str], bool] = bool, what: str = "text arrives", deadline_s: float = DEADLINE_S
) -> str:
    """Return the editor's text once it is as wanted (by default: not empty)."""

    def found() -> list[str]:
        text = editor.text()
        return [text] if wanted(text) else []

    return eventually(found, f"{what} in {editor.title}", deadline_s)[0]


@dataclass(frozen=True, slots=True)
class QtEditor:
    """QPlainTextEdit in a program of its own."""

    title: str
    record: Path

    def text(self) -> str:
        return str(self._recorded()["text"])

    def changed_at(self) -> float:
        return float(self._recorded()["at"])

    def pressed(self) -> list[str]:
        return list(self._recorded()["keys"])

    def _recorded(self) -> Mapping[str, Any]:
        recorded: Mapping[str, Any] = json.loads(self.record.read_text(encoding="utf-8"))
        return recorded


@dataclass(frozen=True, slots=True)
class Terminal:
    """xterm; whatever it is given, keys included, goes byte for byte into a file."""

    title: str
    record: Path

    def text(self) -> str:
        # A character may arrive in two halves; the other half makes it whole.
        return self.record.read_bytes().decode(errors="ignore")

    def changed_at(self) -> float:
        return self.record.stat().st_mtime

    def pressed(self) -> list[str]:
        return []


@contextlib.contextmanager
def qt_editor(folder: Path, screen: Screen, title: str = "Qt editor") -> Iterator[QtEditor]:
    """Open a Qt editor and focus it."""
    editor = QtEditor(title, folder / f"{title}.json")
    command = (sys.executable, "-m", "tests.desktop.qt_editor", title, editor.record)
    environment = {**screen.environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    with running(command, environment, log=folder / "qt-editor.log"):
        eventually(editor.record.exists, f"{title} is painted")
        screen.focus(title)
        yield editor


@contextlib.contextmanager
def terminal(folder: Path, screen: Screen, title: str = "Terminal") -> Iterator[Terminal]:
    """Open an xterm and focus it."""
    target = Terminal(title, folder / f"{title}.bytes")
    command = ("xterm", "-u8", "-fa", "DejaVu Sans Mono", "-fs", "12", "-geometry", "80x14", "-T", title)
    listen = ("-e", "sh", "-c", 'stty raw && cat > "$0"', str(target.record))
    with running((*command, *listen), screen.environment, log=folder / "xterm.log"):
        eventually(target.record.exists, f"{title} listens")
        screen.focus(title)
        yield target
