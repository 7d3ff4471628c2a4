"""Azure beside Whisper: what it costs to have both ready, and how soon the other one goes on when one fails.

The service is emulated and answers at once, so from release to text it is the app's part that is measured, and none of
the network's or the service's.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import EngineFailed, Final
from lysnrai_desktop.core.secret import Secret
from lysnrai_desktop.core.settings import AzureSettings, EngineSettings, Settings
from lysnrai_desktop.core.speech import Segment
from lysnrai_desktop.runtime.engine_kinds import azure as azure_kind
from tests import speech
from tests.azure.service import Service, service
from tests.bench import proc
from tests.bench.bench import Bench, dictate, settle
from tests.bench.figures import Figure
from tests.bench.utterances import utterances
from tests.e2e.app import App, running_app
from tests.e2e.test_ends import engines
from tests.hearing import HOST, Hearing, hearing, linked, new_take, pcm

KEY = Secret("0" * 32)
RATE_HZ = 16_000
FAULT_AT_S = 4.0
TROUBLES = ("drop", "close 1000", "mute", "phrase Error")


def measure(bench: Bench) -> list[Figure]:
    return [*_app(bench), *_switches(bench)]


def _app(bench: Bench) -> list[Figure]:
    spoken = utterances(8, bench.times(9), bench.desktop.folder)
    with service() as azure, _app_with(bench, azure) as app, bench.desktop.qt_editor() as editor:
        settle()
        memory = {_name(pid): proc.memory(pid).pss_mb for pid in engines(app)}
        dictate(bench, app, editor, spoken[0])
        waits = [dictate(bench, app, editor, each).visible_s for each in spoken]
    visible = tuple(wait for wait in waits if wait is not None)
    return [
        Figure("azure", "release to text of 8 s", "s", visible, "of the app; the service answers at once"),
        *(Figure("azure", f"memory of the engine {name}, both ready", "MB", (mb,)) for name, mb in memory.items()),
    ]


@contextmanager
def _app_with(bench: Bench, azure: Service) -> Iterator[App]:
    there = {"AZURE_SPEECH_KEY": KEY.reveal(), "AZURE_SPEECH_ENDPOINT": azure.endpoint}
    own = dataclasses.replace(bench.desktop, environment={**bench.desktop.environment, **there})
    with running_app(own, bench.settings(), models=bench.models) as app:
        yield app


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2].decode()


def _switches(bench: Bench) -> list[Figure]:
    """Speech comes as it is spoken; Azure fails in it, and Whisper hears it from the end of the last final on."""
    clips = speech.librivox()[:2]
    sound = np.concatenate([speech.samples(clip, RATE_HZ) for clip in clips])
    with service() as azure:
        settings = Settings(
            engine=EngineSettings(model=bench.model, language="en", idle_s=0.0),
            azure=AzureSettings(endpoint=azure.endpoint),
        )
        with (
            linked(azure_kind(lambda: KEY, [*HOST, "azure"])) as first,
            hearing([*HOST, "whisper"], lambda _: bench.models / bench.model) as second,
        ):
            for link in (first, second):
                link.link.warm(settings)
                link.until_state("ready")
            switching = _Switching(azure, first, second, settings, sound)
            return [
                Figure("azure", f"{trouble}, until {what}", "s", samples)
                for trouble in TROUBLES
                for what, samples in switching.measure(trouble, bench.times(3, quick=1))
            ]


@dataclasses.dataclass(frozen=True)
class _Switching:
    azure: Service
    first: Hearing
    second: Hearing
    settings: Settings
    sound: NDArray[np.float32]

    def measure(self, trouble: str, times: int) -> list[tuple[str, tuple[float, ...]]]:
        kind, _, value = trouble.partition(" ")
        noticed, text = [], []
        for session in range(times):
            self.azure.well_again()
            self.azure.trouble(kind, int(value) if value.isdigit() else value, at_s=FAULT_AT_S)
            noticed_s, text_s = self._dictate(session)
            noticed.append(noticed_s)
            text.append(text_s)
        return [("it is noticed", tuple(noticed)), ("there is text of the other engine", tuple(text))]

    def _dictate(self, session: int) -> tuple[float, float]:
        """When the failure was noticed, and when there was text after all; reckoned from its cause."""
        take, finals = new_take(), list[Segment]()
        self.first.link.start(session, take, 0, self.settings)
        began = time.monotonic()
        failed_at = 0.0
        for number, block in enumerate(np.array_split(self.sound, len(self.sound) // (RATE_HZ // 50))):
            time.sleep(max(0.0, began + number / 50 - time.monotonic()))
            take.block(Block(pcm(block), RATE_HZ))
            while not self.first.events.empty():
                match self.first.events.get():
                    case EngineFailed(at=at):
                        failed_at = at
                        self.second.link.start(session, take, finals[-1].end if finals else 0, self.settings)
                    case Final(segment=segment):
                        finals.append(segment)
                    case _:
                        pass
        take.end()
        self.second.link.finish(session)
        while not (final := self.second.next(Final)).segment.text:
            pass
        self.second.finals(session)
        return failed_at - began - FAULT_AT_S, final.at - began - FAULT_AT_S
