"""The accessibility bus, as desktops have it for those who use a screen reader, and for GTK's programs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.desktop.bus import session_bus
from tests.desktop.processes import eventually, running
from tests.desktop.screen import Screen, window_manager, x_server

_LAUNCHER = "/usr/libexec/at-spi-bus-launcher"


@contextlib.contextmanager
def accessible_screen(folder: Path, environment: Mapping[str, str]) -> Iterator[Screen]:
    """Run an X server with a window manager, and programs that tell what is in them."""
    with contextlib.ExitStack() as stack:
        bus = stack.enter_context(session_bus(folder, environment))
        told = {**environment, **bus, "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "ACCESSIBILITY_ENABLED": "1"}
        screen = stack.enter_context(x_server(folder, told))
        stack.enter_context(window_manager(folder, screen))
        launcher = running((_LAUNCHER, "--launch-immediately"), screen.environment, log=folder / "accessibility.log")
        stack.enter_context(launcher)
        eventually(lambda: address(screen), "the accessibility bus runs")
        yield screen


def address(screen: Screen) -> str:
    """Return where the bus is; "" before it is."""
    return bytes(screen._property(screen._root, "AT_SPI_BUS")).decode()
