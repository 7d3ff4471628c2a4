"""Which of two versions is older.

Imports: the standard library. May be imported by: the rest of wire.
"""

from __future__ import annotations

import re
from typing import Final

_VERSION: Final = re.compile(r"[vV]?(?P<numbers>\d+(?:\.\d+)*)(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


def compare_versions(left: str, right: str) -> int | None:
    """-1, 0 or 1 by SemVer precedence with any number of numeric parts; None where one cannot be parsed."""
    a, b = _version(left), _version(right)
    if a is None or b is None:
        return None
    return (a > b) - (a < b)


def _version(text: str) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]] | None:
    match = _VERSION.fullmatch(text)
    if match is None or not text.isascii():
        return None
    numbers = [int(number) for number in match["numbers"].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    identifiers = (match["pre"] or "").split(".")
    if match["pre"] and not all(identifiers):
        return None
    # A release is later than its pre-releases; numeric identifiers come before words (SemVer 2.0.0, 11.4).
    pre = tuple((not each.isdigit(), int(each) if each.isdigit() else 0, each) for each in identifiers if each)
    return tuple(numbers), match["pre"] is None, pre
