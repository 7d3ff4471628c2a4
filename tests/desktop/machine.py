"""The whole of it: a desktop with microphone, tray and notifications that a person could sit before."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.desktop import editors
from tests.desktop.bus import NotificationService, notification_service, session_bus
from tests.desktop.processes import clean_environment
from tests.desktop.screen import Screen, tray, window_manager, x_server
from tests.desktop.sound import PulseServer, pulse_server


@dataclass(frozen=True, slots=True)
class VirtualDesktop:
    """Screen, sound and services, and the environment that leads programs to them."""

    folder: Path
    """The desktop's own files: logs, sockets, home. Gone when it closes."""

    environment: dict[str, str]
    """For every program on this desktop. HOME and LYSNRAI_HOME are empty folders' names."""

    screen: Screen
    sound: PulseServer
    notifications: NotificationService

    @property
    def app_home(self) -> Path:
        """LYSNRAI_HOME; made by the app or by who wants settings in it."""
        return Path(self.environment["LYSNRAI_HOME"])

    @contextlib.contextmanager
    def qt_editor(self, title: str = "Qt editor") -> Iterator[editors.QtEditor]:
        """Open a Qt editor and focus it."""
        with editors.qt_editor(self.folder, self.screen, title) as editor:
            yield editor

    @contextlib.contextmanager
    def terminal(self, title: str = "Terminal") -> Iterator[editors.Terminal]:
        """Open an xterm and focus it."""
        with editors.terminal(self.folder, self.screen, title) as target:
            yield target


_DARK = """[Colors:Window]
BackgroundNormal=33,36,41
ForegroundNormal=241,243,245
[Colors:View]
BackgroundNormal=27,30,34
ForegroundNormal=241,243,245
[Colors:Button]
BackgroundNormal=49,54,59
ForegroundNormal=241,243,245
[Colors:Selection]
BackgroundNormal=61,120,200
ForegroundNormal=255,255,255
"""


def _dark(home: Path) -> dict[str, str]:
    """Make Qt's own KDE theme read dark colours; returns the variables by which it is chosen."""
    (home / ".config").mkdir(mode=0o700, exist_ok=True)
    (home / ".config" / "kdeglobals").write_text(_DARK, encoding="utf-8")
    return {"XDG_CURRENT_DESKTOP": "KDE", "KDE_SESSION_VERSION": "6"}


@contextlib.contextmanager
def home_folder() -> Iterator[tuple[Path, dict[str, str]]]:
    """Make a home and a runtime folder for programs under test; yields the folder and its environment."""
    with tempfile.TemporaryDirectory(prefix="desktop-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        home, runtime = folder / "home", folder / "run"
        home.mkdir(mode=0o700)
        runtime.mkdir(mode=0o700)
        yield (
            folder,
            clean_environment(HOME=str(home), LYSNRAI_HOME=str(home / ".LysnrAI"), XDG_RUNTIME_DIR=str(runtime)),
        )


@contextlib.contextmanager
def virtual_desktop(*, dark: bool = False, panel: bool = True) -> Iterator[VirtualDesktop]:
    """Bring a desktop up, about three seconds; all of it is gone afterwards.

    Args:
        dark: programs are asked for dark colours, as KDE asks.
        panel: there is a tray.
    """
    with contextlib.ExitStack() as stack:
        folder, environment = stack.enter_context(home_folder())
        if dark:
            environment |= _dark(Path(environment["HOME"]))
        environment |= stack.enter_context(session_bus(folder, environment))
        screen = stack.enter_context(x_server(folder, environment))
        environment = dict(screen.environment)
        stack.enter_context(window_manager(folder, screen))
        if panel:
            stack.enter_context(tray(folder, screen, dark=dark))
        notifications = stack.enter_context(notification_service(folder, environment))
        sound = stack.enter_context(pulse_server(folder, environment))
        environment = dict(sound.environment)
        yield VirtualDesktop(folder, environment, screen, sound, notifications)
