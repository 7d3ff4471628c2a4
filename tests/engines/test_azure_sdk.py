"""Each property of the Speech SDK that we set and nobody documents still does what it did in 1.53.

The value is another than ours where ours would take long to show.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lysnrai_desktop.engines.azure_sdk import UNDOCUMENTED
from tests.azure.engine_process import EngineProcess, connect, engine_process, spoken
from tests.azure.service import Service, service

tested: set[str] = set()


@contextmanager
def engine_with(azure: Service, name: str, value: str) -> Iterator[EngineProcess]:
    """One in whose process this property has this value."""
    code = (
        "from lysnrai_desktop.engines import azure_sdk, host;"
        f"assert {name!r} in azure_sdk.UNDOCUMENTED;"
        f"azure_sdk.UNDOCUMENTED[{name!r}] = {value!r};"
        "host.main(['azure'])"
    )
    tested.add(name)
    with engine_process(connect(azure.endpoint), [sys.executable, "-c", code]) as engine:
        yield engine


def test_so_many_retries_and_no_more() -> None:
    for retries in (0, 2):
        with service() as azure, engine_with(azure, "SPEECH-Error-MaxRetryCount", str(retries)) as engine:
            azure.trouble("status", 503)

            assert engine.dictate(1, spoken(1)).code == "azure.unavailable"
            assert len(azure.requests) == 1 + retries


def test_a_mute_service_keeps_the_reaper_no_longer_than_this() -> None:
    with service() as azure, engine_with(azure, "SPEECH-StopRecognitionTimeoutInSeconds", "1") as engine:
        azure.trouble("mute")
        engine.start(1)
        engine.audio(1, spoken(1))
        azure.until(lambda azure: bool(azure.turns), "a turn")

        began = time.monotonic()
        engine.cancel(1)
        azure.until(lambda azure: azure.connected == 0, "the end of the connection")

        assert time.monotonic() - began < 8  # without: 10 s


def test_what_is_replayed_is_sent_at_once() -> None:
    with service() as azure, engine_with(azure, "SPEECH-TransmitLengthBeforThrottleMs", "60000") as engine:
        began = time.monotonic()
        heard = engine.dictate(1, spoken(20) * 2)

        assert heard.text.endswith("38 39")
        assert time.monotonic() - began < 12  # without: 17 s


def test_so_much_audio_may_be_unanswered() -> None:
    with service() as azure, engine_with(azure, "SPEECH-MaxBufferSizeMs", "3000") as engine:
        azure.trouble("no_phrase")
        engine.start(1)
        engine.audio(1, spoken(6))

        assert engine.rest(1).code == "azure.mute"  # with hypotheses all the way: our own watch is content


def test_nothing_is_told_about_how_it_is_used() -> None:
    with service() as azure, engine_with(azure, "SPEECH-TelemetryDataEnabled", "false") as engine:
        engine.dictate(1, spoken(1))
        assert azure.telemetry == 0
    with service() as azure, engine_with(azure, "SPEECH-TelemetryDataEnabled", "true") as engine:
        engine.dictate(1, spoken(1))
        azure.until(lambda azure: azure.telemetry > 0, "that it can see it")


def test_no_property_is_without_a_test() -> None:
    assert tested == set(UNDOCUMENTED)
