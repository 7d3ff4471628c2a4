"""Whisper for what is on the disk already: pieces that wait are read several at a time.

    pieces ─▶ BatchReader ─▶ ReadAhead.read_together: those that are there already, in one go
                   └───────▶ Reader ─ read ─▶ ReadAhead: what it knows already, or the model

Of a file the pieces are there faster than they are read. To read one more beside others costs the decoder little, for
most of its time goes into fetching the weights: faster-whisper's batched pipeline does that. It is given the pieces of
core/endpointing.py, each in its own short window; its own, which are filled up to 30 s, read worse
(docs/performance.md). All else is the Reader's: language, vocabulary, guards, second tries.

The first piece is read alone, as nothing else is there yet, so text comes at once. Where memory is short, all are.

Imports: core, whisper, reader, model, pieces. May be imported by: host.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import ctranslate2
import numpy as np
from faster_whisper import BatchedInferencePipeline
from faster_whisper.transcribe import get_compression_ratio
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.guards import Reading
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.engines.engine import Say
from lysnrai_desktop.engines.model import FIRST_TOKENS, MAX_LIMIT, TOKENS_PER_S, Model, lacks_memory, load as load_model
from lysnrai_desktop.engines.pieces import End, Piece, Session, Sound, Work
from lysnrai_desktop.engines.reader import Reader, _speech_of as speech_of
from lysnrai_desktop.engines.silero import RATE_HZ
from lysnrai_desktop.engines.whisper import WhisperEngine

MOST = 8
"""With 16 the text comes later, and no sooner at the end (measured)."""
MEMORY_SHARE = 0.5
"""Of what is free, the most that reading together may take."""
SIZE_PER_PIECE = 0.5
"""Of the weights' file: more than the decoder keeps of a window (base: a quarter, large-v3: a sixth)."""
NO_SPEECH, NO_SPEECH_LOGPROB = 0.6, -1.0
"""Where both are passed, nothing was said: faster-whisper's own thresholds, of which its pipeline takes no notice."""
UNREAD_S = 1.0
"""Times are off by less, so where the decoder names none behind this, speech was left out."""


class BatchEngine(WhisperEngine):
    """An engine for files. Nobody watches, so there are no partials."""

    def load(self, load: wire.Prepare) -> wire.Ready:
        assert isinstance(load, wire.Load)
        model = load_model(load)
        self.use(model, most(_available_bytes(), (Path(load.folder) / "model.bin").stat().st_size))
        return wire.Ready(model.model.device, model.model.compute_type)

    def use(self, model: Model, most: int = MOST) -> None:
        self._languages = model.supported_languages
        reader = BatchReader(model, self._say, self._work, most)
        threading.Thread(target=reader.run, name="reading", daemon=True).start()


def most(available_bytes: int | None, weights_bytes: int) -> int:
    """How many pieces may be read together; None: nobody knows what is free."""
    if available_bytes is None:
        return MOST
    return max(1, min(MOST, int(MEMORY_SHARE * available_bytes / (SIZE_PER_PIECE * weights_bytes))))


def _available_bytes() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


class BatchReader(Reader):
    def __init__(self, model: Model, say: Say, work: Work, most: int) -> None:
        self._ahead = ReadAhead(model)
        super().__init__(cast(Model, self._ahead), say, work)
        self._most = most
        self._waiting: deque[Any] = deque()

    def run(self) -> None:
        while True:
            self._work.is_being_read = bool(self._waiting)
            work = self._waiting.popleft() if self._waiting else self._work.todo.get()
            self._work.is_being_read = True
            match work:
                case Session() as session if session.wanted():
                    self._say(wire.Started(session.number))
                case End(session=session) if session.wanted():
                    self._say(wire.Done(session.number))
                case Piece(session=session) as piece if session.wanted():
                    self._read_pieces([piece, *self._behind(piece)])
                case _:
                    pass  # what nobody wants; and guesses, whose pieces are on their way

    def _behind(self, piece: Piece) -> Iterator[Piece]:
        """The pieces behind it that are there already. Whatever else is found is kept for later."""
        for _ in range(self._most - 1):
            while True:
                try:
                    work = self._work.todo.get_nowait()
                except queue.Empty:
                    return
                if isinstance(work, Piece | Session | End):
                    break
            if not isinstance(work, Piece) or work.session is not piece.session:
                self._waiting.append(work)
                return
            yield work

    def _read_pieces(self, pieces: Sequence[Piece]) -> None:
        session = pieces[0].session
        language = session.possible[0] if len(session.possible) == 1 else session.language
        speech = [(piece, speech_of(piece)) for piece in pieces]
        spoken = [
            (piece.around(where), (where[1] - where[0]) / RATE_HZ) for piece, where in speech if where is not None
        ]
        if language and len(spoken) > 1:
            try:
                self._ahead.read_together(spoken, language, session.prompt)
            except (MemoryError, RuntimeError) as error:
                if not lacks_memory(error):
                    raise
                self._most = 1
        for piece in pieces:
            if session.wanted():
                self._answer(piece)
        self._ahead.forget()


class ReadAhead:
    """A model, and what it has read before it was asked."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._pipeline = BatchedInferencePipeline(_Windows(model))
        self._known: dict[tuple[bytes, str, str], Reading] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def read(self, sound: Sound, speech_s: float, language: str, prompt: str = "", *, doubted: bool = False) -> Reading:
        """As Model.read."""
        known = None if doubted else self._known.get((sound.tobytes(), language, prompt))
        return known or self._model.read(sound, speech_s, language, prompt, doubted=doubted)

    def read_together(self, spoken: Sequence[tuple[Sound, float]], language: str, prompt: str) -> None:
        """Read these sounds with so many seconds of speech in them, and know what they say until told to forget."""
        limit = max(round(FIRST_TOKENS + TOKENS_PER_S * speech_s) for _, speech_s in spoken)
        ends = np.cumsum([len(sound) for sound, _ in spoken])
        starts = [0, *(int(end) for end in ends[:-1])]
        found, _ = self._pipeline.transcribe(
            np.concatenate([sound for sound, _ in spoken]),
            language=language,
            beam_size=self._model.beam,
            temperature=0.0,
            initial_prompt=prompt or None,
            max_new_tokens=limit if limit <= MAX_LIMIT else None,
            without_timestamps=False,
            # in seconds, which it rounds down to samples: half a sample more, or some would come out one less
            clip_timestamps=[
                {"start": (start + 0.5) / RATE_HZ, "end": (int(end) + 0.5) / RATE_HZ}
                for start, end in zip(starts, ends, strict=True)
            ],
            batch_size=len(spoken),
        )
        segments = list(found)
        for (sound, speech_s), start in zip(spoken, starts, strict=True):
            # `seek` is the window's beginning in frames of 10 ms: the only trace of it that a segment bears
            own = [segment for segment in segments if segment.seek == int(start / RATE_HZ * 100)]
            end_s = max((segment.end for segment in own), default=0.0) - start / RATE_HZ
            if end_s < speech_s - UNREAD_S:
                continue  # alone, what is behind the last time that the decoder named is read too
            self._known[sound.tobytes(), language, prompt] = _reading(own, speech_s)

    def forget(self) -> None:
        self._known.clear()


def _reading(segments: Sequence[Any], speech_s: float) -> Reading:
    logprob = min((segment.avg_logprob for segment in segments), default=0.0)
    text = "".join(segment.text for segment in segments)
    if any(segment.no_speech_prob > NO_SPEECH for segment in segments) and logprob < NO_SPEECH_LOGPROB:
        text = ""
    return Reading(SpokenText(text.strip()), speech_s, logprob, get_compression_ratio(text) if text else 1.0)


class _Windows:
    """The model as the pipeline sees it: many windows are encoded one by one, each as short as it may be."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, windows: NDArray[np.float32]) -> Any:
        encoded = np.concatenate([np.array(self._model.encode(window)) for window in windows])
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded))
