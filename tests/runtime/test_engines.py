"""Two engines and one take: whoever fails, hangs or is chosen, the text is whole, and nobody is told without need."""

from __future__ import annotations

import os
import queue
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lysnrai_desktop.core.dictation import AzureChanged, Outcome, Prefer, Start, Stop
from lysnrai_desktop.core.failover import ENGINE_TRIES, Backend
from lysnrai_desktop.core.secret import Secret
from lysnrai_desktop.core.settings import AzureSettings, EngineSettings, Settings
from lysnrai_desktop.runtime.engine_kinds import azure, whisper
from lysnrai_desktop.runtime.engines import Engines
from lysnrai_desktop.runtime.items import EngineState, Item
from lysnrai_desktop.runtime.loop import DictationLoop, Ports
from tests.desktop.processes import eventually
from tests.fakes.inserter import FakeInserter, FakeWindow
from tests.fakes.journal import FakeJournal
from tests.fakes.microphone import FakeMicrophone
from tests.fakes.screen import FakeScreen
from tests.hearing import HOST, engine_pids, noise, pcm

RATE_HZ = 16_000
FOLDER = Path("/nonexistent")
BOTH = Settings(engine=EngineSettings(model="scripted"), azure=AzureSettings(endpoint="ws://127.0.0.1:9"))
ended = pytest.mark.logs("the engine process ended")


def scripted(*events: str) -> list[str]:
    return [*HOST, "scripted", *events]


def choosing(backend: str) -> Settings:
    return replace(BOTH, engine=replace(BOTH.engine, backend=backend))


class Desk:
    """The dictation thread, two engines in processes of their own, started by these commands, and a user."""

    def __init__(self, azure_command: Sequence[str], whisper_command: Sequence[str], settings: Settings) -> None:
        inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.settings = settings
        self.key = Secret("a-key")
        self.ready: dict[Backend, bool] = {}

        def post(item: Item) -> None:
            if isinstance(item, EngineState):
                self.ready[item.backend] = item.state == "ready"
            inbox.put(item)

        self.engines = Engines(
            post,
            lambda: self.settings,
            {
                Backend.WHISPER: whisper(lambda _: FOLDER, whisper_command),
                Backend.AZURE: azure(lambda: self.key, azure_command),
            },
            key_code=lambda: "" if self.key else "azure.not_configured",
        )
        self.microphone, self.journal = FakeMicrophone(inbox.put), FakeJournal(inbox.put)
        self.inserter, self.screen, self.window = FakeInserter(), FakeScreen(), FakeWindow("Editor")
        self.inserter.focused = self.window
        ports = Ports(self.microphone, self.journal, self.engines.links, self.inserter, None, self.screen)
        self.loop = DictationLoop(ports, lambda: self.settings, inbox)
        self.loop.start()
        self.engines.apply(settings)
        self._spoken_s = 0

    def press(self) -> None:
        sessions = len(self.journal.takes)
        self._spoken_s = 0
        self.loop.post(Start(time.monotonic()))
        eventually(lambda: len(self.journal.takes) > sessions and self.microphone.session, "the microphone is open")

    def speak(self, seconds: int = 1) -> None:
        """One number a second."""
        for _ in range(seconds):
            self.microphone.hear(pcm(noise(1)), RATE_HZ)
        self._spoken_s += seconds

    def read(self, seconds: int = 1) -> None:
        """Speak, and wait until it stands in the overlay."""
        self.speak(seconds)
        wanted = numbers(self._spoken_s)
        eventually(lambda: self.loop.status.text.reveal() == wanted, f"what is understood is {wanted}")

    def choose(self, backend: str) -> None:
        self.settings = replace(self.settings, engine=replace(self.settings.engine, backend=backend))
        self.engines.apply(self.settings)

    def release(self) -> str:
        """The text that was inserted."""
        before = len(self.window.text)
        self.loop.post(Stop(time.monotonic()))
        self.until_idle()
        return self.window.text[before:].strip()

    def until_idle(self) -> None:
        eventually(lambda: self.loop.status.state == "idle" and self.loop.status.outcome, "it is over")

    def until_heard_by(self, backend: str) -> None:
        eventually(lambda: self.loop.status.backend == backend, f"{backend} hears it")

    def until_ready(self) -> set[int]:
        """Both; returns their processes."""
        eventually(lambda: all(self.ready.get(backend) for backend in Backend), "both engines are ready")
        return engine_pids()


def numbers(until: int) -> str:
    return " ".join(map(str, range(until)))


@contextmanager
def desk(azure_does: Sequence[str] = (), whisper_does: Sequence[str] = (), settings: Settings = BOTH) -> Iterator[Desk]:
    with desk_with(scripted(*azure_does), scripted(*whisper_does), settings) as it:
        yield it


@contextmanager
def desk_with(azure_command: Sequence[str], whisper_command: Sequence[str], settings: Settings) -> Iterator[Desk]:
    it = Desk(azure_command, whisper_command, settings)
    try:
        yield it
    finally:
        it.loop.shut_down()
        it.journal.shut_down()
        it.engines.shut_down()


def test_the_preferred_engine_hears_and_the_other_stands_ready() -> None:
    with desk() as at:
        at.press()
        at.read(2)

        assert at.loop.status.backend == "azure"
        assert at.loop.status.engine.startswith("azure:")
        assert len(at.until_ready()) == 2
        assert at.release() == "0 1"
        assert at.loop.status.backend == ""


@ended
@pytest.mark.parametrize("at_s", [0, 1.5])
def test_an_engine_that_dies_in_mid_sentence_is_followed_by_the_other_and_nobody_is_told(at_s: float) -> None:
    with desk(azure_does=[f"die@{at_s}"]) as at:
        at.press()
        at.read(3)

        assert (at.loop.status.backend, at.loop.status.backend_reason) == ("whisper", "engine.died")
        assert at.release() == "0 1 2"
        assert at.screen.told == []
        before = len(at.screen.statuses)
        at.press()
        assert "azure" in {status.backend for status in at.screen.statuses[before:]}, "the next one asks it again"


@ended
def test_an_engine_that_dies_while_the_rest_is_finished_is_followed_by_the_other() -> None:
    with desk(azure_does=["die@2"]) as at:
        at.press()
        at.speak(3)

        assert at.release() == "0 1 2"


@ended
def test_the_local_engine_is_followed_by_the_service_as_well() -> None:
    with desk(whisper_does=["die@1"], settings=replace(BOTH, engine=replace(BOTH.engine, prefer="local"))) as at:
        at.press()
        at.read(3)

        assert at.loop.status.backend == "azure"
        assert at.release() == "0 1 2"


@ended
def test_it_goes_back_to_the_service_in_the_same_dictation_if_the_user_says_so() -> None:
    with desk(azure_does=["die@1"]) as at:
        at.press()
        at.read(2)
        at.until_heard_by("whisper")
        at.loop.post(Prefer(time.monotonic()))
        at.until_heard_by("azure")
        at.read(2)

        assert at.loop.status.backend_reason == ""
        assert at.release() == "0 1 2 3"


def test_the_engine_is_changed_ten_times_in_one_dictation_and_no_process_for_it() -> None:
    with desk() as at:
        at.press()
        at.read()
        before = at.until_ready()
        for number in range(10):
            backend = ("local", "azure")[number % 2]
            at.choose(backend)
            at.until_heard_by({"local": "whisper"}.get(backend, backend))
            at.read()

        assert engine_pids() == before
        assert at.release() == numbers(11)


@ended
def test_if_both_are_dead_the_take_is_kept_and_that_is_told() -> None:
    with desk(azure_does=["die!"], whisper_does=["die!"]) as at:
        at.press()
        at.speak(2)

        assert at.release() == ""
        assert at.journal.takes[0].kept == (Outcome.FAILED, "engine.died")
        assert set(at.screen.told) == {"engine.died"}
        assert at.loop.status.outcome == "failed"


@ended
def test_who_wants_no_service_gets_none_even_if_the_local_engine_is_dead() -> None:
    with desk(whisper_does=["die!"], settings=choosing("local")) as at:
        at.press()
        at.speak(2)

        assert at.release() == ""
        assert {status.backend for status in at.screen.statuses} == {"", "whisper"}
        assert at.screen.statuses[-1].fault == "engine.died"
        assert ENGINE_TRIES == 3


@pytest.mark.logs("the engine process does not answer")
def test_processes_that_stood_still_and_do_not_come_back_cost_nothing_of_the_text() -> None:
    with desk() as at:
        at.press()
        at.read(2)
        for pid in at.until_ready():
            os.kill(pid, signal.SIGSTOP)

        at.read(2)

        assert at.release() == "0 1 2 3"


def test_processes_that_stood_still_and_go_on_are_not_given_up() -> None:
    with desk() as at:
        at.press()
        at.read(2)
        pids = at.until_ready()
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                os.kill(pid, number)
        at.read(2)

        assert engine_pids() == pids
        assert at.release() == "0 1 2 3"


def test_without_a_key_the_service_is_not_asked_and_with_one_it_is() -> None:
    with desk(settings=replace(BOTH, azure=AzureSettings())) as at:
        at.press()
        at.read()
        assert (at.loop.status.backend, at.loop.status.backend_reason) == ("whisper", "")
        assert at.release() == "0"
        at.settings = BOTH
        at.engines.apply(BOTH)

        at.press()
        at.read()

        assert at.loop.status.backend == "azure"
        at.key = Secret()
        at.engines.key_changed()
        assert at.release() == "0", "the key of a session is that of its beginning"
        at.press()
        assert at.loop.status.backend == "whisper"


def test_another_key_is_told_to_another_process() -> None:
    with desk() as at:
        before = at.until_ready()

        at.key = Secret("another")
        at.engines.key_changed()

        eventually(lambda: len(engine_pids() - before) == 1 and all(at.ready.values()), "it is told the new key")
        assert len(engine_pids() & before) == 1, "the local engine is what it was"


def test_settings_are_passed_on_where_they_matter_to_the_choice() -> None:
    posted: list[Item] = []
    kind = whisper(lambda _: FOLDER, scripted())
    engines = Engines(posted.append, lambda: BOTH, {Backend.WHISPER: kind, Backend.AZURE: kind}, lambda: "")
    try:
        with_language = replace(BOTH, engine=replace(BOTH.engine, language="de"))
        changes: list[tuple[Settings, list[type[object]]]] = [
            (BOTH, [AzureChanged]),
            (BOTH, []),
            (choosing("local"), [Prefer]),
            (with_language, [AzureChanged, Prefer]),
            (replace(with_language, azure=AzureSettings(region="westeurope")), [AzureChanged]),
        ]
        for settings, wanted in changes:
            posted.clear()
            engines.apply(settings)
            assert [type(item) for item in posted if isinstance(item, AzureChanged | Prefer)] == wanted
    finally:
        engines.shut_down()
