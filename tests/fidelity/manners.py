"""How a dictation goes on from what stands there, is taken back, and leaves passwords alone, program by program."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lysnrai_desktop.adapters.insertion.x11 import X11Inserter
from lysnrai_desktop.core.faults import Fault, NothingToUndo, PasswordPrompt
from lysnrai_desktop.core.insertion import Undone
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered
from tests.desktop.accessibility import accessible_screen
from tests.desktop.editors import Editor
from tests.desktop.machine import home_folder
from tests.desktop.processes import DEADLINE_S, NotInTime, eventually
from tests.desktop.screen import Screen, window_manager, x_server
from tests.fidelity.targets import Open, Target

FIRST, SECOND, THIRD = "He saw it himself.", "He left, and", "Then it rained."
PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Manners:
    """Of one program, with the accessibility bus or without."""

    in_a_row: bool
    """The second of two dictations begins with a space."""
    cursor_moved: bool
    """So does one after the cursor was moved away and back, and its capital is right."""
    undo: str
    """What was said of it."""
    undo_is_true: bool
    password: str
    """What became of a text for a field for a password; "" where the program has none."""

    def __str__(self) -> str:
        marks = " | ".join("✓" if well else "–" for well in (self.in_a_row, self.cursor_moved))
        return f"{marks} | {self.undo}{'' if self.undo_is_true else ' (untrue)'} | {self.password}"


class _Dictation:
    """An inserter, asked one thing at a time."""

    def __init__(self, screen: Screen) -> None:
        self._inserter = X11Inserter(InsertionSettings, screen.environment["DISPLAY"])

    def close(self) -> None:
        self._inserter.shut_down()

    def insert(self, text: str) -> Delivered | Fault:
        answers: queue.SimpleQueue[Delivered | Fault] = queue.SimpleQueue()
        self._inserter.insert(SpokenText(text), self._inserter.capture(), answers.put, fit=True)
        answer = answers.get(timeout=DEADLINE_S)
        eventually(lambda: not self._inserter._busy, "the clipboard is put back")
        return answer

    def undo(self) -> Undone | Fault:
        answers: queue.SimpleQueue[Undone | Fault] = queue.SimpleQueue()
        self._inserter.undo(answers.put)
        return answers.get(timeout=DEADLINE_S)


@contextlib.contextmanager
def _desktop(accessible: bool) -> Iterator[tuple[Path, Screen]]:
    with home_folder() as (folder, environment), contextlib.ExitStack() as stack:
        if accessible:
            yield folder, stack.enter_context(accessible_screen(folder, environment))
        else:
            screen = stack.enter_context(x_server(folder, environment))
            stack.enter_context(window_manager(folder, screen))
            yield folder, screen


def manners(target: Target, accessible: bool) -> Manners:
    with _desktop(accessible) as (folder, screen), target.open(folder, screen) as editor:
        dictation = _Dictation(screen)
        dictation.insert(FIRST)
        dictation.insert(SECOND)
        in_a_row = _ends(editor, f"{FIRST} {SECOND}")
        screen.press("Left")
        screen.press("Right")
        dictation.insert(THIRD)
        cursor_moved = _ends(editor, f"{SECOND} then it rained.")
        whole = editor.text()
        undo = dictation.undo()
        with contextlib.suppress(NotInTime):
            eventually(lambda: editor.text() != whole, "the text is gone", PATIENCE_S)
        is_gone = editor.text() != whole
        dictation.close()
    said = "nothing to undo" if isinstance(undo, NothingToUndo) else str(undo)
    is_true = is_gone if undo is Undone.SURELY else not is_gone if isinstance(undo, NothingToUndo) else True
    return Manners(in_a_row, cursor_moved, said, is_true, _password(target.password, accessible))


def _ends(editor: Editor, text: str) -> bool:
    with contextlib.suppress(NotInTime):
        return eventually(lambda: editor.text().endswith(text), "the text is there", PATIENCE_S)
    return False


def _password(field: Open | None, accessible: bool) -> str:
    if field is None:
        return ""
    with _desktop(accessible) as (folder, screen), field(folder, screen) as editor:
        dictation = _Dictation(screen)
        answer = dictation.insert("Grüße")
        written = bool(editor.text())
        dictation.close()
    left_alone = isinstance(answer, Delivered) and answer.code == PasswordPrompt.code and not written
    return "left alone" if left_alone else "written into"
