"""A screen that remembers what it showed."""

from __future__ import annotations

from dataclasses import dataclass, field

from lysnrai_desktop.core.dictation import Sound
from lysnrai_desktop.core.status import Status


@dataclass
class FakeScreen:
    statuses: list[Status] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    cues: list[Sound] = field(default_factory=list)

    def show(self, status: Status) -> None:
        self.statuses.append(status)

    def level(self, peak: float) -> None:
        pass

    def tell(self, code: str) -> None:
        self.told.append(code)

    def cue(self, sound: Sound) -> None:
        self.cues.append(sound)
