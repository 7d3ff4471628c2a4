"""Microphones as PulseAudio and PipeWire know them: by stable name.

PortAudio sees one device, "pulse", for whatever hangs on the sound server; so the server itself is asked.
Nothing is recorded or changed here, and nothing is kept between two calls: a question costs about 4 ms.

A server that hangs never answers: ask from a thread that can be left behind.

Imports: nothing of this project. May be imported by: adapters.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_CLIENT = "LysnrAI microphones"


_ERR_ACCESS = 1  # pulse/def.h, pa_error_code


class NoServer(Exception):
    """No sound server answers. Not a fault: there may be microphones without one."""


class Denied(NoServer):
    """One answers, and does not let us in."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a sound server can record from."""

    name: str
    label: str
    rate_hz: int
    is_monitor: bool
    """It hears what a loudspeaker plays, not a person."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a sound server offers at one moment."""

    all: tuple[Source, ...]
    default: str
    """Name of the source that recordings without a wish get; "" if there is none."""
    ours: str
    """Name of the source this process records from; "" if it does not, or cannot be told."""

    @property
    def microphones(self) -> tuple[Source, ...]:
        return tuple(source for source in self.all if not source.is_monitor)

    def find(self, name: str) -> Source | None:
        return next((source for source in self.all if source.name == name), None)


def sources() -> Sources:
    """Ask the sound server.

    Raises:
        Denied: it does not let us in.
        NoServer: there is none, or it went away while answering.
    """
    with _connection() as server:
        found = {source.index: _source(source) for source in server.source_list()}
        default = server.server_info().default_source_name or ""
        pid = str(os.getpid())
        ours = [
            found[stream.source].name
            for stream in server.source_output_list()
            if stream.proplist.get("application.process.id") == pid and stream.source in found
        ]
    return Sources(tuple(found.values()), default, ours[-1] if ours else "")


@contextlib.contextmanager
def _connection() -> Iterator[Any]:
    try:
        pulsectl = _pulsectl()
    except (ImportError, OSError) as missing:  # no libpulse on this system
        raise NoServer from missing
    with pulsectl.Pulse(_CLIENT, connect=False) as server:
        try:
            # No timeout: pulsectl would wait for the whole of it, whenever the answer comes.
            server.connect(autospawn=True)
            yield server
        except (pulsectl.PulseError, pulsectl.PulseDisconnected) as refused:
            # pulsectl keeps the reason to itself; the context knows it until it is closed.
            denied = pulsectl._pulsectl.pa.context_errno(server._ctx) == _ERR_ACCESS  # noqa: SLF001
            raise (Denied if denied else NoServer) from refused


@functools.cache
def _pulsectl() -> Any:
    import pulsectl

    def take_rate(info: Any, struct: Any) -> None:
        info.rate_hz = struct.sample_spec.rate

    # What pulsectl 24.12 gives as `sample_spec` is memory that libpulse has used again by the time anybody reads it:
    # every source seemed to have the rate of the last. This is its hook for what has to be read in time.
    pulsectl.PulseSourceInfo._init_from_struct = take_rate  # noqa: SLF001
    return pulsectl


def _source(source: Any) -> Source:
    # An index of all ones is how PulseAudio says "no sink": a source of its own.
    is_monitor = source.monitor_of_sink != 0xFFFFFFFF
    return Source(source.name, source.description or source.name, source.rate_hz, is_monitor)
