"""What the running app does for `lysnrai VERB`: requests in, answers out.

    toggle start stop cancel    post the wish; the answer is the status after it was looked at
    status [follow]             the present status, then one for each change
    insert                      text to the window that has the focus; the answer says where it is now
    backend                     who recognises speech, from now on; the answer says if that cannot be written down
    azure-key                   the key in the keyring may be another
    undo                        take the last insertion back; the answer says how sure that is, or that it cannot be
    quit                        end the app; the conversation ends when it has

What is absent: sockets (adapters/control_socket.py) and words for people (cli).

Imports: core, ports. May be imported by: app.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from lysnrai_desktop.core.dictation import Cancel, Start, Stop
from lysnrai_desktop.core.faults import Fault, InsertUnavailable
from lysnrai_desktop.core.insertion import Undone
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ports import Delivered, Inserter
from lysnrai_desktop.runtime.items import Item, Toggle
from lysnrai_desktop.runtime.loop import DictationLoop

WISHES: dict[object, Callable[[float], Item]] = {"toggle": Toggle, "start": Start, "stop": Stop, "cancel": Cancel}
INSERT_S = 30.0
"""Longer than the inserter's own bounds together."""
QUIT_S = 10.0
_BACKENDS = ("auto", "azure", "local")
"""As the setting engine.backend has them."""

Reply = Callable[[dict[str, Any]], None]


class Gone(Protocol):
    """Whether the client, or the server, has gone."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...

    def then(self, call: Callable[[], None]) -> None:
        """Call this once it has; at once if it has by now."""


@dataclass(frozen=True, slots=True)
class Control:
    """Answers requests, each on the thread of its own connection."""

    loop: DictationLoop
    inserter: Inserter | None
    quit: Callable[[], None]
    choose_backend: Callable[[str], None]
    """Raises Fault."""
    look_for_key: Callable[[], None]

    def answer(self, request: dict[str, Any], reply: Reply, gone: Gone) -> None:
        """Answer one request with one or more objects; {"error": …} for one that makes no sense."""
        verb = request.get("verb")
        if verb in WISHES:
            self.loop.post(WISHES[verb](time.monotonic()))
            self._statuses(reply, gone, follow=False)
        elif verb == "status":
            self._statuses(reply, gone, follow=request.get("follow") is True)
        elif verb == "insert" and isinstance(request.get("text"), str):
            reply(self._insert(SpokenText(request["text"])))
        elif verb == "undo":
            reply(self._undo())
        elif verb == "backend" and request.get("name") in _BACKENDS:
            reply(self._choose_backend(request["name"]))
        elif verb == "azure-key":
            self.look_for_key()
            reply({})
        elif verb == "quit":
            reply({})
            self.quit()
            gone.wait(QUIT_S)
        elif verb == "show":
            self._statuses(reply, gone, follow=False)
        else:
            reply({"error": "unknown verb"})

    def _statuses(self, reply: Reply, gone: Gone, follow: bool) -> None:
        changes: queue.SimpleQueue[Status | None] = queue.SimpleQueue()
        unwatch = self.loop.watch(changes.put)
        gone.then(lambda: changes.put(None))
        last = None
        try:
            while (status := changes.get()) is not None:
                shown = status.as_dict()
                if shown != last:  # what changed may be the text, which is not told
                    reply(shown)
                last = shown
                if not follow:
                    return
        finally:
            unwatch()

    def _insert(self, text: SpokenText) -> dict[str, Any]:
        if self.inserter is None:
            return {"error": InsertUnavailable.code}
        results: queue.SimpleQueue[Delivered | Fault] = queue.SimpleQueue()
        try:
            self.inserter.insert(text, self.inserter.capture(), results.put)
            result = results.get(timeout=INSERT_S)
        except Fault as fault:
            result = fault
        except queue.Empty:
            result = InsertUnavailable("the inserter does not answer")
        if isinstance(result, Fault):
            return {"error": result.code}
        return {"delivery": result.delivery.value, "code": result.code}

    def _choose_backend(self, name: str) -> dict[str, Any]:
        try:
            self.choose_backend(name)
        except Fault as fault:
            return {"error": fault.code}
        return {}

    def _undo(self) -> dict[str, Any]:
        if self.inserter is None:
            return {"error": InsertUnavailable.code}
        results: queue.SimpleQueue[Undone | Fault] = queue.SimpleQueue()
        self.inserter.undo(results.put)
        try:
            result = results.get(timeout=INSERT_S)
        except queue.Empty:
            result = InsertUnavailable("the inserter does not answer")
        return {"error": result.code} if isinstance(result, Fault) else {"undone": result.value}
