"""Fixtures of the virtual desktop, whole and in parts. Each test gets fresh ones unless it says otherwise."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import speech
from tests.desktop.machine import VirtualDesktop, home_folder, virtual_desktop
from tests.desktop.screen import Screen, window_manager, x_server
from tests.desktop.sound import PulseServer, pulse_server


@pytest.fixture(scope="session")
def networkless() -> str:
    """What begins a command that shall have no network."""
    command = "unshare -rn"
    if subprocess.run([*command.split(), "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets its users make no namespaces")
    return command


@pytest.fixture
def home_environment() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder and the environment of programs whose home lies in it."""
    with home_folder() as made:
        yield made


@pytest.fixture
def screen(home_environment: tuple[Path, dict[str, str]]) -> Iterator[Screen]:
    """An X server with a window manager, half a second."""
    folder, environment = home_environment
    with x_server(folder, environment) as made, window_manager(folder, made):
        yield made


@pytest.fixture(scope="module")
def shared_screen() -> Iterator[Screen]:
    """An X server with a window manager, one for a module."""
    with home_folder() as (folder, environment), x_server(folder, environment) as made, window_manager(folder, made):
        yield made


@pytest.fixture
def own_screen(home_environment: tuple[Path, dict[str, str]]) -> Iterator[Screen]:
    """One of its own, for a test that says so because it leaves another keyboard behind, or none at all."""
    folder, environment = home_environment
    with x_server(folder, environment) as made, window_manager(folder, made):
        yield made


@pytest.fixture
def reused_screen(request: pytest.FixtureRequest, shared_screen: Screen) -> Iterator[Screen]:
    """The module's, which a test must leave as it was; or its own, if it asks for that one."""
    if "own_screen" in request.fixturenames:
        yield request.getfixturevalue("own_screen")
        return
    before = shared_screen.keyboard()
    yield shared_screen
    assert shared_screen.keyboard() == before, "this test changes the keyboard: it needs the fixture own_screen"


@pytest.fixture
def sound(home_environment: tuple[Path, dict[str, str]]) -> Iterator[PulseServer]:
    """A sound server with a virtual microphone, two and a half seconds."""
    folder, environment = home_environment
    with pulse_server(folder, environment) as made:
        yield made


@pytest.fixture(scope="module")
def desktop() -> Iterator[VirtualDesktop]:
    """The whole desktop, one for a module."""
    with virtual_desktop() as made:
        yield made


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Callable[[speech.Clip], Path]:
    """Turns a clip into a WAV file that can be spoken."""
    folder = tmp_path_factory.mktemp("recordings")
    return lambda clip: speech.as_wav(clip, folder)
