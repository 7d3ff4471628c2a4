"""faster-whisper's model, asked in our way: how it is loaded, and how one piece of sound becomes one reading.

Temperature is 0: a doubtful reading is tried again in another way, never at random; if the encoder had seen a short
window (splicing.py), then on a full one.

A draft is what an earlier reading of the same speech, before it went on, said. The decoder judges a whole draft in one
step, about the time of two words: what it finds likely, now that the encoder heard more, it takes over, and goes on
from there by itself. So the time that a reading takes depends on what is new in it, not on how long it is.

Imports: core, splicing. May be imported by: reader, whisper, calibration.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from tqdm import tqdm  # type: ignore[import-untyped]

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.faults import EngineOutOfMemory, EngineStartFailed, Fault, ModelDamaged
from lysnrai_desktop.core.guards import Reading
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.engines import splicing
from lysnrai_desktop.engines.pieces import Sound
from lysnrai_desktop.engines.silero import RATE_HZ
from lysnrai_desktop.engines.splicing import Padding

MAX_THREADS = 4
FIRST_TOKENS, TOKENS_PER_S, MAX_LIMIT = 40, 30, 200
"""Far more than is ever said, Hindi with its three tokens a letter included; but a short piece that turns into endless
repeats ends in 2 s instead of 15 (measured). Above MAX_LIMIT a prompt might not fit beside them: no limit then."""
LIKELY = 0.5
"""What is likelier than all else together is what the decoder would have said by itself."""

tqdm.monitor_interval = 0  # no thread that wakes for a progress bar nobody sees

_FILES = ("config.json", "model.bin", "tokenizer.json")
_VOCABULARIES = ("vocabulary.txt", "vocabulary.json")


class BrokenOff(Exception):
    """Nobody wants this reading any more."""


@dataclass(frozen=True, slots=True)
class _Generated:
    """What `generate_segments` looks at."""

    sequences_ids: list[list[int]]
    no_speech_prob: float


class Model(WhisperModel):  # type: ignore[misc]
    padding: Padding | None = None
    """None: every window is encoded in full."""
    beam = 5
    _in_full = False
    _last: tuple[bool, Any, Any] | None = None
    _draft: Sequence[int] = ()
    _tokens: tuple[int, ...] = ()
    """Of the first window."""
    _unwanted: Callable[[], bool] | None = None

    def encode(self, features: Any) -> Any:
        """Remembers its last answer: the language and the text of a piece are read off the same one."""
        in_full = self._in_full or self.padding is None
        if self._last is None or self._last[0] is not in_full or not np.array_equal(self._last[1], features):
            self._last = (in_full, features, self._encode(features, None if in_full else self.padding))
        self._go_on()
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

    def read(
        self,
        sound: Sound,
        speech_s: float,
        language: str,
        prompt: str = "",
        *,
        doubted: bool = False,
        draft: Sequence[int] = (),
        unwanted: Callable[[], bool] | None = None,
    ) -> Reading:
        """What is said in a piece.

        Args:
            sound: the piece; speech begins in its first second.
            speech_s: how much speech there is in it.
            language: as the model calls it.
            prompt: shown to the model beforehand.
            doubted: read it in another way than before.
            draft: tokens of an earlier reading of a sound that this one begins with.
            unwanted: asked between two steps; if so, BrokenOff is raised.
        """
        self._in_full, self._draft, self._unwanted, self._tokens = doubted, draft, unwanted, ()
        limit = round(FIRST_TOKENS + TOKENS_PER_S * speech_s)
        otherwise: dict[str, Any] = {"no_speech_threshold": None, "no_repeat_ngram_size": 4} if doubted else {}
        try:
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
        finally:
            self._in_full, self._draft, self._unwanted = False, (), None
        if not segments:
            return Reading(SpokenText(), speech_s)
        return Reading(
            SpokenText("".join(segment.text for segment in segments).strip()),
            speech_s,
            min(segment.avg_logprob for segment in segments),
            max(segment.compression_ratio for segment in segments),
            self._tokens,
        )

    def generate_with_fallback(self, encoder_output: Any, prompt: list[int], tokenizer: Any, options: Any) -> Any:
        """Begins with what is likely of the draft."""
        draft, self._draft = self._draft, ()  # of the first window alone
        kept, logprob = self._likely(encoder_output, prompt, tokenizer, draft) if draft else ([], 0.0)
        result, average, temperature, compression = super().generate_with_fallback(
            encoder_output, [*prompt, *kept], tokenizer, options
        )
        new = result.sequences_ids[0]
        tokens = [*kept, *new]
        if not self._tokens:
            self._tokens = tuple(tokens)
        self._go_on()
        average = (average * (len(new) + 1) + logprob) / (len(tokens) + 1)
        return _Generated([tokens], result.no_speech_prob), average, temperature, compression

    def _likely(self, encoded: Any, prompt: list[int], tokenizer: Any, draft: Sequence[int]) -> tuple[list[int], float]:
        """How far the draft may stand, and its logarithmic probability up to there."""
        words = [token for token in draft if token < tokenizer.eot]
        (judged,) = self.model.align(encoded, prompt, [words], self.feature_extractor.nb_max_frames)
        self._go_on()
        probabilities = iter(judged.text_token_probs)
        kept: list[int] = []
        total = 0.0
        for token in draft:
            if token < tokenizer.eot:
                if (probability := next(probabilities)) < LIKELY:
                    break
                total += float(np.log(probability))
            kept.append(token)
        while kept and kept[-1] >= tokenizer.eot:  # where the draft's sound ended, this one goes on
            kept.pop()
        return kept, total

    def _go_on(self) -> None:
        if self._unwanted is not None and self._unwanted():
            raise BrokenOff

    def read_sentence(self) -> str:
        """Read the one that is known."""
        sound = splicing.sentence()
        return self.read(sound, len(sound) / RATE_HZ, "en").text.reveal()


def load(load: wire.Load) -> Model:
    """Raises ModelDamaged, EngineOutOfMemory, EngineStartFailed."""
    folder = Path(load.folder)
    present = {file.name for file in folder.glob("*")}
    for file in (*_FILES, *(_VOCABULARIES if present.isdisjoint(_VOCABULARIES) else ())):
        if file not in present:  # without its tokenizer faster-whisper would go to the network
            raise ModelDamaged(folder.name, file)
    fault: Fault = EngineStartFailed("no device takes the model")
    for device, compute_type in _ways(load.device, load.compute_type):
        try:
            model = Model(
                str(folder), device=device, compute_type=compute_type, cpu_threads=load.threads or usual_threads()
            )
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
            if lacks_memory(error):
                fault = EngineOutOfMemory(device)
            elif device == "cpu":  # where nothing else is refused: the weights cannot be read
                fault = ModelDamaged(folder.name, "model.bin")
            else:
                fault = EngineStartFailed(device)
    raise fault


def lacks_memory(error: Exception) -> bool:
    """As Python, CUDA, MKL and C++ say it."""
    words = ("out of memory", "failed to allocate memory", "bad_alloc", "bad allocation")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def usual_threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_THREADS)


def _splice(model: Model, weights: Path) -> None:
    """Encode short windows from now on, if this model is known to bear it."""
    if model.model.device != "cpu":
        return  # not measured, and a GPU encodes 30 s in no time

    def agrees(padding: Padding) -> bool:
        model.padding = None
        full = model.read_sentence()
        model.padding = padding
        return model.read_sentence() == full != ""

    model.padding = splicing.padding_for(weights, model.model.compute_type, agrees)


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
