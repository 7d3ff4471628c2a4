"""The user's choice, as this process knows it, beside the one on the disk, which every process of this install shares.

    make ─▶ written down, or kept for this session where the disk refuses
    other processes' choices ─▶ is_stale ─▶ refresh

Absent here: what follows from it for the queue (client).

Imports: identity, schema, wire. May be imported by: client.
"""

from __future__ import annotations

from telemetry.identity import MIN_LEVEL, Identity
from telemetry.policy import Consent
from telemetry.schema import CLOSED
from telemetry.wire import LEVELS, Level


class Choice:
    """Changed under the client's lock; `consent`, `min_level` and `admits` may be read without."""

    def __init__(self, identity: Identity) -> None:
        """Nothing is admitted before the first `refresh`."""
        self._identity = identity
        self._mark = identity.mark
        self._unwritten: Consent | None = None
        self.consent: Consent = "unset"
        self.min_level = CLOSED

    def admits(self, level: Level) -> bool:
        return LEVELS.index(level) >= self.min_level

    @property
    def is_stale(self) -> bool:
        """Whether another process has written a choice, or changed the install, since the last look."""
        return self._identity.mark != self._mark

    def make(self, consent: Consent) -> bool:
        """Choose; False where the disk refuses it, and it holds for this session alone."""
        self._take(consent)
        self._unwritten = consent
        self.refresh()
        return self._unwritten is None

    def refresh(self) -> None:
        """Take over the choice as it stands on the disk, once ours has been written there."""
        self._mark = self._identity.mark
        if self._unwritten is not None:
            try:
                self._identity.choose(self._unwritten)
            except OSError:
                return
            self._unwritten = None
            self._mark = self._identity.mark
        self._take(self._identity.consent)

    def revoke(self) -> None:
        """The service has erased this install, and the choice on the disk with it."""
        self._unwritten = None
        self._take("unset")
        self._mark = self._identity.mark

    def _take(self, consent: Consent) -> None:
        self.consent = consent
        self.min_level = MIN_LEVEL[consent]
