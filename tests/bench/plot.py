"""Stacked bars as SVG, drawn by hand: what a time is made of.

Imports: stdlib.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

COLOURS = ("#8da0cb", "#fc8d62", "#66c2a5", "#e78ac3", "#a6d854", "#ffd92f", "#e5c494", "#b3b3b3")
WIDTH, LABEL, BAR, GAP, TOP, LEGEND = 860, 190, 22, 10, 40, 20


def stacked(title: str, unit: str, bars: Mapping[str, Mapping[str, float]]) -> str:
    """Draw one bar for each of `bars`, made of its named parts in their order. Parts of one name have one colour."""
    parts = list(dict.fromkeys(name for bar in bars.values() for name in bar))
    colour = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(parts)}
    longest = max((sum(bar.values()) for bar in bars.values()), default=0.0) or 1.0
    scale = (WIDTH - LABEL - 80) / longest
    height = TOP + len(bars) * (BAR + GAP) + (len(parts) + 1) * LEGEND
    font = 'font-family="sans-serif" font-size="13"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" {font}>',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            f'<text x="10" y="24" font-size="16">{escape(title)}</text>',
            *_bars(bars, colour, scale, unit),
            *_legend(colour, TOP + len(bars) * (BAR + GAP) + LEGEND),
            "</svg>\n",
        ]
    )


def _bars(bars: Mapping[str, Mapping[str, float]], colour: Mapping[str, str], scale: float, unit: str) -> Iterator[str]:
    for number, (name, bar) in enumerate(bars.items()):
        x, y = float(LABEL), TOP + number * (BAR + GAP)
        yield f'<text x="{LABEL - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>'
        for part, value in bar.items():
            width = max(0.0, value) * scale
            yield (
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour[part]}">'
                f"<title>{escape(part)}: {value:.0f} {unit}</title></rect>"
            )
            x += width
        yield f'<text x="{x + 6:.1f}" y="{y + 16}">{sum(bar.values()):.0f} {unit}</text>'


def _legend(colour: Mapping[str, str], y: int) -> Iterator[str]:
    for number, (name, filled) in enumerate(colour.items()):
        at = y + number * LEGEND
        yield f'<rect x="{LABEL}" y="{at - 11}" width="14" height="14" fill="{filled}"/>'
        yield f'<text x="{LABEL + 22}" y="{at}">{escape(name)}</text>'
