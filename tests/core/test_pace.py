"""The machine's load decides whether words are shown early; never anything else."""

from __future__ import annotations

from hypothesis import given, strategies as st

from lysnrai_desktop.core.pace import BUSY, EVERY_S, LEAST_SPEECH_S, SHARE, TOO_LONG_S, is_due

seconds = st.floats(0.0, 60.0)
loads = st.floats(0.0, 16.0)


@given(seconds, seconds, seconds, loads)
def test_what_takes_too_long_or_too_much_of_a_busy_machine_is_not_read(
    speech_s: float, since_s: float, took_s: float, load: float
) -> None:
    if load > BUSY or took_s > TOO_LONG_S:
        assert not is_due(speech_s, since_s, took_s, load)


@given(st.lists(st.floats(0.0, TOO_LONG_S), min_size=1, max_size=60), st.floats(0.0, BUSY))
def test_readings_use_no_more_than_their_share_of_the_clock(takes_s: list[float], load: float) -> None:
    """However long each takes: the next is not due before the one before has paid for itself."""
    speech_s = since_s = used_s = 0.0
    took_s = takes_s[0]
    for step in range(400):
        speech_s += 0.1
        since_s += 0.1
        if is_due(speech_s, since_s, took_s, load):
            assert used_s <= speech_s * SHARE + TOO_LONG_S
            took_s = takes_s[step % len(takes_s)]
            used_s, since_s = used_s + took_s, 0.0


@given(seconds, seconds, seconds, loads)
def test_a_quicker_machine_or_one_with_less_to_do_shows_no_less(
    speech_s: float, since_s: float, took_s: float, load: float
) -> None:
    if is_due(speech_s, since_s, took_s, load):
        assert is_due(speech_s, since_s, took_s / 2, load / 2)


def test_a_quick_machine_shows_words_every_so_often_and_a_slow_one_less_often() -> None:
    assert is_due(5.0, EVERY_S, 0.1, 0.3)
    assert not is_due(5.0, EVERY_S - 0.05, 0.1, 0.3)
    assert not is_due(5.0, EVERY_S, 0.5, 0.3)
    assert is_due(5.0, 0.5 / SHARE, 0.5, 0.3)


def test_a_word_or_two_are_not_read_by_themselves() -> None:
    assert not is_due(LEAST_SPEECH_S - 0.1, LEAST_SPEECH_S - 0.1, 0.0, 0.0)
