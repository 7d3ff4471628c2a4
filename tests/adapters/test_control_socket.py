"""One app per user, reached by its owner alone, whatever was left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lysnrai_desktop.adapters.control_socket import (
    NAME,
    AlreadyRunning,
    ControlServer,
    Gone,
    NotRunning,
    Reply,
    Request,
    ask,
)


def echo(request: Request, reply: Reply, _: Gone) -> None:
    for n in range(request.get("times", 1)):
        reply({"verb": request["verb"], "n": n})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ControlServer]:
    server = ControlServer(folder)
    server.start(echo)
    yield server
    server.shut_down()


@pytest.mark.usefixtures("server")
def test_answers_come_in_order_until_there_are_no_more(folder: Path) -> None:
    assert list(ask([folder], {"verb": "x", "times": 3}, 10.0)) == [{"verb": "x", "n": n} for n in range(3)]


@pytest.mark.usefixtures("server")
def test_a_second_app_is_refused(folder: Path) -> None:
    with pytest.raises(AlreadyRunning):
        ControlServer(folder)


def test_nobody_there_is_said_at_once(folder: Path) -> None:
    with pytest.raises(NotRunning):
        list(ask([folder], {"verb": "x"}, 10.0))


def test_a_killed_app_leaves_nothing_in_the_way(folder: Path) -> None:
    dying = """
import os, sys, pathlib
from lysnrai_desktop.adapters.control_socket import ControlServer
ControlServer(pathlib.Path(sys.argv[1])).start(lambda *_: None)
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", dying, str(folder)], check=False)
    assert (folder / NAME).exists()
    with pytest.raises(NotRunning):
        list(ask([folder], {"verb": "x"}, 10.0))

    server = ControlServer(folder)
    server.start(echo)

    assert list(ask([folder], {"verb": "x"}, 10.0)) == [{"verb": "x", "n": 0}]
    server.shut_down()


def test_of_many_starts_at_the_same_moment_one_wins(folder: Path) -> None:
    contender = """
import sys, pathlib
from lysnrai_desktop.adapters.control_socket import AlreadyRunning, ControlServer
sys.stdin.readline()
try:
    server = ControlServer(pathlib.Path(sys.argv[1]))
except AlreadyRunning:
    print("lost", flush=True)
else:
    print("won", flush=True)
sys.stdin.readline()
"""
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", contender, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for start in starts:
        assert start.stdin
        start.stdin.write("\n")
        start.stdin.flush()
    results = [start.stdout.readline().strip() for start in starts if start.stdout]
    for start in starts:
        start.communicate("\n")

    assert sorted(results) == ["lost", "lost", "lost", "won"]


@pytest.mark.usefixtures("server")
def test_only_the_owner_can_open_it(folder: Path) -> None:
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600


def test_it_lies_in_no_shared_name_space_and_may_lie_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    server = ControlServer(deep)
    server.start(echo)

    assert list(ask([deep], {"verb": "deep"}, 10.0)) == [{"verb": "deep", "n": 0}]
    assert (deep / NAME).is_socket()
    server.shut_down()
    assert not (deep / NAME).exists()


def test_a_client_that_hangs_up_is_noticed(folder: Path) -> None:
    noticed = threading.Event()
    began = threading.Event()

    def wait(_: Request, reply: Reply, gone: Gone) -> None:
        reply({})
        began.set()
        if gone.wait(10.0):
            noticed.set()

    server = ControlServer(folder)
    server.start(wait)
    answers = ask([folder], {"verb": "x"}, 10.0)
    next(answers)
    assert began.wait(10.0)

    answers.close()  # type: ignore[attr-defined]

    assert noticed.wait(10.0)
    server.shut_down()


def test_what_shall_be_done_when_the_client_goes_is_done_once_before_or_after() -> None:
    done: list[str] = []
    gone = Gone()
    gone.then(lambda: done.append("before"))
    assert done == []

    gone.set()
    gone.then(lambda: done.append("after"))
    gone.set()

    assert done == ["before", "after"]


def test_shutting_down_ends_every_conversation(folder: Path) -> None:
    def wait(_: Request, reply: Reply, gone: Gone) -> None:
        reply({})
        gone.wait(10.0)

    server = ControlServer(folder)
    server.start(wait)
    answers = ask([folder], {"verb": "x"}, 10.0)
    next(answers)

    server.shut_down()

    assert list(answers) == []


@pytest.mark.parametrize("rubbish", [b"\n", b"null\n", b"[1]\n", b"{\n", b"\xff\n", b"x" * (17 << 20)])
@pytest.mark.usefixtures("server")
def test_rubbish_is_hung_up_on_and_the_next_is_answered(folder: Path, rubbish: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(10.0)
        raw.connect(os.fspath(folder / NAME))
        try:
            raw.sendall(rubbish)
            assert raw.recv(10) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass  # hung up before it had heard all of it

    expected: list[dict[str, Any]] = [{"verb": "x", "n": 0}]
    assert list(ask([folder], {"verb": "x"}, 10.0)) == expected
