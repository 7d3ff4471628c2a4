"""The sound of one session at the rate that models and services want, and where in it somebody speaks.

Imports: core and silero. May be imported by: the engines beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from lysnrai_desktop.core import endpointing, engine_messages as wire
from lysnrai_desktop.core.endpointing import Listening, Voice
from lysnrai_desktop.engines.silero import RATE_HZ, STEP, Silero


@dataclass(frozen=True, slots=True)
class Sound:
    pcm: bytes
    """16-bit, mono, RATE_HZ; as it came if that was its rate."""
    voiced: tuple[tuple[int, int], ...]
    """Stretches of speech noticed with it, in samples of RATE_HZ since the session began."""
    edges: tuple[bool, ...]
    """Somebody began (True) or ceased to speak."""


class Ear:
    def __init__(self) -> None:
        self._resampler: soxr.ResampleStream | None = None
        self._silero, self._listening = Silero(), Listening()

    def hear(self, audio: wire.Audio) -> Sound:
        if audio.rate_hz == RATE_HZ:
            return self._listen(audio.pcm, np.frombuffer(audio.pcm, "<i2"))
        if self._resampler is None:
            self._resampler = soxr.ResampleStream(audio.rate_hz, RATE_HZ, 1, dtype="int16")
        return self._resampled(np.frombuffer(audio.pcm, "<i2"))

    def finish(self) -> Sound:
        """What the resampler has kept back."""
        return self._resampled(np.zeros(0, np.int16), last=True) if self._resampler else Sound(b"", (), ())

    def _resampled(self, samples: NDArray[np.int16], last: bool = False) -> Sound:
        assert self._resampler is not None
        sound = self._resampler.resample_chunk(samples, last=last)
        return self._listen(sound.tobytes(), sound)

    def _listen(self, pcm: bytes, samples: NDArray[np.int16]) -> Sound:
        edges: list[bool] = []
        voiced: list[tuple[int, int]] = []
        for probability in self._silero.hear(samples.astype(np.float32) / np.float32(32768)):
            self._listening, decisions = endpointing.listen(self._listening, probability)
            edges += [decision.speaking for decision in decisions if isinstance(decision, Voice)]
            if self._listening.speaking and probability >= endpointing.RELEASE:
                end = self._listening.heard * STEP
                voiced.append((end - STEP, end))
        return Sound(pcm, tuple(voiced), tuple(edges))
