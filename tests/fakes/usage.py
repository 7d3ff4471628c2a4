"""A place for usage events that keeps them in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from lysnrai_desktop.core.usage import UsageEvent


@dataclass
class FakeUsage:
    events: list[UsageEvent] = field(default_factory=list)

    def record(self, event: UsageEvent) -> None:
        self.events.append(event)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]
