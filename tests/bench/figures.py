"""Figures: what was measured, as values; percentiles, ratios, the JSON and the table.

What is absent: measuring. Imports: stdlib.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

QUIET_LOAD = 1.5
"""Above this load average other work was measured too."""

_DECIMALS = {"s": 3, "MB": 1, "%": 2, "x": 2, "/s": 1}


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured once or several times."""

    group: str
    name: str
    unit: str
    """s, MB (10^6 bytes), % or a noun for what is counted; x: a ratio."""
    samples: tuple[float, ...]
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "name": self.name,
            "unit": self.unit,
            "n": len(self.samples),
            "p50": percentile(self.samples, 50) if self.samples else None,
            "p95": percentile(self.samples, 95) if self.samples else None,
            "samples": [round(sample, 6) for sample in self.samples],
            "note": self.note,
        }


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the percentile: for 50 the median, else by nearest rank, so that it was really seen.

    With fewer than 20 samples the 95th is the largest.
    """
    if percent == 50:
        return statistics.median(samples)
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


def ratio(ours: Figure, theirs: Figure, name: str) -> Figure:
    """Return our median in theirs: under 1 is quicker. Only for samples that were taken by turns."""
    if not ours.samples or not theirs.samples:
        return Figure(ours.group, name, "x", ())
    return Figure(ours.group, name, "x", (percentile(ours.samples, 50) / percentile(theirs.samples, 50),))


def report(circumstances: Mapping[str, Any], figures: Iterable[Figure]) -> dict[str, Any]:
    """Return what bench.json holds; `circumstances` has at least the loads `load_before` and `load_after`."""
    busy = max(circumstances["load_before"], circumstances["load_after"]) > QUIET_LOAD
    warning = f"other work ran on this machine (load over {QUIET_LOAD:g}): take no time from this run" if busy else ""
    return {**circumstances, "warning": warning, "figures": [figure.as_dict() for figure in figures]}


def table(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown for people."""
    lines = [f"{name}: {value}" for name, value in report.items() if name != "figures" and value != ""]
    lines += ["", "| what | p50 | p95 | unit | n | |", "|---|--:|--:|---|--:|---|"]
    for figure in report["figures"]:
        unit = figure["unit"]
        p50, p95 = (_number(figure[key], unit) for key in ("p50", "p95"))
        name = f"{figure['group']}: {figure['name']}"
        lines.append(
            f"| {name} | {p50} | {p95 if figure['n'] > 1 else ''} | {unit} | {figure['n']} | {figure['note']} |"
        )
    return "\n".join(lines) + "\n"


def _number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.{_DECIMALS.get(unit, 0)}f}"
