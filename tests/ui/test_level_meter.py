"""The meter shows loudness as the ear has it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.ui.level_meter import height, pulse

peaks = st.floats(min_value=0.0, max_value=1.0)


@pytest.mark.parametrize(("peak", "share"), [(0.0, 0.0), (0.0005, 0.0), (0.0316, 0.5), (0.6, 1.0), (1.0, 1.0)])
def test_height_of_a_peak(peak: float, share: float) -> None:
    assert height(peak) == pytest.approx(share, abs=0.01)


@given(peaks, peaks)
def test_louder_is_never_lower(one: float, other: float) -> None:
    assert (height(one) <= height(other)) or one > other


@given(st.floats(min_value=0.0, max_value=4e9))
def test_the_pulse_never_fades_to_nothing(at: float) -> None:
    assert 0.39 <= pulse(at) <= 1.0
