"""Whether there is a network, and whether it costs money, is told at once; without anybody who knows, nothing is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from jeepney import HeaderFields
from jeepney.io.blocking import open_dbus_connection

from lysnrai_desktop.adapters.network import NetworkWatch
from tests.desktop.bus import session_bus
from tests.desktop.network import (
    GUESS_NO,
    GUESS_YES,
    NO,
    OFFLINE,
    ONLINE,
    SITE,
    YES,
    network_manager,
    properties_changed,
)
from tests.desktop.processes import eventually

Told = list[tuple[bool, bool]]


@pytest.fixture
def address(home_environment: tuple[Path, dict[str, str]]) -> Iterator[str]:
    """Of a bus in the system bus's place."""
    with session_bus(*home_environment) as bus:
        yield bus["DBUS_SESSION_BUS_ADDRESS"]


@contextlib.contextmanager
def watching(address: str) -> Iterator[Told]:
    """Yields what is told, as it comes."""
    told: Told = []
    watch = NetworkWatch(lambda online, metered: told.append((online, metered)), {"DBUS_SYSTEM_BUS_ADDRESS": address})
    try:
        yield told
    finally:
        watch.shut_down()
    eventually(has_ended, "the thread ends")


def has_ended() -> bool:
    return not any(thread.name == "network" for thread in threading.enumerate())


def test_what_is_there_is_told_and_then_each_change_once(address: str) -> None:
    with network_manager(address) as manager, watching(address) as told:
        eventually(partial(manager.was_asked, 1), "it is asked what is there")

        for asked, (state, metered) in enumerate(
            [(OFFLINE, NO), (SITE, NO), (ONLINE, GUESS_YES), (ONLINE, YES), (ONLINE, GUESS_NO)], start=2
        ):
            manager.change(State=state, Metered=metered)
            eventually(partial(manager.was_asked, asked), "it is asked again")

        eventually(lambda: told == [(True, False), (False, False), (True, True), (True, False)], "what has changed")


@pytest.mark.parametrize(
    ("metered", "costs"), [(YES, True), (GUESS_YES, True), (NO, False), (GUESS_NO, False), (0, False)]
)
def test_a_guess_is_as_good_as_knowledge(address: str, metered: int, costs: bool) -> None:
    with network_manager(address, OFFLINE, metered), watching(address) as told:
        eventually(lambda: told, "what is there")

        assert told == [(False, costs)]


@pytest.mark.parametrize("place", ["unix:path=/no/such/bus", "tcp:host=localhost", "nonsense"])
def test_without_a_bus_nothing_is_told_and_the_thread_ends(place: str) -> None:
    with watching(place) as told:
        eventually(has_ended, "the thread ends by itself")

        assert not told


def test_without_networkmanager_nothing_is_told_and_the_thread_ends(address: str) -> None:
    with watching(address) as told:
        eventually(has_ended, "the thread ends by itself")

        assert not told


def test_a_bus_that_goes_away_ends_the_thread(home_environment: tuple[Path, dict[str, str]]) -> None:
    with contextlib.ExitStack() as bus:
        address = bus.enter_context(session_bus(*home_environment))["DBUS_SESSION_BUS_ADDRESS"]
        with network_manager(address), watching(address) as told:
            eventually(lambda: told, "what is there")

            bus.close()

            eventually(has_ended, "the thread ends by itself")
            assert told == [(True, False)]


def test_a_networkmanager_that_was_started_anew_is_listened_to(address: str) -> None:
    with watching_from_the_first(address) as told, network_manager(address) as later:
        later.change(State=OFFLINE)

        eventually(lambda: told == [(True, False), (False, False)], "the change")


@contextlib.contextmanager
def watching_from_the_first(address: str) -> Iterator[Told]:
    with contextlib.ExitStack() as watch:
        with network_manager(address):
            told = watch.enter_context(watching(address))
            eventually(lambda: told, "what is there")
        yield told


def test_a_signal_of_somebody_else_only_has_networkmanager_asked_again(address: str) -> None:
    with (
        network_manager(address) as manager,
        watching(address) as told,
        open_dbus_connection(address) as stranger,
    ):
        eventually(lambda: told, "what is there")

        for number in range(10):  # to everybody on this bus
            signal = properties_changed({"State": ("u", OFFLINE)})
            signal.header.fields[HeaderFields.destination] = f":1.{number}"
            stranger.send(signal)

        eventually(partial(manager.was_asked, 2), "it is asked again")
        manager.change(Metered=YES)
        eventually(lambda: len(told) > 1, "the next change")
        assert told == [(True, False), (True, True)]
