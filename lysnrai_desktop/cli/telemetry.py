"""`lysnrai telemetry`: what is recorded about the use of the app, what was sent of it, and how to be rid of it.

Works on the queue's file, whether the app runs or not: both look at the same one, and the app obeys what is done here.

What is absent: how anything is counted or read (telemetry/inspect.py), and the user's choice, which is a setting
(telemetry.collect). Exit status: as `inspect.EXIT_CODES` says.

Imports: adapters, cli/context, telemetry.inspect. May be imported by: cli.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lysnrai_desktop.adapters.settings_file import SettingsFile
from lysnrai_desktop.cli.context import home, settings

if TYPE_CHECKING:
    from lysnrai_desktop.core.settings import TelemetrySettings
    from telemetry import Telemetry
    from telemetry.inspect import Status

OK, WRONG, USAGE, UNREADABLE, ABSENT, NOT_IN_TIME = range(6)
FLUSH_S = 30.0
"""A whole exchange with the service ends within this time, whatever the service does."""
STATES = ("pending", "leased", "delivered", "rejected")
LEVELS = ("debug", "info", "warn", "error", "fatal")


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `lysnrai telemetry`."""
    parser.add_argument("--json", action="store_true", help="as one line of JSON")
    actions = parser.add_subparsers(metavar="ACTION")
    for name, run, text in (
        ("status", status, "one screen: what waits, what was sent, what is next"),
        ("list", _list, "list the newest events"),
        ("show", _show, "print one event byte for byte as it would be or was sent, and the verdict on it"),
        ("export", _export, "print all events, one line of JSON each"),
        ("flush", _flush, "send what waits now"),
        ("pause", _pause, "send nothing until “resume”; recording goes on"),
        ("resume", _resume, "send again"),
        ("purge", _purge, "delete what waits"),
        ("verify", _verify, "prove that every event is accounted for"),
        ("forget-me", _forget_me, "have the service erase all it has of this computer, and begin anew"),
    ):
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        action.set_defaults(run=run)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as one line of JSON")
        if name == "show":
            action.add_argument("id", metavar="ID", help="as “list” prints it; its beginning is enough")
        if name in {"list", "export"}:
            action.add_argument("--state", choices=STATES, help="only these")
        if name == "list":
            action.add_argument("--level", choices=LEVELS, help="only these")
            action.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (20)")


# --- looking -------------------------------------------------------------------------------------------------


def status(options: argparse.Namespace) -> int:
    """Print one screen."""
    from telemetry import inspect

    now = inspect.status(home().folder)
    chosen = settings(options).current().telemetry
    if options.json:
        told = {**json.loads(inspect.as_json(now)), "collect": chosen.collect, "url": chosen.url}
        print(json.dumps(told))
    else:
        _table(screen(now, chosen, time.time()), styles=("bold", ""))
    return _EXITS.get(now.state, OK if now.adds_up else WRONG)


def screen(now: Status, chosen: TelemetrySettings, at: float) -> list[tuple[str, str]]:
    """The rows of `lysnrai telemetry status`. `at`: seconds since 1970."""
    rows = [("your choice", _CHOICES[chosen.collect])]
    rows += _queue(now, chosen.url, at) if now.state == "ok" else [("queue", _STATES[now.state])]
    if now.erasures:
        rows.append(("to be erased", f"{now.erasures} installs: asked for, not confirmed by the service yet"))
    return [*rows, ("service", chosen.url or "none: nothing is ever sent"), ("install", now.install_id or "none")]


def _queue(now: Status, url: str, at: float) -> list[tuple[str, str]]:
    waiting = [(each.level, each.pending + each.leased) for each in now.levels if each.pending + each.leased]
    levels = ", ".join(f"{count} {level}" for level, count in waiting)
    count = f"{sum(count for _, count in waiting)}"
    rows = [
        ("waiting", f"{count} ({levels}), the oldest from {_ago(now.oldest_at, at)}" if waiting else count),
        ("last delivery", _ago(now.last_delivery_at, at)),
        ("last answer", f"{now.last_answer}, {_ago(now.last_answer_at, at)}" if now.last_answer else "none yet"),
        ("next try", _next(now, url, at)),
        ("on the disk", f"{now.disk_bytes / 1000:.0f} kB"),
        ("ledger", f"{now.ledger.captured} recorded = {_sum(now.ledger)}"),
        ("", "adds up" if now.adds_up else "does NOT add up: lysnrai telemetry verify"),
    ]
    if now.damaged_files:
        rows.append(("set aside", f"{now.damaged_files} damaged files"))
    return rows


def _sum(ledger: Any) -> str:
    names = ("pending", "leased", "delivered", "rejected", "evicted", "expired", "purged", "unreadable")
    parts = [f"{getattr(ledger, name)} {name}" for name in names if getattr(ledger, name)]
    return " + ".join(parts) or "0"


def _next(now: Status, url: str, at: float) -> str:
    if not url:
        return "never"
    if now.user_paused:
        return "paused: lysnrai telemetry resume"
    if not now.enabled:
        return "the service wants nothing for now"
    wait = now.pause or now.next_try
    if wait is None:
        return "when the app has something to send"
    return f"in {wait.until - at:.0f} s ({'the service' if wait.ordered else 'we'} wait: {wait.cause})"


def _list(options: argparse.Namespace) -> int:
    from telemetry import inspect

    def look() -> None:
        entries = inspect.list_events(
            home().folder, state=options.state, level=options.level, limit=max(0, options.limit)
        )
        if options.json:
            print(inspect.as_json(entries).decode())
            return
        rows = [
            (each.id, _moment(each.at), each.level, each.event_name, f"{each.state} {each.reason}".strip())
            for each in entries
        ]
        _table(rows, styles=("dim", "", "bold", "", ""))

    return _read(look)


def _show(options: argparse.Namespace) -> int:
    from telemetry import inspect

    def look() -> int:
        shown = inspect.show(home().folder, options.id)
        if shown is None:
            print("There is no event of that id, or more than one.", file=sys.stderr)
            return WRONG
        if options.json:
            print(inspect.as_json(shown).decode())
            return OK
        verdict = shown.verdict
        print(shown.body.decode())
        reasons = ", ".join(text for text in (verdict.reason, verdict.field, verdict.rule) if text)
        print(f"{verdict.state}{f' ({reasons})' if reasons else ''}{_when(verdict.at)}", file=sys.stderr)
        return OK

    return _read(look)


def _export(options: argparse.Namespace) -> int:
    from telemetry import inspect

    def look() -> None:
        for line in inspect.export(home().folder, state=options.state):
            print(line.decode())

    return _read(look)


def _verify(options: argparse.Namespace) -> int:
    from telemetry import inspect

    found = inspect.verify(home().folder)
    if options.json:
        print(inspect.as_json(found).decode())
    elif found.adds_up:
        print(f"Every event is accounted for: {found.ledger.captured} = {_sum(found.ledger)}.")
    else:
        print("\n".join(["It does not add up.", *found.problems]), file=sys.stderr)
    return _EXITS.get(found.state, OK if found.adds_up else WRONG)


def _read(look: Callable[[], int | None]) -> int:
    """Have it look at the queue; returns the exit status."""
    from telemetry import inspect

    try:
        return look() or OK
    except inspect.Unreadable as reason:
        print(_STATES[str(reason)], file=sys.stderr)
        return _EXITS[str(reason)]


# --- acting: through a client of our own, which shares the queue with that of the app ---------------------------


def _flush(options: argparse.Namespace) -> int:
    from lysnrai_desktop.adapters.usage_telemetry import begin
    from telemetry import inspect

    if not settings(options).current().telemetry.url:
        print("There is no service: telemetry.url is empty.", file=sys.stderr)
        return NOT_IN_TIME

    def flush(client: Telemetry) -> tuple[int, str]:
        agreed = client.consent
        begin(client)  # which would see a crash before the app does
        client.flush(FLUSH_S)
        if agreed != "unset" and client.consent == "unset":
            # The service has erased this install. Left as it is, the app would take the setting for a new consent.
            SettingsFile(home().settings).set("telemetry.collect", "ask")
        now = inspect.status(home().folder)
        if now.state != "ok":
            return UNREADABLE, _STATES[now.state]
        left = now.ledger.pending + now.ledger.leased
        return (NOT_IN_TIME, f"{left} events wait: see “status”.") if left else (OK, "Everything is delivered.")

    return _act(options, "flushed", flush)


def _pause(options: argparse.Namespace) -> int:
    def pause(client: Telemetry) -> tuple[int, str]:
        return (OK, "Nothing is sent until “lysnrai telemetry resume”.") if client.pause() else _UNDONE

    return _act(options, "paused", pause)


def _resume(options: argparse.Namespace) -> int:
    def resume(client: Telemetry) -> tuple[int, str]:
        return (OK, "What waits is sent again.") if client.resume() else _UNDONE

    return _act(options, "resumed", resume)


def _purge(options: argparse.Namespace) -> int:
    def purge(client: Telemetry) -> tuple[int, str]:
        return (OK, "Nothing waits any more.") if client.purge() else _UNDONE

    return _act(options, "purged", purge)


def _forget_me(options: argparse.Namespace) -> int:
    from telemetry import inspect

    def forget(client: Telemetry) -> tuple[int, str]:
        client.start()
        if not client.forget_me():
            return _UNDONE
        if inspect.status(home().folder).erasures:
            client.flush(FLUSH_S)
        asked = inspect.status(home().folder).erasures
        there = "the service is asked again until it confirms" if asked else "and at the service, if it knew of it"
        return NOT_IN_TIME if asked else OK, f"Erased here, {there}."

    return _act(options, "forgotten", forget)


def _act(options: argparse.Namespace, name: str, act: Callable[[Telemetry], tuple[int, str]]) -> int:
    """Do it, say how it went, return the exit status. Where nothing was ever recorded, nothing is made."""
    from lysnrai_desktop.adapters.usage_telemetry import open_client
    from telemetry import inspect

    now = inspect.status(home().folder)
    if now.state == "absent" and not (now.install_id or now.erasures):
        print(_STATES["absent"], file=sys.stderr)
        return ABSENT
    client = open_client(home().folder, settings(options).current().telemetry)
    try:
        status, words = act(client)
    finally:
        client.close()
    print(json.dumps({name: status == OK}) if options.json else words)
    return status


# --- words ---------------------------------------------------------------------------------------------------

_CHOICES = {
    "ask": "not made yet: nothing is recorded",
    "off": "nothing",
    "errors": "errors only",
    "all": "everything",
}
_STATES = {
    "absent": "There is no queue yet: nothing was ever recorded.",
    "unavailable": "The queue cannot be read now.",
    "damaged": "The queue is damaged; the app sets it aside when it next starts.",
}
_EXITS = {"absent": ABSENT, "unavailable": UNREADABLE, "damaged": UNREADABLE}
_UNDONE = (UNREADABLE, "Not done: the queue cannot be written now.")
_UNITS: Sequence[tuple[int, str]] = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def _ago(moment: float | None, at: float) -> str:
    if not moment:
        return "never"
    passed_s = max(0.0, at - moment)
    for unit_s, unit in _UNITS:
        if passed_s >= 2 * unit_s:
            return f"{passed_s / unit_s:.0f} {unit} ago"
    return "just now"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def _when(at: float | None) -> str:
    return f", {_moment(at)}" if at else ""


def _table(rows: Sequence[Sequence[str]], styles: Sequence[str]) -> None:
    """Print rows in columns; no line is broken or cut where nobody looks at a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=1000)
    table = Table.grid(padding=(0, 2, 0, 0))
    for style in styles:
        table.add_column(style=style, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(table)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))
