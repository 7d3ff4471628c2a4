"""Which engine hears the audio, and when one is given up: preference, watchdogs, what to do after a failure.

What is absent: the dictation (core/dictation.py), processes (runtime/engine_link.py), the service's protocol
(engines/azure.py, which feeds a `Watch` and obeys it).

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Backend(StrEnum):
    """An engine, by the name that settings, status and usage events have for it."""

    WHISPER = "whisper"
    AZURE = "azure"


# --- watchdogs: a service that fails need not say so -------------------------------------------------------

CONNECT_S = 2.5
"""From the start of a session to the connection. The SDK itself would try for 51 s (measured, as all below)."""
RECONNECT_S = 2.0
"""From the loss of a connection to the next one. The SDK tries again after 0.25 s; after a close with code 1000 it
never says that it has given up."""
MUTE_S = 4.0
"""Of voiced audio without any answer. The SDK says so after 66 s of audio; silence has no answer and does not count."""
END_S = 3.0
"""From the end of the audio, or the last answer after it, to the end of the session."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What a service owes one session, and since when. `at` and `now`: seconds of one clock that never goes back.

    `overdue` names the fault to fail with, "" while all is well. Ask it after each call, and a few times a second.
    """

    connecting_at: float | None
    """Since when the first connection is awaited."""
    lost_at: float | None = None
    """When the connection was lost that has not come back."""
    unanswered_s: float = 0.0
    """Voiced audio since the last answer."""
    unanswered_at: float = 0.0
    """When the first of it was handed over."""
    ended_at: float | None = None
    """When the audio ended, or the last answer after that."""

    def connected(self) -> Watch:
        return replace(self, connecting_at=None, lost_at=None)

    def disconnected(self, at: float) -> Watch:
        return replace(self, lost_at=at if self.lost_at is None else self.lost_at)

    def voiced(self, audio_s: float, at: float) -> Watch:
        """So much voiced audio was handed over."""
        first = self.unanswered_at if self.unanswered_s else at
        return replace(self, unanswered_s=self.unanswered_s + audio_s, unanswered_at=first)

    def answered(self, at: float) -> Watch:
        """The service said anything at all about the audio."""
        return replace(self, unanswered_s=0.0, ended_at=at if self.ended_at is not None else None)

    def ended(self, at: float) -> Watch:
        """All audio has been handed over, and its end."""
        return replace(self, ended_at=at)

    def overdue(self, now: float) -> str:
        if self.connecting_at is not None:
            return "azure.unreachable" if now - self.connecting_at >= CONNECT_S else ""
        if self.lost_at is not None:
            return "azure.lost" if now - self.lost_at >= RECONNECT_S else ""
        if self.ended_at is not None and now - self.ended_at >= END_S:
            return "azure.mute"
        # audio that is replayed is handed over faster than anybody could answer: time has to pass as well
        mute = self.unanswered_s >= MUTE_S and now - self.unanswered_at >= MUTE_S
        return "azure.mute" if mute else ""
