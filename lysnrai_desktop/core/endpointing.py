"""Where speech begins and pauses, and where a take may be cut: speech probabilities in, decisions out.

    probability of each STEP_S ─▶ listen ─▶ Voice(speaking)      an edge: somebody began or ceased to speak
                                        ├─▶ Lull(piece)          perhaps they are done: this is what there would be
                                        └─▶ Cut(end_s, …)        the piece behind the last cut ends here

Speech begins with the first of ONSET_STEPS steps in a row at ONSET or above, and ends when every step stayed under
RELEASE for PAUSE_S. Between the two thresholds nothing changes, so a soft syllable does not end a sentence.

A piece is cut
    in the pause behind speech        the longer the piece, the sooner: `_enough_pause_s`
    at its quietest step              when it is MAX_PIECE_S long: Whisper sees 30 s at most
so pieces follow each other without gap or overlap, each at most MAX_PIECE_S long, the silent ones too.

Times are seconds since the first step. Absent here: audio, samples, the model that gives the probabilities.
Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

STEP_S = 0.032
"""Silero's step: 512 samples at 16 kHz."""
ONSET = 0.5
"""Silero on 187 single words: 0.72 at least; on 41 sounds without words: 0.39 at most (measured)."""
ONSET_STEPS = 3
"""A chord reached 0.82, but for two steps at most (80 of them, aligned at random); clean words keep above ONSET for
eight at least (97, measured). White noise at 10 dB costs one of these words, at 5 dB five."""
RELEASE = 0.35
PAUSE_S = 0.3
LULL_STEPS = 5
"""0.16 s: longer than the silence inside most words, so it is worth reading what there is; shorter than a pause. With
0.22 s a release after 0.5 s of silence waited half as long again, and no less was computed (measured)."""
LULL_SPEECH_S = 12.0
"""More speech is not read on the chance that it was all: every lull in it would cost as much again."""
PIECE_S = 4.0
"""Shorter pieces cost Whisper base its context: 5.2 % of words wrong with 1.5 s, 2.6 % with 4 s (measured)."""
LONG_PAUSE_S = 1.5
"""What follows a pause this long is another sentence, so however short the piece, nothing is lost by cutting."""
SENTENCE_PAUSE_S = 0.9
"""Ends a piece of PIECE_S. People hesitate for less in the middle of a sentence, and each half of it is then written
as a sentence by itself."""
ENOUGH_S = 10.0
"""So much speech is cut in any pause, lest much be left to do when the speaker stops."""
MAX_PIECE_S = 25.0
SEARCH_S = 10.0
"""A piece that has to be cut is cut at the quietest step of its last seconds."""


@dataclass(frozen=True, slots=True)
class Voice:
    at_s: float
    speaking: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """One piece of a take, and the speech in it."""

    start_s: float
    end_s: float
    speech: tuple[float, float] | None
    """From the first step of speech to the end of the last; None: nobody spoke."""


@dataclass(frozen=True, slots=True)
class Lull:
    """Once in each silence that follows speech, before it counts as a pause.

    If nobody goes on, the speech of the next Cut is that of `piece`.
    """

    piece: Cut
    """What `finish` would give."""


Decision = Voice | Lull | Cut


@dataclass(frozen=True, slots=True)
class Listening:
    """What is known so far. Positions are numbers of steps."""

    heard: int = 0
    speaking: bool = False
    rising: int = 0
    """Steps in a row, up to the last, that may be the beginning of speech."""
    piece: int = 0
    """Where the present piece begins."""
    first: int | None = None
    """First step of speech in the present piece."""
    last: int = 0
    """One past the last step of it that may have been speech."""
    quietest: tuple[float, int] = (2.0, 0)
    """Least probability among the steps where a piece that must be cut may be, and the latest step that had it."""


def listen(state: Listening, probability: float) -> tuple[Listening, tuple[Decision, ...]]:
    """Take one more step."""
    now = state.heard
    state = replace(state, heard=now + 1)
    decisions: tuple[Decision, ...] = ()
    rising = state.rising + 1 if probability >= ONSET else 0
    state = replace(state, rising=rising)
    if state.speaking and probability >= RELEASE:
        state = replace(state, first=now if state.first is None else state.first, last=now + 1)
    elif not state.speaking and rising >= ONSET_STEPS:
        began = max(state.piece, now + 1 - rising)
        decisions = (Voice(_s(began), speaking=True),)
        state = replace(state, speaking=True, first=began if state.first is None else state.first, last=now + 1)
    elif state.speaking and _s(state.heard - state.last) >= PAUSE_S:
        state = replace(state, speaking=False)
        decisions = (Voice(_s(state.last), speaking=False),)
    elif _is_lull(state):
        decisions = (Lull(_piece(state, _s(state.heard))),)
    if _s(now - state.piece) >= MAX_PIECE_S - SEARCH_S and probability <= state.quietest[0]:
        state = replace(state, quietest=(probability, now))
    state, cut = _cut(state)
    return state, (*decisions, *cut)


def finish(state: Listening, end_s: float) -> Cut:
    """Make what is left one piece, up to `end_s`, which is at or behind the last step."""
    return _piece(state, end_s)


def speech_in(probabilities: Sequence[float], onset: float = ONSET) -> tuple[float, float] | None:
    """First and last moment of speech in a recording that is there as a whole.

    None if no ONSET_STEPS steps in a row reach `onset`.
    """
    rising = [probability >= onset for probability in probabilities]
    if not any(all(rising[at : at + ONSET_STEPS]) for at in range(len(rising) - ONSET_STEPS + 1)):
        return None
    spoken = [step for step, probability in enumerate(probabilities) if probability >= RELEASE]
    return _s(spoken[0]), _s(spoken[-1] + 1)


def _is_lull(state: Listening) -> bool:
    silent = state.heard - state.last
    return state.first is not None and silent == LULL_STEPS and _s(state.last - state.first) <= LULL_SPEECH_S


def _cut(state: Listening) -> tuple[Listening, tuple[Cut, ...]]:
    if state.first is not None and not state.speaking:
        pause_s, speech_s = _s(state.heard - state.last), _s(state.last - state.first)
        if pause_s >= _enough_pause_s(speech_s):
            # not at the pause's end: the next word may have begun softly
            middle = state.last + (state.heard - state.last) // 2
            return replace(state, piece=middle, first=None, quietest=(2.0, 0)), (_piece(state, _s(middle)),)
    if _s(state.heard - state.piece) >= MAX_PIECE_S:
        return _cut_at_quietest(state)
    return state, ()


def _enough_pause_s(speech_s: float) -> float:
    """How long a pause has to be to end a piece with so much speech in it."""
    if speech_s < PIECE_S:
        return LONG_PAUSE_S
    missing = max(0.0, (ENOUGH_S - speech_s) / (ENOUGH_S - PIECE_S))
    return PAUSE_S + missing * (SENTENCE_PAUSE_S - PAUSE_S)


def _cut_at_quietest(state: Listening) -> tuple[Listening, tuple[Cut, ...]]:
    at = state.quietest[1]
    before = replace(state, last=min(state.last, at))
    if state.first is not None and state.first >= at:
        before = replace(before, first=None)
    goes_on = state.first is not None and state.last > at
    after = replace(
        state,
        piece=at,
        first=max(at, state.first or 0) if goes_on else None,
        quietest=(2.0, 0),
    )
    return after, (_piece(before, _s(at)),)


def _piece(state: Listening, end_s: float) -> Cut:
    speech = None if state.first is None else (_s(state.first), _s(state.last))
    return Cut(_s(state.piece), end_s, speech)


def _s(steps: int) -> float:
    return steps * STEP_S
