"""Speech probabilities do not depend on how the recording came in."""

from __future__ import annotations

import numpy as np
import pytest
from faster_whisper.vad import get_vad_model

from lysnrai_desktop.engines.silero import STEP, Silero, probabilities
from tests import speech


@pytest.mark.parametrize("size", [160, 512, 480, 7000])
def test_a_recording_in_pieces_is_heard_as_one(size: int) -> None:
    sound = speech.samples(speech.librivox()[1])
    sound = sound[: len(sound) // STEP * STEP]
    as_one = np.ravel(get_vad_model()(sound.copy()))
    silero = Silero()

    in_pieces = [p for at in range(0, len(sound), size) for p in silero.hear(sound[at : at + size])]

    # but for the last step, the end of which faster-whisper overwrites with silence
    np.testing.assert_allclose(in_pieces[:-1], as_one[:-1], atol=1e-3)


def test_the_end_of_a_recording_is_heard_though_it_fills_no_step() -> None:
    assert len(probabilities(np.zeros(STEP + 1, np.float32))) == 2
