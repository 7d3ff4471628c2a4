"""From the key's press to the first block of sound, as `since` of the status "recording" tells."""

from __future__ import annotations

from tests.bench.bench import Bench, first_block_s
from tests.bench.figures import Figure

WARM_S = 60


def measure(bench: Bench) -> list[Figure]:
    first: list[float] = []
    cold: list[float] = []
    for _ in range(bench.times(3, quick=1)):
        with bench.app() as app:
            first.append(first_block_s(bench, app))
            cold += [first_block_s(bench, app) for _ in range(bench.times(7))]
    with bench.app(f"[recording]\nwarm_s = {WARM_S}\n") as app:
        first_block_s(bench, app)
        warm = [first_block_s(bench, app) for _ in range(bench.times(20))]
    return [
        Figure("press", "first block, first dictation after a start", "s", tuple(first)),
        Figure("press", "first block, microphone cold", "s", tuple(cold)),
        Figure("press", "first block, microphone warm", "s", tuple(warm), f"recording.warm_s = {WARM_S}"),
    ]
