"""The default strategy is exact where other toolkits than Qt are written into; the whole table is docs/fidelity.md."""

from __future__ import annotations

import contextlib
import queue
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.insertion import x11_receipts
from lysnrai_desktop.adapters.insertion.x11 import X11Inserter
from lysnrai_desktop.core.dictation import Delivery
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered
from tests.desktop.editors import await_text
from tests.desktop.processes import DEADLINE_S
from tests.desktop.screen import Screen
from tests.fidelity.targets import TARGETS
from tests.fidelity.texts import TEXTS


@pytest.mark.parametrize("name", ["GTK 3", "Tk"])
def test_every_text_is_exact_and_said_to_be_inserted(
    name: str, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x11_receipts, "QUIET_S", 0.1)  # GTK and Tk fetch once
    monkeypatch.setattr(x11_receipts, "LONGEST_QUIET_S", 0.3)
    inserter = X11Inserter(InsertionSettings, screen.environment["DISPLAY"])
    answers: queue.SimpleQueue[Delivered | Fault] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        editor = stack.enter_context(TARGETS[name].open(tmp_path, screen))
        stack.callback(inserter.shut_down)

        for text in TEXTS.values():
            inserter.insert(SpokenText(text), None, answers.put)

        assert [answers.get(timeout=DEADLINE_S) for _ in TEXTS] == [Delivered(Delivery.INSERTED)] * len(TEXTS)
        whole = "".join(TEXTS.values())
        assert await_text(editor, lambda text: len(text) >= len(whole)) == whole


def test_the_page_is_of_the_texts_and_targets_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "fidelity.md").read_text("utf-8")

    assert " | ".join(TEXTS) in page
    assert all(f"| **{name}, {target.default}** |" + " ✓ |" * len(TEXTS) in page for name, target in TARGETS.items())
