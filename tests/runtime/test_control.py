"""Whoever asks the running app is answered, and whoever follows it hears of each change until he goes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lysnrai_desktop.adapters.control_socket import Gone
from lysnrai_desktop.core.dictation import MicrophoneLive
from lysnrai_desktop.core.faults import DiskReadOnly
from lysnrai_desktop.runtime.control import Control
from tests.runtime.test_loop import Bench

Answers = queue.SimpleQueue[dict[str, Any]]
SOON_S = 10.0


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.loop.start()
    yield made
    made.loop.shut_down()


def control_of(bench: Bench, choose_backend: Callable[[str], None] = lambda _: None) -> Control:
    return Control(bench.loop, None, lambda: None, choose_backend, lambda: choose_backend("look for the key"))


def asked(bench: Bench, request: dict[str, Any], gone: Gone) -> tuple[threading.Thread, Answers]:
    """Ask on a thread of its own, as each client has one."""
    answers: Answers = queue.SimpleQueue()
    control = control_of(bench)
    thread = threading.Thread(target=control.answer, args=(request, answers.put, gone))
    thread.start()
    return thread, answers


def test_a_wish_is_answered_with_the_status_after_it(bench: Bench) -> None:
    thread, answers = asked(bench, {"verb": "start"}, Gone())

    assert answers.get(timeout=SOON_S)["state"] == "arming"
    thread.join(SOON_S)
    assert not thread.is_alive()


def test_who_follows_hears_of_each_change_until_he_goes(bench: Bench) -> None:
    gone = Gone()
    thread, answers = asked(bench, {"verb": "status", "follow": True}, gone)
    assert answers.get(timeout=SOON_S)["state"] == "idle"

    asked(bench, {"verb": "start"}, Gone())[0].join(SOON_S)
    bench.loop.post(MicrophoneLive(1, 100.1))
    heard = ["idle"]
    while heard[-1] != "recording":
        heard.append(answers.get(timeout=SOON_S)["state"])
    assert list(dict.fromkeys(heard)) == ["idle", "arming", "recording"]
    gone.set()

    thread.join(SOON_S)
    assert not thread.is_alive(), "nothing needs to change for him to be let go"


def test_who_has_gone_before_he_was_answered_is_let_go(bench: Bench) -> None:
    gone = Gone()
    gone.set()

    thread, _ = asked(bench, {"verb": "status", "follow": True}, gone)

    thread.join(SOON_S)
    assert not thread.is_alive()


def test_nonsense_is_said_to_be_so(bench: Bench) -> None:
    thread, answers = asked(bench, {"verb": "sing"}, Gone())

    assert answers.get(timeout=SOON_S) == {"error": "unknown verb"}
    thread.join(SOON_S)


def test_an_engine_that_is_chosen_and_a_key_that_is_another_are_passed_on(bench: Bench) -> None:
    wished: list[str] = []
    answers: list[dict[str, Any]] = []
    control = control_of(bench, wished.append)

    for request in ({"verb": "backend", "name": "local"}, {"verb": "azure-key"}):
        control.answer(request, answers.append, Gone())

    assert wished == ["local", "look for the key"]
    assert answers == [{}, {}]


@pytest.mark.parametrize(
    ("name", "answer"), [("azure", {"error": "disk.read_only"}), ("whisper", {"error": "unknown verb"})]
)
def test_a_choice_that_cannot_be_is_answered_with_why(bench: Bench, name: str, answer: dict[str, str]) -> None:
    def refuse(_: str) -> None:
        raise DiskReadOnly

    answers: list[dict[str, Any]] = []
    control_of(bench, refuse).answer({"verb": "backend", "name": name}, answers.append, Gone())

    assert answers == [answer]
