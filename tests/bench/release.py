"""From letting the key go to the text in another window, by turns with the peers' way on the same desktop."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests import speech
from tests.bench.bench import Bench, Dictated, dictate
from tests.bench.figures import Figure, ratio
from tests.bench.peers_way import peers_way
from tests.bench.utterances import Utterance, utterances, with_pause

LENGTHS_S = (3, 8, 20)
MINUTE_S = 60
PAUSE_S = 0.4
Pairs = list[tuple[Utterance, Dictated]]


def measure(bench: Bench) -> list[Figure]:
    """Let go as soon as the last word is spoken."""
    return _measure(bench, [(length_s, 0.0) for length_s in LENGTHS_S])


def measure_more(bench: Bench) -> list[Figure]:
    """Speak for a minute, and rest for a moment before letting go."""
    return _measure(bench, [(MINUTE_S, 0.0), *((length_s, PAUSE_S) for length_s in (*LENGTHS_S, MINUTE_S))])


def _measure(bench: Bench, kinds: Sequence[tuple[int, float]]) -> list[Figure]:
    figures: list[Figure] = []
    with bench.app() as app, peers_way(bench) as peers, bench.desktop.qt_editor() as editor:
        [warm_up] = utterances(3, 1, bench.desktop.folder)
        dictate(bench, app, editor, warm_up)
        peers.dictate(bench, editor, warm_up)
        for length_s, pause_s in kinds:
            ours: Pairs = []
            theirs: Pairs = []
            spoken = utterances(length_s, bench.times(9), bench.desktop.folder)
            for turn, utterance in enumerate(with_pause(each, pause_s) for each in spoken):
                for own in (True, False) if turn % 2 else (False, True):
                    if own:
                        ours.append((utterance, dictate(bench, app, editor, utterance)))
                    else:
                        theirs.append((utterance, peers.dictate(bench, editor, utterance)))
            figures += _compare(f"{length_s} s{f' and {pause_s:g} s of silence' if pause_s else ''}", ours, theirs)
        dropped = float(app.status()["dropped_blocks"])
        figures.append(Figure("release", "blocks dropped", "blocks", (dropped,), "of all these dictations"))
    return figures


def _compare(what: str, ours: Pairs, theirs: Pairs) -> list[Figure]:
    own, peers = _visible(what, ours), _visible(f"{what}, peers' way", theirs)
    return [
        own,
        Figure("release", f"{what}, of it until the app stops listening", "s", _finishing(ours)),
        Figure("release", f"{what}, of it until all is recognised", "s", _recognising(ours)),
        Figure("release", f"{what}, of it until it is seen", "s", _inserting(ours)),
        _errors(what, ours),
        peers,
        Figure("release", f"{what}, peers' way, of it recognition", "s", _recognising(theirs)),
        _errors(f"{what}, peers' way", theirs),
        ratio(own, peers, f"{what}, ours in theirs"),
    ]


def _visible(name: str, pairs: Pairs) -> Figure:
    seen = tuple(dictated.visible_s for _, dictated in pairs if dictated.visible_s is not None)
    missing = sorted({dictated.outcome for _, dictated in pairs if dictated.visible_s is None})
    return Figure(
        "release", f"{name}, text visible", "s", seen, "not all arrived: " + ", ".join(missing) if missing else ""
    )


def _finishing(pairs: Pairs) -> tuple[float, ...]:
    return tuple(dictated.finishing_s for _, dictated in pairs)


def _recognising(pairs: Pairs) -> tuple[float, ...]:
    return tuple(d.inserting_s - d.finishing_s for _, d in pairs if d.inserting_s is not None)


def _inserting(pairs: Pairs) -> tuple[float, ...]:
    return tuple(d.visible_s - d.inserting_s for _, d in pairs if d.visible_s is not None and d.inserting_s is not None)


def _errors(name: str, pairs: Pairs) -> Figure:
    for utterance, dictated in pairs:
        if speech.normalise(utterance.text) != speech.normalise(dictated.text):
            print(f"{name}: spoken  {utterance.text}\n{name}: arrived {dictated.text}", file=sys.stderr)
    rate = speech.word_error_rate((utterance.text, dictated.text) for utterance, dictated in pairs)
    return Figure("release", f"{name}, word errors", "%", (rate,), f"{len(pairs)} recordings")
