"""Growing hypotheses of what is being said ─▶ words that stay and words that may still change.

Speech that goes on is read again and again, and the end of each reading is a guess. LocalAgreement-2: a word stays once
two readings in a row have it, and all the words before it. What stays is never taken back from what is shown, whatever
later readings say; what is inserted is the finals' text and comes from no hypothesis.

Words are compared without case and marks, for a reading ends with a full stop wherever it ends. Where a script has no
spaces, a character is a word.

Absent here: readings, and when to make one (core/pace.py). Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
"""Thai, Lao, Burmese, Khmer, kana, Chinese characters."""
_WORD = re.compile(rf"\s*(?:[{_UNSPACED}][^\w\s]*|[^\s{_UNSPACED}]+)")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one piece of speech, while it grows. Words keep the space before them."""

    stable: tuple[str, ...] = ()
    tentative: tuple[str, ...] = ()
    """Of the last hypothesis, what lies behind as many words as are stable."""
    _last: tuple[str, ...] = ()

    def heard(self, hypothesis: str) -> Agreement:
        """Take the next reading of the same speech, and of what was said since."""
        words = split(hypothesis)
        agreed = agreeing(words, self._last)
        if agreed >= len(self.stable) and agreeing(words, self.stable) == len(self.stable):
            # the last agreed word may have a full stop only because that reading ended there
            stable = words[:agreed]
        else:
            stable = self.stable
        return replace(self, stable=stable, tentative=words[len(stable) :], _last=words)

    @property
    def texts(self) -> tuple[str, str]:
        """What stays, and what follows."""
        return "".join(self.stable).strip(), "".join(self.tentative).strip()


def split(text: str) -> tuple[str, ...]:
    """The words of a text, each with its marks and the space before it: joined they are the text, but for its end."""
    return tuple(_WORD.findall(text))


def agreeing(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words they have in common from the beginning on."""
    for number, (word, twin) in enumerate(zip(one, other, strict=False)):
        if bare(word) != bare(twin):
            return number
    return min(len(one), len(other))


def bare(word: str) -> str:
    """Without case and marks; a word of marks alone is itself."""
    return "".join(filter(str.isalnum, word)).casefold() or word.strip()
