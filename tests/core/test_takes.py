"""What is offered stays; everything else goes when its time is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.dictation import Outcome
from lysnrai_desktop.core.takes import TRANSCRIBED, UNDELIVERED_KEEP_S, TakeRecord, is_expired

TAKE = TakeRecord("x", 1000.0, 48_000, 24_000)


def test_its_length_is_in_seconds() -> None:
    assert TAKE.duration_s == 0.5


def test_interrupted_and_failed_takes_are_offered_and_no_others() -> None:
    outcomes = [None, *Outcome, TRANSCRIBED, "of another version"]

    assert [o for o in outcomes if replace(TAKE, outcome=o).is_offered] == [None, Outcome.FAILED]


@given(age_s=st.floats(0, 1e8), keep_s=st.floats(0, 1e8))
@pytest.mark.parametrize("outcome", [None, *Outcome, TRANSCRIBED])
def test_a_take_stays_as_long_as_its_text_may_not_have_arrived(
    outcome: str | None, age_s: float, keep_s: float
) -> None:
    record = replace(TAKE, started=0.0, outcome=outcome)

    expired = is_expired(record, age_s, keep_s)

    match outcome:
        case None | Outcome.FAILED | Outcome.CANCELLED:
            assert not expired
        case Outcome.INSERTED:
            assert expired == (age_s > keep_s)
        case _:
            assert expired == (age_s > max(keep_s, UNDELIVERED_KEEP_S))


def test_the_time_runs_from_the_outcome_not_from_the_beginning() -> None:
    old = replace(TAKE, started=0.0, outcome=TRANSCRIBED, ended=1e6)

    assert not is_expired(old, 1e6 + UNDELIVERED_KEEP_S, 0.0)
    assert is_expired(old, 1e6 + UNDELIVERED_KEEP_S + 1, 0.0)
