"""The real engine for Azure and a local one: what they are given, read out of the audio itself, covers the take."""

from __future__ import annotations

import array
import itertools
from dataclasses import replace

import pytest

from lysnrai_desktop.core.settings import AzureSettings
from lysnrai_desktop.engines.engine import Engine, Say
from lysnrai_desktop.engines.scripted import ScriptedEngine
from tests.azure.service import service
from tests.desktop.processes import eventually
from tests.hearing import HOST
from tests.runtime.test_engines import BOTH, RATE_HZ, Desk, desk_with, scripted

PER_S = RATE_HZ // 2
"""Numbers in a second of the counter signal: one in two samples."""


def counting(say: Say) -> Engine:
    return ScriptedEngine(say, ["count!"], 2)


class Counter:
    """Speaks numbers into the microphone, second by second."""

    def __init__(self, at: Desk) -> None:
        self._at = at
        self.next = 0

    def speak(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self._at.microphone.hear(array.array("I", range(self.next, self.next + PER_S)).tobytes(), RATE_HZ)
            self.next += PER_S

    def read(self, seconds: int = 1) -> None:
        """Speak, and wait until it was understood."""
        self.speak(seconds)
        last = f"-{self.next - 1}"
        eventually(lambda: self._at.loop.status.text.reveal().endswith(last), f"what is understood ends with {last}")


@pytest.mark.parametrize(("kind", "value"), [("close", 1002), ("gone", 0)])
def test_the_bytes_that_reach_the_engines_cover_the_take_exactly(kind: str, value: int) -> None:
    with service(counting) as azure:
        settings = replace(BOTH, azure=AzureSettings(endpoint=azure.endpoint))
        with desk_with([*HOST, "azure"], scripted("count!"), settings) as at:
            counter = Counter(at)
            at.press()
            counter.read(2)
            assert at.loop.status.backend == "azure"

            azure.trouble(kind, value, at_s=3.5, times=1)
            counter.speak(3)
            at.until_heard_by("whisper")
            counter.read()
            azure.well_again()
            if not azure.is_listening:
                azure.listen()
            for backend in ("local", "azure", "local", "azure"):
                at.choose(backend)
                at.until_heard_by({"local": "whisper"}.get(backend, backend))
                counter.read()

            ranges = [tuple(map(int, word.split("-"))) for word in at.release().split()]

    edges = [-1, *(last for _, last in ranges)]
    assert ranges == [(before + 1, last) for before, last in itertools.pairwise(edges)]
    assert edges[-1] == counter.next - 1
