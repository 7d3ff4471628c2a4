"""What a speech service has understood, as finals without a gap.

    audio that was handed over, and where in it somebody speaks ─▶ ┌────────────┐ ─▶ Segment: the next final
    phrases (text, and where it ends), "no match"               ─▶ │ Understood │ ─▶ what the service still owes us
                                                                   └────────────┘
A service names where its phrases begin and end, and is silent about the rest. An engine's finals follow each other
without a gap, and where one ends the audio is heard again after a failure. So a final ends where its phrase ends; the
silence before belongs to it; and where nothing is said for long, an empty final says so.

"No match" moves nothing: it is an answer, but if the service fails soon afterwards, another engine shall hear that too.
Nor does speech too short to be owed. Both are let go once nobody has spoken for long: without a final now and then the
service would be given no more audio.

All positions are samples of the take. Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lysnrai_desktop.core.engine_messages import FINAL_WITHIN_S
from lysnrai_desktop.core.speech import Segment, SpokenText

QUIET_S = 10.0
"""So long a silence gets an empty final; a third of what the link waits for."""
MARGIN_S = 2.0
"""The last of it stays open: words may have begun that nobody has noticed yet."""
OWED_S = 1.0
"""So much speech at the end without any answer, and words are missing. Less may have been a cough."""


@dataclass(frozen=True, slots=True)
class Understood:
    rate_hz: int
    final: int
    """End of the last final; at first, where the session begins."""
    heard: int
    """End of what was handed over."""
    answered: int = 0
    """Up to here the service has said what it understood, be it nothing."""
    voiced: tuple[tuple[int, int], ...] = ()
    """Where somebody speaks, behind the last final."""
    is_tentative: bool = False
    """There is a hypothesis for what comes next."""

    def hear(self, samples: int) -> Understood:
        return replace(self, heard=self.heard + samples)

    def voice(self, start: int, end: int) -> Understood:
        """Somebody speaks there; stretches come in order."""
        if self.voiced and self.voiced[-1][1] == start:
            return replace(self, voiced=(*self.voiced[:-1], (self.voiced[-1][0], end)))
        return replace(self, voiced=(*self.voiced, (start, end)))

    def hypothesis(self) -> Understood:
        return replace(self, is_tentative=True)

    def no_match(self, end: int) -> Understood:
        return replace(self, answered=max(self.answered, end), is_tentative=False)

    def phrase(self, end: int, text: SpokenText, language: str) -> tuple[Understood, Segment]:
        """The service is never believed about audio that it was not given, or that already has its final."""
        return self._said(min(max(end, self.final), self.heard), text, language)

    def silence(self) -> tuple[Understood, Segment] | None:
        """An empty final, if there was nothing to say for long."""
        end = self.heard - round(MARGIN_S * self.rate_hz)
        spoken = self.voiced[-1][1] if self.voiced else self.final
        wait_s = FINAL_WITHIN_S if self.voiced else QUIET_S
        if self.owes or end - spoken < QUIET_S * self.rate_hz or end - self.final < wait_s * self.rate_hz:
            return None
        return self._said(end, SpokenText(), "")

    def rest(self) -> tuple[Understood, Segment] | None:
        """The last final, when the service has said that it is done and owes nothing."""
        return self._said(self.heard, SpokenText(), "") if self.heard > self.final else None

    @property
    def owes(self) -> bool:
        """Whether, if the service is done now, words are missing."""
        spoken = sum(max(0, end - max(start, self.answered)) for start, end in self.voiced)
        return self.is_tentative or spoken >= OWED_S * self.rate_hz

    def _said(self, end: int, text: SpokenText, language: str) -> tuple[Understood, Segment]:
        behind = tuple((max(start, end), stop) for start, stop in self.voiced if stop > end)
        after = replace(self, final=end, answered=max(self.answered, end), voiced=behind, is_tentative=False)
        return after, Segment(self.final, end, text, language)
