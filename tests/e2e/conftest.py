"""Fixtures of the end-to-end tests: one desktop and one app for a module, fresh windows for a test.

A module that wants other settings says so: `SETTINGS = "..."` (TOML) at its top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import nonspeech, speech
from tests.desktop.editors import QtEditor, Terminal
from tests.desktop.machine import VirtualDesktop
from tests.e2e.app import HOTKEY, App, running_app

SETTINGS = '[engine]\nmodel = "tiny.en"\n'


@pytest.fixture(scope="session")
def models(tiny_en: Path) -> Path:
    """The model folder that all apps share."""
    return tiny_en.parent


@pytest.fixture(scope="module")
def module_app(request: pytest.FixtureRequest, desktop: VirtualDesktop, models: Path) -> Iterator[App]:
    settings = getattr(request.module, "SETTINGS", SETTINGS)
    with running_app(desktop, settings, models=models) as app:
        yield app


@pytest.fixture
def app(module_app: App, desktop: VirtualDesktop) -> Iterator[App]:
    """The module's app, idle before the test and after it, with no key held."""
    yield module_app
    for combo in (HOTKEY, "esc"):
        desktop.screen.key_up(combo)
    if module_app.status()["state"] != "idle":
        module_app.ask("cancel")
        module_app.until("idle")


@pytest.fixture
def editor(desktop: VirtualDesktop) -> Iterator[QtEditor]:
    with desktop.qt_editor() as made:
        yield made


@pytest.fixture
def terminal(desktop: VirtualDesktop) -> Iterator[Terminal]:
    with desktop.terminal() as made:
        yield made


@pytest.fixture(scope="session")
def short(recording: Callable[[speech.Clip], Path]) -> tuple[str, Path]:
    """A sentence of 1.6 s that the models understand well: what is said, and the recording."""
    clip = speech.prompt("number-not-answering")
    return clip.text, recording(clip)


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, float], Path]:
    """Turns the name of a sound without speech and a length in seconds into a recording."""
    folder = tmp_path_factory.mktemp("noise")
    return lambda name, duration_s: nonspeech.as_wav(name, duration_s, folder)
