"""What all measurements share: the desktop, the app on it, and one dictation with its times.

Imports: tests.desktop, tests.e2e.app. May be imported by: the measurements.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.utterances import Utterance
from tests.desktop.editors import QtEditor, await_text
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import eventually
from tests.e2e.app import HOTKEY, App, Status, running_app

SETTLING_S = 3.0
"""After a start or a dictation, before the idle app is looked at."""
HANDS_S = 0.3
"""Between two presses: no hand is quicker, and the app takes a key let go for so short a time for one that bounced."""


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmarks."""

    desktop: VirtualDesktop
    models: Path
    model: str
    language: str
    quick: bool

    def times(self, usual: int, quick: int = 3) -> int:
        """How often to measure."""
        return quick if self.quick else usual

    def settings(self, more: str = "", engine: str = "") -> str:
        """settings.toml in hold mode; `engine`: more lines of that section."""
        return (
            f'[engine]\nmodel = "{self.model}"\nlanguage = "{self.language}"\n{engine}\n'
            f'[hotkey]\nmode = "hold"\n{more}\n'
        )

    @contextlib.contextmanager
    def app(self, more: str = "", engine: str = "") -> Iterator[App]:
        """Run the app until it is ready for a dictation."""
        with running_app(self.desktop, self.settings(more, engine), models=self.models) as app:
            yield app


@dataclass(frozen=True, slots=True)
class Dictated:
    """One dictation. Times are seconds since the key was let go."""

    text: str
    outcome: str
    finishing_s: float
    """The app has noticed."""
    inserting_s: float | None
    """All is recognised; None where nothing was."""
    visible_s: float | None
    """The text is painted in the window; None where it did not arrive."""


def dictate(bench: Bench, app: App, editor: QtEditor, utterance: Utterance) -> Dictated:
    """Hold the key, speak, let go, wait for the text in an emptied editor."""
    screen = bench.desktop.screen
    empty(bench, editor)
    screen.key_down(HOTKEY)
    app.until("recording")
    bench.desktop.sound.speak(utterance.path)
    released_at = screen.key_up(HOTKEY)
    finishing = app.until("finishing")
    after = app.until(lambda status: status["state"] in ("inserting", "idle"))
    idle = after if after["state"] == "idle" else app.until("idle")
    arrived = "inserted" in str(idle["outcome"])
    text = await_text(editor) if arrived else ""
    return Dictated(
        text,
        str(idle["outcome"] if not idle["fault"] else idle["fault"]),
        finishing["since"] - released_at,
        after["since"] - released_at if after is not idle else None,
        editor.changed_at() - released_at if arrived else None,
    )


def empty(bench: Bench, editor: QtEditor) -> None:
    """Give the editor the keyboard and remove its text."""
    bench.desktop.screen.focus(editor.title)
    bench.desktop.screen.press("ctrl+a")
    bench.desktop.screen.press("Delete")
    eventually(lambda: not editor.text() and "Del" in editor.pressed()[-1:], "the editor is empty")


def first_block_s(bench: Bench, app: App) -> float:
    """Press the key, wait for the first block of sound, and throw the dictation away."""
    pressed_at = bench.desktop.screen.key_down(HOTKEY)
    recording = app.until("recording")
    bench.desktop.screen.press("esc")
    bench.desktop.screen.key_up(HOTKEY)
    app.until("idle")
    time.sleep(HANDS_S)
    return float(recording["since"]) - pressed_at


def engine_is(state: str, status: Status) -> bool:
    """Tell whether the engine is off, starting or ready."""
    return str(status["engine"]).endswith(f":{state}")


def settle() -> None:
    """Let what a start or a dictation set in motion come to rest."""
    time.sleep(SETTLING_S)
