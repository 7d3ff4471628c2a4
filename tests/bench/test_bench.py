"""Figures say what was measured: statistics are right, table and JSON agree."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, strategies as st

from tests.bench import proc
from tests.bench.figures import Figure, percentile, ratio, report, table

QUIET = {"load_before": 0.2, "load_after": 0.3}
samples = st.lists(st.floats(0.001, 1000), min_size=1, max_size=60)


def test_the_median_of_an_even_number_lies_between_the_middle_two() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.5


def test_the_95th_percentile_is_a_sample_that_one_in_twenty_exceeds() -> None:
    assert percentile([float(number) for number in range(1, 101)], 95) == 95.0
    assert percentile([float(number) for number in range(1, 8)], 95) == 7.0


@given(samples)
def test_percentiles_lie_among_the_samples_and_in_order(measured: list[float]) -> None:
    middle, high = percentile(measured, 50), percentile(measured, 95)

    assert min(measured) <= middle <= max(measured)
    assert high in measured
    assert middle <= high


def test_a_ratio_is_ours_in_theirs() -> None:
    ours, theirs = Figure("a", "ours", "s", (1.0, 9.0, 2.0)), Figure("a", "theirs", "s", (4.0, 5.0, 3.0))

    assert ratio(ours, theirs, "both").samples == (0.5,)
    assert ratio(ours, Figure("a", "none came", "s", ()), "both").samples == ()


def test_the_table_says_what_the_json_says() -> None:
    figures = [
        Figure("start", "tray", "s", (0.5, 0.7, 0.61239)),
        Figure("memory", "app", "MB", (101.26,), "aim: 120"),
        Figure("release", "nothing came", "s", ()),
    ]

    result = json.loads(json.dumps(report(QUIET, figures)))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(result).splitlines() if line[:2] == "| "]

    assert rows[1:] == [
        ["start: tray", "0.612", "0.700", "s", "3", ""],
        ["memory: app", "101.3", "", "MB", "1", "aim: 120"],
        ["release: nothing came", "–", "", "s", "0", ""],
    ]
    assert [figure["p50"] for figure in result["figures"]] == [0.61239, 101.26, None]
    assert result["figures"][0]["samples"] == [0.5, 0.7, 0.61239]


@pytest.mark.parametrize("busy", [{"load_before": 2.0}, {"load_after": 1.6}])
def test_other_work_on_the_machine_is_warned_of(busy: dict[str, float]) -> None:
    assert "other work" in table(report({**QUIET, **busy}, []))
    assert "other work" not in table(report(QUIET, []))


def test_a_processs_memory_and_activity_are_its_own() -> None:
    def work(_: float) -> None:
        before = os.times()
        while sum(os.times()[:2]) - sum(before[:2]) < 0.05:
            pass

    memory = proc.memory(os.getpid())
    [activity] = proc.activity([os.getpid()], 0.0, sleep=work)

    assert 0 < memory.pss_mb <= memory.rss_mb
    assert activity.cpu_percent > 0
    assert proc.engine_of(os.getpid()) is None
