"""What the X server and the programs on it offer, for `lysnrai doctor`.

Imports: python-xlib, adapters/x11. May be imported by: doctor.
"""

from __future__ import annotations

from dataclasses import dataclass

from Xlib import error
from Xlib.display import Display

from lysnrai_desktop.adapters.x11 import NoDisplay


@dataclass(frozen=True, slots=True)
class Offer:
    tray: bool
    """A panel takes icons (XEmbed)."""
    synthetic_keys: bool
    """XTEST: without it nothing can be pasted."""


def probe() -> Offer:
    """Ask the screen that the environment names. Raises NoDisplay."""
    try:
        display = Display()
    except (error.DisplayError, error.XauthError, error.ConnectionClosedError, OSError) as refused:
        raise NoDisplay from refused
    try:
        tray = display.intern_atom(f"_NET_SYSTEM_TRAY_S{display.get_default_screen()}")
        return Offer(
            tray=bool(display.get_selection_owner(tray)), synthetic_keys=display.query_extension("XTEST") is not None
        )
    finally:
        display.close()
