"""Which engine hears a dictation, and when one is given up: preference, circuit breaker, next try, watchdogs.

    settings, breaker ── choose ──▶ order ── Relay ──▶ who hears it now, who takes over, and why
                 ▲                             │
                 └──── failed(code), heard() ──┘          the breaker outlives the dictation, the relay does not

An engine that fails is followed by the other, if the user lets it be asked, and by itself if not; whoever follows hears
the take from the end of the last final on. What Azure's failure means for later dictations depends on its kind:

    needs the user (key, quota, an option)    not asked again until settings or key are others
    needs a pause (throttled, 5xx)            asked last until the pause is over; each pause in a row is longer
    anything else (network, silence)          asked again by the next dictation

What is absent: the dictation (core/machine.py), processes (runtime/engine_link.py), the service's protocol
(engines/azure.py, which feeds a `Watch` and obeys it).

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from lysnrai_desktop.core.faults import (
    AzureBadRequest,
    AzureKeyRefused,
    AzureLost,
    AzureMute,
    AzureNotConfigured,
    AzureQuota,
    AzureSdkMissing,
    AzureThrottled,
    AzureUnavailable,
    AzureUnreachable,
)
from lysnrai_desktop.core.settings import EngineSettings

ENGINE_TRIES = 3
"""Failures after which an engine is asked no more for one take."""
NEEDS_USER = frozenset(each.code for each in (AzureSdkMissing, AzureKeyRefused, AzureBadRequest, AzureQuota))
NEEDS_PAUSE = frozenset({AzureThrottled.code, AzureUnavailable.code})
PAUSES_S = (30.0, 60.0, 120.0, 300.0, 600.0)
"""The first pause, the second in a row … A Retry-After is not to be had: the SDK keeps the header to itself (1.53)."""
FOREVER = float("inf")
_HOPELESS = NEEDS_USER | {AzureNotConfigured.code}


class Backend(StrEnum):
    """An engine, by the name that status and usage events have for it."""

    WHISPER = "whisper"
    AZURE = "azure"


# --- which is asked -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of Azure from one dictation to the next. While it is open, the local engine is asked first.

    The local engine has none: to try it costs nothing.
    """

    code: str = AzureNotConfigured.code
    """Why it was opened last; "" if never."""
    until: float = FOREVER
    """It is open before this time."""
    pauses: int = 0
    """In a row, the present one included."""

    def is_open(self, now: float) -> bool:
        return now < self.until

    def failed(self, code: str, at: float) -> Breaker:
        if code in _HOPELESS:
            return Breaker(code)
        if code in NEEDS_PAUSE:
            pause_s = PAUSES_S[min(self.pauses, len(PAUSES_S) - 1)]
            return Breaker(code, at + pause_s, self.pauses + 1)
        return self


CLOSED = Breaker("", 0.0)


def breaker(code: str) -> Breaker:
    """For Azure as it is now known to be: why it cannot be asked at all, "" if it can."""
    return Breaker(code) if code else CLOSED


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked, in this order, and why the preferred one is not the first."""

    order: tuple[Backend, ...]
    preferred: Backend
    reason: str = ""


def choose(settings: EngineSettings, azure: Breaker, now: float) -> Choice:
    """Choose for a dictation that begins now, or that the user has made another choice for."""
    if settings.backend != "auto":
        only = Backend.AZURE if settings.backend == "azure" else Backend.WHISPER
        return Choice((only,), only)
    if azure.until == FOREVER:
        local = Choice((Backend.WHISPER,), Backend.WHISPER)
        missed = settings.prefer == "azure" and azure.code != AzureNotConfigured.code
        return replace(local, preferred=Backend.AZURE, reason=azure.code) if missed else local
    if settings.prefer == "local":
        return Choice((Backend.WHISPER, Backend.AZURE), Backend.WHISPER)
    if azure.is_open(now):
        return Choice((Backend.WHISPER, Backend.AZURE), Backend.AZURE, azure.code)
    return Choice((Backend.AZURE, Backend.WHISPER), Backend.AZURE)


# --- who hears one dictation --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relay:
    """The engines of one dictation: who hears it now, what became of those before, who may take over."""

    choice: Choice = Choice((Backend.WHISPER,), Backend.WHISPER)
    backend: Backend = Backend.WHISPER
    """Who hears it now."""
    attempt: int = 1
    """Starts of an engine so far. What an engine says comes back with its own number: others are late."""
    reason: str = ""
    """Why it is not the preferred one."""
    failures: tuple[tuple[Backend, str], ...] = ()
    """Since the user last chose."""
    code: str = ""
    """The last failure's, once nobody is left to take over: the take is recorded, and kept."""
    azure: Breaker = Breaker()

    def heard(self) -> Relay:
        """The present engine gave a result: what it refused before, it does no more."""
        if self.backend is Backend.AZURE and self.azure.code in NEEDS_USER | NEEDS_PAUSE:
            return replace(self, azure=CLOSED)
        return self

    def failed(self, code: str, at: float) -> Relay:
        """The present engine is given up. Another hears it, or the same once more, or (`code` is set) none."""
        azure = self.azure.failed(code, at) if self.backend is Backend.AZURE else self.azure
        failed = replace(self, failures=(*self.failures, (self.backend, code)), azure=azure)
        able = [each for each in self.choice.order if _may_try(each, failed.failures)]
        if not able:
            return replace(failed, code=code)
        follower = next((each for each in able if each is not self.backend), self.backend)
        preferred = self.choice.preferred
        reason = "" if follower is preferred else code if self.backend is preferred else self.reason
        return replace(failed, backend=follower, attempt=self.attempt + 1, reason=reason, code="")

    def chosen(self, settings: EngineSettings, at: float) -> Relay:
        """The user has made another choice. What failed before is tried again."""
        choice = choose(settings, self.azure, at)
        same = choice.order[0] is self.backend and not self.code
        return replace(
            self,
            choice=choice,
            backend=choice.order[0],
            attempt=self.attempt if same else self.attempt + 1,
            reason=choice.reason,
            failures=(),
            code="",
        )


def _may_try(backend: Backend, failures: tuple[tuple[Backend, str], ...]) -> bool:
    codes = [code for failed, code in failures if failed is backend]
    return len(codes) < ENGINE_TRIES and not _HOPELESS.intersection(codes)


def begin(settings: EngineSettings, azure: Breaker, at: float) -> Relay:
    choice = choose(settings, azure, at)
    return Relay(choice, choice.order[0], reason=choice.reason, azure=azure)


# --- watchdogs: a service that fails need not say so -------------------------------------------------------

CONNECT_S = 2.5
"""From the start of a session to the connection. The SDK itself would try for 51 s (measured, as all below)."""
RECONNECT_S = 2.0
"""From the loss of a connection to the next one. The SDK tries again after 0.25 s; after a close with code 1000 it
never says that it has given up."""
MUTE_S = 4.0
"""Of voiced audio without any answer. The SDK says so after 66 s of audio; silence has no answer and does not count."""
FINAL_S = 70.0
"""Of audio behind the last final, whatever hypotheses there are. The SDK gives up at 66 s, but for our larger buffer.
The app sends 120 s and no more: then nobody would ever say anything again."""
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
    open_s: float = 0.0
    """Audio behind the last final."""
    open_at: float = 0.0
    """When that final came, or the first audio."""
    ended_at: float | None = None
    """When the audio ended, or the last answer after that."""

    def connected(self, at: float) -> Watch:
        """What is unanswered is only now on its way: each measure of time begins anew."""
        ended = at if self.ended_at is not None else None
        return replace(self, connecting_at=None, lost_at=None, unanswered_at=at, ended_at=ended)

    def disconnected(self, at: float) -> Watch:
        return replace(self, lost_at=at if self.lost_at is None else self.lost_at)

    def voiced(self, audio_s: float, at: float) -> Watch:
        """So much voiced audio was handed over."""
        first = self.unanswered_at if self.unanswered_s else at
        return replace(self, unanswered_s=self.unanswered_s + audio_s, unanswered_at=first)

    def answered(self, at: float) -> Watch:
        """The service said anything at all about the audio."""
        return replace(self, unanswered_s=0.0, ended_at=at if self.ended_at is not None else None)

    def open(self, audio_s: float, at: float) -> Watch:
        """So much audio is behind the last final: less than before if there was one."""
        since = self.open_at if 0.0 < self.open_s <= audio_s else at
        return replace(self, open_s=audio_s, open_at=since)

    def ended(self, at: float) -> Watch:
        """All audio has been handed over, and its end."""
        return replace(self, ended_at=at)

    def overdue(self, now: float) -> str:
        if self.connecting_at is not None:
            return AzureUnreachable.code if now - self.connecting_at >= CONNECT_S else ""
        if self.lost_at is not None:
            return AzureLost.code if now - self.lost_at >= RECONNECT_S else ""
        if self.ended_at is not None and now - self.ended_at >= END_S:
            return AzureMute.code
        # audio that is replayed is handed over faster than anybody could answer: time has to pass as well
        mute = self.unanswered_s >= MUTE_S and now - self.unanswered_at >= MUTE_S
        endless = self.open_s >= FINAL_S and now - self.open_at >= FINAL_S
        return AzureMute.code if mute or endless else ""
