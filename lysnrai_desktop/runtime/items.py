"""What may be handed to the dictation thread (runtime/loop.py), beside the events of a dictation and the edges of keys.

Imports: core. May be imported by: runtime, app.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lysnrai_desktop.core.dictation import Event
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.hotkey import Edge
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.core.status import Status


@dataclass(frozen=True, slots=True)
class Toggle:
    """Start, or stop what is being recorded: only the dictation thread knows which."""

    at: float


@dataclass(frozen=True, slots=True)
class Partial:
    """Of what is being said behind the finals of its session: what stays, and what may still change."""

    session: int
    stable: SpokenText
    tentative: SpokenText


@dataclass(frozen=True, slots=True)
class EngineState:
    """An engine's process is off, starting or ready, with this model ("" if it has none)."""

    backend: Backend
    state: str
    model: str


@dataclass(frozen=True, slots=True)
class RecordsFrom:
    """The microphone that records now: its label, for people."""

    microphone: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault outside any dictation, or beside it: a hotkey that is taken, a full disk."""

    code: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """The text of an earlier take: from now on the last one."""

    text: SpokenText


@dataclass(frozen=True, slots=True)
class Quit:
    """End the thread. A dictation under way keeps its take, and nothing is inserted."""


@dataclass(frozen=True, slots=True)
class Watch:
    watcher: Callable[[Status], None]


@dataclass(frozen=True, slots=True)
class Unwatch:
    watcher: Callable[[Status], None]


Item = Event | Edge | Toggle | Partial | EngineState | RecordsFrom | Trouble | Recovered | Watch | Unwatch | Quit
