"""Whether there is a network, and whether it costs money: what NetworkManager says of it on the system bus.

    changed(online, metered)     once at the beginning, then whenever one of the two is another

A thread of its own listens; there is no clock in it. Every signal is only the occasion for a question: what counts is
the answer, since anybody may send us a signal. NetworkManager is never started by us. Where there is no system bus or
no NetworkManager, nothing is ever said and the thread ends; so it does when the bus goes away, for no session outlives
that by much.

What it says may be wrong, as of a network that NetworkManager does not look after: nobody may refrain from trying
because of it.

Source: NetworkManager 1.42, D-Bus reference, org.freedesktop.NetworkManager, NMState, NMMetered. Its state is 70 only
where it also takes the whole network to be in reach, so its Connectivity says nothing more.

Imports: jeepney. May be imported by: adapters.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger(__name__)

_NAME = "org.freedesktop.NetworkManager"
_PATH = "/org/freedesktop/NetworkManager"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_CONNECTED_GLOBAL = 70
_METERED = (1, 3)
"""Yes, and as far as NetworkManager can guess."""


class NetworkWatch:
    """Listens from its making to `shut_down`."""

    def __init__(self, changed: Callable[[bool, bool], None], environ: Mapping[str, str] = os.environ) -> None:
        """`changed`: gets online and metered, on our thread."""
        self._changed = changed
        self._address = environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "unix:path=/var/run/dbus/system_bus_socket"
        self._told: tuple[bool, bool] | None = None
        self._end, self._ended = socket.socketpair()
        threading.Thread(target=self._run, name="network", daemon=True).start()

    def shut_down(self) -> None:
        """Does not wait: something under way may still be told."""
        self._end.close()

    def _run(self) -> None:
        from jeepney.io.blocking import open_dbus_connection
        from jeepney.wrappers import DBusErrorResponse

        with self._ended:
            try:
                with open_dbus_connection(self._address) as bus:
                    self._listen(bus)
            except (OSError, ValueError, RuntimeError, DBusErrorResponse) as error:
                # No bus, an address that jeepney cannot use, a bus that refuses us or has ended.
                log.info("the network is not watched: %s", type(error).__name__)

    def _listen(self, bus: Any) -> None:
        from jeepney import DBusAddress, HeaderFields, MatchRule, MessageFlag, MessageType, Properties, message_bus

        rule = MatchRule(type="signal", sender=_NAME, interface=_PROPERTIES, member="PropertiesChanged", path=_PATH)
        rule.add_arg_condition(0, _NAME)
        question = Properties(DBusAddress(_PATH, _NAME, _NAME)).get_all()
        question.header.flags |= MessageFlag.no_auto_start
        bus.send(message_bus.AddMatch(rule))
        bus.send(question)
        while (message := self._next(bus)) is not None:
            kind, fields = message.header.message_type, message.header.fields
            if kind is MessageType.signal and fields[HeaderFields.member] == "PropertiesChanged":
                bus.send(question)
            elif kind is MessageType.method_return and fields.get(HeaderFields.signature) == "a{sv}":
                self._tell(message.body[0])
            elif kind is MessageType.error and self._told is None:
                log.info("the network is not watched: no NetworkManager")
                return

    def _next(self, bus: Any) -> Any:
        """The next message, or None at the end."""
        while True:
            try:
                return bus.receive(timeout=0)  # also what was read together with the one before
            except TimeoutError:
                ready, _, _ = select.select([bus.sock, self._ended], [], [])
                if self._ended in ready:
                    return None

    def _tell(self, properties: Mapping[str, tuple[str, Any]]) -> None:
        nothing = ("u", 0)
        online = properties.get("State", nothing)[1] == _CONNECTED_GLOBAL
        metered = properties.get("Metered", nothing)[1] in _METERED
        if self._told != (online, metered):
            self._told = online, metered
            self._changed(online, metered)
