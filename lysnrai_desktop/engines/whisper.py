"""Whisper, on this machine: audio in while it is spoken, text out with each pause.

    Audio ─▶ ear (the host's thread)                         reader (a thread of its own)
             resample ─▶ Silero ─▶ core/endpointing ─piece─▶ quiet? ─▶ language ─▶ faster-whisper ─▶ guards ─▶ Final
                                                    ─guess─▶ the same, while it is not known whether the piece is whole

Two threads, so that the edges of speech are told when they happen and not behind the recognition of the piece before.
A lull in the speech is taken for its end on the chance that it is: what there is is read at once. If the piece turns
out to have no more speech in it, its text is there already; otherwise that reading was for the overlay.
Where to cut, what to doubt and which language to take is decided in core. What is decided here: how a model is loaded
and asked. Temperature is 0: a doubtful reading is tried again in another way, never at random; if the encoder had seen
a short window (splicing.py), then on a full one.

Imports: core. May be imported by: host.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import soxr
from faster_whisper import WhisperModel
from numpy.typing import NDArray
from tqdm import tqdm  # type: ignore[import-untyped]

from lysnrai_desktop.core import endpointing, engine_messages as wire, guards, language as languages
from lysnrai_desktop.core.endpointing import Cut, Listening, Lull, Voice
from lysnrai_desktop.core.faults import EngineOutOfMemory, EngineStartFailed, Fault, ModelDamaged
from lysnrai_desktop.core.guards import Reading
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.engines import splicing
from lysnrai_desktop.engines.engine import Hearing, Say, Wanted
from lysnrai_desktop.engines.silero import RATE_HZ, STEP, Silero, probabilities
from lysnrai_desktop.engines.splicing import Padding

Sound = NDArray[np.float32]
"""16 kHz, mono, in [-1, 1]."""

MARGIN_S = 0.3
"""Kept on both sides of speech. Whisper makes words of clicks and breath in what is beyond (measured)."""
BEFORE_S = 0.5
"""How far a piece may reach back over its cut, into the pause."""
QUIET_PEAK = 0.05
"""A piece that is never louder is listened to a second time, amplified: Silero misses words below -30 dB."""
AMPLIFIED_PEAK = 0.5
MAX_GAIN = 100.0
AMPLIFIED_ONSET = 0.6
"""Amplified white noise was taken for speech with up to 0.50, the quietest words with 0.66 (measured)."""
GUESS_WITHIN_S = 1.0
"""Where the last reading took longer, nothing is read on a guess: it would hold up what follows."""
MAX_THREADS = 4
FIRST_TOKENS, TOKENS_PER_S, MAX_LIMIT = 40, 30, 200
"""Far more than is ever said, Hindi with its three tokens a letter included; but a short piece that turns into endless
repeats ends in 2 s instead of 15 (measured). Above MAX_LIMIT a prompt might not fit beside them: no limit then."""

tqdm.monitor_interval = 0  # no thread that wakes for a progress bar nobody sees

_FILES = ("config.json", "model.bin", "tokenizer.json")
_VOCABULARIES = ("vocabulary.txt", "vocabulary.json")


class WhisperEngine:
    def __init__(self, say: Say) -> None:
        self._say = say
        self._work: _Work = queue.SimpleQueue()
        self._languages: list[str] = []

    def load(self, load: wire.Prepare) -> wire.Ready:
        assert isinstance(load, wire.Load)
        model = _load(load)
        self.use(model)
        return wire.Ready(model.model.device, model.model.compute_type)

    def use(self, model: _Model) -> None:
        """Read with this model from now on."""
        self._languages = model.supported_languages
        # Kept in start order by the queue: whoever is unwanted by the time it comes up is passed over.
        threading.Thread(target=_Reader(model, self._say).run, args=(self._work,), name="reading", daemon=True).start()

    def is_at_work(self) -> bool:
        return not self._work.empty()

    def start(self, start: wire.Start, wanted: Wanted) -> Hearing:
        possible = languages.candidates(start.language, self._languages)
        session = _Session(start.session, wanted, possible, guards.prompt(start.vocabulary))
        self._work.put(session)
        return _Ear(start, session, self._say, self._work)


@dataclass(slots=True)
class _Session:
    """What the reader knows of a session; the reader's own."""

    number: int
    wanted: Wanted
    possible: tuple[str, ...]
    prompt: str
    language: str = ""
    """Decided with the first speech."""


@dataclass(frozen=True, slots=True)
class _Piece:
    session: _Session
    start: int
    end: int
    """In samples of the take."""
    sound: Sound
    """The piece, and up to BEFORE_S before it."""
    speech: tuple[int, int] | None
    """Where in `sound` somebody speaks."""
    floor: int
    """Where in `sound` it may begin: what lies before was read with the last piece."""


@dataclass(slots=True)
class _Guess:
    """A piece, if nobody goes on speaking."""

    piece: _Piece
    void: bool = False
    """Somebody went on."""


@dataclass(frozen=True, slots=True)
class _End:
    session: _Session


_Work = queue.SimpleQueue[_Session | _Guess | _Piece | _End]


# --- the ear ------------------------------------------------------------------------------------------------


class _Ear:
    """Turns the audio of one session into edges of speech and pieces."""

    def __init__(self, start: wire.Start, session: _Session, say: Say, work: _Work) -> None:
        self._session, self._say, self._work = session, say, work
        self._from_sample = self._final = start.from_sample
        self._received = 0
        self._rate_hz = RATE_HZ
        self._resampler: soxr.ResampleStream | None = None
        self._silero, self._listening = Silero(), Listening()
        self._parts: list[Sound] = []
        self._parts_at = 0
        """Position of the first part; positions here are 16 kHz samples since the session's start."""
        self._heard = 0
        self._spoken = 0
        """Where the speech of the last piece ended."""
        self._guess: _Guess | None = None
        """That of the present silence, as long as it has not become a piece."""

    def audio(self, audio: wire.Audio) -> None:
        samples = np.frombuffer(audio.pcm, "<i2").astype(np.float32) / np.float32(32768)
        self._rate_hz = audio.rate_hz
        self._received += len(samples)
        if audio.rate_hz == RATE_HZ:
            self._hear(samples)
            return
        if self._resampler is None:
            self._resampler = soxr.ResampleStream(audio.rate_hz, RATE_HZ, 1, dtype="float32")
        self._hear(self._resampler.resample_chunk(samples))

    def finish(self) -> None:
        if self._resampler is not None:
            self._hear(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        end = self._heard
        if end % STEP:
            self._listen(self._silero.hear(np.zeros(STEP - end % STEP, np.float32)))
        if self._final < self._from_sample + self._received:
            self._cut(endpointing.finish(self._listening, end / RATE_HZ), last=True)
        self._work.put(_End(self._session))

    def _hear(self, sound: Sound) -> None:
        self._parts.append(sound)
        self._heard += len(sound)
        self._listen(self._silero.hear(sound))

    def _listen(self, steps: list[float]) -> None:
        lull: Cut | None = None
        for probability in steps:
            silent_since = self._listening.last
            self._listening, decisions = endpointing.listen(self._listening, probability)
            if self._listening.last != silent_since:
                lull = None
                self._drop_guess()
            for decision in decisions:
                match decision:
                    case Voice(speaking=speaking):
                        self._say(wire.Voice(self._session.number, speaking))
                    case Lull(piece=piece):
                        lull = piece
                    case Cut():
                        lull = self._guess = None
                        self._cut(decision)
        if lull is not None:  # and it lasts: a file is read faster than anybody goes on
            self._guess = _Guess(self._piece(lull))
            self._work.put(self._guess)

    def _drop_guess(self) -> None:
        if self._guess is not None:
            self._guess.void = True
            self._guess = None

    def _cut(self, cut: Cut, last: bool = False) -> None:
        piece = self._piece(cut, last)
        self._work.put(piece)
        self._final = piece.end
        if piece.speech is not None:
            self._spoken = self._parts_at + piece.speech[1]
        keep_from = max(self._parts_at, round(cut.end_s * RATE_HZ) - round(BEFORE_S * RATE_HZ))
        self._parts = [piece.sound[keep_from - self._parts_at :]]
        self._parts_at = keep_from

    def _piece(self, cut: Cut, last: bool = False) -> _Piece:
        # up to now, not only to the cut: the margin behind speech may reach over it
        sound = np.concatenate([*self._parts, np.zeros(0, np.float32)])
        speech = None
        if cut.speech is not None:
            first, behind = (round(edge * RATE_HZ) - self._parts_at for edge in cut.speech)
            speech = (first, behind)
        end = self._from_sample + (self._received if last else round(cut.end_s * self._rate_hz))
        return _Piece(self._session, self._final, end, sound, speech, max(0, self._spoken - self._parts_at))


# --- the reader ---------------------------------------------------------------------------------------------


class _Reader:
    """Reads pieces one after the other."""

    def __init__(self, model: _Model, say: Say) -> None:
        self._model, self._say = model, say
        self._last_language = ""
        self._guessed: tuple[_Piece, SpokenText, str] | None = None
        """The last guess, with its text and language."""
        self._reading_s = 0.0
        """What the last reading took."""

    def run(self, work: _Work) -> None:
        if self._model.padding is not None:
            # What the libraries put off until their first use should not be somebody's first dictation. A full window
            # costs more than it saves.
            probabilities(splicing.sentence())
            self._model.read_sentence()
        while True:
            match work.get():
                case _Session() as session if session.wanted():
                    self._say(wire.Started(session.number))
                case _End(session=session) if session.wanted():
                    self._say(wire.Done(session.number))
                case _Guess(piece=piece, void=False) if self._may_guess(piece):
                    self._answer(piece, guessed=True)
                case _Piece(session=session) as piece if session.wanted():
                    self._answer(piece)
                case _:
                    pass

    def _may_guess(self, piece: _Piece) -> bool:
        # a quiet piece may have more speech in it than the ear knows of
        return piece.session.wanted() and not _is_quiet(piece) and self._reading_s <= GUESS_WITHIN_S

    def _answer(self, piece: _Piece, guessed: bool = False) -> None:
        session = piece.session
        try:
            text, language = self._known(piece) or self._read(piece)
        except (MemoryError, RuntimeError) as error:
            if not _lacks_memory(error):
                raise
            self._say(wire.Failed(session.number, EngineOutOfMemory.code))
            return
        if guessed:
            self._guessed = (piece, text, language)
            if guards.has_words(text):
                self._say(wire.Partial(session.number, text))
            return
        self._guessed = None
        if language and not session.language:
            session.language = language
            if len(session.possible) > 1:
                self._last_language = language
        self._say(wire.Final(session.number, piece.start, piece.end, text, session.language))

    def _known(self, piece: _Piece) -> tuple[SpokenText, str] | None:
        """What was guessed, if it turned out that nobody went on."""
        if self._guessed is None:
            return None
        guess, text, language = self._guessed
        same = guess.session is piece.session and (guess.start, guess.speech) == (piece.start, piece.speech)
        return (text, language) if same else None

    def _read(self, piece: _Piece) -> tuple[SpokenText, str]:
        """Text and language; the latter is "" if nobody spoke and none is known yet."""
        session = piece.session
        speech = _speech_of(piece)
        if speech is None:
            return SpokenText(), session.language
        began = time.monotonic()
        margin = round(MARGIN_S * RATE_HZ)
        sound = piece.sound[max(piece.floor, speech[0] - margin) : speech[1] + margin]
        speech_s = (speech[1] - speech[0]) / RATE_HZ
        language = session.language or self._language(session, sound)
        reading = self._model.read(sound, speech_s, language, session.prompt)
        if guards.is_echo(reading.text, session.prompt):
            reading = self._model.read(sound, speech_s, language)
        if guards.is_doubtful(reading):
            again = self._model.read(piece.sound[piece.floor :], speech_s, language, doubted=True)
            reading = guards.better(reading, again)
        self._reading_s = time.monotonic() - began
        return reading.text if guards.has_words(reading.text) else SpokenText(), language

    def _language(self, session: _Session, sound: Sound) -> str:
        if len(session.possible) == 1:
            return session.possible[0]
        return languages.choose(self._model.languages(sound), session.possible, self._last_language)


def _is_quiet(piece: _Piece) -> bool:
    """Whether Silero may miss words in it."""
    return float(np.abs(piece.sound).max(initial=0.0)) < QUIET_PEAK


def _speech_of(piece: _Piece) -> tuple[int, int] | None:
    """Where somebody speaks, after a second, amplified hearing if the piece is quiet."""
    peak = float(np.abs(piece.sound).max(initial=0.0))
    if not _is_quiet(piece) or peak == 0.0:
        return piece.speech
    gain = min(MAX_GAIN, AMPLIFIED_PEAK / peak)
    own = piece.sound[piece.floor :]
    found = endpointing.speech_in(probabilities(own * np.float32(gain)), AMPLIFIED_ONSET)
    if found is None:
        return piece.speech
    first, last = (piece.floor + round(edge * RATE_HZ) for edge in found)
    return (first, last) if piece.speech is None else (min(first, piece.speech[0]), max(last, piece.speech[1]))


# --- the model ----------------------------------------------------------------------------------------------


class _Model(WhisperModel):  # type: ignore[misc]
    """faster-whisper's model, asked in our way."""

    padding: Padding | None = None
    """None: every window is encoded in full."""
    beam = 5
    _in_full = False
    _last: tuple[bool, Any, Any] | None = None

    def encode(self, features: Any) -> Any:
        """Remembers its last answer: the language and the text of a piece are read off the same one."""
        in_full = self._in_full or self.padding is None
        if self._last is None or self._last[0] is not in_full or not np.array_equal(self._last[1], features):
            self._last = (in_full, features, self._encode(features, None if in_full else self.padding))
        return self._last[2]

    def _encode(self, features: Any, padding: Padding | None) -> Any:
        if padding is None or (frames := splicing.frames_to_encode(features)) >= features.shape[1]:
            return super().encode(features)
        return splicing.spliced(super().encode(features[:, :frames]), padding)

    def languages(self, sound: Sound) -> dict[str, float]:
        """The probability of each language; no longer piece than 30 s."""
        frames = self.feature_extractor.nb_max_frames
        features = self.feature_extractor(sound)[:, :-1][:, :frames]  # without the last, as `transcribe` does
        window = np.pad(features, ((0, 0), (0, frames - features.shape[1])))
        return {token[2:-2]: probability for token, probability in self.model.detect_language(self.encode(window))[0]}

    def read(self, sound: Sound, speech_s: float, language: str, prompt: str = "", doubted: bool = False) -> Reading:
        """What is said in a piece. `doubted`: in another way than before."""
        self._in_full = doubted
        limit = round(FIRST_TOKENS + TOKENS_PER_S * speech_s)
        otherwise: dict[str, Any] = {"no_speech_threshold": None, "no_repeat_ngram_size": 4} if doubted else {}
        found, _ = self.transcribe(
            sound,
            language=language,
            beam_size=self.beam,
            temperature=0.0,
            condition_on_previous_text=False,
            initial_prompt=prompt or None,
            max_new_tokens=limit if limit <= MAX_LIMIT else None,
            **otherwise,
        )
        segments = list(found)
        self._in_full = False
        if not segments:
            return Reading(SpokenText(), speech_s)
        return Reading(
            SpokenText("".join(segment.text for segment in segments).strip()),
            speech_s,
            min(segment.avg_logprob for segment in segments),
            max(segment.compression_ratio for segment in segments),
        )

    def read_sentence(self) -> str:
        """Read the one that is known."""
        sound = splicing.sentence()
        return self.read(sound, len(sound) / RATE_HZ, "en").text.reveal()


def _splice(model: _Model, weights: Path) -> None:
    """Encode short windows from now on, if this model is known to bear it."""
    if model.model.device != "cpu":
        return  # not measured, and a GPU encodes 30 s in no time

    def agrees(padding: Padding) -> bool:
        model.padding = None
        full = model.read_sentence()
        model.padding = padding
        return model.read_sentence() == full != ""

    model.padding = splicing.padding_for(weights, model.model.compute_type, agrees)


def _load(load: wire.Load) -> _Model:
    """Raises ModelDamaged, EngineOutOfMemory, EngineStartFailed."""
    folder = Path(load.folder)
    present = {file.name for file in folder.glob("*")}
    for file in (*_FILES, *(_VOCABULARIES if present.isdisjoint(_VOCABULARIES) else ())):
        if file not in present:  # without its tokenizer faster-whisper would go to the network
            raise ModelDamaged(folder.name, file)
    fault: Fault = EngineStartFailed("no device takes the model")
    for device, compute_type in _ways(load.device, load.compute_type):
        try:
            threads = load.threads or _threads()
            model = _Model(str(folder), device=device, compute_type=compute_type, cpu_threads=threads)
            model.beam = load.beam
            _splice(model, folder / "model.bin")
            if device != "cpu":  # cuBLAS is looked for when it is first needed, and may not be there
                model.read_sentence()
            return model
        except MemoryError:
            fault = EngineOutOfMemory(device)
        except ValueError:  # no such compute type here
            fault = EngineStartFailed(device)
        except RuntimeError as error:
            if _lacks_memory(error):
                fault = EngineOutOfMemory(device)
            elif device == "cpu":  # where nothing else is refused: the weights cannot be read
                fault = ModelDamaged(folder.name, "model.bin")
            else:
                fault = EngineStartFailed(device)
    raise fault


def _lacks_memory(error: Exception) -> bool:
    """As Python, CUDA, MKL and C++ say it."""
    words = ("out of memory", "failed to allocate memory", "bad_alloc", "bad allocation")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def _ways(device: str, compute_type: str) -> Iterator[tuple[str, str]]:
    """Device and compute type, the best first."""
    if device == "cuda" or (device == "auto" and _has_cuda()):
        yield "cuda", "float16" if compute_type == "auto" else compute_type
    if device != "cuda":
        yield "cpu", "int8" if compute_type == "auto" else compute_type


def _has_cuda() -> bool:
    try:
        return bool(ctranslate2.get_cuda_device_count())
    except RuntimeError:  # a driver that does not fit
        return False


def _threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_THREADS)
