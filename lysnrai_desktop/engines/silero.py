"""How likely somebody speaks: the Silero model inside faster-whisper, fed while the recording grows.

The model is read from that package's folder: importing it would bring CTranslate2 along, which an engine without
Whisper has no use for.

What is decided here: nothing. Imports: no module of ours. May be imported by: the engines beside it.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

RATE_HZ = 16_000
STEP = 512
"""Samples for one probability."""
_CONTEXT = 64
"""Samples before a step that the model sees with it."""


class Silero:
    """One recording. The model's memory is carried from call to call, so each sample is looked at once."""

    def __init__(self) -> None:
        self._model = _model()
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._rest = np.zeros(_CONTEXT, np.float32)
        """The last context, then what is not yet a whole step."""

    def hear(self, samples: NDArray[np.float32]) -> list[float]:
        """The probability of each step that is complete now; 16 kHz samples in [-1, 1]."""
        sound = np.concatenate([self._rest, samples])
        count = (len(sound) - _CONTEXT) // STEP
        self._rest = sound[count * STEP :]
        if not count:
            return []
        steps = np.lib.stride_tricks.sliding_window_view(sound, _CONTEXT + STEP)[::STEP][:count]
        found, self._h, self._c = self._model.run(
            None, {"input": np.ascontiguousarray(steps), "h": self._h, "c": self._c}
        )
        return [float(probability) for probability in np.ravel(found)]


@functools.cache
def _model() -> onnxruntime.InferenceSession:
    """Takes and returns its memory. Set up as in faster_whisper.vad, whose class starts anew with each call."""
    package = importlib.util.find_spec("faster_whisper")
    assert package is not None and package.origin is not None
    (model,) = (Path(package.origin).parent / "assets").glob("silero_vad*.onnx")
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"], sess_options=options)


def probabilities(samples: NDArray[np.float32]) -> list[float]:
    """Those of a whole recording; its last step is filled with silence."""
    return Silero().hear(np.pad(samples, (0, -len(samples) % STEP)))
