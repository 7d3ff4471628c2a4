"""What became of a take that an earlier dictation left is a usage event; its text is told to nobody but the user."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.takes import TakeFolder, header
from lysnrai_desktop.app_takes import AppTakes
from lysnrai_desktop.core import usage
from lysnrai_desktop.core.faults import Fault, InsertUnavailable
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.runtime.items import Item, Recovered
from tests.fakes.inserter import FakeInserter
from tests.fakes.usage import FakeUsage
from tests.ui.wishing import WishList

TAKE = "20261124T172036-4f2a"
RATE_HZ = 16_000
TEXT = SpokenText("what was said before the power went")


class Left:
    """A folder with one take, and all that hears of what becomes of it."""

    def __init__(self, folder: Path, *, inserter: bool = True) -> None:
        (folder / f"{TAKE}.wav").write_bytes(header(RATE_HZ, RATE_HZ) + bytes(2 * RATE_HZ))
        self.folder = TakeFolder(folder)
        self.usage, self.wishes = FakeUsage(), WishList()
        self.inserter = FakeInserter() if inserter else None
        self.posted: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.takes = AppTakes(self.folder, Settings, self.wishes.bridge(), self.inserter, self.posted.put, self.usage)


def test_a_text_that_is_given_is_told_as_recovered(tmp_path: Path) -> None:
    left = Left(tmp_path)

    left.takes.give(TEXT)

    assert left.usage.events == [usage.TakeRecovered(usage.Heard.TEXT)]
    assert left.inserter is not None
    assert left.inserter.clipboard == TEXT.reveal()
    assert left.posted.get_nowait() == Recovered(TEXT)


def test_a_take_with_nothing_in_it_is_told_as_such(tmp_path: Path) -> None:
    left = Left(tmp_path)

    left.takes.nothing()

    assert left.usage.events == [usage.TakeRecovered(usage.Heard.NOTHING)]


def test_a_text_that_cannot_be_given_is_not_told_as_recovered(tmp_path: Path) -> None:
    left = Left(tmp_path, inserter=False)

    with pytest.raises(InsertUnavailable):
        left.takes.give(TEXT)

    assert left.usage.events == []


def test_a_take_that_is_removed_is_told_as_discarded_once(tmp_path: Path) -> None:
    left = Left(tmp_path)

    left.takes.drop(TAKE)
    with pytest.raises(Fault):
        left.takes.drop(TAKE)

    assert left.usage.events == [usage.TakeDiscarded()]
    assert left.folder.records() == []
