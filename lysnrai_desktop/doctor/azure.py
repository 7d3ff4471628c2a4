"""`lysnrai doctor azure`: the whole way to Azure Speech and back, and how long it takes.

    key ─▶ software ─▶ network ─▶ service: a sentence that comes with the app is sent there, as a dictation would be

Imports: adapters, runtime, core, ui.texts, the doctor. May be imported by: cli.
"""

from __future__ import annotations

import queue
import threading
import time
import wave
from importlib.metadata import PackageNotFoundError, version

from lysnrai_desktop import ASSETS
from lysnrai_desktop.adapters.azure_probe import look
from lysnrai_desktop.adapters.secrets import Keyring, find
from lysnrai_desktop.adapters.settings_file import SettingsFile
from lysnrai_desktop.core.audio import SAMPLE_BYTES
from lysnrai_desktop.core.dictation import EngineDone, EngineFailed, Event, Final
from lysnrai_desktop.core.faults import AzureMute, AzureNotConfigured, AzureSdkMissing, AzureUnreachable
from lysnrai_desktop.core.secret import Secret
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.doctor import Finding, Grade, bad, good
from lysnrai_desktop.runtime.engine_kinds import azure
from lysnrai_desktop.runtime.engine_link import EngineLink
from lysnrai_desktop.ui import texts

SERVICE_S = 20.0
"""Longer than the engine's own watchdogs, which say what is wrong."""


def examine(settings_file: SettingsFile) -> list[Finding]:
    """Go the whole way to Azure Speech and back, as far as it leads."""
    settings = settings_file.current()
    found = find(Keyring())
    key = bad("key", found.code) if found.code else good("key", f"It is in the {found.origin}.")
    findings = [key, _software(), _network(settings)]
    if not any(finding.is_bad for finding in findings):
        findings.append(_service(settings, found.secret))
    return findings


def _software() -> Finding:
    try:
        return good("software", f"The Speech SDK {version('azure-cognitiveservices-speech')} is installed.")
    except PackageNotFoundError:
        return bad("software", AzureSdkMissing.code)


def _network(settings: Settings) -> Finding:
    if not settings.azure.is_located:
        return bad("network", AzureNotConfigured.code)
    way = look(settings.azure)
    if way.failed is not None:
        advice = texts.AZURE_WAY[way.failed]
        return Finding(
            "network", Grade.BAD, advice.sentence.format(host=way.host), advice.remedy, AzureUnreachable.code
        )
    times = ", ".join(f"{step} {ms} ms" for step, ms in way.times_ms.items())
    return good("network", f"{way.host} can be reached: {times}.")


def _service(settings: Settings, key: Secret) -> Finding:
    sentence = _Sentence()
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    ready, heard_at = threading.Event(), list[float]()
    link = EngineLink(
        events.put,
        on_partial=lambda *_: heard_at.append(time.monotonic()),
        on_state=lambda state, _: ready.set() if state == "ready" else None,
        kind=azure(lambda: key),
    )
    words, done_at = 0, 0.0
    try:
        link.warm(settings)
        ready.wait(SERVICE_S)
        began = time.monotonic()
        link.start(1, sentence, 0, settings)
        link.finish(1)
        while True:
            match events.get(timeout=SERVICE_S):
                case Final(at=at, segment=segment) if segment.text:
                    words += segment.text.word_count
                    heard_at.append(at)
                case EngineFailed(code=code):
                    return bad("service", code)
                case EngineDone(at=done_at):
                    break
                case _:
                    pass
    except queue.Empty:
        return bad("service", AzureMute.code)
    finally:
        link.shut_down()
    if not words:
        remedy = "See whether engine.language is one that the service knows; an English sentence was sent."
        return Finding("service", Grade.WARNING, "It answers, but has understood nothing.", remedy)
    first_ms, all_ms = (round((moment - began) * 1000) for moment in (min(heard_at), done_at))
    return good(
        "service",
        f"It understood {words} words in {sentence.duration_s:.1f} s of speech: the first after {first_ms} ms, "
        f"all after {all_ms} ms.",
    )


class _Sentence:
    """An Audio: a sentence that comes with the app."""

    def __init__(self) -> None:
        with wave.open(str(ASSETS / "models" / "sentence.wav")) as file:
            self.rate_hz: int = file.getframerate()
            self._pcm: bytes = file.readframes(file.getnframes())

    @property
    def duration_s(self) -> float:
        return len(self._pcm) / SAMPLE_BYTES / self.rate_hz

    def wait(self, beyond: int, timeout_s: float) -> tuple[int, bool]:  # noqa: ARG002  all of it is here
        return len(self._pcm) // SAMPLE_BYTES, True

    def read(self, start: int, limit: int) -> bytes:
        return self._pcm[start * SAMPLE_BYTES : (start + limit) * SAMPLE_BYTES]
