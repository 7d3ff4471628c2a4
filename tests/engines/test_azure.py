"""The engine process for Azure, with the real SDK, keeps its promises whatever the service does."""

from __future__ import annotations

import concurrent.futures
import contextlib
import math
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.failover import CONNECT_S, END_S, MUTE_S, RECONNECT_S
from lysnrai_desktop.core.secret import Secret
from tests.azure.engine_process import BLOCK_BYTES, RATE_HZ, EngineProcess, Heard, connect, engine_process, spoken
from tests.azure.network import certificate, proxy
from tests.azure.service import ALWAYS, Service, service
from tests.desktop.processes import DEADLINE_S
from tests.hearing import HOST

SLACK_S = 5.0
"""For a busy machine. The SDK alone would take 51 s, 66 s, or for ever."""
SPOKEN_S = 24.0
"""All that is spoken, if nobody stops it."""
IN_FLIGHT = 50 if os.environ.get("LYSNRAI_TEST_EFFORT") == "full" else 6


# --- the faults of the service ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A trouble, and how a session of `seconds` ends in it."""

    name: str
    troubles: tuple[tuple[str, float | str, float, int], ...]
    code: str = ""
    """"": all is well in the end."""
    within_s: float = 1.5
    """The failure, reckoned from its cause."""
    seconds: float = 6.3
    finish: bool = False
    """The take ends before it fails."""
    text: str | None = None
    """What there was until then; None: whatever there was."""


def fails(name: str, code: str, *troubles: tuple[str, float | str, float, int], **more: object) -> Row:
    return Row(name, troubles, code, **more)  # type: ignore[arg-type]


def always(kind: str, value: float | str = 0, at_s: float = 0.0) -> tuple[str, float | str, float, int]:
    return (kind, value, at_s, ALWAYS)


def once(kind: str, value: float | str = 0, at_s: float = 0.0) -> tuple[str, float | str, float, int]:
    return (kind, value, at_s, 1)


LONG_S = 12.3
"""Enough speech for a service to be mute."""

SURVIVED = [
    Row("all is well", ()),
    Row("slow to connect", (once("slow", 1.5),)),
    Row("429 once", (once("status", 429),)),
    Row("503 once", (once("status", 503),)),
    Row("307 once", (once("status", 307),)),
    Row("reset in the upgrade once", (once("reset"),)),
    Row("dropped once", (once("drop", at_s=2.5),)),
    Row("dropped every two seconds", (once("drop", at_s=1.5), once("drop", at_s=3.5), once("drop", at_s=5.5))),
    Row("closed with 1000 once", (once("close", 1000, 2.5),)),
    Row("closed with 1001 once", (once("close", 1001, 2.5),)),
    Row("closed with 1011 once", (once("close", 1011, 2.5),)),
    Row("the turn ends in the middle", (once("turn_end", at_s=2.5),)),
    Row("a phrase is an error once", (once("phrase", "Error", 2.5),)),
    Row("a phrase is malformed once", (once("phrase", "malformed", 2.5),)),
]
FATAL = [
    fails("401", "azure.key", always("status", 401), text=""),
    fails("403", "azure.key", always("status", 403), text=""),
    fails("400", "azure.bad_request", always("status", 400), text=""),
    fails("429", "azure.throttled", always("status", 429), text=""),
    fails("404", "azure.unavailable", always("status", 404), text=""),
    fails("500", "azure.unavailable", always("status", 500), text=""),
    fails("503", "azure.unavailable", always("status", 503), text=""),
    fails("reset in the upgrade", "azure.unreachable", always("reset"), text=""),
    fails("never upgrades", "azure.unreachable", always("stall"), within_s=CONNECT_S, text=""),
    fails("dropped each time", "azure.lost", always("drop", at_s=2.5), text="0 1"),
    fails("dropped, and the key is refused", "azure.key", once("drop", at_s=2.5), always("status", 401, 1), text="0 1"),
    fails("closed with 1001 each time", "azure.lost", always("close", 1001, 2.5), text="0 1"),
    fails("closed with 1008 each time", "azure.lost", always("close", 1008, 2.5), text="0 1"),
    fails("closed with 1011 each time", "azure.unavailable", always("close", 1011, 2.5), text="0 1"),
    fails("closed with 1002", "azure.lost", once("close", 1002, 2.5), text="0 1"),
    fails("closed with 1007", "azure.bad_request", once("close", 1007, 2.5), text="0 1"),
    fails("closed with 4429", "azure.throttled", once("close", 4429, 2.5), text="0 1"),
    fails("closed with 1000 each time", "azure.lost", always("close", 1000, 2.5), within_s=1 + RECONNECT_S, text="0 1"),
    fails("mute", "azure.mute", always("mute"), within_s=MUTE_S, seconds=LONG_S, text=""),
    fails("goes mute", "azure.mute", always("mute", at_s=2.5), within_s=MUTE_S, seconds=LONG_S, text="0 1"),
    fails("goes deaf", "azure.mute", always("deaf", at_s=2.5), within_s=MUTE_S, seconds=LONG_S),
    fails("no turn.start", "azure.mute", always("no_turn_start"), within_s=MUTE_S, seconds=LONG_S, text=""),
    fails("no turn.end", "azure.mute", always("no_turn_end"), within_s=END_S, finish=True),
    fails("mute near the end", "azure.mute", always("mute", at_s=5.5), within_s=END_S, finish=True, text="0 1 2 3 4"),
    fails("no phrases", "azure.mute", always("no_phrase"), finish=True, text=""),
    fails("phrases are errors", "azure.unavailable", always("phrase", "Error", 2.5), text="0 1"),
    fails("phrases are throttled", "azure.throttled", always("phrase", "TooManyRequests", 2.5), text="0 1"),
    fails("phrases are bad requests", "azure.bad_request", always("phrase", "BadRequest", 2.5), text="0 1"),
    fails("phrases are forbidden", "azure.quota", always("phrase", "Forbidden", 2.5), text="0 1"),
    fails("phrases are unavailable", "azure.unavailable", always("phrase", "ServiceUnavailable", 2.5), text="0 1"),
    fails("phrases are malformed", "azure.unavailable", always("phrase", "malformed", 2.5), text="0 1"),
    fails("gone", "azure.lost", once("gone", at_s=2.5), text="0 1"),
]
LANES = 9
"""Rows that wait, wait at the same time."""


@dataclass
class Result:
    heard: Heard
    took_s: float
    turns: list[tuple[int, bytes]] = field(default_factory=list)
    """Start and audio of each."""


def _play(row: Row, azure: Service, engine: EngineProcess, session: int) -> Result:
    azure.well_again()
    for kind, value, at_s, times in row.troubles:
        azure.trouble(kind, value, at_s, times)
    began = time.monotonic()
    engine.start(session)
    engine.audio(session, spoken(row.seconds))
    if row.finish or not row.code:
        engine.finish(session)
        heard = engine.rest(session)
    else:
        with _going_on(engine, session, row.seconds):
            heard = engine.rest(session)
    return Result(heard, heard.at - began, [(turn.start, bytes(turn.audio)) for turn in azure.turns])


@contextlib.contextmanager
def _going_on(engine: EngineProcess, session: int, from_s: float) -> Iterator[None]:
    """Somebody goes on speaking: the SDK sends nothing again, and meets no second fault, until more audio comes."""
    over = threading.Event()
    rest = spoken(SPOKEN_S)[len(spoken(from_s)) :]

    def speak() -> None:
        for at in range(0, len(rest), BLOCK_BYTES):
            if over.wait(BLOCK_BYTES / 2 / RATE_HZ):
                return
            engine.audio(session, rest[at : at + BLOCK_BYTES])

    speaker = threading.Thread(target=speak, name="speaker")
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()


def _lane(rows: list[Row]) -> dict[str, Result]:
    """One engine process and one service for all of them, one after the other."""
    with service() as azure, engine_process(connect(azure.endpoint)) as engine:
        return {row.name: _play(row, azure, engine, session) for session, row in enumerate(rows, 1)}


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    *rows, gone = [*SURVIVED, *sorted(FATAL, key=lambda row: row.name == "gone")]
    rows.sort(key=lambda row: row.within_s)
    lanes = [rows[lane::LANES] for lane in range(LANES)]
    with concurrent.futures.ThreadPoolExecutor(LANES + 1) as pool:
        played = pool.map(_lane, [*lanes, [gone]])
        return {name: result for lane in played for name, result in lane.items()}


@pytest.mark.parametrize("row", [*SURVIVED, *FATAL], ids=lambda row: row.name)
def test_a_fault_costs_no_word(row: Row, results: dict[str, Result]) -> None:
    result = results[row.name]
    heard, sound = result.heard, spoken(SPOKEN_S if row.code and not row.finish else row.seconds)

    assert heard.code == row.code
    heard.assert_without_gap()
    if row.code:
        assert heard.text == " ".join(str(second) for second in range(math.ceil(heard.end / RATE_HZ)))
        assert row.text in (None, heard.text)
        assert result.took_s < row.within_s + SLACK_S
    else:
        assert heard.text == " ".join(str(second) for second in range(int(row.seconds) + 1))
        assert heard.end * 2 == len(sound)
    for start, audio in result.turns:
        assert audio == sound[start * 2 : start * 2 + len(audio)]


def test_nobody_listens() -> None:
    with service() as azure:
        azure.stop_listening()
        with engine_process(connect(azure.endpoint)) as engine:
            assert engine.dictate(1, spoken(1)).code == "azure.unreachable"


# --- a session ----------------------------------------------------------------------------------------------


@dataclass
class Bench:
    azure: Service
    engine: EngineProcess


@pytest.fixture(scope="module")
def module_bench() -> Iterator[Bench]:
    with service() as azure, engine_process(connect(azure.endpoint)) as engine:
        yield Bench(azure, engine)


@pytest.fixture
def bench(module_bench: Bench) -> Iterator[Bench]:
    module_bench.azure.well_again()
    module_bench.engine.sessions_before += 100
    yield module_bench
    module_bench.engine.cancel(0)
    module_bench.azure.until(lambda azure: azure.connected == 0, "the end of all connections")


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_any_rate_of_the_microphone_will_do(bench: Bench, rate_hz: int) -> None:
    sound = b"\x00\x01" * (rate_hz * 3 + 77)
    bench.engine.start(1, from_sample=1_000)
    bench.engine.audio(1, sound, rate_hz)
    bench.engine.finish(1)

    heard = bench.engine.rest(1)

    heard.assert_without_gap(1_000)
    assert [round((final.end - 1_000) / rate_hz, 2) for final in heard.finals[:3]] == [1, 2, 3]
    assert heard.end == 1_000 + rate_hz * 3 + 77
    (turn,) = bench.azure.turns
    assert turn.end == pytest.approx((rate_hz * 3 + 77) * RATE_HZ / rate_hz, abs=2)


def test_a_take_without_a_sample_is_done_without_a_final(bench: Bench) -> None:
    heard = bench.engine.dictate(1, b"")

    assert heard.code == ""
    assert heard.finals == []


def test_a_take_can_be_heard_from_any_sample_on(bench: Bench) -> None:
    heard = bench.engine.dictate(1, spoken(2.5), from_sample=77_777)

    heard.assert_without_gap(77_777)
    assert heard.end == 77_777 + 40_000


def test_it_says_when_somebody_speaks_and_what_is_understood_so_far(bench: Bench) -> None:
    heard = bench.engine.dictate(1, spoken(2.5) + bytes(RATE_HZ * 2))

    assert heard.started
    assert heard.voices == [True, False]
    assert heard.partials[0].tentative.reveal() == "0"


def test_a_long_silence_gets_a_final_on_the_way(bench: Bench) -> None:
    bench.azure.trouble("no_phrase")
    bench.engine.start(1)

    bench.engine.audio(1, bytes(RATE_HZ * 2 * 20))

    final = next(message for message in bench.engine.messages() if isinstance(message, wire.Final))
    assert not final.text
    assert final.start == 0


def test_a_cancelled_session_lets_its_connection_go(bench: Bench) -> None:
    bench.engine.start(1)
    bench.engine.audio(1, spoken(3))
    bench.azure.until(lambda azure: len(azure.turns) == 1 and azure.connected == 1, "a turn")

    bench.engine.cancel(1)

    bench.azure.until(lambda azure: azure.connected == 0, "the end of the connection")


def test_a_session_takes_the_place_of_the_one_before(bench: Bench) -> None:
    bench.engine.start(1)
    bench.engine.audio(1, spoken(3))

    heard = bench.engine.dictate(2, spoken(4.5))

    assert heard.text == "0 1 2 3 4"
    heard.assert_without_gap()


def test_what_a_failed_session_still_gets_does_not_reach_the_next(bench: Bench) -> None:
    bench.azure.trouble("status", 401, times=1)
    bench.engine.start(1)
    assert bench.engine.rest(1).code == "azure.key"

    bench.engine.audio(1, spoken(3))
    bench.engine.finish(1)
    heard = bench.engine.dictate(2, spoken(1.5))

    assert heard.text == "0 1"
    assert [bytes(turn.audio) for turn in bench.azure.turns] == [spoken(1.5)]


def test_a_language_that_azure_does_not_know_fails_the_session_alone(bench: Bench) -> None:
    bench.engine.start(1, language="la")

    assert bench.engine.rest(1).code == "engine.language"
    assert bench.engine.dictate(2, spoken(1.5)).text == "0 1"


# --- what the service is asked for --------------------------------------------------------------------------


def test_languages_and_vocabulary_are_asked_for_and_the_language_told(bench: Bench) -> None:
    heard = bench.engine.dictate(1, spoken(1.5), language="de,en", vocabulary=["Lysnr", "Kubernetes"])

    (turn,) = bench.azure.turns
    assert turn.context["languageId"]["languages"] == ["de-DE", "en-US"]
    assert [item["Text"] for item in turn.context["dgi"]["Groups"][0]["Items"]] == ["Lysnr", "Kubernetes"]
    assert {final.language for final in heard.finals} == {"en"}


def test_settings_reach_the_service() -> None:
    wish = {"dictation": True, "profanity": "raw", "segmentation_silence_ms": 700}
    with service() as azure, engine_process(connect(azure.endpoint, **wish)) as engine:
        heard = engine.dictate(1, spoken(1.5), language="de")

        (turn,) = azure.turns
        (request,) = azure.requests
    detection = turn.context["phraseDetection"]
    assert detection["mode"] == "DICTATION"
    assert detection["language"] == "de-DE"
    assert detection["enrichment"]["profanity"] == "raw"
    assert "700" in str(detection)
    assert {final.language for final in heard.finals} == {"de"}
    assert request.headers["ocp-apim-subscription-key"] == "0123456789abcdef"


def test_a_token_is_sent_as_one() -> None:
    with service() as azure, engine_process(connect(azure.endpoint, key=Secret("Bearer eyJ.one.two"))) as engine:
        assert engine.dictate(1, spoken(1.5)).text == "0 1"

        (request,) = azure.requests
    assert request.headers["authorization"] == "Bearer eyJ.one.two"
    assert not request.headers.get("ocp-apim-subscription-key")


def test_a_private_certificate_is_trusted_when_it_is_given_and_not_otherwise(tmp_path: Path) -> None:
    ours, other = certificate(tmp_path), certificate(tmp_path, "elsewhere")
    with service(tls=ours.server) as azure:
        with engine_process(connect(azure.endpoint, certificate_pem=ours.pem)) as engine:
            assert engine.dictate(1, spoken(1.5)).text == "0 1"
        with engine_process(connect(azure.endpoint)) as engine:
            assert engine.dictate(1, spoken(1.5)).code == "azure.unreachable"
    with (
        service(tls=other.server) as azure,
        engine_process(connect(azure.endpoint, certificate_pem=other.pem)) as engine,
    ):
        assert engine.dictate(1, spoken(1.5)).code == "azure.unreachable"


def test_it_goes_through_a_proxy() -> None:
    with proxy() as there, service() as azure:
        with engine_process(connect(azure.endpoint, proxy=there.address)) as engine:
            assert engine.dictate(1, spoken(1.5)).text == "0 1"

        assert there.asked == [f"127.0.0.1:{azure.port}"]


def test_what_the_sdk_does_not_take_is_a_bad_request() -> None:
    with engine_process(connect("")) as engine:
        assert engine.dictate(1, spoken(1.5)).code == "azure.bad_request"


def test_without_a_network_the_service_is_unreachable(networkless: str) -> None:
    command = [*networkless.split(), *HOST, "azure"]
    with engine_process(connect("", region="westeurope"), command) as engine:
        assert engine.dictate(1, spoken(1.5)).code == "azure.unreachable"


@pytest.mark.parametrize("there", ["ws://", "not an address"])
def test_an_address_where_nothing_can_be_is_unreachable(there: str) -> None:
    with engine_process(connect(there)) as engine:
        assert engine.dictate(1, spoken(1.5)).code == "azure.unreachable"


# --- ahead of need --------------------------------------------------------------------------------------------


@pytest.fixture
def ahead() -> Iterator[Bench]:
    """A session is over, and the connection for the next one is there."""
    with service() as azure, engine_process(connect(azure.endpoint, preconnect=True)) as engine:
        engine.dictate(1, spoken(1.5))
        azure.until(lambda azure: len(azure.configs) == 2 and azure.connected == 1, "a connection ahead of need")
        yield Bench(azure, engine)


def test_the_next_session_finds_its_connection_made(ahead: Bench) -> None:
    heard = ahead.engine.dictate(2, spoken(1.5))

    assert heard.text == "0 1"
    first, second = (turn.request_id for turn in ahead.azure.turns)
    assert first != second
    ahead.azure.until(lambda azure: len(azure.requests) == 3, "one more for the session to come, and no other")


def test_another_language_has_another_connection(ahead: Bench) -> None:
    heard = ahead.engine.dictate(2, spoken(1.5), language="de")

    assert heard.text == "0 1"
    assert ahead.azure.turns[-1].context["phraseDetection"]["language"] == "de-DE"


def test_a_connection_that_was_lost_meanwhile_is_not_missed(ahead: Bench) -> None:
    ahead.azure.drop_connections()
    ahead.azure.until(lambda azure: azure.connected == 0, "the end of the connection")

    heard = ahead.engine.dictate(2, spoken(1.5))

    assert heard.text == "0 1"


# --- the process ----------------------------------------------------------------------------------------------


def _in_flight(how: Callable[[EngineProcess], int]) -> int:
    """Exit status of a process that is ended while the service goes on answering it."""
    with service() as azure, engine_process(connect(azure.endpoint)) as engine:
        engine.start(1)
        engine.audio(1, spoken(6))
        engine.until(wire.Partial)
        return how(engine)


def test_it_ends_well_in_the_midst_of_a_recognition() -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(_in_flight, [EngineProcess.quit] * IN_FLIGHT)) == [0] * IN_FLIGHT


def test_it_ends_well_with_its_input_in_the_midst_of_a_mute_recognition() -> None:
    def close(engine: EngineProcess) -> int:
        assert engine.process.stdin is not None
        engine.process.stdin.close()
        return engine.process.wait(DEADLINE_S)

    with service() as azure, engine_process(connect(azure.endpoint)) as engine:
        azure.trouble("mute")
        engine.start(1)
        engine.audio(1, spoken(6))
        azure.until(lambda azure: bool(azure.turns), "a turn")

        assert close(engine) == 0


def test_sessions_that_failed_leave_no_thread(bench: Bench) -> None:
    bench.engine.dictate(1, spoken(1))
    threads = _threads(bench.engine.process.pid)
    bench.azure.trouble("status", 401)

    for session in range(2, 12):
        assert bench.engine.dictate(session, spoken(1)).code == "azure.key"

    end = time.monotonic() + DEADLINE_S
    while _threads(bench.engine.process.pid) > threads:
        assert time.monotonic() < end


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_without_the_sdk_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "azure").mkdir()
    (tmp_path / "azure/__init__.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(
        [*HOST, "azure"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )

    with process:
        assert EngineProcess(process).until(wire.Failed) == wire.Failed(0, "azure.sdk_missing")


def test_without_openssl_it_says_that_the_sdk_is_not_whole(tmp_path: Path) -> None:
    (tmp_path / "libssl.so.3").touch()
    command = ["env", f"LD_LIBRARY_PATH={tmp_path}", *HOST, "azure"]

    with service() as azure, engine_process(connect(azure.endpoint), command) as engine:
        assert engine.dictate(1, spoken(1)).code == "azure.sdk_missing"
