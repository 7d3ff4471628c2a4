"""The peers' way, to compare with: record all, then `WhisperModel.transcribe` with its defaults, then paste.

`python -m tests.bench.peers_way FOLDER LANGUAGE` is one warm process with the model loaded. It obeys the lines `press`
and `release` on standard input and answers with a line of JSON each. Nothing of lysnrai_desktop is in it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.bench import Bench, Dictated, empty
from tests.bench.utterances import Utterance
from tests.desktop.editors import QtEditor, await_text
from tests.desktop.processes import running

RATE_HZ = 16_000


class PeersWay:
    """A running process of it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._answer()  # the model is loaded

    def dictate(self, bench: Bench, editor: QtEditor, utterance: Utterance) -> Dictated:
        """As `tests.bench.bench.dictate`, with a line in place of the key."""
        empty(bench, editor)
        self._say("press")
        self._answer()
        bench.desktop.sound.speak(utterance.path)
        released_at = time.time()
        self._say("release")
        answer = self._answer()
        text = await_text(editor) if answer["text"] else ""
        return Dictated(
            text,
            "pasted" if text else "nothing heard",
            answer["stopped_at"] - released_at,
            answer["recognised_at"] - released_at,
            editor.changed_at() - released_at if text else None,
        )

    def _say(self, word: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n".encode())
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the peers' way ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def peers_way(bench: Bench) -> Iterator[PeersWay]:
    """Run the peers' way on the desktop; ready when its model is loaded."""
    command = (sys.executable, "-m", "tests.bench.peers_way", bench.models / bench.model, bench.language)
    pipe = subprocess.PIPE
    log = bench.desktop.folder / "peers-way.log"
    with running(command, bench.desktop.environment, log=log, stdin=pipe, stdout=pipe) as process:
        yield PeersWay(process)


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str = ""
    stopped_at: float = 0.0
    recognised_at: float = 0.0


def _serve(folder: Path, language: str) -> None:
    import sounddevice
    from faster_whisper import WhisperModel
    from Xlib import XK, X, display
    from Xlib.ext import xtest

    model = WhisperModel(str(folder), device="cpu", compute_type="int8")
    screen = display.Display()
    options = {} if language == "auto" else {"language": language}
    blocks: list[Any] = []
    stream: Any = None

    def tell(answer: _Answer) -> None:
        print(json.dumps({name: getattr(answer, name) for name in answer.__slots__}), flush=True)

    clipboard = screen.intern_atom("CLIPBOARD")

    def paste(text: str) -> None:
        before = screen.get_selection_owner(clipboard)
        subprocess.run(["xclip", "-selection", "clipboard"], input=text.encode(), check=True, stdout=subprocess.DEVNULL)
        while screen.get_selection_owner(clipboard) == before:
            time.sleep(0.001)  # xclip returns before the server knows: without this the former text is pasted at times
        keys = [screen.keysym_to_keycode(XK.string_to_keysym(name)) for name in ("Control_L", "v")]
        for kind, key in (
            (X.KeyPress, keys[0]),
            (X.KeyPress, keys[1]),
            (X.KeyRelease, keys[1]),
            (X.KeyRelease, keys[0]),
        ):
            xtest.fake_input(screen, kind, key)
        screen.sync()

    tell(_Answer())
    for line in sys.stdin:
        if line == "press\n":
            blocks.clear()
            stream = sounddevice.InputStream(
                samplerate=RATE_HZ, channels=1, callback=lambda block, *_: blocks.append(block[:, 0].copy())
            )
            stream.start()
            while not blocks:
                time.sleep(0.002)
            tell(_Answer())
        else:
            stream.close()
            stopped_at = time.time()
            segments, _ = model.transcribe(np.concatenate(blocks), **options)
            text = "".join(segment.text for segment in segments).strip()
            recognised_at = time.time()
            if text:
                paste(text)
            tell(_Answer(text, stopped_at, recognised_at))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2])
