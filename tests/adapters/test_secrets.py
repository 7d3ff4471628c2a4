"""The key of Azure Speech is kept in the system's keyring, and nobody waits for one that does not answer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.secrets import AzureKey, Found, Keyring, Origin, find
from lysnrai_desktop.core.faults import AzureKeyRefused, KeyringUnavailable
from lysnrai_desktop.core.secret import Secret
from tests.desktop.bus import session_bus
from tests.desktop.keyring import StandIn, gnome_keyring
from tests.desktop.processes import DEADLINE_S, eventually

KEY = Secret("0123456789abcdef0123456789abcdef")


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A session bus and a home that has no keyring yet."""
    folders = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    (tmp_path / "run").mkdir(mode=0o700)
    with session_bus(tmp_path, folders) as found:
        environment = {**folders, **found, "PATH": "/usr/bin:/bin"}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield environment


def test_a_key_goes_into_the_keyring_and_out_of_it(bus: dict[str, str], tmp_path: Path) -> None:
    with gnome_keyring(tmp_path, bus):
        keyring = Keyring()

        keyring.write(KEY)
        assert keyring.read() == KEY
        assert keyring.erase()
        assert keyring.read() == Secret()


def test_a_locked_keyring_that_can_ask_nobody_is_given_up(bus: dict[str, str], tmp_path: Path) -> None:
    with gnome_keyring(tmp_path, bus, locked=True), pytest.raises(KeyringUnavailable):
        Keyring().write(KEY)


def test_a_keyring_that_waits_for_its_user_is_not_waited_for_without_end() -> None:
    with pytest.raises(KeyringUnavailable):
        Keyring(patience_s=0.1, command=("sh", "-c", "exec sleep 1000")).read()


def test_without_a_keyring_the_key_is_said_to_be_nowhere() -> None:
    with pytest.raises(KeyringUnavailable):
        Keyring().write(KEY)
    assert find(Keyring(), {}) == Found(code="keyring.unavailable")


def test_a_keyring_that_keeps_nothing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")

    with pytest.raises(KeyringUnavailable):
        Keyring().write(KEY)


@pytest.mark.parametrize("command", [("false",), ("/no/such/program",), (sys.executable, "-c", "raise OSError")])
def test_whatever_happens_to_the_keyring_s_process_is_the_keyring_s_fault(command: tuple[str, ...]) -> None:
    with pytest.raises(KeyringUnavailable):
        Keyring(command=command).read()


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


def test_the_environment_comes_first_and_the_keyring_is_left_alone(stand_in: StandIn) -> None:
    stand_in.kept.write_text("of the keyring")
    environ = {"AZURE_SPEECH_KEY": " of-the-environment\n"}

    key = AzureKey(keyring=stand_in.keyring, environ=environ)
    key.look_once()
    key.shut_down()

    assert key.found == find(stand_in.keyring, environ)
    assert key.found == Found(Secret("of-the-environment"), Origin.ENVIRONMENT, "")
    assert stand_in.asked() == []


@pytest.mark.parametrize("where", ["environment", "keyring"])
def test_what_cannot_be_a_key_is_none_wherever_it_is(stand_in: StandIn, where: str) -> None:
    stand_in.kept.write_text("a key\nand a header")
    environ = {"AZURE_SPEECH_KEY": "a key\nand a header"} if where == "environment" else {}

    found = find(stand_in.keyring, environ)

    assert found == Found(code=AzureKeyRefused.code)


def test_the_app_learns_of_a_key_that_was_put_into_the_keyring(stand_in: StandIn, tmp_path: Path) -> None:
    changes: list[Found] = []
    key = AzureKey(lambda: changes.append(key.found), stand_in.keyring, environ={})
    key.look()  # before anybody wants Azure nobody is asked
    assert (stand_in.asked(), key.secret) == ([], Secret())

    key.look_once()
    eventually(lambda: stand_in.asked() == ["read"], "the keyring is asked")
    StandIn(tmp_path).keyring.write(KEY)  # by another process
    key.look_once()
    key.look()
    eventually(lambda: key.secret == KEY, "the key is known")
    key.shut_down()

    assert changes == [Found(KEY, Origin.KEYRING, "")]


def test_a_keyring_that_gave_no_answer_is_asked_again_and_one_that_answered_is_not(stand_in: StandIn) -> None:
    stand_in.kept.mkdir()  # cannot be read
    key = AzureKey(keyring=stand_in.keyring, environ={})
    key.look_once()
    eventually(lambda: key.found.code == KeyringUnavailable.code, "it gives no answer")

    stand_in.kept.rmdir()
    stand_in.kept.write_text(KEY.reveal())
    key.look_again()
    eventually(lambda: key.secret == KEY, "the key is known")
    key.look_again()
    key.shut_down()

    assert stand_in.asked() == ["read", "read"]


def test_the_end_of_the_app_waits_for_no_keyring() -> None:
    told = threading.Event()
    key = AzureKey(told.set, Keyring(command=("sh", "-c", "exec sleep 1000")), environ={})
    key.look_once()

    ending = threading.Thread(target=key.shut_down)
    ending.start()
    ending.join(DEADLINE_S)

    assert not ending.is_alive()
    assert not told.is_set()


STUCK = """
import os, pathlib, time
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        pathlib.Path(os.environ["ASKED"]).write_text(f"{os.getpid()}.")
        time.sleep(1000)

    set_password = delete_password = None
"""


def test_who_is_killed_while_a_keyring_waits_for_its_user_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    asked = tmp_path / "asked"
    environment = {"PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path)), "PYTHON_KEYRING_BACKEND": "stuck.Keyring"}
    ask = "from lysnrai_desktop.adapters.secrets import Keyring; Keyring().read()"

    with subprocess.Popen([sys.executable, "-c", ask], env={**environment, "ASKED": str(asked)}) as asking:
        eventually(lambda: asked.exists() and asked.read_text().endswith("."), "the keyring is asked")
        asking.kill()

    process = Path("/proc", asked.read_text().rstrip("."))
    eventually(lambda: not process.exists(), "its end")


def test_neither_key_nor_its_shape_can_be_read_from_what_is_found() -> None:
    assert KEY.reveal() not in repr(Found(KEY, Origin.KEYRING, ""))
