"""The user is told by the desktop's own notifications, and a desktop without them does no harm."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from jeepney import DBusAddress, HeaderFields, MessageType, message_bus, new_error, new_method_return, new_signal
from jeepney.io.blocking import open_dbus_connection

from lysnrai_desktop.adapters.notifications import Notifications, has_owner
from tests.desktop.bus import Notification, notification_service, session_bus
from tests.desktop.processes import DEADLINE_S, eventually
from tests.desktop.screen import Screen

Home = tuple[Path, dict[str, str]]


class Service:
    """A notification service that writes down what it is asked to show."""

    def __init__(self, address: str, refuses: bool = False, can: tuple[str, ...] = ()) -> None:
        self._can = list(can)
        self.asked: list[tuple[Any, ...]] = []
        self._refuses = refuses
        self._connection = open_dbus_connection(address)
        self._connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.Notifications"))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                message = self._connection.receive(timeout=0.05)
            except TimeoutError:
                continue
            except ConnectionError:
                return
            if message.header.message_type is not MessageType.method_call:
                continue
            if message.header.fields[HeaderFields.member] == "GetCapabilities":
                self._connection.send(new_method_return(message, "as", (self._can,)))
                continue
            assert message.header.fields[HeaderFields.member] == "Notify"
            self.asked.append(message.body)
            if self._refuses:
                self._connection.send(new_error(message, "org.example.Refused"))
            else:
                self._connection.send(new_method_return(message, "u", (message.body[1] or len(self.asked) + 40,)))

    def press(self, number: int, key: str) -> None:
        """As if the user had pressed a button."""
        path = DBusAddress("/org/freedesktop/Notifications", interface="org.freedesktop.Notifications")
        self._connection.send(new_signal(path, "ActionInvoked", "us", (number, key)))

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.close()


class Desk:
    """A session bus that can end and come back, and what could not be shown on it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._bus = ExitStack()
        self._guests = ExitStack()
        self.unshown: list[str] = []
        self.environment: dict[str, str] = {}
        self.start_bus()

    def start_bus(self) -> None:
        self.environment |= self._bus.enter_context(session_bus(*self._home))

    def end_bus(self) -> None:
        self._bus.close()
        (self._home[0] / "bus").unlink(missing_ok=True)

    def end(self) -> None:
        self._guests.close()
        self.end_bus()

    def service(self, refuses: bool = False, can: tuple[str, ...] = ()) -> Service:
        service = Service(self.environment["DBUS_SESSION_BUS_ADDRESS"], refuses, can)
        self._guests.callback(service.end)
        return service

    def notifications(self, icon: Path | None = None) -> Notifications:
        made = Notifications(self.environment, icon, lambda summary, _: self.unshown.append(summary))
        self._guests.callback(made.shut_down)
        return made


@pytest.fixture
def desk(home_environment: Home) -> Iterator[Desk]:
    made = Desk(home_environment)
    yield made
    made.end()


def test_a_notification_says_what_is_wrong_and_what_to_do(desk: Desk) -> None:
    service = desk.service()
    icon = Path("/usr/share/an icon.svg")

    desk.notifications(icon).show("disk.full", "The disk is full.", "Free some space.")
    app, replaces, picture, summary, body, actions, hints, expires = eventually(lambda: service.asked, "asked")[0]

    assert (app, replaces, summary, body) == ("LysnrAI", 0, "The disk is full.", "Free some space.")
    assert (picture, actions, expires) == ("file:///usr/share/an%20icon.svg", [], -1)
    assert hints["desktop-entry"] == ("s", "lysnrai")


def test_a_notification_takes_the_place_of_the_last_of_its_kind(desk: Desk) -> None:
    service = desk.service()
    notifications = desk.notifications()

    for kind in ("disk.full", "bug", "disk.full", "disk.full"):
        notifications.show(kind, "Summary.", "Body.")
    notifications.shut_down()

    assert [asked[1] for asked in service.asked] == [0, 0, 41, 41]


def test_a_real_notification_service_shows_it(home_environment: Home, screen: Screen) -> None:
    folder, _ = home_environment
    with session_bus(folder, screen.environment) as bus:
        environment = {**screen.environment, **bus}
        with notification_service(folder, environment) as service:
            notifications = Notifications(environment)

            notifications.show("disk.full", "The disk is full.", "Free some space.")

            assert eventually(service.shown, "shown") == [
                Notification("LysnrAI", "The disk is full.", "Free some space.")
            ]
            notifications.shut_down()


@pytest.mark.parametrize("address", ["", "unix:path=/no/such/bus", "tcp:host=localhost", "nonsense"])
def test_without_a_session_bus_nothing_fails_but_the_count(address: str) -> None:
    unshown: list[str] = []
    notifications = Notifications(
        {"DBUS_SESSION_BUS_ADDRESS": address}, None, lambda summary, _: unshown.append(summary)
    )

    notifications.show("bug", "One.", "")
    notifications.show("bug", "Two.", "")
    notifications.shut_down()

    assert unshown == ["One.", "Two."]
    assert notifications.failures == 2


def test_without_a_notification_service_the_text_is_handed_back(desk: Desk) -> None:
    notifications = desk.notifications()

    notifications.show("bug", "One.", "")
    notifications.shut_down()

    assert desk.unshown == ["One."]


def test_a_service_that_refuses_is_counted_and_asked_again_next_time(desk: Desk) -> None:
    service = desk.service(refuses=True)
    notifications = desk.notifications()

    notifications.show("bug", "One.", "")
    notifications.show("bug", "Two.", "")
    notifications.shut_down()

    assert desk.unshown == ["One.", "Two."]
    assert len(service.asked) == 2


def test_a_bus_that_was_started_anew_is_found_again(desk: Desk) -> None:
    notifications = desk.notifications()
    first = desk.service()
    notifications.show("bug", "One.", "")
    eventually(lambda: first.asked, "the first is shown")

    desk.end_bus()
    desk.start_bus()
    second = desk.service()
    notifications.show("bug", "Two.", "")

    assert eventually(lambda: second.asked, "the second is shown")[0][1] == 0, "identifiers of the old bus are void"


def test_a_service_that_hangs_holds_up_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lysnrai_desktop.adapters.notifications.ANSWER_S", 0.05)
    connection = open_dbus_connection(desk.environment["DBUS_SESSION_BUS_ADDRESS"])
    connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.Notifications"))
    notifications = desk.notifications()

    notifications.show("bug", "One.", "")
    eventually(lambda: desk.unshown, "given up", DEADLINE_S)
    connection.close()

    assert desk.unshown == ["One."]


def test_a_pressed_button_does_what_stands_on_it_and_only_its_own(desk: Desk) -> None:
    service = desk.service(can=("body", "actions"))
    notifications = desk.notifications()
    pressed: queue.SimpleQueue[str] = queue.SimpleQueue()

    notifications.show("plain", "No button.", "")
    notifications.show(
        "takes", "Two buttons.", "", (("Yes", lambda: pressed.put("yes")), ("No", lambda: pressed.put("no")))
    )
    eventually(lambda: len(service.asked) == 2, "both are shown")
    assert service.asked[1][5] == ["0", "Yes", "1", "No"]
    for number, key in ((41, "0"), (42, "default"), (7, "0"), (42, "1"), (42, "0")):
        service.press(number, key)

    assert [pressed.get(timeout=DEADLINE_S) for _ in range(2)] == ["no", "yes"]
    assert pressed.empty()


def test_buttons_of_a_notification_that_was_replaced_do_nothing(desk: Desk) -> None:
    service = desk.service(can=("actions",))
    notifications = desk.notifications()
    pressed: queue.SimpleQueue[str] = queue.SimpleQueue()

    notifications.show("takes", "Old.", "", (("Yes", lambda: pressed.put("old")),))
    notifications.show("takes", "New.", "", (("Yes", lambda: pressed.put("new")),))
    eventually(lambda: len(service.asked) == 2, "both are shown")
    service.press(41, "0")

    assert pressed.get(timeout=DEADLINE_S) == "new"


def test_a_service_without_buttons_gets_none(desk: Desk) -> None:
    service = desk.service(can=("body",))

    desk.notifications().show("takes", "Summary.", "Body.", (("Yes", lambda: pytest.fail("pressed")),))

    assert eventually(lambda: service.asked, "shown")[0][5] == []


def test_a_bus_that_ends_while_a_button_is_waited_for_costs_no_time(desk: Desk) -> None:
    service = desk.service(can=("actions",))
    notifications = desk.notifications()
    notifications.show("takes", "One.", "", (("Yes", lambda: None),))
    eventually(lambda: service.asked, "shown")
    desk.end_bus()

    before = time.process_time()
    notifications.shut_down()
    assert time.process_time() - before < 0.5, "it does not spin"
    desk.start_bus()
    again = desk.service(can=("actions",))
    notifications.show("takes", "Two.", "", (("Yes", lambda: None),))

    assert eventually(lambda: again.asked, "shown")[0][5] == ["0", "Yes"]


def test_it_can_be_used_from_any_thread(desk: Desk) -> None:
    service = desk.service()
    notifications = desk.notifications()

    def told(name: str) -> Callable[[], None]:
        return lambda: notifications.show(name, name, "")

    threads = [threading.Thread(target=told(f"kind {number}")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notifications.shut_down()

    assert {asked[3] for asked in service.asked} == {f"kind {number}" for number in range(8)}


def test_whether_there_is_a_service_can_be_asked(desk: Desk) -> None:
    before = has_owner("org.freedesktop.Notifications", desk.environment)
    desk.service()

    assert not before
    assert has_owner("org.freedesktop.Notifications", desk.environment)


def test_without_a_bus_there_is_no_service() -> None:
    assert not has_owner("org.freedesktop.Notifications", {})
