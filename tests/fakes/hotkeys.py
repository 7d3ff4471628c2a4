"""A keyboard in the air: the test says what the user presses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from lysnrai_desktop.core import combo as combos
from lysnrai_desktop.core.combo import Combo
from lysnrai_desktop.core.faults import HotkeyTaken, HotkeyUnavailable
from lysnrai_desktop.core.hotkey import MAIN, Edge
from lysnrai_desktop.ports import OnEdge


class FakeHotkeys:
    """The port `Hotkeys`, and the user's hands."""

    def __init__(
        self, on_edge: OnEdge, on_cancel: Callable[[float], None], taken: Collection[str] = (), at: float = 0.0
    ) -> None:
        self.bound: dict[str, Combo] = {}
        self.cancel_watched = False
        self.shut = False
        self._on_edge = on_edge
        self._on_cancel = on_cancel
        self._taken = {combos.parse(combo) for combo in taken}
        self.now = at
        """When the next key moves."""

    # -- the port

    def bind(self, combo: str, name: str = MAIN) -> None:
        wanted = combos.parse(combo)
        if self.shut:
            raise HotkeyUnavailable
        if wanted in self._taken or wanted in [other for key, other in self.bound.items() if key != name]:
            raise HotkeyTaken
        self.bound[name] = wanted

    def release(self, name: str = MAIN) -> None:
        self.bound.pop(name, None)

    def free(self, wanted: Iterable[Combo]) -> Sequence[Combo]:
        return [combo for combo in wanted if combo not in self._taken and combo not in self.bound.values()]

    def watch_cancel(self, on: bool) -> None:
        self.cancel_watched = on

    def shut_down(self) -> None:
        self.shut = True
        self.bound.clear()
        self.cancel_watched = False

    # -- the user's hands

    def key_down(self, combo: str) -> None:
        if combo == "esc":
            if self.cancel_watched:
                self._on_cancel(self.now)
        else:
            self._move(combo, down=True)

    def key_up(self, combo: str) -> None:
        if combo != "esc":
            self._move(combo, down=False)

    def _move(self, combo: str, down: bool) -> None:
        for name, bound in self.bound.items():
            if combos.parse(combo) == bound:
                self._on_edge(Edge(down, self.now, name))
