"""What suits this machine: measurements in, choices out.

    ways of the engine ─▶ how long each takes to read one sentence ─▶ `quickest`, `with_beam`  ─▶ settings
    recordings read in full and in short windows                   ─▶ `judge`                  ─▶ short windows or not
    one model's time                                               ─▶ `estimates`, `largest`   ─▶ which model fits

Everything is decided here; measuring is in engines/calibration.py, which runs in a process of its own.

Absent here: audio, models, clocks. Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lysnrai_desktop.core.catalogue import Model
from lysnrai_desktop.core.settings import EngineSettings
from lysnrai_desktop.core.speech import SpokenText

# --- the engine's settings

_SETTINGS = EngineSettings()


@dataclass(frozen=True, slots=True)
class Way:
    """How the engine is set: the fields of EngineSettings that go by the machine."""

    device: str = _SETTINGS.device
    compute_type: str = _SETTINGS.compute_type
    threads: int = _SETTINGS.threads
    beam: int = _SETTINGS.beam


@dataclass(frozen=True, slots=True)
class Timed:
    way: Way
    read_s: float
    """What one known sentence of 3 s took to read."""


DEFAULT = Way()
WORTH = 0.9
"""What differs from the default must take this much of its time or less: one measurement differs from the next by as
much on a machine that is in use."""
MAX_THREADS = 16
AIM_S = 0.5
"""From the key's release to the text."""
ALSO_S = 0.14
"""What passes beside the reading: a release that may be a bounce, sound still on its way, pasting (measured)."""
QUICK_BEAM = 1


def ways(has_gpu: bool, gpu_types: Sequence[str] = ()) -> tuple[Way, ...]:
    """The devices and compute types to try, the default first."""
    if not has_gpu:
        return DEFAULT, Way(compute_type="float32")
    on_gpu = tuple(Way("cuda", compute_type) for compute_type in ("int8_float16",) if compute_type in gpu_types)
    return DEFAULT, *on_gpu, Way("cpu")


def thread_counts(cores: int, usual: int) -> tuple[int, ...]:
    """How many threads to try beside the usual number: few leave cores for the rest, and some cores are half of one."""
    tried = {1, cores // 2, cores} - {usual}
    return tuple(sorted(count for count in tried if 0 < count <= MAX_THREADS))


def quickest(default: Timed, others: Sequence[Timed]) -> Timed:
    """The one to take: the default, unless another is clearly quicker."""
    best = min(others, key=lambda timed: timed.read_s, default=default)
    return best if best.read_s <= WORTH * default.read_s else default


def with_beam(careful: Timed, quick: Timed) -> Timed:
    """The careful beam as long as the text is there in time, or the quick one is hardly quicker."""
    late = careful.read_s + ALSO_S > AIM_S
    return quick if late and quick.read_s <= WORTH * careful.read_s else careful


# --- short windows


class Windows(StrEnum):
    MEASURED = "measured"
    """The catalogue says so of this model: short."""
    AS_GOOD = "as_good"
    """Found out here: short."""
    WORSE = "worse"
    """Found out here: full."""
    UNDECIDED = "undecided"
    """Too little speech to tell: full."""
    NEEDLESS = "needless"
    """On a GPU a full window takes no time to speak of."""

    @property
    def are_short(self) -> bool:
        return self in (Windows.MEASURED, Windows.AS_GOOD)


@dataclass(frozen=True, slots=True)
class Pair:
    """One recording, read both ways."""

    full: SpokenText
    short: SpokenText
    spoken: SpokenText | None = None
    """What is said in it, where that is known."""


MIN_WORDS = 60
MAX_MORE_ERRORS = 0.01
"""Of the words. One word is always allowed: as often as not it is the full window's luck."""
MAX_DIFFERENCE = 0.06
"""Of the words, where nobody knows what was said: so much did the two ways differ where they were equally right (20 of
350 words, measured)."""
MUCH_LONGER, MUCH_SHORTER, A_FEW = 1.6, 0.6, 2
"""Of the words of the full window, and so many words beyond: repeats, and what is lost."""

_WORD = re.compile(r"[^\W_]+")


def judge(pairs: Sequence[Pair]) -> Windows:
    """AS_GOOD, WORSE or UNDECIDED."""
    if any(_is_out_of_bounds(pair) for pair in pairs):
        return Windows.WORSE
    known = [(pair.spoken, pair) for pair in pairs if pair.spoken is not None]
    guessed = [pair for pair in pairs if pair.spoken is None]
    known_words = sum(_count(spoken) for spoken, _ in known)
    guessed_words = sum(_count(pair.full) for pair in guessed)
    more = sum(word_errors(spoken, pair.short) - word_errors(spoken, pair.full) for spoken, pair in known)
    different = sum(word_errors(pair.full, pair.short) for pair in guessed)
    if more > max(1, MAX_MORE_ERRORS * known_words) or different > max(1, MAX_DIFFERENCE * guessed_words):
        return Windows.WORSE
    return Windows.AS_GOOD if known_words + guessed_words >= MIN_WORDS else Windows.UNDECIDED


def word_errors(reference: SpokenText, text: SpokenText) -> int:
    """How many words have to be put in, left out or exchanged to come from one to the other. Case does not count."""
    wanted, found = _words(reference), _words(text)
    row = list(range(len(found) + 1))
    for at, word in enumerate(wanted, 1):
        diagonal, row[0] = row[0], at
        for column, other in enumerate(found, 1):
            diagonal, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other)),
            )
    return row[-1]


def _is_out_of_bounds(pair: Pair) -> bool:
    full, short = _count(pair.full), _count(pair.short)
    return short > MUCH_LONGER * full + A_FEW or short < MUCH_SHORTER * full - A_FEW


def _count(text: SpokenText) -> int:
    return len(_words(text))


def _words(text: SpokenText) -> list[str]:
    return _WORD.findall(text.reveal().lower())


# --- other models


@dataclass(frozen=True, slots=True)
class Cost:
    """Of reading a sentence of 3 s, beside what `base` takes for it in a short window."""

    short: float
    full: float


COSTS: Mapping[str, Cost] = {
    "tiny": Cost(0.58, 2.0),
    "base": Cost(1.0, 3.7),
    "small": Cost(2.95, 13.3),
    "medium": Cost(7.99, 31.8),
    "large-v3": Cost(12.8, 49.8),
    "large-v3-turbo": Cost(4.55, 47.9),
    "distil-large-v3": Cost(3.96, 46.2),
}
"""Processor time, measured with random weights of true dimensions (`python -m tests.bench.dimensions --all`)."""


def estimates(measured: str, read_s: float, windows: Windows) -> dict[str, float]:
    """Release → text of each model with short windows, reckoned from one model's time. Empty for one nobody knows.

    The ratios were measured on one machine; another's memory and kernels make others. Good for a recommendation.
    """
    own = COSTS.get(_size(measured))
    if own is None:
        return {}
    unit_s = read_s / (own.short if windows.are_short else own.full)
    return {name: ALSO_S + unit_s * cost.short for name, cost in COSTS.items()}


def largest(models: Sequence[Model], expected_s: Mapping[str, float], language: str) -> Model | None:
    """The largest model that is expected to have the text there in time. None if not even the smallest is.

    Args:
        models: of the catalogue.
        expected_s: of `estimates`.
        language: as in EngineSettings: an English-only model serves those who dictate nothing else.
    """
    only_english = language.strip() == "en"
    fitting = [
        model
        for model in models
        if expected_s.get(_size(model.name), AIM_S + 1) <= AIM_S and (only_english or len(model.languages) > 1)
    ]
    # of two of one size the one that knows nothing but English knows it better
    return max(fitting, key=lambda model: (round(model.size_bytes, -7), -len(model.languages)), default=None)


def _size(name: str) -> str:
    return name.removesuffix(".en")
