"""Write docs/fidelity.md: insert every text into every target by every strategy, and look at what arrived.

`python -m tests.fidelity [TARGET …]`; with targets named, the table is only printed. Fails if the default strategy of a
target was not exact, or if "inserted" was said of a text that did not arrive.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lysnrai_desktop.adapters.insertion.x11 import X11Inserter
from lysnrai_desktop.core.dictation import Delivery
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.insertion import TYPED_CHARACTERS
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered
from tests.desktop.editors import Editor
from tests.desktop.machine import home_folder
from tests.desktop.processes import DEADLINE_S, NotInTime, eventually
from tests.desktop.screen import window_manager, x_server
from tests.fidelity.manners import Manners, manners
from tests.fidelity.targets import TARGETS, Target, version_of
from tests.fidelity.texts import TEXTS

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"
STRATEGIES = ("paste", "primary", "type")
PATIENCE_S = 5.0
"""For a text that does not arrive as it should."""
GIVEN_UP = 3
"""A strategy by which nothing arrives of so many texts is not tried with the others."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One text by one strategy into one target."""

    wanted: str
    arrived: str
    answer: Delivered | Fault
    took_s: float
    """Until the answer."""

    @property
    def exact(self) -> bool:
        return self.arrived == self.wanted

    @property
    def untrue(self) -> bool:
        return self.answer == Delivered(Delivery.INSERTED) and not self.exact

    def __str__(self) -> str:
        if self.exact:
            return "✓"
        kept = _kept(self.wanted, self.arrived)
        return f"{kept}%" if kept else "–"


def _kept(wanted: str, arrived: str) -> int:
    """How much of a text arrived in its order, in percent; never 100."""
    found, place = 0, 0
    for character in arrived:
        if (at := wanted.find(character, place)) >= 0:
            found, place = found + 1, at + 1
    return min(99, 100 * found // len(wanted))


def cells(target: Target, strategy: str) -> Iterator[tuple[str, Cell]]:
    """Insert every text, one behind the other, on a desktop of its own."""
    with (
        home_folder() as (folder, environment),
        x_server(folder, environment) as screen,
        window_manager(folder, screen),
        target.open(folder, screen) as editor,
    ):
        inserter = X11Inserter(lambda: InsertionSettings(strategy=strategy), screen.environment["DISPLAY"])
        nothing = 0
        try:
            for name, text in TEXTS.items():
                if nothing < GIVEN_UP:
                    cell = _insert(inserter, editor, text, target.received(text))
                    nothing += str(cell) == "–"
                    yield name, cell
        finally:
            inserter.shut_down()


def _insert(inserter: X11Inserter, editor: Editor, text: str, wanted: str) -> Cell:
    eventually(lambda: not inserter._busy, "the insertion before has put the clipboard back")
    before = editor.text()
    answers: queue.SimpleQueue[Delivered | Fault] = queue.SimpleQueue()
    begun = time.monotonic()
    inserter.insert(SpokenText(text), inserter.capture(), answers.put)
    answer = answers.get(timeout=DEADLINE_S)
    took_s = time.monotonic() - begun
    with contextlib.suppress(NotInTime):
        eventually(lambda: editor.text() == before + wanted, "the text is there", PATIENCE_S)
    return Cell(wanted, editor.text().removeprefix(before), answer, took_s)


def main(names: list[str]) -> int:
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for name in names or TARGETS:
        for strategy in STRATEGIES:
            rows[name, strategy] = dict(cells(TARGETS[name], strategy))
            print(name, strategy, *map(str, rows[name, strategy].values()), flush=True)
    told = {(name, bus): manners(TARGETS[name], bus) for name in names or TARGETS for bus in (False, True)}
    for (name, bus), found_manners in told.items():
        print(name, "with accessibility" if bus else "", found_manners, flush=True)
    if not names:
        PAGE.write_text(_page(rows, told), encoding="utf-8")
    failed = [
        f"{name}, {strategy}: {text}"
        for (name, strategy), found in rows.items()
        for text, cell in found.items()
        if cell.untrue or (strategy == TARGETS[name].default and not cell.exact)
    ]
    failed += [f"{name}: what was said of an undo" for (name, _), found in told.items() if not found.undo_is_true]
    failed += [f"{name}: two in a row" for (name, _), found in told.items() if not found.in_a_row]
    print(*failed, sep="\n")
    return 1 if failed else 0


def _page(rows: dict[tuple[str, str], dict[str, Cell]], told: dict[tuple[str, bool], Manners]) -> str:
    lines = [
        "# Fidelity",
        "",
        "What arrives of a text, to the letter: measured by `python -m tests.fidelity` on a virtual desktop, with the",
        "programs " + ", ".join(dict.fromkeys(version_of(target) for target in TARGETS.values())) + ".",
        "",
        "✓ exact, every code point. A number: how much arrived. –: nothing of it. Empty: not tried after that.",
        "**Bold** is what `auto` takes in that program. Texts: tests/fidelity/texts.py.",
        "",
        "| | " + " | ".join(TEXTS) + " | 44 characters | 10 000 |",
        "|---" * (len(TEXTS) + 3) + "|",
    ]
    for (name, strategy), found in rows.items():
        label = f"{name}, {strategy}"
        if strategy == TARGETS[name].default:
            label = f"**{label}**"
        marks = " | ".join(str(found[text]) if text in found else "" for text in TEXTS)
        lines.append(f"| {label} | {marks} | {_time(found, 'German')} | {_time(found, '10 000 characters')} |")
    untrue = sum(cell.untrue for found in rows.values() for cell in found.values())
    lines += [
        "",
        "The last two columns: seconds from the finished text to the answer where it is, for texts of that length, on",
        "a busy machine with two cores. Typing gives no receipt, so its answer is “probably inserted” at best. A text",
        f"too long to be typed ({TYPED_CHARACTERS} characters) is kept on the clipboard, and said to be. A tab that is",
        "typed goes to the next field in a browser, as when it is typed by hand.",
        f"“Inserted” was said of {untrue or 'no'} text{'' if untrue == 1 else 's'} that did not arrive.",
        "",
        "What a program tells decides how a dictation goes on from what stands there, whether an undo is known to have",
        "worked, and whether a field is known to be for a password. Most tell it over the accessibility bus (“bus”),",
        "which runs where a desktop, or a screen reader, has it on; some never do.",
        "",
        "| | two in a row | cursor moved between | `lysnrai undo` says | a field for a password is |",
        "|---" * 5 + "|",
    ]
    lines += [f"| {name}{', bus' if bus else ''} | {found} |" for (name, bus), found in told.items()]
    lines += [
        "",
        "What the strategies are, and how one is chosen for a program: [settings.md](settings.md), `[insertion]`.",
        "",
    ]
    return "\n".join(lines)


def _time(found: dict[str, Cell], text: str) -> str:
    return f"{found[text].took_s:.2f}" if text in found and found[text].exact else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
