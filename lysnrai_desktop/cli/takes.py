"""`lysnrai takes`: what was recorded and kept: list, transcribe, play, export, drop.

Works on the disk, whether the app runs or not: a take that the app is recording or working on is not seen here.

Imports: adapters, transcribe, core, ui/texts, cli/context. May be imported by: cli.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lysnrai_desktop.adapters.takes import TakeFile, TakeFolder, header
from lysnrai_desktop.cli.context import FAILED, OK, USAGE, fail, home, settings
from lysnrai_desktop.core.audio import SAMPLE_BYTES
from lysnrai_desktop.core.faults import PlaybackUnavailable
from lysnrai_desktop.core.takes import TakeRecord
from lysnrai_desktop.ui import texts

CHUNK_S = 0.25


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `lysnrai takes`."""
    parser.add_argument("--json", action="store_true", help="a list of objects on one line")
    actions = parser.add_subparsers(metavar="ACTION")
    for name, run, text in (
        ("list", show, "list them: name, start, length, and what became of them"),
        ("transcribe", _transcribe, "write one down; it is then no longer offered, and goes a day later"),
        ("play", _play, "play one"),
        ("export", _export, "write one into a WAV file of your own"),
        ("drop", _drop, "remove one, or all"),
    ):
        action = actions.add_parser(name, help=text)
        action.set_defaults(run=run)
        if name == "list":
            action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as one line of JSON")
        elif name == "drop":
            action.add_argument("ids", nargs="*", metavar="ID")
            action.add_argument("--all", action="store_true", help="all that nobody is working on")
        else:
            action.add_argument("id", metavar="ID", help="its name, as “lysnrai takes” lists it")
        if name == "export":
            action.add_argument("file", metavar="FILE", type=Path, help="must not exist yet")


def _store() -> TakeFolder:
    return TakeFolder(home().takes)


def show(options: argparse.Namespace) -> int:
    """List them, oldest first."""
    records = _store().records()
    if options.json:
        print(json.dumps([_as_dict(record) for record in records]))
    for record in () if options.json else records:
        start = datetime.fromtimestamp(record.started, UTC).astimezone()
        became = texts.take_outcome(record.outcome) + (f" ({record.code})" if record.code else "")
        print(f"{record.id}  {start:%Y-%m-%d %H:%M}  {texts.duration(record.duration_s):>12}  {became}")
    return OK


def _as_dict(record: TakeRecord) -> dict[str, str | float | None]:
    return {
        "id": record.id,
        "start": datetime.fromtimestamp(record.started, UTC).isoformat(timespec="seconds"),
        "length_s": round(record.duration_s, 3),
        "outcome": record.outcome,
        "code": record.code,
        "offered": record.is_offered,
    }


def _transcribe(options: argparse.Namespace) -> int:
    from lysnrai_desktop.transcribe import transcribe_take

    with _store().open(options.id) as take:
        code = transcribe_take(take, home(), settings(options))
    return fail(code) if code else OK


def _play(options: argparse.Namespace) -> int:
    from lysnrai_desktop.adapters.playback import Playback

    with _store().open(options.id) as take:
        try:
            with Playback(take.rate_hz, 1, options.id) as playback:
                for pcm in _chunks(take):
                    playback.write(pcm)
                playback.drain()
        except OSError as error:
            raise PlaybackUnavailable(type(error).__name__) from None
    return OK


def _export(options: argparse.Namespace) -> int:
    file: Path = options.file
    with _store().open(options.id) as take:
        try:
            with file.open("xb") as out:
                try:
                    out.write(header(take.rate_hz, take.record.samples))
                    out.writelines(_chunks(take))
                except BaseException:
                    file.unlink()  # half of it would look like the whole
                    raise
        except OSError as error:
            print(f"{file}: {error.strerror}.", file=sys.stderr)
            return FAILED
    return OK


def _drop(options: argparse.Namespace) -> int:
    if bool(options.ids) == options.all:
        print("lysnrai takes drop: name the takes, or say --all.", file=sys.stderr)
        return USAGE
    store = _store()
    for take_id in options.ids or [record.id for record in store.records()]:
        with store.open(take_id) as take:
            take.drop()
    return OK


def _chunks(take: TakeFile) -> Iterator[bytes]:
    at = 0
    while pcm := take.read(at, round(CHUNK_S * take.rate_hz)):
        yield pcm
        at += len(pcm) // SAMPLE_BYTES
