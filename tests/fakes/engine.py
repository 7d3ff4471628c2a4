"""An engine that answers what the test tells it to."""

from __future__ import annotations

from dataclasses import dataclass, field

from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.ports import Audio


@dataclass
class FakeEngine:
    """Remembers what it was asked for; the test posts its answers. `refusal` is raised by the next `start`."""

    calls: list[tuple[str, int]] = field(default_factory=list)
    takes: dict[int, Audio] = field(default_factory=dict)
    refusal: Fault | None = None
    attempts: list[int] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    """Of each start."""

    def warm(self, settings: Settings) -> None:
        self.calls.append((f"warm {settings.engine.model}", 0))

    def start(self, session: int, take: Audio, from_sample: int, settings: Settings, attempt: int = 1) -> None:
        self.calls.append((f"start {settings.engine.model} from {from_sample}", session))
        self.takes[session] = take
        self.languages.append(settings.engine.language)
        self.attempts.append(attempt)
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal

    def finish(self, session: int) -> None:
        self.calls.append(("finish", session))

    def cancel(self, session: int) -> None:
        self.calls.append(("cancel", session))

    def shut_down(self) -> None:
        self.calls.append(("shut_down", 0))
