"""Takes that an earlier dictation left: offered, listed, dropped, and their texts brought to the user.

What is absent: transcribing them (runtime/recovery.py), their files (adapters/takes.py), when to look (app.py).

Imports: runtime, ports, core; of adapters the takes' folder; of ui the bridge and the words. May be imported by: app.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from lysnrai_desktop.adapters.takes import TakeFolder
from lysnrai_desktop.core import usage
from lysnrai_desktop.core.faults import InsertUnavailable
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.core.takes import TakeRecord
from lysnrai_desktop.ports import Inserter, Usage
from lysnrai_desktop.runtime.items import Item, Recovered
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.bridge import Bridge, Choice, Choices

log = logging.getLogger(__name__)


class AppTakes:
    """Calls block for the disk, but for `give` and `nothing`; any thread. Each may raise Fault."""

    def __init__(
        self,
        takes: TakeFolder,
        settings: Callable[[], Settings],
        bridge: Bridge,
        inserter: Inserter | None,
        post: Callable[[Item], None],
        counted: Usage,
    ) -> None:
        self._takes = takes
        self._settings = settings
        self._bridge = bridge
        self._inserter = inserter
        self._post = post
        self._usage = counted

    def tidy(self) -> None:
        self._takes.tidy(time.time(), self._settings().takes.keep_s)

    def offer(self) -> None:
        """Tidied before, so that nothing is offered that is not whole; offered all the same if the disk refuses."""
        try:
            self.tidy()
        finally:
            if offered := [record for record in self._takes.records() if record.is_offered]:
                log.info("%d takes of earlier dictations are offered", len(offered))
                self._bridge.offer(offered)

    def choices(self, present: TakeRecord | None) -> Choices:
        """Those that are offered, behind the one that is being transcribed."""
        items = [Choice(present.id, texts.take(present), ready=False)] if present else []
        items += [Choice(record.id, texts.take(record)) for record in self._takes.records() if record.is_offered]
        return Choices(items)

    def drop(self, take_id: str) -> None:
        with self._takes.open(take_id) as take:
            take.drop()
        self._usage.record(usage.TakeDiscarded())

    def give(self, text: SpokenText) -> None:
        """Its text goes to the clipboard."""
        if self._inserter is None:
            raise InsertUnavailable
        self._inserter.copy(text)
        self._post(Recovered(text))
        self._bridge.recovered(heard=True)
        self._usage.record(usage.TakeRecovered(usage.Heard.TEXT))

    def nothing(self) -> None:
        """Nothing was heard in it."""
        self._bridge.recovered(heard=False)
        self._usage.record(usage.TakeRecovered(usage.Heard.NOTHING))
