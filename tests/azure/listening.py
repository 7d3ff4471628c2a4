"""The emulator with Whisper behind it: it really transcribes what it gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.engines.engine import Engine, Say
from lysnrai_desktop.engines.whisper import WhisperEngine
from tests.azure.service import Service, service


@contextmanager
def listening_service(model: Path) -> Iterator[Service]:
    """With the model in this folder. Its thread stays until the process ends: for fixtures wider than a test."""

    def recogniser(say: Say) -> Engine:
        engine = WhisperEngine(say)
        engine.load(wire.Load(str(model), "cpu", "int8", 0, 5))
        return engine

    with service(recogniser) as azure:
        yield azure
