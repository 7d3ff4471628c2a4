"""Fixtures of the inserter's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lysnrai_desktop.adapters.insertion import x11_reach, x11_receipts, x11_selection_reader
from tests.adapters.insertion.bench import Bench
from tests.desktop.screen import Screen


@pytest.fixture
def screen(reused_screen: Screen) -> Screen:
    return reused_screen


@pytest.fixture
def bench(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(x11_receipts, "QUIET_S", 0.1)  # the programs of these tests fetch once
    monkeypatch.setattr(x11_receipts, "LONGEST_QUIET_S", 0.3)
    made = Bench(screen)
    yield made
    made.inserter.shut_down()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which something does not come: the wait need not be long."""
    monkeypatch.setattr(x11_receipts, "RECEIPT_S", 0.5)
    monkeypatch.setattr(x11_selection_reader, "STALL_S", 0.25)
    monkeypatch.setattr(x11_reach, "HELD_S", 0.25)
