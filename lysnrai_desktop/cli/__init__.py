"""`lysnrai`: the command line. Flags, verbs, exit codes, and words for the terminal.

    lysnrai                         start the app, or find the one that runs
    lysnrai toggle|start|stop|cancel|status|insert|undo|quit          ask the running app
    lysnrai devices|models|takes|azure|telemetry|transcribe|calibrate|doctor    work by themselves, without a screen
    lysnrai backend                                                   either

Heavy modules are imported by the verb that needs them: `lysnrai toggle`, bound to a desktop's key, must be quick.

Exit status: 0 done, 1 it went wrong (the reason is on standard error), 2 wrong usage, 3 the app is not running,
4 there is no screen; `telemetry` has its own (cli/telemetry.py).

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

from lysnrai_desktop.adapters import control_socket
from lysnrai_desktop.cli import azure, models, takes, telemetry
from lysnrai_desktop.cli.context import FAILED, NO_SCREEN, NOT_RUNNING, OK, fail, home, settings
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.settings import Settings, override
from lysnrai_desktop.ui import texts

ANSWER_S = 40.0
"""Longest wait for the running app: an insertion into a slow window takes its time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status."""
    os.umask(0o077)  # what we write is the user's alone
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except Fault as fault:
        return fail(fault.code, str(fault))
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
    verb("undo", _undo, "take the last insertion back, if its window has not changed since")
    verb("quit", _quit, "end the app")
    devices = verb("devices", _devices, "list the microphones")
    devices.add_argument("--json", action="store_true", help="a list of objects on one line")
    models.add_actions(verb("models", models.show, "list, get, choose, check and remove models"))
    backend = verb("backend", azure.choose_backend, "say or choose who recognises speech, also during a dictation")
    backend.add_argument("name", nargs="?", choices=texts.BACKENDS)
    key = verb("azure", azure.status, "give Azure Speech its key, take it back, or see what is missing")
    key.add_argument("--json", action="store_true", help="one object on one line")
    azure.add_actions(key)
    takes.add_actions(verb("takes", takes.show, "list, transcribe, play, export and drop what was recorded and kept"))
    telemetry.add_actions(
        verb("telemetry", telemetry.status, "see what is recorded about the use of the app, and delete it")
    )
    transcribe = verb("transcribe", _transcribe, "write down what is said in audio or video files")
    transcribe.add_argument("files", nargs="+", metavar="FILE")
    transcribe.add_argument("--format", choices=("txt", "json", "srt", "vtt"), default="txt")
    transcribe.add_argument("--quiet", action="store_true", help="no progress bar")
    calibrate = verb("calibrate", _calibrate, "measure what suits this machine, and set it")
    calibrate.add_argument("--dry-run", action="store_true", help="measure and tell, but change no settings")
    calibrate.add_argument("--quiet", action="store_true", help="no progress bar")
    doctor = verb("doctor", _doctor, "check everything a dictation needs, and say what to do about what is wrong")
    doctor.add_argument("part", nargs="?", choices=("azure",), help="azure: speak to the service, and say how it went")
    doctor.add_argument("--json", action="store_true", help="a list of objects on one line")
    return parser


def _setting(text: str) -> tuple[str, str]:
    key, given, value = text.partition("=")
    _, problem = override(Settings(), key, value)
    if not given or problem is not None:
        raise argparse.ArgumentTypeError(f"{key} {problem.reason if problem else 'has no value'}")
    return key, value


def _version() -> str:
    from importlib.metadata import version

    return version("lysnrai-desktop")


# --- the running app -----------------------------------------------------------------------------------------


def _ask(request: dict[str, Any], timeout_s: float | None = ANSWER_S) -> Any:
    return control_socket.ask(home().run, request, timeout_s)


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

    return app.run(home(), settings(options))


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
    elif status["engine"]:
        parts.append(status["engine"])
    if note := texts.substitute(status["backend"], status["backend_reason"]):
        parts.append(note)
    if status["fault"]:
        advice = texts.fault(status["fault"])
        parts.append(f"{advice.sentence} {advice.remedy}")
    return ", ".join(parts)


def _insert(_: argparse.Namespace) -> int:
    text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    answer = next(iter(_ask({"verb": "insert", "text": text})), {"error": "insert.unavailable"})
    if answer.get("error"):
        return fail(answer["error"])
    print(texts.outcome(answer["delivery"]))
    return fail(answer["code"]) if answer["code"] else OK


def _undo(_: argparse.Namespace) -> int:
    answer = next(iter(_ask({"verb": "undo"})), {"error": "insert.nothing_to_undo"})
    if answer.get("error"):
        return fail(answer["error"])
    print(texts.UNDONE[answer["undone"]])
    return OK


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
        return fail("microphone.missing")
    for device in devices:
        print(f"{'*' if device.is_default else ' '} {device.name}\t{device.label}")
    return OK


def _transcribe(options: argparse.Namespace) -> int:
    from lysnrai_desktop.transcribe import transcribe

    files = [Path(file) for file in options.files]
    return transcribe(files, options.format, options.quiet, home(), settings(options))


def _calibrate(options: argparse.Namespace) -> int:
    from lysnrai_desktop.cli.calibrate import calibrate

    return calibrate(options)


def _doctor(options: argparse.Namespace) -> int:
    from lysnrai_desktop import doctor

    if options.part == "azure":
        from lysnrai_desktop.doctor import azure

        findings = azure.examine(settings(options))
    else:
        findings = doctor.examine(home(), settings(options))
    if options.json:
        print(json.dumps([finding.as_dict() for finding in findings]))
    else:
        for finding in findings:
            print(f"{finding.mark}  {finding.part}: {finding.sentence}")
            if finding.remedy:
                print(f"      {finding.remedy}")
    return FAILED if any(finding.is_bad for finding in findings) else OK
