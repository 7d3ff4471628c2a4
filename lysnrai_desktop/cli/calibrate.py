"""`lysnrai calibrate`: find out what suits this machine, and set it.

Works by itself, whether the app runs or not; an app that runs takes the new settings with its next dictation. Measures
with the chosen model, on the sentences that come with the app and on takes that the user keeps. Nothing leaves the
machine.

Imports: adapters, runtime, core, ui/terminal, cli/context. May be imported by: cli.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import fields

from lysnrai_desktop.adapters.settings_file import SettingsFile
from lysnrai_desktop.adapters.takes import TakeFolder
from lysnrai_desktop.cli.context import OK, fail, home, settings
from lysnrai_desktop.core import calibration
from lysnrai_desktop.core.audio import SAMPLE_BYTES
from lysnrai_desktop.core.calibration import AIM_S, ALSO_S, Way, Windows
from lysnrai_desktop.core.faults import DiskFault, TakeFault
from lysnrai_desktop.core.settings import EngineSettings
from lysnrai_desktop.runtime.calibration import Recording, Result, run
from lysnrai_desktop.runtime.models import Models, load_catalogue, models_dir
from lysnrai_desktop.ui.terminal import Bar

TAKES_S = 120.0
"""So much of what the user keeps is read, the latest takes first."""
TAKE_S = 60.0
"""So much of one."""
BUSY_LOAD = 1.0
"""Processes that want a processor, above which a measurement says more of them than of the machine."""

_WINDOWS = {
    Windows.MEASURED: "short; they were measured to read as well as full ones",
    Windows.AS_GOOD: "short from now on; they read as well as full ones here",
    Windows.WORSE: "full; short ones did not read as well here",
    Windows.UNDECIDED: "full; there was too little speech to compare short ones with them. Set takes.keep_s for some "
    "days, dictate, and calibrate again",
    Windows.NEEDLESS: "full; on a GPU they cost nothing",
}


def calibrate(options: argparse.Namespace) -> int:
    """Measure, set, tell; returns the exit status."""
    chosen = settings(options).current()
    models = Models(models_dir(home().folder, os.environ), load_catalogue(), chosen.models)
    model = models.ready(chosen.engine.model)
    if os.getloadavg()[0] > BUSY_LOAD:
        print("Other programs are busy on this machine: better calibrate while they rest.", file=sys.stderr)
    bar = Bar(options.quiet)
    recordings = list(_kept())
    steps = 6 + 5 + 5 + len(recordings)
    result = run(model.path, chosen.engine.language, recordings, lambda step: bar.show(step, max(step, steps)))
    bar.clear()
    if isinstance(result, str):
        return fail(result)
    _tell(result, chosen.engine)
    if not options.dry_run:
        _set(result.best.way, chosen.engine, SettingsFile(home().settings))
    _recommend(chosen.engine, model.name, result)
    return OK


def _kept() -> Iterator[Recording]:
    """Takes that are on this disk, the latest first."""
    takes, left_s = TakeFolder(home().takes), TAKES_S
    for record in reversed(takes.records()):
        if left_s <= 0:
            return
        try:
            with takes.open(record.id) as take:
                samples = round(min(TAKE_S, left_s) * take.rate_hz)
                pcm = take.read(0, samples)
        except (TakeFault, DiskFault):
            continue  # gone, or not to be read: it says nothing about the machine
        left_s -= len(pcm) / SAMPLE_BYTES / take.rate_hz
        yield Recording(take.rate_hz, pcm)


def _tell(result: Result, before: EngineSettings) -> None:
    print(
        f"A sentence of 3 s is read in {result.best.read_s:.2f} s (as set by default: {result.default.read_s:.2f} s)."
    )
    for field in fields(Way):
        value, was = getattr(result.best.way, field.name), getattr(before, field.name)
        print(f"  engine.{field.name:<13} {value!s:<13}" + ("" if value == was else f" was {was}"))
    print(f"Windows are {_WINDOWS[result.windows]}.")


def _set(way: Way, before: EngineSettings, file: SettingsFile) -> None:
    for field in fields(Way):
        if (value := getattr(way, field.name)) != getattr(before, field.name):
            file.set(f"engine.{field.name}", value)


def _recommend(engine: EngineSettings, model: str, result: Result) -> None:
    expected_s = calibration.estimates(model, result.best.read_s, result.windows)
    if not expected_s:
        print("How fast other models would be here cannot be told from a model of your own.")
        return
    here_s = result.best.read_s + ALSO_S
    print(f"From letting the key go to the text, after such a sentence: {here_s:.2f} s. Other models, as an estimate")
    print("from known ratios, with short windows (not measured here):")
    for name, seconds in expected_s.items():
        print(f"  {name:<17} {seconds:5.2f} s")
    largest = calibration.largest(load_catalogue().models, expected_s, engine.language)
    if largest is None:
        print(f"None is expected to stay under {AIM_S:g} s here.")
    else:
        print(f"The largest that is expected to stay under {AIM_S:g} s: {largest.name}.")
