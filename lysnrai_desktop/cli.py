"""`lysnrai`: the command line. Flags, verbs, exit codes, and words for the terminal.

    lysnrai                         start the app, or find the one that runs
    lysnrai toggle|start|stop|cancel|status|insert|quit     ask the running app
    lysnrai devices|models|transcribe|doctor                work by themselves, without a screen

Heavy modules are imported by the verb that needs them: `lysnrai toggle`, bound to a desktop's key, must be quick.

Exit status: 0 done, 1 it went wrong (the reason is on standard error), 2 wrong usage, 3 the app is not running,
4 there is no screen.

Imports: everything below. May be imported by: __main__.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lysnrai_desktop.adapters import control_socket, paths
from lysnrai_desktop.adapters.settings_file import SettingsFile, overrides_from
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.settings import Settings, override
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.terminal import Bar

OK, FAILED, USAGE, NOT_RUNNING, NO_SCREEN = range(5)
ANSWER_S = 40.0
"""Longest wait for the running app: an insertion into a slow window takes its time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status."""
    os.umask(0o077)  # what we write is the user's alone
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except Fault as fault:
        return _fail(fault.code, str(fault))
    except control_socket.NotRunning:
        print("LysnrAI is not running. Start it with “lysnrai”.", file=sys.stderr)
        return NOT_RUNNING
    except TimeoutError:
        print("LysnrAI is running but does not answer.", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # `lysnrai status --follow | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lysnrai",
        description="Press a hotkey in any window, speak, and the words stand where the cursor was.",
        epilog="Without a verb: start the app. Settings: settings.toml in $LYSNRAI_HOME (default ~/.LysnrAI).",
    )
    parser.add_argument("--version", action="version", version=f"lysnrai {_version()}")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.NAME=VALUE",
        type=_setting,
        help="a setting for this run, such as engine.model=tiny.en",
    )
    parser.set_defaults(run=_run)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace], int], help_text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        added.set_defaults(run=run, verb=name)
        return added

    verb("toggle", _wish, "start a dictation, or stop the one that runs")
    verb("start", _wish, "start a dictation")
    verb("stop", _wish, "stop recording and insert the text")
    verb("cancel", _wish, "throw the dictation away")
    status = verb("status", _status, "say what the app is doing")
    status.add_argument("--json", action="store_true", help="one object on one line")
    status.add_argument("--follow", action="store_true", help="then one line for each change")
    verb("insert", _insert, "bring text from standard input into the window that has the focus")
    verb("quit", _quit, "end the app")
    devices = verb("devices", _devices, "list the microphones")
    devices.add_argument("--json", action="store_true", help="a list of objects on one line")
    _add_models(verb("models", _models_list, "list, get, choose, check and remove models"))
    transcribe = verb("transcribe", _transcribe, "write down what is said in audio or video files")
    transcribe.add_argument("files", nargs="+", metavar="FILE")
    transcribe.add_argument("--format", choices=("txt", "json", "srt", "vtt"), default="txt")
    transcribe.add_argument("--quiet", action="store_true", help="no progress bar")
    doctor = verb("doctor", _doctor, "check everything a dictation needs, and say what to do about what is wrong")
    doctor.add_argument("--json", action="store_true", help="a list of objects on one line")
    return parser


def _add_models(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION")
    for name, run, text in (
        ("list", _models_list, "list all models and what is on this disk"),
        ("get", _models_get, "bring a model onto this disk"),
        ("use", _models_use, "use a model from now on"),
        ("verify", _models_verify, "compare every byte with what was published"),
        ("remove", _models_remove, "remove a model from this disk"),
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


def _setting(text: str) -> tuple[str, str]:
    key, given, value = text.partition("=")
    _, problem = override(Settings(), key, value)
    if not given or problem is not None:
        raise argparse.ArgumentTypeError(f"{key} {problem.reason if problem else 'has no value'}")
    return key, value


def _version() -> str:
    from importlib.metadata import version

    return version("lysnrai-desktop")


def _home() -> paths.Home:
    return paths.home(os.environ)


def _settings(options: argparse.Namespace) -> SettingsFile:
    return SettingsFile(_home().settings, overrides_from(os.environ) | dict(options.set))


def _fail(code: str, detail: str = "") -> int:
    advice = texts.fault(code)
    print(f"{advice.sentence} {advice.remedy}", file=sys.stderr)
    if detail:
        print(f"({code}: {detail})", file=sys.stderr)
    return FAILED


# --- the running app -----------------------------------------------------------------------------------------


def _ask(request: dict[str, Any], timeout_s: float | None = ANSWER_S) -> Any:
    return control_socket.ask(_home().run, request, timeout_s)


def _run(options: argparse.Namespace) -> int:
    try:
        for _ in _ask({"verb": "show"}):
            print("LysnrAI is already running.")
            return OK
    except control_socket.NotRunning:
        pass
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("QT_QPA_PLATFORM")):
        print("There is no screen: neither DISPLAY nor WAYLAND_DISPLAY is set.", file=sys.stderr)
        print("“lysnrai transcribe FILE” and “lysnrai doctor” work without one.", file=sys.stderr)
        return NO_SCREEN
    from lysnrai_desktop import app

    return app.run(_home(), _settings(options))


def _wish(options: argparse.Namespace) -> int:
    list(_ask({"verb": options.verb}))
    return OK


def _status(options: argparse.Namespace) -> int:
    for status in _ask({"verb": "status", "follow": options.follow}, None if options.follow else ANSWER_S):
        print(json.dumps(status) if options.json else _sentence(status), flush=True)
    return OK


def _sentence(status: dict[str, Any]) -> str:
    parts = [status["state"]]
    if status["state"] != "idle":
        parts.append(f"for {max(0.0, time.time() - status['since']):.1f} s")
    if status["model"]:
        parts.append(f"model {status['model']} ({status['engine']})")
    if status["fault"]:
        advice = texts.fault(status["fault"])
        parts.append(f"{advice.sentence} {advice.remedy}")
    return ", ".join(parts)


def _insert(_: argparse.Namespace) -> int:
    text = sys.stdin.read()
    answer = next(iter(_ask({"verb": "insert", "text": text})), {"error": "insert.not_delivered"})
    if answer.get("error"):
        return _fail(answer["error"])
    print(texts.outcome(answer["delivery"]))
    return _fail(answer["code"]) if answer["code"] else OK


def _quit(_: argparse.Namespace) -> int:
    list(_ask({"verb": "quit"}))  # the conversation ends when the app has
    return OK


# --- by themselves -------------------------------------------------------------------------------------------


def _devices(options: argparse.Namespace) -> int:
    from lysnrai_desktop.adapters.microphone import PortAudioMicrophone

    microphone = PortAudioMicrophone(lambda _: None, warm_s=lambda: 0.0)
    devices = microphone.devices()
    microphone.shut_down()
    if options.json:
        shown = [{"name": d.name, "label": d.label, "default": d.is_default} for d in devices]
        print(json.dumps(shown))
        return OK
    if not devices:
        return _fail("microphone.missing")
    for device in devices:
        print(f"{'*' if device.is_default else ' '} {device.name}\t{device.label}")
    return OK


def _transcribe(options: argparse.Namespace) -> int:
    from lysnrai_desktop.transcribe import transcribe

    files = [Path(file) for file in options.files]
    return transcribe(files, options.format, options.quiet, _home(), _settings(options))


def _doctor(options: argparse.Namespace) -> int:
    from lysnrai_desktop.doctor import examine

    findings = examine(_home(), _settings(options))
    if options.json:
        print(json.dumps([finding.as_dict() for finding in findings]))
    else:
        for finding in findings:
            print(f"{finding.mark}  {finding.part}: {finding.sentence}")
            if finding.remedy:
                print(f"      {finding.remedy}")
    return FAILED if any(finding.is_bad for finding in findings) else OK


# --- models ----------------------------------------------------------------------------------------------------


def _models(options: argparse.Namespace) -> Any:
    from lysnrai_desktop.runtime.models import Models, load_catalogue, models_dir

    settings = _settings(options).current().models
    return Models(models_dir(_home().folder, os.environ), load_catalogue(), settings)


def _models_list(options: argparse.Namespace) -> int:
    rows = _models(options).list()
    chosen = _settings(options).current().engine.model
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


def _models_get(options: argparse.Namespace) -> int:
    models = _models(options)
    bar = Bar(options.quiet)

    def consent(offer: Any) -> bool:
        question = f"Download {offer.model.name} ({offer.size_bytes / 1e6:.0f} MB) from {offer.server}? [y/N] "
        if options.yes or not sys.stdin.isatty():
            return bool(options.yes)
        return input(question).strip().lower() in {"y", "yes"}

    try:
        models.get(options.name, consent=consent, progress=lambda now: bar.show(now.done_bytes, now.total_bytes))
    finally:
        bar.clear()
    print(f"{options.name} is here, and every file of it is the published one.")
    return OK


def _models_use(options: argparse.Namespace) -> int:
    found = _models(options).locate(options.name)
    name = found.name if found.verified else str(found.path)
    SettingsFile(_home().settings).set("engine.model", name)
    print(f"{options.name} is used from now on." + ("" if found.verified else " (Your own folder: not verified.)"))
    return OK


def _models_verify(options: argparse.Namespace) -> int:
    wrong = _models(options).verify(options.name)
    if wrong:
        return _fail("model.damaged", ", ".join(wrong))
    print(f"{options.name}: every file is the published one.")
    return OK


def _models_remove(options: argparse.Namespace) -> int:
    removed = _models(options).remove(options.name)
    print(f"{options.name} is gone from this disk." if removed else f"{options.name} was not on this disk.")
    return OK
