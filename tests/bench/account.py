"""Where the time goes between letting the key go and seeing the text: build/account.svg.

    bounce       a release that may be one
    last block   sound that is still on its way, the take closed on disk, the last message to the engine
    endpoint     listening to it: Silero
    encoder, decoder    of what was not read before
    rest         of the engine: features, guards, threads
    polish       spaces, capitals, replacements
    insertion    clipboard, keys, the editor's fetching and painting

The first two and the last come from dictations into the app, the others from the engine alone with the same recordings
(tests/bench/finish.py), which says how much of the app's recognition is its.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lysnrai_desktop.core.polish import polish
from lysnrai_desktop.core.settings import PolishSettings
from lysnrai_desktop.core.speech import Segment, SpokenText, Transcript
from tests.bench import finish, plot
from tests.bench.bench import Bench, Dictated, dictate
from tests.bench.figures import Figure
from tests.bench.finish import Pair
from tests.bench.utterances import utterances

PLOT = Path(__file__).parents[2] / "build" / "account.svg"
LENGTHS_S = (3, 8, 20)


def measure(bench: Bench) -> list[Figure]:
    count = bench.times(9)
    through_app: dict[int, list[Dictated]] = {}
    with bench.app() as app, bench.desktop.qt_editor() as editor:
        [warm_up] = utterances(3, 1, bench.desktop.folder)
        dictate(bench, app, editor, warm_up)
        for length_s in LENGTHS_S:
            spoken = utterances(length_s, count, bench.desktop.folder)
            through_app[length_s] = [dictate(bench, app, editor, utterance) for utterance in spoken]
    alone = finish.measure(bench.model, bench.language, LENGTHS_S, count, ["at once"])
    accounts = {
        f"{length_s} s": account(dictated, [pair for pair in alone if pair.length_s == length_s])
        for length_s, dictated in through_app.items()
    }
    bars = {name: {part: 1000 * seconds for part, seconds in parts.items()} for name, parts in accounts.items()}
    PLOT.parent.mkdir(exist_ok=True)
    PLOT.write_text(plot.stacked(f"From the key's release to the text, {bench.model}", "ms", bars), "utf-8")
    return [
        Figure("account", f"{name}: {part}", "s", (seconds,), f"mean of {count}")
        for name, parts in accounts.items()
        for part, seconds in parts.items()
    ]


def account(dictated: Sequence[Dictated], alone: Sequence[Pair]) -> Mapping[str, float]:
    """What the wait is made of, in seconds: means, for they add up."""
    arrived = [
        (d, d.inserting_s, d.visible_s) for d in dictated if d.inserting_s is not None and d.visible_s is not None
    ]
    polish_s = statistics.fmean(_polish_s(d.text) for d, _, _ in arrived)
    recognising_s = statistics.fmean(inserting_s - d.finishing_s for d, inserting_s, _ in arrived) - polish_s
    engine_s = statistics.fmean(pair.wall_s for pair in alone)
    return {
        "bounce": statistics.fmean(d.finishing_s for d, _, _ in arrived),
        "last block": max(0.0, recognising_s - engine_s),
        **{part: milliseconds / 1000 for part, milliseconds in finish.parts_ms(alone).items()},
        "polish": polish_s,
        "insertion": statistics.fmean(visible_s - inserting_s for _, inserting_s, visible_s in arrived),
    }


def _polish_s(text: str) -> float:
    transcript = Transcript((Segment(0, 1, SpokenText(text), "en"),))
    began = time.perf_counter()
    polish(transcript, PolishSettings())
    return time.perf_counter() - began
