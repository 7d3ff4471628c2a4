"""Windows in the air: the test says which has the focus and reads what came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lysnrai_desktop.core.context import fitted
from lysnrai_desktop.core.dictation import Delivery
from lysnrai_desktop.core.faults import Fault, InsertUnavailable, NothingToUndo, TargetGone
from lysnrai_desktop.core.insertion import Undone
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered, Target


@dataclass(eq=False)
class FakeWindow:
    title: str
    text: str = ""
    open: bool = True


class FakeInserter:
    """The port `Inserter`, a desktop with windows, and its clipboard. `done` is called before `insert` returns."""

    def __init__(self) -> None:
        self.focused: FakeWindow | None = None
        self.clipboard = ""
        self.shut = False
        self.fault: Fault | None = None
        """What the next insertions end with instead."""
        self.holding = False
        """Insertions wait for `let_go`, as they do while a modifier is held."""
        self._held: list[Callable[[], None]] = []
        self._before: tuple[FakeWindow, str, str] | None = None
        """The window of the last insertion, its text before and after."""

    # -- the port

    def capture(self) -> Target | None:
        return None if self.shut else self.focused

    def insert(
        self, text: SpokenText, target: Target | None, done: Callable[[Delivered | Fault], None], *, fit: bool = False
    ) -> None:
        assert target is None or isinstance(target, FakeWindow)
        window = target or self.focused
        if fit and window is not None:
            text = fitted(text, window.text)
        if self.holding:
            self._held.append(lambda: done(self._deliver(text, target)))
        else:
            done(self._deliver(text, target))

    def copy(self, text: SpokenText) -> None:
        if not self.shut:
            self.clipboard = text.reveal()

    def undo(self, done: Callable[[Undone | Fault], None]) -> None:
        before, self._before = self._before, None
        if self.shut:
            done(InsertUnavailable())
        elif before is None or not before[0].open or before[0].text != before[2]:
            done(NothingToUndo())
        else:
            before[0].text = before[1]
            done(Undone.SURELY)

    def shut_down(self) -> None:
        self.shut = True

    # -- the world

    def let_go(self) -> None:
        self.holding = False
        held, self._held = self._held, []
        for deliver in held:
            deliver()

    def _deliver(self, text: SpokenText, target: FakeWindow | None) -> Delivered | Fault:
        if self.shut:
            return InsertUnavailable()
        if self.fault:
            return self.fault
        window = target or self.focused
        if window is None or not window.open:
            self.clipboard = text.reveal()
            return Delivered(Delivery.ON_CLIPBOARD, TargetGone.code)
        self._before = (window, window.text, window.text + text.reveal())
        window.text += text.reveal()
        self.focused = window
        return Delivered(Delivery.INSERTED)
