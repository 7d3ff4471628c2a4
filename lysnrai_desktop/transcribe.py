"""`lysnrai transcribe FILE…`, `lysnrai takes transcribe ID`: sound to text, as it comes, with the engine for files.

    audio_file ─ blocks ─▶ FileAudio ─▶ EngineLink ─ finals ─▶ a Writer for the format ─▶ standard output
                    a stored take ─▶

Text goes to standard output, progress and faults to standard error. A file that cannot be read stops no other.

Imports: adapters, runtime, ports, core, ui.texts. May be imported by: cli.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from lysnrai_desktop.adapters.audio_file import AudioFile, audio_file
from lysnrai_desktop.adapters.paths import Home
from lysnrai_desktop.adapters.settings_file import SettingsFile
from lysnrai_desktop.core.audio import SAMPLE_BYTES
from lysnrai_desktop.core.dictation import EngineDone, EngineFailed, Event, Final, Outcome
from lysnrai_desktop.core.faults import AudioFileUnreadable
from lysnrai_desktop.core.speech import Segment
from lysnrai_desktop.core.takes import TRANSCRIBED
from lysnrai_desktop.ports import Audio, StoredTake
from lysnrai_desktop.runtime.engine_kinds import HOST, whisper
from lysnrai_desktop.runtime.engine_link import EngineLink
from lysnrai_desktop.runtime.models import Models, load_catalogue, models_dir
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.terminal import Bar

KEEP_S = 180.0
"""Of a file's audio this much stays readable behind what the engine has asked for last."""


def transcribe(files: list[Path], form: str, quiet: bool, home: Home, settings_file: SettingsFile) -> int:
    """Write down each file; returns the exit status: 1 if any of them could not be."""
    status = 0
    with _Listener(home, settings_file, Bar(quiet)) as listener:
        for path in files:
            try:
                with audio_file(path) as file:
                    audio = FileAudio(file)
                    writer = Writer(form, path.name if len(files) > 1 else "")
                    code = listener.write_down(audio, file.duration_s, writer)
                    code = audio.code or code
            except AudioFileUnreadable as fault:
                code = fault.code
            if code:
                status = 1
                advice = texts.fault(code)
                print(f"{path.name}: {advice.sentence} {advice.remedy} ({code})", file=sys.stderr)
    return status


def transcribe_take(take: StoredTake, home: Home, settings_file: SettingsFile) -> str:
    """Write a take down and mark it; the code of what went wrong, "" if nothing did.

    Raises:
        DiskFault: it is written down, but cannot be marked.
    """
    writer = Writer("txt", "")
    with _Listener(home, settings_file, Bar(quiet=False)) as listener:
        code = listener.write_down(take, take.record.duration_s, writer)
    if not code:
        take.mark(TRANSCRIBED if writer.count else Outcome.NOTHING_HEARD, time.time())
    return code


class _Listener:
    """An engine for one thing after the other."""

    def __init__(self, home: Home, settings_file: SettingsFile, bar: Bar) -> None:
        self._settings = settings_file.current()
        models = Models(models_dir(home.folder, os.environ), load_catalogue(), self._settings.models)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._bar = bar
        self._session = 0
        self._link = EngineLink(
            self._events.put,
            on_partial=lambda *_: None,
            on_state=lambda _state, _model: None,
            kind=whisper(lambda name: models.ready(name).path, (*HOST, "files")),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._link.shut_down()

    def write_down(self, audio: Audio, duration_s: float, writer: Writer) -> str:
        """Write one piece of audio down; the code of what went wrong, "" if nothing did."""
        self._session += 1
        writer.begin()
        self._link.start(self._session, audio, 0, self._settings)
        self._link.finish(self._session)
        code: str | None = None
        while code is None:
            match self._events.get():
                case Final(session=number, segment=segment) if number == self._session:
                    self._bar.clear()
                    writer.segment(segment, audio.rate_hz)
                    self._bar.show(segment.end / audio.rate_hz, duration_s)
                case EngineDone(session=number) if number == self._session:
                    code = ""
                case EngineFailed(session=number, code=failed) if number == self._session:
                    code = failed
                case _:
                    pass  # voice edges, and what is late of the one before
        self._bar.clear()
        writer.end()
        return code


class FileAudio:
    """A file as ports.Audio: decoded when the engine asks, forgotten when it has gone past."""

    def __init__(self, audio: AudioFile) -> None:
        self.rate_hz = audio.rate_hz
        self.code = ""
        """Why decoding stopped early."""
        self._blocks = audio.blocks()
        self._pcm = bytearray()
        self._first = 0
        """The sample at which `_pcm` begins."""
        self._ended = False
        self._reading = threading.Lock()  # an engine that is restarted has two feeders for a moment

    def wait(self, beyond: int, timeout_s: float) -> tuple[int, bool]:  # noqa: ARG002  decoding never waits
        with self._reading:
            while not self._ended and self._readable <= beyond:
                self._decode()
            return self._readable, self._ended

    def read(self, start: int, limit: int) -> bytes:
        with self._reading:
            gone = (start - self._first) * SAMPLE_BYTES - int(KEEP_S * self.rate_hz) * SAMPLE_BYTES
            if gone > len(self._pcm) // 2:
                del self._pcm[:gone]
                self._first += gone // SAMPLE_BYTES
            at = max(0, start - self._first) * SAMPLE_BYTES
            return bytes(self._pcm[at : at + limit * SAMPLE_BYTES])

    @property
    def _readable(self) -> int:
        return self._first + len(self._pcm) // SAMPLE_BYTES

    def _decode(self) -> None:
        try:
            block = next(self._blocks, None)
        except AudioFileUnreadable as fault:
            self.code, block = fault.code, None
        if block is None:
            self._ended = True
        else:
            self._pcm += block.pcm


class Writer:
    """Segments to standard output, in one of the formats, as they come."""

    def __init__(self, form: str, heading: str) -> None:
        """`heading`: names the file where there are several."""
        self._form, self._heading = form, heading
        self.count = 0
        """Segments with words so far."""

    def begin(self) -> None:
        if self._form == "vtt":
            _out(f"WEBVTT{f' - {self._heading}' if self._heading else ''}\n\n")
        elif self._heading and self._form == "txt":
            _out(f"# {self._heading}\n")

    def segment(self, segment: Segment, rate_hz: int) -> None:
        text = segment.text.reveal().strip()
        if not any(character.isalnum() for character in text):
            return
        self.count += 1
        start_s, end_s = segment.start / rate_hz, segment.end / rate_hz
        match self._form:
            case "json":
                line = {"start_s": round(start_s, 3), "end_s": round(end_s, 3), "text": text}
                named = {"file": self._heading} if self._heading else {}
                _out(json.dumps(named | line | {"language": segment.language}, ensure_ascii=False) + "\n")
            case "srt":
                _out(f"{self.count}\n{timestamp(start_s, ',')} --> {timestamp(end_s, ',')}\n{text}\n\n")
            case "vtt":
                _out(f"{timestamp(start_s, '.')} --> {timestamp(end_s, '.')}\n{text}\n\n")
            case _:
                _out(f"{text}\n")

    def end(self) -> None:
        if self._heading and self._form == "txt":
            _out("\n")


def timestamp(seconds: float, decimal: str) -> str:
    """As SubRip ("," before the milliseconds) and WebVTT (".") want it: 00:00:01,500."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{decimal}{rest % 1000:03}"


def _out(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
