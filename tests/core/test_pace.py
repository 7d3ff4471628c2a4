"""The machine's load decides whether words are shown early; never anything else."""

from __future__ import annotations

from hypothesis import given, strategies as st

from lysnrai_desktop.core.pace import BUSY, EVERY_S, LEAST_SPEECH_S, SHARE, is_due

seconds = st.floats(0.0, 60.0)
loads = st.floats(0.0, 16.0)


@given(seconds, seconds, seconds, seconds, st.floats(BUSY, 16.0, exclude_min=True))
def test_on_a_busy_machine_nothing_is_read_early(
    speech_s: float, new_s: float, since_s: float, took_s: float, load: float
) -> None:
    assert not is_due(speech_s, new_s, since_s, took_s, load)


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=60), st.floats(0.0, BUSY))
def test_readings_use_no_more_than_their_share_of_the_clock(takes_s: list[float], load: float) -> None:
    """However long each takes: the next is not due before the one before has paid for itself."""
    began_s: list[float] = []
    for step in range(600):
        now_s = 0.1 * step
        took_s = takes_s[(len(began_s) - 1) % len(takes_s)] if began_s else 0.0
        since_s = now_s - began_s[-1] if began_s else now_s
        if is_due(now_s, since_s, since_s, took_s, load):
            assert not began_s or took_s <= SHARE * since_s + 1e-9
            began_s.append(now_s)


@given(seconds, seconds, seconds, seconds, loads)
def test_a_quicker_machine_or_one_with_less_to_do_shows_no_less(
    speech_s: float, new_s: float, since_s: float, took_s: float, load: float
) -> None:
    if is_due(speech_s, new_s, since_s, took_s, load):
        assert is_due(speech_s, new_s, since_s, took_s / 2, load / 2)


def test_a_slow_reading_is_repeated_less_often() -> None:
    assert is_due(5.0, EVERY_S, 0.6, 0.2, 0.3)
    assert not is_due(5.0, EVERY_S, 0.6, 1.0, 0.3)
    assert is_due(5.0, EVERY_S, 1.0 / SHARE, 1.0, 0.3)


def test_what_was_read_is_not_read_again_before_there_is_more_of_it() -> None:
    assert not is_due(5.0, EVERY_S - 0.1, 60.0, 0.1, 0.3)
    assert is_due(5.0, EVERY_S, 60.0, 0.1, 0.3)


def test_a_word_or_two_are_not_read_by_themselves() -> None:
    assert not is_due(LEAST_SPEECH_S - 0.1, LEAST_SPEECH_S - 0.1, 60.0, 0.0, 0.0)
