"""`lysnrai models`: list, get, choose, check and remove models.

Imports: adapters, runtime, ui/terminal, cli/context. May be imported by: cli.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from lysnrai_desktop.adapters.settings_file import SettingsFile
from lysnrai_desktop.cli.context import OK, fail, home, settings
from lysnrai_desktop.ui.terminal import Bar


def add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION")
    for name, run, text in (
        ("list", show, "list all models and what is on this disk"),
        ("get", _get, "bring a model onto this disk"),
        ("use", _use, "use a model from now on"),
        ("verify", _verify, "compare every byte with what was published"),
        ("remove", _remove, "remove a model from this disk"),
    ):
        action = actions.add_parser(name, help=text)
        action.set_defaults(run=run)
        if name == "list":
            action.add_argument("--json", action="store_true", help="a list of objects on one line")
        else:
            action.add_argument("name", metavar="NAME", help="a model's name, or a folder of your own")
        if name == "get":
            action.add_argument("--yes", action="store_true", help="download without asking")
            action.add_argument("--quiet", action="store_true", help="no progress bar")


def _store(options: argparse.Namespace) -> Any:
    from lysnrai_desktop.runtime.models import Models, load_catalogue, models_dir

    chosen = settings(options).current().models
    return Models(models_dir(home().folder, os.environ), load_catalogue(), chosen)


def show(options: argparse.Namespace) -> int:
    rows = _store(options).list()
    chosen = settings(options).current().engine.model
    if getattr(options, "json", False):
        print(json.dumps([_row(row) | {"chosen": row.model.name == chosen} for row in rows]))
        return OK
    for row in rows:
        model, mark = row.model, "*" if row.model.name == chosen else " "
        state = f"damaged: {row.wrong_file}" if row.wrong_file else row.presence.value
        if row.presence.value == "absent" and row.packaged:
            state = "installed as a package"
        languages = "English" if model.languages == ("en",) else "multilingual"
        print(f"{mark} {model.name:<16} {model.size_bytes / 1e6:>6.0f} MB  {languages:<12} {state}")
    return OK


def _row(row: Any) -> dict[str, Any]:
    return {
        "name": row.model.name,
        "bytes": row.model.size_bytes,
        "state": row.presence.value,
        "wrong_file": row.wrong_file or None,
        "packaged": row.packaged,
    }


def _get(options: argparse.Namespace) -> int:
    models = _store(options)
    bar = Bar(options.quiet)

    def consent(offer: Any) -> bool:
        question = f"Download {offer.model.name} ({offer.size_bytes / 1e6:.0f} MB) from {offer.server}? [y/N] "
        if options.yes or not sys.stdin.isatty():
            return bool(options.yes)
        try:
            return input(question).strip().lower() in {"y", "yes"}
        except EOFError:
            return False

    try:
        models.get(options.name, consent=consent, progress=lambda now: bar.show(now.done_bytes, now.total_bytes))
    finally:
        bar.clear()
    print(f"{options.name} is here, and every file of it is the published one.")
    return OK


def _use(options: argparse.Namespace) -> int:
    found = _store(options).locate(options.name)
    name = found.name if found.verified else str(found.path)
    SettingsFile(home().settings).set("engine.model", name)
    print(f"{options.name} is used from now on." + ("" if found.verified else " (Your own folder: not verified.)"))
    return OK


def _verify(options: argparse.Namespace) -> int:
    wrong = _store(options).verify(options.name)
    if wrong:
        return fail("model.damaged", ", ".join(wrong))
    print(f"{options.name}: every file is the published one.")
    return OK


def _remove(options: argparse.Namespace) -> int:
    removed = _store(options).remove(options.name)
    print(f"{options.name} is gone from this disk." if removed else f"{options.name} was not on this disk.")
    return OK
