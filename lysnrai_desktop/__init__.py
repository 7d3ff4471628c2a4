"""LysnrAI Desktop: press a hotkey in any window, speak, and the words stand where the cursor was.

The version is written in pyproject.toml alone and read from the installed distribution, on first use: reading it
takes 20 ms that neither the tray nor a `lysnrai toggle` bound to a key should wait for.

Imports: nothing of this package, so that importing any part of it stays cheap.
"""

from pathlib import Path
from typing import TYPE_CHECKING

__all__ = ["ASSETS", "__version__"]

_PACKAGE = Path(__file__).parent

ASSETS = _PACKAGE / "assets" if (_PACKAGE / "assets").is_dir() else _PACKAGE.parent / "assets"
"""Everything that is not code: inside an installed package, at the root of a checkout."""

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import version

        return version("lysnrai-desktop")
