"""The far side of the process border: `python -m lysnrai_desktop.engines.host NAME`.

    stdin ──▶ reader thread ──▶ inbox ──▶ serving thread ──▶ the engine ──▶ private copy of stdout
              (never waits)              (obeys in order)

What is decided here: that messages are obeyed in order and become void with their session; what ends the process. What
an engine does with audio is its own business. A `Start` or `Cancel` makes all work of earlier sessions unwanted the
moment it is *read*, so an engine that asks `wanted()` between two pieces stops there; a `Ping` is answered as it is
read, whatever the engine is doing. What testers inject befalls every engine alike, here.

The process ends, at once and whatever it is doing, when it is told to, when its input ends (the app is gone, however it
went), or when any of its threads fails. Descriptor 1 is pointed at stderr before any library is imported: a stray print
cannot get between the messages. Nothing of a session is ever written to stderr.

Imports: core. May be imported by: calibration; the engines beside it are imported by name.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
import time
import traceback
from functools import partial
from typing import BinaryIO, NoReturn

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.faults import AzureSdkMissing, Fault
from lysnrai_desktop.engines.engine import Engine, Hearing, Say, Wanted

SLOW_S = 3.0
"""How late a tester's slow engine is."""


def make_engine(name: str, arguments: list[str], say: Say, messages_fd: int) -> Engine:
    """Import and build an engine by name. Raises AzureSdkMissing."""
    match name:
        case "whisper":
            from lysnrai_desktop.engines.whisper import WhisperEngine

            return WhisperEngine(say)
        case "files":
            from lysnrai_desktop.engines.batch import BatchEngine

            return BatchEngine(say)
        case "azure":
            try:
                from lysnrai_desktop.engines.azure import AzureEngine
            except ModuleNotFoundError as error:
                if error.name is None or error.name.partition(".")[0] != "azure":
                    raise
                raise AzureSdkMissing(error.name) from None
            except OSError:  # a library that the SDK loads
                raise AzureSdkMissing("it cannot be loaded") from None
            return AzureEngine(say)
        case "scripted":
            from lysnrai_desktop.engines.scripted import ScriptedEngine

            return ScriptedEngine(say, arguments, messages_fd)
        case _:
            raise SystemExit(f"no engine is called {name!r}")


class Inbox:
    """Messages in order, each with the number of the `Start` or `Cancel` it came under."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[tuple[int, wire.Message]] = queue.SimpleQueue()
        self._newest = 0
        self._obeyed = True
        """All that was taken out."""
        self.engine: Engine | None = None
        """Who obeys, once it is there."""

    def put(self, message: wire.Message) -> None:
        if isinstance(message, wire.Start | wire.Cancel):
            self._newest += 1
        self._messages.put((self._newest, message))

    def get(self) -> tuple[int, wire.Message]:
        self._obeyed = True
        message = self._messages.get()
        self._obeyed = False
        return message

    def is_behind(self) -> bool:
        """Whether something that was read is not done with: by whoever obeys, or by the engine for itself."""
        waits = not self._obeyed or not self._messages.empty()
        return waits or (self.engine is not None and self.engine.is_at_work())

    def is_newest(self, number: int) -> bool:
        return number == self._newest


def serve(engine: Engine, inbox: Inbox, say: Say) -> None:
    """Obey until the model cannot be loaded; `Quit` ends the process before it comes here."""
    hearing: Hearing | None = None
    hears = 0
    injected = ""
    while True:
        number, message = inbox.get()
        if not inbox.is_newest(number) and not isinstance(message, wire.Prepare | wire.Inject):
            continue
        match message:
            case wire.Load() | wire.Connect():
                try:
                    say(engine.load(message))
                except Fault as fault:
                    say(wire.Failed(0, fault.code))
                    return
            case wire.Inject(fault=fault) if hearing:
                hearing = None
                say(wire.Failed(hears, wire.INJECTED[fault]))
            case wire.Inject(fault=fault):
                injected = wire.INJECTED[fault]
            case wire.Start(session=session):
                hears = session
                hearing = _start(engine, message, partial(inbox.is_newest, number), injected, say)
                injected = ""
            case wire.Audio(session=session) if hearing and session == hears:
                hearing.audio(message)
            case wire.Finish(session=session) if hearing and session == hears:
                hearing.finish()
                hearing = None
            case wire.Cancel():
                hearing = None
            case _:
                pass  # the rest of a session that failed


def _start(engine: Engine, start: wire.Start, wanted: Wanted, injected: str, say: Say) -> Hearing | None:
    try:
        if not injected:
            return engine.start(start, wanted)
    except Fault as fault:
        injected = fault.code
    say(wire.Failed(start.session, injected))
    return None


class Mouth:
    """Says messages, and what a tester makes of that."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._fault = ""
        self._late: queue.SimpleQueue[tuple[float, wire.FromEngine]] | None = None

    def __call__(self, message: wire.FromEngine) -> None:
        if self._fault == "mute":
            return
        if self._late is None or isinstance(message, wire.Pong):
            self._say(message)
        else:  # and so for the rest: nothing may overtake what is late
            self._late.put((time.monotonic() + (SLOW_S if self._fault == "slow" else 0.0), message))

    def befall(self, fault: str) -> None:
        if fault == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        self._fault = fault
        if fault == "slow" and self._late is None:
            self._late = queue.SimpleQueue()
            threading.Thread(target=self._say_late, args=(self._late,), name="saying late", daemon=True).start()

    def _say_late(self, late: queue.SimpleQueue[tuple[float, wire.FromEngine]]) -> None:
        while True:
            at, message = late.get()
            time.sleep(max(0.0, at - time.monotonic()))
            self._say(message)


def _read(pipe: BinaryIO, inbox: Inbox, say: Mouth) -> None:
    """Fill the inbox; end the process with the pipe, even while a native library is busy."""
    is_tester = os.environ.get("LYSNRAI_TESTER") == "1"
    decoder = wire.Decoder()
    while received := os.read(pipe.fileno(), 1 << 16):
        for message in decoder.feed(received):
            if isinstance(message, wire.Quit):
                _leave(0)
            elif isinstance(message, wire.Ping):
                say(wire.Pong(round(time.process_time() * 1000), inbox.is_behind()))
            elif not isinstance(message, wire.Inject) or (is_tester and message.fault in wire.INJECTED):
                inbox.put(message)
            elif is_tester:
                say.befall(message.fault)
    _leave(0)


def _leave(code: int) -> NoReturn:
    sys.stderr.flush()
    os._exit(code)


def leave_with_traceback(failure: threading.ExceptHookArgs) -> None:
    """For threading.excepthook: who waits for that thread would wait for ever."""
    traceback.print_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    _leave(1)


def die_with_parent() -> None:
    if sys.platform == "linux":
        # Covers what the end of the input does not: a native call that holds the interpreter while the app is killed.
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main(arguments: list[str]) -> None:
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the app's terminal is the app's to handle
    die_with_parent()
    os.environ["HF_HUB_OFFLINE"] = "1"  # a folder that lacks a file is a fault, not a reason to go to the network
    threading.excepthook = leave_with_traceback
    lock = threading.Lock()

    def say(message: wire.FromEngine) -> None:
        frame = memoryview(wire.encode(message))
        with lock:
            while frame:
                try:
                    frame = frame[pipe.write(frame) or 0 :]
                except BrokenPipeError:
                    _leave(0)

    name, *rest = arguments
    say(wire.Hello(wire.VERSION, name))
    inbox, mouth = Inbox(), Mouth(say)
    threading.Thread(target=_read, args=(sys.stdin.buffer, inbox, mouth), name="reader", daemon=True).start()
    try:
        engine = inbox.engine = make_engine(name, rest, mouth, pipe.fileno())
    except Fault as fault:
        mouth(wire.Failed(0, fault.code))
        _leave(1)
    serving = threading.Thread(target=serve, args=(engine, inbox, mouth), name="serving", daemon=True)
    serving.start()  # a thread like the others, so that whichever fails, the process ends the same way
    serving.join()
    _leave(1)


if __name__ == "__main__":
    main(sys.argv[1:])
