"""What the link must know of an engine to have a process of it.

Imports: core. May be imported by: engine_link; whoever builds one: app, transcribe.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.faults import AzureBadRequest, AzureNotConfigured
from lysnrai_desktop.core.secret import Secret
from lysnrai_desktop.core.settings import AzureSettings, Settings

HOST = (sys.executable, "-m", "lysnrai_desktop.engines.host")

LocateModel = Callable[[str], Path]
"""The folder of a model. May raise Fault."""
FindKey = Callable[[], Secret]
"""The key as it is known now, empty if there is none; never waits. May raise Fault."""


@dataclass(frozen=True, slots=True)
class EngineKind:
    command: Sequence[str]
    prepare: Callable[[Settings], wire.Prepare]
    """What a new process is told first. May raise Fault."""
    needs: Callable[[Settings], object]
    """Where this is equal to what it was, so is what a process is told first."""
    model: Callable[[Settings], str]
    """The model's name, "" for an engine that has none of its own."""
    computes: bool
    """While it owes text it uses processor time: one that uses none hangs."""


def whisper(locate_model: LocateModel, command: Sequence[str] = (*HOST, "whisper")) -> EngineKind:
    def prepare(settings: Settings) -> wire.Load:
        engine = settings.engine
        folder = locate_model(engine.model)
        return wire.Load(str(folder), engine.device, engine.compute_type, engine.threads, engine.beam)

    def needs(settings: Settings) -> object:
        engine = settings.engine
        return engine.model, engine.device, engine.compute_type, engine.threads, engine.beam

    return EngineKind(command, prepare, needs, lambda settings: settings.engine.model, computes=True)


def azure(find_key: FindKey, command: Sequence[str] = (*HOST, "azure")) -> EngineKind:
    def prepare(settings: Settings) -> wire.Connect:
        return connect(settings.azure, find_key())

    def needs(settings: Settings) -> object:
        return settings.azure, find_key()

    return EngineKind(command, prepare, needs, lambda _: "", computes=False)


def connect(azure: AzureSettings, key: Secret) -> wire.Connect:
    """What an Azure engine is told first. Raises AzureNotConfigured; AzureBadRequest for a certificate not there."""
    if not key or not azure.is_located:
        raise AzureNotConfigured
    try:
        certificate = Path(azure.certificate).expanduser().read_text("ascii") if azure.certificate else ""
    except (OSError, ValueError):
        raise AzureBadRequest("the certificate cannot be read") from None
    return wire.Connect(
        azure.endpoint,
        azure.region,
        key,
        certificate,
        azure.proxy,
        azure.profanity,
        azure.segmentation_silence_ms,
        azure.dictation,
        azure.preconnect,
    )
