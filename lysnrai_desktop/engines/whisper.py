"""Whisper, on this machine: audio in while it is spoken, text out with each pause.

    Audio ─▶ ear (the host's thread) ─┬─▶ reader (a thread) ─────────────────▶ Final, and Partial in a lull
                  │                   └─▶ glimpser (a thread, least urgent) ─▶ Partial while somebody speaks
                  └─▶ Voice                         both read with model.py: faster-whisper, splicing.py

The ear never waits, so that the edges of speech are told when they happen and not behind the recognition of the piece
before; the reader never waits for the glimpser.

Imports: core. May be imported by: host, calibration.
"""

from __future__ import annotations

import threading

from lysnrai_desktop.core import engine_messages as wire, guards, language as languages
from lysnrai_desktop.engines.ear import Ear
from lysnrai_desktop.engines.engine import Hearing, Say, Wanted
from lysnrai_desktop.engines.glimpser import Glimpser
from lysnrai_desktop.engines.model import Model, load as load_model
from lysnrai_desktop.engines.pieces import Session, Work
from lysnrai_desktop.engines.reader import Reader


class WhisperEngine:
    def __init__(self, say: Say) -> None:
        self._say = say
        self._work = Work()
        self._glimpser = Glimpser()
        self._languages: list[str] = []

    def load(self, load: wire.Prepare) -> wire.Ready:
        assert isinstance(load, wire.Load)
        model = load_model(load)
        self.use(model)
        self._glimpser.start(load)
        return wire.Ready(model.model.device, model.model.compute_type)

    def use(self, model: Model) -> None:
        """Read with this model from now on, without partials while somebody speaks."""
        self._languages = model.supported_languages
        threading.Thread(target=Reader(model, self._say, self._work).run, name="reading", daemon=True).start()

    def is_at_work(self) -> bool:
        return self._work.is_being_read or not self._work.todo.empty()

    def start(self, start: wire.Start, wanted: Wanted) -> Hearing:
        possible = languages.candidates(start.language, self._languages)
        session = Session(start.session, wanted, possible, guards.prompt(start.vocabulary))
        self._work.todo.put(session)
        return Ear(start, session, self._say, self._work, self._glimpser)
