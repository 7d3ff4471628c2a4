"""An engine process for Azure, spoken to over its pipes, against the emulator."""

from __future__ import annotations

import itertools
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.secret import Secret
from tests import speech
from tests.desktop.processes import DEADLINE_S
from tests.hearing import HOST, pcm

RATE_HZ = 16_000
BLOCK_BYTES = RATE_HZ // 10 * 2
KEY = Secret("0123456789abcdef")


def connect(endpoint: str, **more: object) -> wire.Connect:
    plain = wire.Connect(endpoint, "", KEY, "", "", "masked", 0, dictation=False, preconnect=False)
    return replace(plain, **more)  # type: ignore[arg-type]


@cache
def spoken(seconds: float) -> bytes:
    """Human speech, 16 kHz."""
    sound = np.concatenate([speech.samples(clip) for clip in speech.librivox()])
    return pcm(sound[: round(seconds * RATE_HZ)])


@dataclass
class Heard:
    """What an engine process said about one session."""

    started: bool = False
    finals: list[wire.Final] = field(default_factory=list)
    partials: list[wire.Partial] = field(default_factory=list)
    voices: list[bool] = field(default_factory=list)
    code: str = ""
    """Of its failure, if it failed."""
    at: float = 0.0
    """When it was over."""

    @property
    def text(self) -> str:
        return " ".join(final.text.reveal() for final in self.finals if final.text)

    @property
    def end(self) -> int:
        return self.finals[-1].end if self.finals else 0

    def assert_without_gap(self, start: int = 0) -> None:
        edges = [start, *(final.end for final in self.finals)]
        assert [(final.start, final.end) for final in self.finals] == list(itertools.pairwise(edges))


class EngineProcess:
    """Sessions have the numbers that its user gives them, plus `sessions_before`: no number is used twice."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.sessions_before = 0
        self._decoder, self._said = wire.Decoder(), list[wire.FromEngine]()

    def say(self, *messages: wire.FromApp) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(map(wire.encode, messages)))

    def start(self, session: int, from_sample: int = 0, language: str = "en", vocabulary: Sequence[str] = ()) -> None:
        self.say(wire.Start(session + self.sessions_before, from_sample, language, tuple(vocabulary)))

    def audio(self, session: int, sound: bytes, rate_hz: int = RATE_HZ) -> None:
        blocks = (sound[at : at + BLOCK_BYTES] for at in range(0, len(sound), BLOCK_BYTES))
        self.say(*(wire.Audio(session + self.sessions_before, rate_hz, block) for block in blocks))

    def finish(self, session: int) -> None:
        self.say(wire.Finish(session + self.sessions_before))

    def cancel(self, session: int) -> None:
        self.say(wire.Cancel(session + self.sessions_before))

    def dictate(self, session: int, sound: bytes, **more: object) -> Heard:
        """Say a whole take; returns what came of it."""
        self.start(session, **more)  # type: ignore[arg-type]
        self.audio(session, sound)
        self.finish(session)
        return self.rest(session)

    def rest(self, session: int) -> Heard:
        """What is said until the session is over."""
        heard = Heard()
        for message in self.messages():
            if getattr(message, "session", None) != session + self.sessions_before:
                continue
            match message:
                case wire.Started():
                    heard.started = True
                case wire.Final():
                    heard.finals.append(message)
                case wire.Partial():
                    heard.partials.append(message)
                case wire.Voice(speaking=speaking):
                    heard.voices.append(speaking)
                case wire.Failed(code=code):
                    heard.code = code
                case _:
                    pass
            if isinstance(message, wire.Done | wire.Failed):
                break
        heard.at = time.monotonic()
        return heard

    def until(self, kind: type[wire.FromEngine]) -> wire.FromEngine:
        return next(message for message in self.messages() if isinstance(message, kind))

    def messages(self) -> Iterator[wire.FromEngine]:
        assert self.process.stdout is not None
        while True:
            while self._said:
                yield self._said.pop(0)
            ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
            assert ready, "it says nothing"
            received = self.process.stdout.read(1 << 16)
            assert received, "it ended"
            self._said += self._decoder.feed(received)  # type: ignore[arg-type]

    def quit(self) -> int:
        """Its exit status."""
        self.say(wire.Quit())
        return self.process.wait(DEADLINE_S)


@contextmanager
def engine_process(to: wire.Connect, command: Sequence[str] = (*HOST, "azure")) -> Iterator[EngineProcess]:
    """One that is ready. Fails unless it ends well."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    with process:
        try:
            it = EngineProcess(process)
            it.say(to)
            it.until(wire.Ready)
            yield it
            assert process.poll() is not None or it.quit() == 0
        finally:
            process.kill()
