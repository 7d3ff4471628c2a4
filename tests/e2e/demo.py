"""The demonstration (`make demo`): human recordings are spoken into the real app, and the words arrive elsewhere.

A virtual desktop comes up with window manager, tray, notification service, microphone and two targets, an editor and
a terminal. The app is started as a user starts it, with nothing set: its default model, its default hotkey. Keys are
pressed as hands press them, held or twice. For each sentence this prints what was said, what arrived, and the time
from letting the key go (or pressing it again) until the text is to be seen.

The second part is for the fallback: the app dictates through Azure Speech, which dies in the middle of a sentence. The
service is emulated (tests/azure), and is spoken to by Microsoft's own SDK.

Pictures and the app's log are left in build/demo. The exit status is 0 only if every word is right, whatever its
capitals and marks.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests import speech
from tests.azure import service as azure_service
from tests.azure.listening import listening_service
from tests.desktop.editors import Editor, await_text
from tests.desktop.machine import VirtualDesktop, virtual_desktop
from tests.desktop.processes import NotInTime
from tests.e2e.app import HOTKEY, App, running_app

FOLDER = Path(__file__).parents[2] / "build" / "demo"
DESK = (58, 72, 92)
RATE_HZ = 48_000
PAUSE_S = 0.7


@dataclass(frozen=True, slots=True)
class Sentence:
    """One dictation to be shown."""

    clip: speech.Clip
    target: Editor
    held: bool
    """The key is held while speaking; otherwise pressed before and after."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of it."""

    sentence: Sentence
    text: str
    wait_s: float

    @property
    def right(self) -> bool:
        return speech.normalise(self.text) == speech.normalise(self.sentence.clip.text)


def main() -> int:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with ExitStack() as stack:
        with _timed("A desktop with window manager, tray, notifications and microphone"):
            desktop = stack.enter_context(virtual_desktop())
        stack.callback(_keep_logs, desktop)
        desktop.screen.paint_background(DESK)
        terminal = stack.enter_context(desktop.terminal())
        editor = stack.enter_context(desktop.qt_editor("Editor"))
        desktop.screen.place(editor.title, 40, 40)
        desktop.screen.place(terminal.title, 420, 400)
        try:
            shown = [*_dictations(desktop, editor, terminal), _fallback(desktop, editor)]
        except NotInTime as late:
            desktop.screen.screenshot(FOLDER / "failed.png")
            print(f"\nFAILED: {late}")
            return 1
    return _sum_up(shown)


def _dictations(desktop: VirtualDesktop, editor: Editor, terminal: Editor) -> list[Shown]:
    with ExitStack() as stack:
        with _timed("LysnrAI, as a user starts it"):
            app = stack.enter_context(running_app(desktop))
        print(f"It listens for {HOTKEY}, with the model {app.status()['model']}.\n")
        desktop.screen.screenshot(FOLDER / "1-idle.png")
        shown = [_dictate(desktop, app, sentence) for sentence in _sentences(editor, terminal)]
        desktop.screen.screenshot(FOLDER / "3-after.png")
    return shown


def _fallback(desktop: VirtualDesktop, editor: Editor) -> Shown:
    first, second = (clip for clip in speech.librivox() if clip.id[-4:] in ("0870", "0930"))
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.float32)
    both = np.concatenate([speech.samples(first, RATE_HZ), pause, speech.samples(second, RATE_HZ)])
    path = desktop.folder / "two-sentences.wav"
    speech.write_wav(path, both, RATE_HZ)
    sentence = Sentence(speech.Clip("two sentences", "en", f"{first.text} {second.text}", path), editor, held=True)
    models = desktop.app_home / "models"
    with ExitStack() as stack:
        with _timed("LysnrAI with a key for Azure Speech, and the service, emulated"):
            azure = stack.enter_context(listening_service(models / "base"))
            there = {"AZURE_SPEECH_KEY": "0" * 32, "AZURE_SPEECH_ENDPOINT": azure.endpoint}
            own = replace(desktop, environment={**desktop.environment, **there})
            app = stack.enter_context(running_app(own, home=desktop.folder / "azure", models=models))
        azure.trouble("gone", at_s=first.duration_s + PAUSE_S + second.duration_s / 2, times=1)
        shown = _dictate(own, app, sentence)
        heard_s, spoken_s = azure.turns[-1].end / azure_service.RATE_HZ, len(both) / RATE_HZ
        print(f"  Azure was gone after {heard_s:.1f} of {spoken_s:.1f} s; the rest is this computer's own.\n")
    return shown


def _keep_logs(desktop: VirtualDesktop) -> None:
    for log in desktop.folder.glob("*.log"):
        shutil.copy(log, FOLDER)


def _sentences(editor: Editor, terminal: Editor) -> Sequence[Sentence]:
    novel = {clip.id.removeprefix("librivox/"): clip for clip in speech.librivox()}
    return (
        Sentence(novel["0930"], editor, held=True),
        Sentence(speech.prompt("conf-invalid"), editor, held=False),
        Sentence(novel["0870"], editor, held=True),
        Sentence(speech.prompt("conf-onlyone"), terminal, held=False),
        Sentence(novel["0920"], terminal, held=True),
    )


def _dictate(desktop: VirtualDesktop, app: App, sentence: Sentence) -> Shown:
    recording = speech.as_wav(sentence.clip, desktop.folder, RATE_HZ)
    screen, target = desktop.screen, sentence.target
    screen.focus(target.title)
    before = target.text()

    screen.key_down(HOTKEY)
    if not sentence.held:
        screen.key_up(HOTKEY)
    app.until("recording")
    with desktop.sound.speaking(recording):
        if not (FOLDER / "2-recording.png").exists() and sentence.clip.duration_s > 5:
            time.sleep(sentence.clip.duration_s * 0.6)  # a picture from the middle of it
            screen.screenshot(FOLDER / "2-recording.png")
    released_at = screen.key_up(HOTKEY) if sentence.held else screen.press(HOTKEY)
    outcome = app.until("idle")["outcome"]

    if "inserted" in str(outcome):
        await_text(target, lambda text: len(text) > len(before))
    shown = Shown(sentence, target.text()[len(before) :], target.changed_at() - released_at)
    _report(shown, str(outcome))
    screen.press("enter" if target.title == "Editor" else "space")
    return shown


def _report(shown: Shown, outcome: str) -> None:
    sentence = shown.sentence
    print(f"{sentence.target.title}, {'key held' if sentence.held else 'key pressed twice'}")
    print(f"  spoken   {sentence.clip.text}")
    print(f"  arrived  {shown.text or f'nothing ({outcome})'}")
    if shown.right:
        print(f"  right, and to be seen {shown.wait_s:.2f} s after the key\n", flush=True)
    else:
        rate = speech.word_error_rate([(sentence.clip.text, shown.text)])
        print(f"  WRONG: {rate:.0f} % of the words\n", flush=True)


def _sum_up(shown: Sequence[Shown]) -> int:
    right = sum(one.right for one in shown)
    print(f"{right} of {len(shown)} sentences right. Pictures and logs lie in build/demo.")
    return 0 if right == len(shown) else 1


@contextmanager
def _timed(what: str) -> Iterator[None]:
    print(f"{what} ...", end="", flush=True)
    began = time.monotonic()
    yield
    print(f" up in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
