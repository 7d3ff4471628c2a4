"""What every verb needs: exit codes, the app's folder, the settings of this run, and how a fault is told.

Imports: adapters, core, ui/texts. May be imported by: the rest of cli.
"""

from __future__ import annotations

import argparse
import os
import sys

from lysnrai_desktop.adapters import paths
from lysnrai_desktop.adapters.settings_file import SettingsFile, overrides_from
from lysnrai_desktop.ui import texts

OK, FAILED, USAGE, NOT_RUNNING, NO_SCREEN = range(5)


def home() -> paths.Home:
    return paths.home(os.environ)


def settings(options: argparse.Namespace) -> SettingsFile:
    """The file's settings, under those of the environment, under those of the command line."""
    return SettingsFile(home().settings, overrides_from(os.environ) | dict(options.set))


def fail(code: str, detail: str = "") -> int:
    """Tell a fault on standard error; returns the exit status."""
    advice = texts.fault(code)
    print(f"{advice.sentence} {advice.remedy}", file=sys.stderr)
    if detail:
        print(f"({code}: {detail})", file=sys.stderr)
    return FAILED
