"""Azure Speech fails, in whatever way, in the midst of a dictation, and nobody notices: the words stand there, whole.

The service is emulated (tests/azure), with Whisper behind it: what it understands is what the microphone heard.
LYSNRAI_TEST_EFFORT=full speaks into every fault there is.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests import speech
from tests.azure.listening import listening_service
from tests.azure.service import ALWAYS, Service
from tests.desktop.editors import QtEditor
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import DEADLINE_S, eventually
from tests.desktop.sound import RATE_HZ
from tests.e2e.app import COMMAND, HOTKEY, App, running_app
from tests.e2e.test_dictation import Spoken, arrived
from tests.e2e.test_ends import engines, gone, takes

ASLEEP_S = 2.0
"""Longer than an engine may be silent."""
PAUSE_S = 1.6
"""Long enough for a phrase to end there."""
MIDDLE_S = 4.5
"""In the second sentence."""
FULL = os.environ.get("LYSNRAI_TEST_EFFORT") == "full"
SETTINGS = '[engine]\nmodel = "tiny.en"\nlanguage = "en"\n'
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def emulator(tiny_en: Path) -> Iterator[Service]:
    with listening_service(tiny_en) as azure:
        yield azure


@pytest.fixture
def azure(emulator: Service) -> Iterator[Service]:
    """The service, well."""
    emulator.well_again()
    yield emulator
    emulator.well_again()
    if not emulator.is_listening:
        emulator.listen()


@contextmanager
def app_with(
    desktop: VirtualDesktop, models: Path, home: Path, azure: Service, settings: str = SETTINGS, **more: str
) -> Iterator[App]:
    """An app that has a key for the service; fails unless it ends well, and everything with it.

    `command` may be among the variables of its environment that are named in `more`.
    """
    command = more.pop("command", "").split()
    there = {"AZURE_SPEECH_KEY": KEY, "AZURE_SPEECH_ENDPOINT": azure.endpoint, **more}
    own = dataclasses.replace(desktop, environment={**desktop.environment, **there})
    with running_app(own, settings, home=home, models=models, command=(*command, *COMMAND)) as app:
        yield app
        left = [app.process.pid, *engines(app)]
        assert app.lysnrai("quit").returncode == 0
        assert app.process.wait(DEADLINE_S) == 0
    eventually(lambda: gone(left), "the end of its processes")


@pytest.fixture(scope="module")
def module_app(
    desktop: VirtualDesktop, models: Path, emulator: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """The module's app (conftest.py), with a key."""
    with app_with(desktop, models, tmp_path_factory.mktemp("azure") / "home", emulator) as app:
        yield app


RunApp = Callable[..., AbstractContextManager[App]]


@pytest.fixture
def run_app(desktop: VirtualDesktop, models: Path, tmp_path: Path, azure: Service) -> RunApp:
    """Starts another, for what an app remembers."""
    return partial(app_with, desktop, models, tmp_path / "home", azure)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Spoken:
    """Two, with a pause between, that the small model understands without a mistake: 6.5 s."""
    first, second = speech.prompt("number-not-answering"), speech.prompt("conf-onlyone")
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.float32)
    path = tmp_path_factory.mktemp("sentences") / "two.wav"
    both = [speech.samples(first, RATE_HZ), pause, speech.samples(second, RATE_HZ)]
    speech.write_wav(path, np.concatenate(both), RATE_HZ)
    return f"{first.text} {second.text}", path


@dataclasses.dataclass(frozen=True)
class Row:
    kind: str
    value: float | str = 0
    at_s: float = 0.0
    code: str = ""
    times: int = ALWAYS
    often: bool = False
    """Played in every run."""

    def __str__(self) -> str:
        return f"{self.kind} {self.value} at {self.at_s:g} s, {'once' if self.times == 1 else 'always'}"


REMEMBERED = ("azure.bad_request", "azure.throttled", "azure.unavailable", "azure.quota")
"""After one of these the same app does not ask again for a while."""
ROWS = [
    Row("none", often=True),
    Row("status", 503, code="azure.unavailable"),
    Row("reset", code="azure.unreachable"),
    Row("stall", code="azure.unreachable"),
    Row("slow", 1.5, times=1),
    Row("drop", at_s=MIDDLE_S, times=1),
    Row("drop", at_s=MIDDLE_S, code="azure.lost"),
    Row("gone", at_s=MIDDLE_S, times=1, code="azure.lost", often=True),
    Row("close", 1000, MIDDLE_S, "azure.lost"),
    Row("close", 1000, MIDDLE_S, times=1),
    Row("close", 1007, MIDDLE_S, "azure.bad_request"),
    Row("close", 1011, MIDDLE_S, "azure.unavailable"),
    Row("close", 4429, MIDDLE_S, "azure.throttled"),
    Row("mute", code="azure.mute"),
    Row("mute", at_s=1.0, code="azure.mute", often=True),
    Row("deaf", at_s=1.0, code="azure.mute"),
    Row("no_turn_start", code="azure.mute"),
    Row("no_turn_end", code="azure.mute"),
    Row("no_phrase", code="azure.mute"),
    Row("turn_end", at_s=MIDDLE_S, times=1),
    Row("phrase", "Error", code="azure.unavailable"),
    Row("phrase", "Error", times=1),
    Row("phrase", "Forbidden", code="azure.quota"),
    Row("phrase", "malformed", code="azure.unavailable"),
]


def dictate(desktop: VirtualDesktop, app: App, recording: Path) -> None:
    """Without the key, which is the module's app's."""
    app.ask("start")
    app.until("recording")
    desktop.sound.speak(recording)
    app.ask("stop")


@pytest.mark.parametrize("row", [row for row in ROWS if FULL or row.often], ids=str)
def test_whatever_the_service_does_the_words_arrive_whole(
    desktop: VirtualDesktop, app: App, run_app: RunApp, azure: Service, editor: QtEditor, sentences: Spoken, row: Row
) -> None:
    azure.trouble(row.kind, row.value, row.at_s, row.times)

    with run_app() if row.code in REMEMBERED else nullcontext(app) as one:
        dictate(desktop, one, sentences[1])

        if row.code:
            one.until(lambda status: (status["backend"], status["backend_reason"]) == ("whisper", row.code))
        arrived(one, editor, sentences[0])


@pytest.mark.parametrize("status", [400, 401, 429] if FULL else [401])
def test_where_it_is_refused_there_is_no_waiting_and_it_is_not_asked_again(
    desktop: VirtualDesktop, run_app: RunApp, azure: Service, editor: QtEditor, short: Spoken, status: int
) -> None:
    azure.trouble("status", status)
    with run_app() as app:
        dictate(desktop, app, short[1])
        arrived(app, editor, short[0])
        asked = len(azure.requests)

        app.ask("start")
        app.until("recording")
        app.ask("cancel")
        app.until("idle")

        assert len(azure.requests) == asked > 0


def test_without_a_network_nobody_waits_for_it(
    desktop: VirtualDesktop, run_app: RunApp, editor: QtEditor, short: Spoken, networkless: str
) -> None:
    region = {"AZURE_SPEECH_ENDPOINT": "", "AZURE_SPEECH_REGION": "westeurope"}
    with run_app(command=networkless, **region) as app:
        dictate(desktop, app, short[1])

        app.until(lambda status: status["backend_reason"] == "azure.unreachable")
        arrived(app, editor, short[0])


def test_the_engine_can_be_changed_and_changed_back_while_one_speaks(
    desktop: VirtualDesktop, app: App, azure: Service, editor: QtEditor, sentences: Spoken
) -> None:
    desktop.screen.key_down(HOTKEY)
    app.until("recording")
    azure.until(lambda azure: bool(azure.turns), "audio")
    with desktop.sound.speaking(sentences[1]):
        for wish, backend in (("local", "whisper"), ("azure", "azure")):
            assert app.lysnrai("backend", wish).returncode == 0
            app.until(lambda status, backend=backend: status["backend"] == backend)  # type: ignore[misc]
    desktop.screen.key_up(HOTKEY)

    arrived(app, editor, sentences[0])
    assert app.lysnrai("backend", "auto").returncode == 0


def test_where_no_engine_works_the_take_is_kept_and_offered(
    desktop: VirtualDesktop, run_app: RunApp, azure: Service, short: Spoken
) -> None:
    azure.trouble("status", 503)
    with run_app('[engine]\nmodel = "/nowhere"\nlanguage = "en"\n') as app:
        dictate(desktop, app, short[1])

        assert app.until("idle")["outcome"] == "failed"
        assert len(takes(app)) == 1


@pytest.mark.skipif(not FULL, reason="tests/runtime/test_engines.py stops processes in every run")
@pytest.mark.usefixtures("azure")
def test_a_sleep_of_the_computer_costs_no_word(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    desktop.screen.key_down(HOTKEY)
    app.until("recording")
    desktop.sound.speak(short[1])
    asleep = [app.process.pid, *engines(app)]
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(ASLEEP_S)  # there is nothing to wait for: everybody sleeps
    for pid in asleep:
        os.kill(pid, signal.SIGCONT)
    desktop.screen.key_up(HOTKEY)

    arrived(app, editor, short[0])
