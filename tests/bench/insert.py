"""From a finished text to its being seen in each target, by the strategy that is chosen there; and long ones by each.

Targets whose program is not installed (Chromium needs its package) are left out, and named.
"""

from __future__ import annotations

import queue
import time

from lysnrai_desktop.adapters.insertion.x11 import X11Inserter
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.insertion import TYPED_CHARACTERS
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered
from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.desktop.editors import Editor, await_text
from tests.desktop.processes import DEADLINE_S, eventually
from tests.fidelity.targets import TARGETS, version_of

SENTENCE = "Grüße aus Köln: a sentence as people speak it, 😀 and all. "
LONG = "0123456789 äöü 😀 " * 588 + "done"


def measure(bench: Bench) -> list[Figure]:
    figures = []
    for name, target in TARGETS.items():
        if not version_of(target):
            figures.append(Figure("insert", f"{name}, a sentence", "s", (), "not installed"))
            continue
        with target.open(bench.desktop.folder, bench.desktop.screen) as editor:
            seen = _insert(bench, editor, "auto", SENTENCE, bench.times(10))
            figures.append(Figure("insert", f"{name}, a sentence", "s", seen))
            for strategy, text in (("type", LONG[:TYPED_CHARACTERS]), ("paste", LONG), ("primary", LONG)):
                if strategy == "paste" and target.default != "paste":
                    continue  # nothing would arrive
                seen = _insert(bench, editor, strategy, text, bench.times(3, quick=1))
                figures.append(Figure("insert", f"{name}, {len(text)} characters, {strategy}", "s", seen))
    return figures


def _insert(bench: Bench, editor: Editor, strategy: str, text: str, times: int) -> tuple[float, ...]:
    """Seconds from the finished text to the last of it being seen, each time."""
    inserter = X11Inserter(lambda: InsertionSettings(strategy=strategy), bench.desktop.environment["DISPLAY"])
    answers: queue.SimpleQueue[Delivered | Fault] = queue.SimpleQueue()
    took: list[float] = []
    try:
        for _ in range(times):
            whole = len(editor.text()) + len(text)
            begun_at = time.time()
            inserter.insert(SpokenText(text), inserter.capture(), answers.put)
            answers.get(timeout=DEADLINE_S)
            await_text(editor, lambda seen, whole=whole: len(seen) >= whole, "the text")  # type: ignore[misc]
            took.append(editor.changed_at() - begun_at)
            eventually(lambda: not inserter._busy, "the insertion has put the clipboard back")
    finally:
        inserter.shut_down()
    return tuple(took)
