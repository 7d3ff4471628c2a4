"""Which language a dictation is in: the user's wish, what the model can do, what it heard.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lysnrai_desktop.core.faults import LanguageUnsupported

AUTO = "auto"
CERTAIN = 0.5
"""Prompts that base took for another language had a probability below this (measured)."""


def candidates(wish: str, supported: Collection[str]) -> tuple[str, ...]:
    """The languages to choose from: those of `wish` ("auto", "de", "de, en") that the model can do.

    Raises:
        LanguageUnsupported: it can do none of them.
    """
    wished = [part.strip().lower() for part in wish.split(",") if part.strip()] or [AUTO]
    possible = tuple(supported) if AUTO in wished else tuple(code for code in wished if code in supported)
    if not possible:
        raise LanguageUnsupported("the model knows none of the chosen languages")
    return possible


def choose(probabilities: Mapping[str, float], possible: Collection[str], last: str) -> str:
    """The likeliest of the possible ones; below CERTAIN the one used last, if it is among them ("": none yet)."""
    likeliest = max(possible, key=lambda code: probabilities.get(code, 0.0))
    uncertain = probabilities.get(likeliest, 0.0) < CERTAIN
    return last if uncertain and last in possible else likeliest
