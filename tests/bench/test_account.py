"""The account of a wait adds up to the wait, and is drawn as it is."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, strategies as st

from tests.bench import account, finish, plot
from tests.bench.bench import Dictated
from tests.bench.finish import PARTS, Pair, Stopwatch

SVG = "{http://www.w3.org/2000/svg}"
seconds = st.floats(0, 10)


def dictated(finishing_s: float, inserting_s: float, visible_s: float) -> Dictated:
    return Dictated("It was said.", "inserted", finishing_s, inserting_s, visible_s)


def alone(**parts_s: float) -> Pair:
    parts = {part: parts_s.get(part, 0.0) for part in PARTS}
    return Pair("base", 3.0, "at once", sum(parts.values()), 0.1, 0.1, parts, 1.0, 1.0, "", "", "")


def test_an_account_adds_up_to_the_wait() -> None:
    waits = [dictated(0.025, 0.5, 0.51), dictated(0.035, 0.7, 0.72)]

    parts = account.account(waits, [alone(encoder=0.1, decoder=0.2), alone(encoder=0.1, rest=0.05)])

    assert sum(parts.values()) == pytest.approx((0.51 + 0.72) / 2)
    assert (parts["encoder"], parts["decoder"], parts["rest"]) == pytest.approx((0.1, 0.1, 0.025))
    assert parts["last block"] + parts["polish"] == pytest.approx(0.57 - 0.225)


def test_a_text_that_did_not_arrive_is_in_no_account() -> None:
    lost = Dictated("", "engine.died", 0.03, None, None)

    assert account.account([dictated(0.025, 0.5, 0.51), lost], [alone(decoder=0.2)])["bounce"] == 0.025


def test_work_is_counted_as_far_as_it_lies_in_the_wait() -> None:
    watch = Stopwatch(type("Model", (), dict.fromkeys(("encode", "generate", "align", "detect_language"))))
    watch.spans = [("decoder", 0.0, 2.0), ("decoder", 3.0, 4.0), ("encoder", 2.0, 3.0)]

    assert watch.within("decoder", 1.0, 3.5) == 1.5
    assert watch.within("encoder", 5.0, 6.0) == 0.0


@given(
    st.dictionaries(st.sampled_from(["3 s", "8 s & more", "<20 s>"]), st.dictionaries(st.sampled_from(PARTS), seconds))
)
def test_bars_are_as_long_as_what_they_stand_for(bars: dict[str, dict[str, float]]) -> None:
    drawing = ET.fromstring(plot.stacked("Waits", "ms", bars))

    parts = [each for each in drawing.iter(f"{SVG}rect") if each.find(f"{SVG}title") is not None]
    widths = [float(each.get("width", "nan")) for each in parts]
    values = [value for bar in bars.values() for value in bar.values()]
    scale = (plot.WIDTH - plot.LABEL - 80) / (max((sum(bar.values()) for bar in bars.values()), default=0) or 1)
    assert widths == pytest.approx([value * scale for value in values], abs=0.06)
    names = {each.text for each in drawing.iter(f"{SVG}text")}
    assert set(bars) <= names and "Waits" in names


def test_parts_are_told_as_means() -> None:
    assert finish.parts_ms([alone(decoder=0.1), alone(decoder=0.3)])["decoder"] == pytest.approx(200)
