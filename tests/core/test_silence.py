"""A muted microphone is told at once, and the pauses of one that is never quiet are not."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, strategies as st

from lysnrai_desktop.core.silence import GATED_S, SILENCE_S, Sound, hear

RATE_HZ = 48_000
BLOCK = 960
BLOCK_S = BLOCK / RATE_HZ
NOTHING = Sound()


def heard(*parts: tuple[float, float], begin: Sound = NOTHING) -> list[Sound]:
    """What is known after each block of these parts: level, seconds."""
    sounds = [begin]
    for level, seconds in parts:
        for _ in range(round(seconds / BLOCK_S)):
            sounds.append(hear(sounds[-1], level, BLOCK, RATE_HZ))
    return sounds


def told_after_s(sounds: Iterable[Sound]) -> float | None:
    return next((round(i * BLOCK_S, 6) for i, sound in enumerate(sounds) if sound.is_silent), None)


def test_a_microphone_that_never_delivers_a_sound_is_told_in_time() -> None:
    assert told_after_s(heard((0.0, 2.0))) == SILENCE_S


def test_so_is_one_that_is_muted_in_mid_sentence() -> None:
    assert told_after_s(heard((0.0, 0.8), (0.1, 3.0), (0.0, 2.0))) == 0.8 + 3.0 + SILENCE_S


def test_the_pauses_of_a_noise_gate_are_not_told() -> None:
    assert told_after_s(heard((0.1, 2.0), (0.0, 0.5), *[(0.1, 2.0), (0.0, 5.0)] * 3)) is None


def test_but_one_that_lasts_much_longer_is() -> None:
    pause = heard((0.1, 2.0), (0.0, 0.5), (0.1, 2.0))[-1]

    assert told_after_s(heard((0.0, 20.0), begin=pause)) == GATED_S


def test_the_first_sound_ends_it() -> None:
    *_, muted, unmuted = heard((0.0, 2.0), (0.1, BLOCK_S))

    assert (muted.is_silent, unmuted.is_silent) == (True, False)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1 / 32768, 1.0]), st.floats(0.0, 5.0)), max_size=30))
def test_whoever_is_never_quiet_for_long_is_never_told(parts: list[tuple[float, float]]) -> None:
    speech = [part for level, seconds in parts for part in ((level, min(seconds, 1.4)), (0.5, BLOCK_S))]

    assert told_after_s(heard(*speech)) is None
