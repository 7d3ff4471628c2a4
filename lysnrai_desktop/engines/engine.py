"""What the host asks of an engine.

Imports: core. May be imported by: host and the engines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lysnrai_desktop.core import engine_messages as wire

Say = Callable[[wire.FromEngine], None]
"""Sends a message to the app; safe from any thread."""
Wanted = Callable[[], bool]
"""Whether anybody still wants what this session is working on."""


class Hearing(Protocol):
    """One session of an engine. It says Started itself, from where it recognises, and Done at its end."""

    def audio(self, audio: wire.Audio) -> None:
        """Take samples; must not wait for recognition."""

    def finish(self) -> None:
        """No audio will follow; must not wait for recognition either."""


class Engine(Protocol):
    def load(self, load: wire.Prepare) -> wire.Ready:
        """Each engine takes the one that is meant for it. Raises Fault."""

    def start(self, start: wire.Start, wanted: Wanted) -> Hearing:
        """Raises Fault: the session fails, the engine lives on."""

    def is_at_work(self) -> bool:
        """Whether it has something to compute, and so would use processor time if it did not hang. Any thread."""
