"""LysnrAI Desktop: press a hotkey in any window, speak, and the words stand where the cursor was.

The version is decided in pyproject.toml alone and read from the installed distribution.
Imports: nothing of this package, so that importing any part of it stays cheap.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("lysnrai-desktop")
