"""`lysnrai azure`: the key of Azure Speech, and what it lacks. `lysnrai backend`: who recognises speech.

The key is never an argument: other users of the computer can read those.

Imports: adapters, core, cli/context. May be imported by: cli.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import sys

from lysnrai_desktop.adapters import control_socket
from lysnrai_desktop.adapters.secrets import VARIABLE, Keyring, Origin, find, missing
from lysnrai_desktop.cli.context import FAILED, OK, USAGE, fail, home, settings
from lysnrai_desktop.core.secret import Secret
from lysnrai_desktop.ui import texts

_ANSWER_S = 10.0
_ORIGINS = {
    Origin.ENVIRONMENT: f"in the variable {VARIABLE}",
    Origin.KEYRING: "in the system's keyring",
    Origin.NOWHERE: "none",
}


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `lysnrai azure`."""
    actions = parser.add_subparsers(metavar="ACTION")
    for name, run, text in (
        ("status", status, "say where the service is, and whether there is a key"),
        ("key", _key, "put a key into the system's keyring: asks for it, or reads it from standard input"),
        ("forget", _forget, "take it out of the keyring"),
    ):
        action = actions.add_parser(name, help=text)
        action.set_defaults(run=run)
        if name == "status":
            action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one object on one line")


def status(options: argparse.Namespace) -> int:
    """Say what is there; the service is not asked. FAILED where something is missing."""
    wanted = settings(options).current()
    found = find(Keyring())
    place = wanted.azure.endpoint or wanted.azure.region
    code = missing(wanted.azure, found)
    if options.json:
        shown = {"backend": wanted.engine.backend, "place": place, "key": found.origin.value, "code": code}
        print(json.dumps(shown))
    else:
        print(f"speech engine: {texts.BACKENDS[wanted.engine.backend]}")
        print(f"place: {place or 'none'}")
        print(f"key: {_ORIGINS[found.origin]}")
        if code:
            fail(code)
    return FAILED if code else OK


def _key(options: argparse.Namespace) -> int:
    try:
        secret = Secret(getpass.getpass("Key of Azure Speech: ") if sys.stdin.isatty() else sys.stdin.read())
    except (ValueError, EOFError):
        print("That cannot be a key: keys are one line of plain letters and digits.", file=sys.stderr)
        return USAGE
    if not secret:
        print("No key was given, so nothing has changed.", file=sys.stderr)
        return USAGE
    Keyring().write(secret)
    _tell_app()
    print("The key is in the system's keyring.")
    if os.environ.get(VARIABLE):
        print(f"But {VARIABLE} is set here, and comes first.", file=sys.stderr)
    if not settings(options).current().azure.is_located:
        print("Now set azure.region in the settings file; then “lysnrai doctor azure” tries it.")
    return OK


def _forget(_: argparse.Namespace) -> int:
    had = Keyring().erase()
    _tell_app()
    print("The key is gone from the system's keyring." if had else "There was none in the system's keyring.")
    return OK


def _tell_app() -> None:
    """Let the running app, if there is one, look again."""
    with contextlib.suppress(control_socket.NotRunning, TimeoutError):
        list(control_socket.ask(home().run, {"verb": "azure-key"}, _ANSWER_S))


def choose_backend(options: argparse.Namespace) -> int:
    """`lysnrai backend [auto|azure|local]`: for the app that runs at once, and for all dictations from now on."""
    if options.name is None:
        chosen = settings(options).current().engine.backend
        print(f"{chosen}: {texts.BACKENDS[chosen]}")
        return OK
    try:
        answers = list(control_socket.ask(home().run, {"verb": "backend", "name": options.name}, _ANSWER_S))
    except control_socket.NotRunning:
        settings(options).set("engine.backend", options.name)
        return OK
    error = answers[0].get("error") if answers else None
    return fail(error) if error else OK
