"""A stand-in for NetworkManager, on a bus of the test's own."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator

from jeepney import DBusAddress, HeaderFields, Message, MessageType, message_bus, new_method_return, new_signal
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.NetworkManager"
PATH = "/org/freedesktop/NetworkManager"
OFFLINE, SITE, ONLINE = 20, 60, 70
"""Of NMState: disconnected, connected to something near only, connected to all."""
YES, NO, GUESS_YES, GUESS_NO = 1, 2, 3, 4
"""Of NMMetered."""


class NetworkManager:
    """Answers what its properties are, and tells of each change."""

    def __init__(self, address: str, state: int = ONLINE, metered: int = NO) -> None:
        self._properties = {"State": ("u", state), "Metered": ("u", metered), "WirelessEnabled": ("b", True)}
        self.asked = 0
        self._bus = open_dbus_connection(address)
        self._bus.send_and_get_reply(message_bus.RequestName(NAME))
        self._lock = threading.Lock()
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="network-manager")
        self._thread.start()

    def change(self, **properties: int) -> None:
        changed = {name: ("u", value) for name, value in properties.items()}
        with self._lock:
            self._properties |= changed
            self._bus.send(properties_changed(changed))

    def was_asked(self, times: int) -> bool:
        return self.asked >= times

    def end(self) -> None:
        self._end.close()
        self._thread.join()
        self._ended.close()
        self._bus.close()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._bus.sock, self._ended], [], [])
            if self._ended in ready:
                return
            try:
                while True:
                    self._answer(self._bus.receive(timeout=0))
            except TimeoutError:
                continue
            except ConnectionError:
                return

    def _answer(self, message: Message) -> None:
        if message.header.message_type is not MessageType.method_call:
            return
        assert message.header.fields[HeaderFields.member] == "GetAll"
        assert message.body == (NAME,)
        with self._lock:
            self.asked += 1
            self._bus.send(new_method_return(message, "a{sv}", (self._properties,)))


def properties_changed(changed: dict[str, tuple[str, int]]) -> Message:
    place = DBusAddress(PATH, interface="org.freedesktop.DBus.Properties")
    return new_signal(place, "PropertiesChanged", "sa{sv}as", (NAME, changed, []))


@contextlib.contextmanager
def network_manager(address: str, state: int = ONLINE, metered: int = NO) -> Iterator[NetworkManager]:
    made = NetworkManager(address, state, metered)
    try:
        yield made
    finally:
        made.end()
