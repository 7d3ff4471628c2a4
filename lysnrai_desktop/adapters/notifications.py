"""Desktop notifications, by the Desktop Notifications Specification 1.2 over the session bus.

A thread of its own, started with the first notification, speaks to the bus; every wait on it is bounded, but for the
one for a button to be pressed. One connection is kept: GNOME takes a program's notifications away with its connection.
What cannot be shown is counted and handed to `unshown`; it never raises, for the same fault is in the status and in
the tray. Buttons are a courtesy of services that have them: what they do must be possible elsewhere too.

Imports: jeepney. May be imported by: app.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

ANSWER_S = 5.0
"""A notification service that the bus must start first needs a second or two."""
CLOSING_S = 2.0

_APP = "LysnrAI"
_NAME = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"

Button = tuple[str, Callable[[], None]]
"""What stands on it, and what it does, on the notifications' thread."""


@dataclass(frozen=True, slots=True)
class _Message:
    kind: str
    summary: str
    body: str
    buttons: Sequence[Button]


@dataclass(frozen=True, slots=True)
class _Wake:
    """Wakes a thread that waits for bus and queue at the same time."""

    read: int
    write: int


class Notifications:
    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        icon: Path | None = None,
        unshown: Callable[[str, str], None] = lambda _summary, _body: None,
    ) -> None:
        """`icon`: a picture file. `unshown`: gets summary and body of what could not be shown, on our thread."""
        self._environ = environ
        self._icon = icon.as_uri() if icon else ""
        self._unshown = unshown
        self._messages: queue.SimpleQueue[_Message | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._wake = _Wake(-1, -1)
        self._starting = threading.Lock()
        self._ids: dict[str, int] = {}
        self._connection: Any = None
        self._buttons: dict[int, Sequence[Button]] = {}
        """By the notification's number; only where the service has buttons."""
        self._has_buttons: bool | None = None
        """None until this connection's service was asked."""
        self._pressed: deque[Any] = deque()
        self.failures = 0
        """How many could not be shown."""

    def show(self, kind: str, summary: str, body: str, buttons: Sequence[Button] = ()) -> None:
        """Show a notification in place of the last one of this kind. Plain text: no `<`, no `&`. Returns at once."""
        with self._starting:
            if self._thread is None:
                self._wake = _Wake(*os.pipe())
                self._thread = threading.Thread(target=self._run, args=(self._wake,), name="notifications", daemon=True)
                self._thread.start()
            self._messages.put(_Message(kind, summary, body, buttons))
            os.write(self._wake.write, b"w")

    def shut_down(self) -> None:
        """Show what is still to be shown, and end; does not wait longer than CLOSING_S for a bus that hangs."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._messages.put(None)
                os.write(self._wake.write, b"w")
        if thread is not None:
            thread.join(CLOSING_S)

    def _run(self, wake: _Wake) -> None:
        while (message := self._next(wake)) is not None:
            if not self._shown(message):
                self.failures += 1
                self._unshown(message.summary, message.body)
        self._disconnect()
        os.close(wake.read)
        os.close(wake.write)

    def _next(self, wake: _Wake) -> _Message | None:
        """The next message; what comes from the bus meanwhile is listened to."""
        while True:
            self._listen()
            sockets = [self._connection.sock] if self._connection is not None else []
            ready, _, _ = select.select([wake.read, *sockets], [], [])
            if wake.read in ready:
                os.read(wake.read, 1)  # one for each message
                return self._messages.get()

    def _listen(self) -> None:
        """Take what has come from the bus, and do what is wanted."""
        try:
            while self._connection is not None:
                self._connection.recv_messages(timeout=0)
        except TimeoutError:
            pass
        except (OSError, ValueError, RuntimeError):
            self._disconnect()  # the bus has ended; the next message will look for another
        while self._pressed:
            number, key = self._pressed.popleft().body
            for place, (_, press) in enumerate(self._buttons.get(number, ())):
                if key == str(place):
                    press()

    def _shown(self, message: _Message) -> bool:
        from jeepney.wrappers import DBusErrorResponse

        kept = self._connection is not None
        try:
            self._send(message)
        except DBusErrorResponse:
            log.info("the notification service refused")
        except (OSError, ValueError, RuntimeError) as error:
            # No address, one that jeepney cannot use, no bus, one that refuses us, ended or does not answer.
            log.info("no notification: %s", type(error).__name__)
            self._disconnect()
            return kept and not isinstance(error, TimeoutError) and self._shown(message)
        else:
            return True
        return False

    def _send(self, message: _Message) -> None:
        from jeepney import DBusAddress, new_method_call
        from jeepney.io.blocking import open_dbus_connection
        from jeepney.wrappers import unwrap_msg

        if self._connection is None:
            self._connection = open_dbus_connection(_bus_address(self._environ))
            self._ids.clear()
            self._buttons.clear()
            self._has_buttons = None
        service = DBusAddress(_PATH, _NAME, _NAME)
        buttons = message.buttons if message.buttons and self._can_have_buttons(service) else ()
        actions = [word for place, (label, _) in enumerate(buttons) for word in (str(place), label)]
        hints = {"desktop-entry": ("s", "lysnrai"), "urgency": ("y", 1)}
        call = new_method_call(
            service,
            "Notify",
            "susssasa{sv}i",
            (_APP, self._ids.get(message.kind, 0), self._icon, message.summary, message.body, actions, hints, -1),
        )
        (number,) = unwrap_msg(self._connection.send_and_get_reply(call, timeout=ANSWER_S))
        self._ids[message.kind] = number
        self._buttons[number] = buttons

    def _can_have_buttons(self, service: Any) -> bool:
        from jeepney import MatchRule, message_bus, new_method_call
        from jeepney.wrappers import unwrap_msg

        if self._has_buttons is None:
            question = new_method_call(service, "GetCapabilities")
            (can,) = unwrap_msg(self._connection.send_and_get_reply(question, timeout=ANSWER_S))
            self._has_buttons = "actions" in can
            if self._has_buttons:
                rule = MatchRule(type="signal", interface=_NAME, member="ActionInvoked", path=_PATH)
                self._connection.filter(rule, queue=self._pressed)
                unwrap_msg(self._connection.send_and_get_reply(message_bus.AddMatch(rule), timeout=ANSWER_S))
        return self._has_buttons

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def has_owner(name: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a program offers this name on the session bus now. Blocks, ANSWER_S at most."""
    from jeepney import DBusAddress, new_method_call
    from jeepney.io.blocking import open_dbus_connection
    from jeepney.wrappers import DBusErrorResponse, unwrap_msg

    bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    try:
        with open_dbus_connection(_bus_address(environ)) as connection:
            question = new_method_call(bus, "NameHasOwner", "s", (name,))
            return bool(unwrap_msg(connection.send_and_get_reply(question, timeout=ANSWER_S))[0])
    except (OSError, ValueError, RuntimeError, DBusErrorResponse):
        return False


def _bus_address(environ: Mapping[str, str]) -> str:
    """The session bus; where its address is not said, the place where systemd has it.

    Raises:
        ValueError: neither is said.
    """
    address = environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if not address and not runtime:
        raise ValueError("no session bus")
    return address or f"unix:path={runtime}/bus"
