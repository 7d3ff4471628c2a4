"""How likely somebody speaks: the Silero model inside faster-whisper, fed while the recording grows.

What is decided here: nothing. Imports: no module of ours. May be imported by: the engines beside it.
"""

from __future__ import annotations

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

RATE_HZ = 16_000
STEP = 512
"""Samples for one probability."""
_CONTEXT = 64
"""Samples before a step that the model sees with it."""


class Silero:
    """One recording. The model's memory is carried from call to call, so each sample is looked at once."""

    def __init__(self) -> None:
        # The class around this session starts anew with each call; the session takes and returns its memory.
        self._model = get_vad_model().session
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


def probabilities(samples: NDArray[np.float32]) -> list[float]:
    """Those of a whole recording; its last step is filled with silence."""
    return Silero().hear(np.pad(samples, (0, -len(samples) % STEP)))
