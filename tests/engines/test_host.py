"""An engine process obeys in order, keeps its pipe clean, and ends when it should."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import pytest

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.faults import LanguageUnsupported
from lysnrai_desktop.engines.engine import Hearing, Wanted
from lysnrai_desktop.engines.host import Inbox, serve
from tests.desktop.processes import DEADLINE_S
from tests.hearing import HOST

M = TypeVar("M", bound=wire.Message)
LOAD = wire.Load("/", "auto", "auto", 0)
SECOND = b"\x01\x00" * 16_000


class Far:
    """A host process, spoken to over its pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._decoder, self._heard = wire.Decoder(), list[wire.Message]()

    def say(self, *messages: wire.Message) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(map(wire.encode, messages)))

    def until(self, kind: type[M]) -> M:
        assert self.process.stdout is not None
        while True:
            while self._heard:
                if isinstance(message := self._heard.pop(0), kind):
                    return message
            received = self.process.stdout.read(1 << 16)
            assert received, "it ended"
            self._heard += self._decoder.feed(received)

    def ended(self) -> int:
        return self.process.wait(DEADLINE_S)


def host(*arguments: str) -> AbstractContextManager[Far]:
    return spoken_to([*HOST, *arguments])


@contextmanager
def spoken_to(command: list[str]) -> Iterator[Far]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    with process:
        try:
            yield Far(process)
        finally:
            process.kill()


# --- the process


def test_it_greets_with_its_version_before_it_is_asked_anything() -> None:
    with host("scripted") as far:
        assert far.until(wire.Hello) == wire.Hello(wire.VERSION, "scripted")


def test_prints_of_libraries_do_not_get_between_the_messages(capfd: pytest.CaptureFixture[str]) -> None:
    with host("scripted", "chatter") as far:
        far.say(LOAD, wire.Start(1, 0, "en", ()), wire.Audio(1, 16_000, SECOND), wire.Finish(1))

        assert far.until(wire.Done) == wire.Done(1)
    assert "Loading weights" in capfd.readouterr().err


@pytest.mark.parametrize("script", ["", "hang"])
def test_it_ends_when_its_input_ends_whatever_it_is_doing(script: str) -> None:
    with host("scripted", *script.split()) as far:
        far.say(LOAD, wire.Start(1, 0, "en", ()))
        far.until(wire.Started)
        assert far.process.stdin is not None

        far.process.stdin.close()

        assert far.ended() == 0


@pytest.mark.parametrize("script", ["", "hang"])
def test_it_ends_when_told_to_whatever_it_is_doing(script: str) -> None:
    with host("scripted", *script.split()) as far:
        far.say(LOAD, wire.Start(1, 0, "en", ()))
        far.until(wire.Started)

        far.say(wire.Quit())

        assert far.ended() == 0


def test_an_interrupt_from_the_apps_terminal_is_left_to_the_app() -> None:
    with host("scripted") as far:
        far.say(LOAD)
        far.until(wire.Ready)

        far.process.send_signal(signal.SIGINT)
        far.say(wire.Start(1, 0, "en", ()))

        assert far.until(wire.Started) == wire.Started(1)


# --- what testers inject


@pytest.fixture
def tester(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LYSNRAI_TESTER", "1")


@pytest.mark.usefixtures("tester")
def test_an_injected_crash_is_one() -> None:
    with host("scripted") as far:
        far.say(wire.Inject("crash"))

        assert far.ended() == -signal.SIGKILL


@pytest.mark.usefixtures("tester")
def test_a_mute_engine_does_not_even_answer_a_ping_until_it_is_well_again() -> None:
    with host("scripted") as far:
        far.say(LOAD, wire.Ping())
        far.until(wire.Pong)

        far.say(wire.Inject("mute"), wire.Start(1, 0, "en", ()), wire.Audio(1, 16_000, SECOND), *[wire.Ping()] * 3)
        far.say(wire.Inject("none"), wire.Ping())

        far.until(wire.Pong)
        far.say(wire.Ping(), wire.Finish(1))
        far.until(wire.Pong)  # the second, not one of three


@pytest.mark.usefixtures("tester")
@pytest.mark.parametrize("fault", wire.INJECTED)
def test_an_injected_failure_ends_the_session_and_the_next_is_well(fault: str) -> None:
    with host("scripted") as far:
        far.say(LOAD, wire.Start(1, 0, "en", ()))
        far.until(wire.Started)

        far.say(wire.Inject(fault), wire.Audio(1, 16_000, SECOND), wire.Finish(1))
        far.say(wire.Start(2, 0, "en", ()), wire.Audio(2, 16_000, SECOND), wire.Finish(2))

        assert far.until(wire.Failed) == wire.Failed(1, wire.INJECTED[fault])
        assert far.until(wire.Done) == wire.Done(2)


@pytest.mark.usefixtures("tester")
def test_a_failure_that_is_injected_while_nobody_dictates_waits_for_the_next_session() -> None:
    with host("scripted") as far:
        far.say(LOAD, wire.Inject("wrong_key"), wire.Start(1, 0, "en", ()), wire.Audio(1, 16_000, SECOND))

        assert far.until(wire.Failed) == wire.Failed(1, "azure.key")


def test_what_is_injected_is_not_heeded_where_nobody_tests() -> None:
    with host("scripted") as far:
        far.say(*map(wire.Inject, wire.INJECTABLE))
        far.say(LOAD, wire.Start(1, 0, "en", ()), wire.Audio(1, 16_000, SECOND), wire.Finish(1))

        assert far.until(wire.Done) == wire.Done(1)


@pytest.mark.usefixtures("tester")
def test_nothing_overtakes_what_a_slow_engine_says_late() -> None:
    quick = "from lysnrai_desktop.engines import host; host.SLOW_S = 0.05; host.main(['scripted'])"
    with spoken_to([sys.executable, "-c", quick]) as far:
        far.say(wire.Inject("slow"), LOAD, wire.Ping())
        far.until(wire.Pong)
        far.until(wire.Ready)

        far.say(wire.Start(1, 0, "en", ()), wire.Inject("none"), wire.Audio(1, 16_000, SECOND), wire.Finish(1))

        far.until(wire.Started)
        assert far.until(wire.Done) == wire.Done(1)


# --- the process's end


def test_it_dies_quietly_of_a_termination(capfd: pytest.CaptureFixture[str]) -> None:
    with host("scripted") as far:
        far.until(wire.Hello)

        far.process.terminate()

        far.ended()
    assert capfd.readouterr().err == ""


def test_it_ends_with_a_traceback_when_it_is_spoken_to_in_another_tongue(capfd: pytest.CaptureFixture[str]) -> None:
    with host("scripted") as far:
        far.until(wire.Hello)
        assert far.process.stdin is not None

        far.process.stdin.write(b"GET / HTTP/1.1\r\n\r\n")

        assert far.ended() == 1
    assert "ProtocolError" in capfd.readouterr().err


def test_it_ends_after_it_said_why_it_cannot_load() -> None:
    with host("scripted", "refuse") as far:
        far.say(LOAD)

        assert far.until(wire.Failed) == wire.Failed(0, "engine.start_failed")
        assert far.ended() == 1


# --- obeying


class Recorder:
    """An engine that writes down what it is given, and refuses German."""

    def __init__(self) -> None:
        self.given: list[wire.Message] = []
        self.wanted: dict[int, Wanted] = {}

    def load(self, load: wire.Prepare) -> wire.Ready:
        self.given.append(load)
        return wire.Ready("cpu", "int8")

    def start(self, start: wire.Start, wanted: Wanted) -> Hearing:
        if start.language == "de":
            raise LanguageUnsupported
        self.given.append(start)
        self.wanted[start.session] = wanted
        return _Recording(self.given, start.session)

    def is_at_work(self) -> bool:
        return False


class _Recording:
    def __init__(self, given: list[wire.Message], session: int) -> None:
        self._given, self._session = given, session

    def audio(self, audio: wire.Audio) -> None:
        assert audio.session == self._session
        self._given.append(audio)

    def finish(self) -> None:
        self._given.append(wire.Finish(self._session))


class Stopped(Exception):
    """Thrown into the inbox to come back from `serve`."""


class Script(Inbox):
    """An inbox that has got all its messages, as when the app is far quicker than the engine."""

    def __init__(self, *messages: wire.Message) -> None:
        super().__init__()
        for message in messages:
            self.put(message)

    def get(self) -> tuple[int, wire.Message]:
        try:
            return self._messages.get_nowait()
        except queue.Empty:
            raise Stopped from None


def served(*messages: wire.Message) -> tuple[Recorder, list[wire.FromEngine]]:
    engine, said = Recorder(), list[wire.FromEngine]()
    with pytest.raises(Stopped):
        serve(engine, Script(*messages), said.append)
    return engine, said


def start(session: int, language: str = "en") -> wire.Start:
    return wire.Start(session, 0, language, ())


def audio(session: int) -> wire.Audio:
    return wire.Audio(session, 16_000, SECOND)


def test_messages_of_one_session_are_obeyed_in_order() -> None:
    asked: list[wire.Message] = [LOAD, start(1), audio(1), audio(1), wire.Finish(1)]

    engine, said = served(*asked)

    assert engine.given == asked
    assert said == [wire.Ready("cpu", "int8")]


def test_work_of_a_session_that_was_given_up_meanwhile_is_not_begun() -> None:
    engine, _ = served(LOAD, start(1), audio(1), wire.Cancel(1), start(2), audio(2))

    assert engine.given == [LOAD, start(2), audio(2)]


def test_a_session_is_unwanted_the_moment_its_end_is_read() -> None:
    inbox, engine = Script(LOAD, start(1)), Recorder()
    with pytest.raises(Stopped):
        serve(engine, inbox, lambda _: None)
    assert engine.wanted[1]()

    inbox.put(wire.Cancel(1))

    assert not engine.wanted[1]()


def test_audio_of_another_session_is_not_taken_for_this_ones() -> None:
    engine, _ = served(LOAD, start(2), audio(1), audio(2), wire.Finish(1))

    assert engine.given == [LOAD, start(2), audio(2)]


def test_a_session_that_is_refused_says_why_and_its_audio_is_dropped() -> None:
    engine, said = served(LOAD, start(1, "de"), audio(1), wire.Finish(1))

    assert engine.given == [LOAD]
    assert wire.Failed(1, "engine.language") in said
