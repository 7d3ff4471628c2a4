"""The key of Azure Speech: AZURE_SPEECH_KEY, else the system's keyring. Never a file of ours.

    AzureKey    what is known of it now, for the running app: never waits
       │ a thread
    find()      waits for the keyring
       │
    Keyring     read, write, erase ── pipes ──▶ python -m lysnrai_desktop.adapters.secrets VERB ──▶ library `keyring`

The keyring is spoken to by a process of its own. A locked one asks its user for a password, and the call then lasts as
long as he takes, or for ever where nobody can show the question (SecretStorage issue 33, open): a process can be ended,
a call cannot. Nor do the library's plug-ins, which may be anybody's, come into the app. The key goes through pipes,
never through an argument or a variable.

Imports: core. May be imported by: app, cli, doctor.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lysnrai_desktop.core.faults import AzureKeyRefused, AzureNotConfigured, KeyringUnavailable
from lysnrai_desktop.core.secret import Secret
from lysnrai_desktop.core.settings import AzureSettings

log = logging.getLogger(__name__)

VARIABLE = "AZURE_SPEECH_KEY"
PATIENCE_S = 60.0
"""For the user to type his keyring's password. One that is unlocked takes 0.8 s, mostly the start of Python."""

_SERVICE, _USER = "LysnrAI", "azure.speech"
"""The entry's name in the keyring. Once released, never another."""
# -P: a file keyring.py in the folder that the app was started in is nobody's library
_COMMAND = (sys.executable, "-P", "-m", "lysnrai_desktop.adapters.secrets")
_DONE, _NONE, _UNAVAILABLE = 0, 3, 4


class Keyring:
    """The system's keyring. Each call blocks, PATIENCE_S at most; each raises KeyringUnavailable."""

    def __init__(self, patience_s: float = PATIENCE_S, command: Sequence[str] = _COMMAND) -> None:
        self._patience_s = patience_s
        self._command = tuple(command)
        self._child: subprocess.Popen[str] | None = None
        self._ended = False
        self._owner = threading.Lock()

    def read(self) -> Secret:
        """The key, empty if there is none. Raises AzureKeyRefused too, for what cannot be one."""
        status, text = self._ask("read")
        if status == _NONE:
            return Secret()
        return _secret(text)

    def write(self, secret: Secret) -> None:
        self._ask("write", secret.reveal())

    def erase(self) -> bool:
        """Whether there was one."""
        return self._ask("erase")[0] == _DONE

    def shut_down(self) -> None:
        """Let nobody wait any longer. Any thread."""
        with self._owner:
            self._ended = True
            if self._child is not None:
                self._child.kill()

    def _ask(self, verb: str, text: str = "") -> tuple[int, str]:
        child = self._start(verb)
        try:
            said, _ = child.communicate(text, timeout=self._patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            raise KeyringUnavailable("no answer in time") from None
        finally:
            with self._owner:
                self._child = None
        if child.returncode not in (_DONE, _NONE):
            raise KeyringUnavailable(f"exit status {child.returncode}")
        return child.returncode, said

    def _start(self, verb: str) -> subprocess.Popen[str]:
        with self._owner:
            if self._ended:
                raise KeyringUnavailable("the app ends")
            try:
                self._child = subprocess.Popen(
                    (*self._command, verb),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # a plug-in may say anything
                    encoding="utf-8",
                    errors="replace",
                )
            except OSError:
                raise KeyringUnavailable("its process cannot be started") from None
            return self._child


class Origin(StrEnum):
    ENVIRONMENT = "environment"
    KEYRING = "keyring"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Found:
    """The key, and where it was; or why there is none."""

    secret: Secret = Secret()
    origin: Origin = Origin.NOWHERE
    code: str = AzureNotConfigured.code
    """Of a fault, "" where there is a key."""


def find(keyring: Keyring, environ: Mapping[str, str] = os.environ) -> Found:
    """The key as it is now. Blocks while the keyring is asked, which it is not if the environment has a key."""
    try:
        if environ.get(VARIABLE):
            return Found(_secret(environ[VARIABLE]), Origin.ENVIRONMENT, "")
        secret = keyring.read()
    except (AzureKeyRefused, KeyringUnavailable) as fault:
        return Found(code=fault.code)
    return Found(secret, Origin.KEYRING, "") if secret else Found()


def missing(azure: AzureSettings, found: Found) -> str:
    """Why Azure Speech cannot be asked: a fault's code, "" if it can."""
    return found.code or ("" if azure.is_located else AzureNotConfigured.code)


def _secret(text: str) -> Secret:
    try:
        return Secret(text)
    except ValueError:
        raise AzureKeyRefused("it has characters that no key has") from None


class AzureKey:
    """The key for the running app. `found` may be read at any time, on any thread; it is replaced as a whole."""

    def __init__(
        self,
        changed: Callable[[], None] = lambda: None,
        keyring: Keyring | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`changed`: called on a thread of ours when another key, or another reason for none, was found."""
        self._changed = changed
        self._keyring = keyring or Keyring()
        self._environ = environ
        self._wishes: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ends = False
        self.found = find(self._keyring, environ) if environ.get(VARIABLE) else Found()

    @property
    def secret(self) -> Secret:
        return self.found.secret

    def look_once(self) -> None:
        """Ask the keyring, unless it was asked before. GUI thread; returns at once."""
        if self._thread is None and not self._environ.get(VARIABLE):
            self._thread = threading.Thread(target=self._run, name="azure-key", daemon=True)
            self._thread.start()
            self.look()

    def look(self) -> None:
        """Ask the keyring again, if it was asked before: what is in it may be another. Any thread; returns at once."""
        if self._thread is not None:
            self._wishes.put(True)

    def look_again(self) -> None:
        """Ask a keyring that gave no answer: it may be unlocked by now. Any thread; returns at once."""
        if self.found.code == KeyringUnavailable.code:
            self.look()

    def shut_down(self) -> None:
        self._ends = True
        self._wishes.put(False)
        self._keyring.shut_down()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._wishes.get():
            while not self._wishes.empty():  # one look answers all who asked before it
                if not self._wishes.get():
                    return
            found = find(self._keyring, self._environ)
            if found != self.found and not self._ends:
                self.found = found
                log.info("the key of Azure Speech: %s", found.code or found.origin)
                self._changed()


# --- the keyring's process ------------------------------------------------------------------------------------


def main(verb: str) -> int:
    """Do one thing with the keyring; the key comes on standard input and goes to standard output."""
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    try:
        match verb:
            case "read":
                text = keyring.get_password(_SERVICE, _USER)
                if text is None:
                    return _NONE
                sys.stdout.write(text)
            case "write":
                text = sys.stdin.read()
                keyring.set_password(_SERVICE, _USER, text)
                if keyring.get_password(_SERVICE, _USER) != text:  # there are back ends that keep nothing
                    return _UNAVAILABLE
            case "erase":
                with contextlib.suppress(PasswordDeleteError):
                    keyring.delete_password(_SERVICE, _USER)
                    return _DONE
                return _NONE
            case _:
                raise ValueError("no such verb")
    except KeyringError:
        return _UNAVAILABLE
    return _DONE


def _die_with_parent() -> None:
    """A keyring that waits for its user would keep this process when whoever asked has been killed."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    _die_with_parent()
    sys.exit(main(sys.argv[1]))
