"""faster-whisper's model, asked in our way: how it is loaded, and how one piece of sound becomes one reading.

Temperature is 0: a doubtful reading is tried again in another way, never at random; if the encoder had seen a short
window (splicing.py), then on a full one.

Behind a short window the decoder is surer of where speech ends, and so of its time stamp: it often writes that in place
of the full stop before it, though among words it holds the stop for the likeliest (0.56 to 0.96, measured). So where a
reading ends without one, the decoder is asked.

Imports: core, splicing. May be imported by: reader, glimpser, whisper, calibration.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
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
CERTAIN = 0.5
"""Likelier than all other words together. Where sentences were broken off, a stop had 0.49 at most (measured)."""

tqdm.monitor_interval = 0  # no thread that wakes for a progress bar nobody sees

_FILES = ("config.json", "model.bin", "tokenizer.json")
_VOCABULARIES = ("vocabulary.txt", "vocabulary.json")


class Model(WhisperModel):  # type: ignore[misc]
    padding: Padding | None = None
    """None: every window is encoded in full."""
    beam = 5
    can_weigh = False
    """Whether the decoder can be asked how likely a word is."""
    _in_full = False
    _windows = 0
    """How many were encoded for the present reading."""
    _last: tuple[bool, Any, Any] | None = None

    def encode(self, features: Any) -> Any:
        """Remembers its last answer: the language and the text of a piece are read off the same one."""
        self._windows += 1
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

    def read(
        self,
        sound: Sound,
        speech_s: float,
        language: str,
        prompt: str = "",
        *,
        beam: int = 0,
        doubted: bool = False,
    ) -> Reading:
        """What is said in a piece.

        Args:
            sound: the piece; 30 s at most.
            speech_s: how much speech there is in it.
            language: as the model calls it.
            prompt: shown to the model beforehand.
            beam: how many readings the decoder follows at a time; 0: as many as this model usually does.
            doubted: read it in another way than before.
        """
        self._in_full, self._windows = doubted, 0
        limit = round(FIRST_TOKENS + TOKENS_PER_S * speech_s)
        otherwise: dict[str, Any] = {"no_speech_threshold": None, "no_repeat_ngram_size": 4} if doubted else {}
        found, _ = self.transcribe(
            sound,
            language=language,
            beam_size=beam or self.beam,
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
        text = "".join(segment.text for segment in segments).strip()
        if not doubted and not beam and text[-1:].isalnum() and self._would_stop(text, language):
            text += "."
        return Reading(
            SpokenText(text),
            speech_s,
            min(segment.avg_logprob for segment in segments),
            max(segment.compression_ratio for segment in segments),
        )

    def _would_stop(self, text: str, language: str) -> bool:
        """Whether a full stop is to be expected behind the text of the window that was encoded last."""
        if not self.can_weigh or self.padding is None or self._windows != 1 or self._last is None:
            return False
        tokenizer = Tokenizer(self.hf_tokenizer, self.model.is_multilingual, task="transcribe", language=language)
        words = [*tokenizer.encode(f" {text}"), *tokenizer.encode(".")]
        frames = self.feature_extractor.nb_max_frames
        (weighed,) = self.model.align(self._last[2], list(tokenizer.sot_sequence), [words], frames)
        return bool(weighed.text_token_probs[-1] > CERTAIN)

    def read_sentence(self) -> str:
        """Read the one that is known, all of it anew."""
        self._last = None
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
            model.can_weigh = "alignment_heads" in json.loads((folder / "config.json").read_text("utf-8"))
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
