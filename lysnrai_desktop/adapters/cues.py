"""Short sounds that say: I hear you, I have stopped, that went wrong.

A thread of its own, started with the first cue, plays them (adapters/playback.py).

A cue is a courtesy. Where it cannot be played it is counted, nothing more; and one that would come late is left out,
for a sound that says "now" at the wrong time misleads (a cold sound server was seen to take 2 s).

Imports: core, adapters/playback. May be imported by: app.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import wave
from pathlib import Path

from lysnrai_desktop import ASSETS
from lysnrai_desktop.adapters.playback import Playback
from lysnrai_desktop.core.dictation import Sound

log = logging.getLogger(__name__)

LATE_S = 0.5
CLOSING_S = 1.0


class Cues:
    def __init__(self, sounds: Path | None = None) -> None:
        """`sounds`: the folder that has live.wav, stopped.wav and failed.wav; None: our own."""
        self._sounds = sounds or ASSETS / "sounds"
        self._wanted: queue.SimpleQueue[tuple[Sound, float] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self.played = 0
        self.failures = 0
        """How many were not heard: no sound server, or too late."""

    def play(self, sound: Sound) -> None:
        """Play it now, or not at all. Returns at once; safe from any thread."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cues", daemon=True)
                self._thread.start()
        self._wanted.put((sound, time.monotonic()))

    def shut_down(self) -> None:
        """Let the last cue sound; does not wait longer than CLOSING_S for a sound server that hangs."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._wanted.put(None)
            thread.join(CLOSING_S)

    def _run(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            sound, at = wanted
            try:
                _play(self._sounds / f"{sound}.wav", at + LATE_S)
            except (OSError, wave.Error) as error:
                self.failures += 1
                log.info("no cue: %s", error)
            else:
                self.played += 1


def _play(file: Path, until: float) -> None:
    """Play a 16-bit WAV to its end, unless it cannot begin before `until` (monotonic).

    Raises:
        OSError: no such file, no libpulse-simple, no sound server, one that went away, or it is too late.
    """
    with wave.open(str(file)) as opened:
        pcm = opened.readframes(opened.getnframes())
    # The whole cue fits the server's buffer, so a busy machine cannot make it stutter.
    with Playback(opened.getframerate(), opened.getnchannels(), "cue", buffer_bytes=len(pcm)) as playback:
        if time.monotonic() > until:
            raise OSError("too late")
        playback.write(pcm)
        playback.drain()
