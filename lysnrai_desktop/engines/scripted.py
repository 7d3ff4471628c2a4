"""An engine without a model: answers, stalls, crashes and lies on command, for tests and for trying out the app.

    python -m lysnrai_desktop.engines.host scripted [EVENT[@SECONDS] …]

It says a final for each second of the take, which is the number of that second: 0, 1, 2 … so a text that lost or
doubled a second shows it. Each partial is the number to come. Somebody is "speaking" while samples are not zero.

With "count!" it says instead what it read in the audio: every four bytes are a counter there, and the text is the first
and the last, as in "0-7999"; "torn" where they do not follow each other.

Events happen when the audio passes that second of the take (at once without one), but only in a session that hears the
take from its beginning: the next try succeeds. With "!" behind the name they happen always.

    die      end, as a crash does           hang     say nothing more, and do not notice a cancel
    fail     report a fault                 garbage  write what is no message
    starve   report a lack of memory
    chatter  print, as libraries do         lie      say a final for audio that was never there
    deaf     do not finish loading          refuse   cannot load        stranger  another version (all three: always)
    toil     work for that long to load (always)

Imports: core. May be imported by: host.
"""

from __future__ import annotations

import array
import itertools
import os
import signal
import threading
import time
from dataclasses import dataclass

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.audio import SAMPLE_BYTES
from lysnrai_desktop.core.faults import EngineOutOfMemory, EngineStartFailed, LanguageUnsupported
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.engines.engine import Hearing, Say, Wanted


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    at_s: float
    always: bool


def parse(text: str) -> Event:
    name, _, at = text.partition("@")
    return Event(name.rstrip("!"), float(at or 0), name.endswith("!"))


class ScriptedEngine:
    def __init__(self, say: Say, script: list[str], messages_fd: int) -> None:
        self._say = say
        self._messages_fd = messages_fd
        self._events = [parse(text) for text in script]
        if self._has("stranger"):
            say(wire.Hello(wire.VERSION + 1, "scripted"))

    def load(self, load: wire.Prepare) -> wire.Ready:
        if self._has("deaf"):
            hang()
        for event in self._events:
            if event.name == "toil":
                toil(event.at_s)
        if self._has("refuse"):
            raise EngineStartFailed("as scripted")
        return wire.Ready("cpu", load.compute_type) if isinstance(load, wire.Load) else wire.Ready("azure", "")

    def start(self, start: wire.Start, wanted: Wanted) -> Hearing:  # noqa: ARG002 - never works ahead
        self._say(wire.Started(start.session))
        events = [event for event in self._events if event.always or start.from_sample == 0]
        return _Hearing(self._say, self._messages_fd, start, events)

    def is_at_work(self) -> bool:
        return False  # what it does, it does at once

    def _has(self, name: str) -> bool:
        return any(event.name == name for event in self._events)


class _Hearing:
    def __init__(self, say: Say, messages_fd: int, start: wire.Start, events: list[Event]) -> None:
        self._say, self._messages_fd, self._session, self._events = say, messages_fd, start.session, events
        self._final = self._end = start.from_sample
        self._rate_hz = 1
        self._speaking = False
        self._counts = any(event.name == "count" for event in events)
        self._unsaid = bytearray()
        """The audio behind the last final, if it counts."""
        self._happen()

    def audio(self, audio: wire.Audio) -> None:
        self._rate_hz = audio.rate_hz
        if self._counts:
            self._unsaid += audio.pcm
        speaking = any(array.array("h", audio.pcm))
        if speaking is not self._speaking:
            self._speaking = speaking
            self._say(wire.Voice(self._session, speaking))
        target = self._end + len(audio.pcm) // SAMPLE_BYTES
        while self._end < target:  # in steps of a second at most, so that events and finals keep their order
            self._end = min(target, (self._end // self._rate_hz + 1) * self._rate_hz)
            self._happen()
            if self._end % self._rate_hz == 0:
                self._say_final()
        self._say(wire.Partial(self._session, SpokenText(), self._number()))

    def finish(self) -> None:
        if self._end > self._final:
            self._say_final()
        self._say(wire.Done(self._session))

    def _say_final(self) -> None:
        text = self._counted() if self._counts else self._number()
        self._say(wire.Final(self._session, self._final, self._end, text, "en"))
        self._final = self._end

    def _counted(self) -> SpokenText:
        read = (self._end - self._final) * SAMPLE_BYTES
        numbers = array.array("I", bytes(self._unsaid[:read]))
        del self._unsaid[:read]
        follow = all(after == before + 1 for before, after in itertools.pairwise(numbers))
        return SpokenText(f"{numbers[0]}-{numbers[-1]}" if follow else "torn")

    def _number(self) -> SpokenText:
        return SpokenText(str(self._final // self._rate_hz))

    def _happen(self) -> None:
        due = [event for event in self._events if event.at_s * self._rate_hz <= self._end]
        self._events = [event for event in self._events if event not in due]
        for event in due:
            match event.name:
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "hang":
                    hang()
                case "garbage":
                    os.write(self._messages_fd, b"Loading weights: 100%\n")
                case "chatter":
                    print("Loading weights: 100%", flush=True)  # noqa: T201 - that is the point
                case "lie":
                    self._say(wire.Final(self._session, self._end, self._end + 10**9, SpokenText("lie"), "en"))
                case "fail":
                    self._say(wire.Failed(self._session, LanguageUnsupported.code))
                case "starve":
                    self._say(wire.Failed(self._session, EngineOutOfMemory.code))
                case _:
                    pass


def toil(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def hang() -> None:
    threading.Event().wait()
