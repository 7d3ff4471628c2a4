"""Reads speech that goes on, for the overlay, in the time that nobody else wants.

Finals must not wait for it. A reading cannot be broken off, so it has a model of its own, on one thread of the lowest
priority: when the reader begins, this one stands still until the reader is done (measured: docs/performance.md). It is
loaded behind the other, and costs its memory once more; where the model is large there is none, and no partials.

Greedy, without second tries: what it gets wrong is gone with the final.

Imports: core, model, pieces. May be imported by: whisper.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from pathlib import Path

from lysnrai_desktop.core import engine_messages as wire, guards, language as languages
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.engines.model import Model, lacks_memory, load as load_model
from lysnrai_desktop.engines.pieces import Glimpse
from lysnrai_desktop.engines.silero import RATE_HZ

MAX_WEIGHTS_BYTES = 500_000_000
"""Those of small. In memory, as int8, they take half of it."""
_LOWEST = 19
"""Of Linux's niceness, which is each thread's own there, and inherited by those it starts."""


class Glimpser:
    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[Glimpse] = queue.SimpleQueue()
        self.took_s = 0.0
        """What the last reading took."""
        self.is_ready = False

    def start(self, load: wire.Load) -> None:
        """Load the model, in the background, if it is not too large."""
        if (Path(load.folder) / "model.bin").stat().st_size <= MAX_WEIGHTS_BYTES:
            one_thread = wire.Load(load.folder, load.device, load.compute_type, threads=1)
            threading.Thread(target=self._run, args=(one_thread,), name="glimpsing", daemon=True).start()

    def ask(self, glimpse: Glimpse) -> None:
        self._asked.put(glimpse)

    def _run(self, load: wire.Load) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
        try:
            model = load_model(load)
            self.is_ready = True
            while True:
                self._read(model, self._asked.get())
        except Fault:
            pass  # what is needed was loaded: this is a luxury
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
        self.is_ready = False

    def _read(self, model: Model, glimpse: Glimpse) -> None:
        piece, session = glimpse.piece, glimpse.piece.session
        language = session.language or (session.possible[0] if len(session.possible) == 1 else "")
        if not glimpse.void and piece.speech is not None and session.wanted():
            began = time.monotonic()
            sound = piece.around(piece.speech)
            language = language or languages.choose(model.languages(sound), session.possible, "")
            speech_s = (piece.speech[1] - piece.speech[0]) / RATE_HZ
            reading = model.read(sound, speech_s, language, session.prompt, beam=1)
            self.took_s = time.monotonic() - began
            glimpse.void = True
            if not guards.is_doubtful(reading):
                glimpse.shown.read(reading.text, piece.speech[1])
        glimpse.void = True
