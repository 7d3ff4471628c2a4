"""A take is cut where nobody speaks, and nothing of it is left out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.endpointing import (
    ENOUGH_S,
    LONG_PAUSE_S,
    LULL_SPEECH_S,
    LULL_STEPS,
    MAX_PIECE_S,
    ONSET,
    ONSET_STEPS,
    PAUSE_S,
    PIECE_S,
    RELEASE,
    SEARCH_S,
    SENTENCE_PAUSE_S,
    STEP_S,
    Cut,
    Decision,
    Listening,
    Lull,
    Voice,
    finish,
    listen,
    speech_in,
)

SPEECH, SILENCE, BETWEEN = 0.95, 0.02, 0.4

stretches = st.lists(
    st.tuples(st.floats(0.0, 12.0), st.sampled_from([SPEECH, SILENCE, BETWEEN, 0.2, ONSET, RELEASE])), max_size=25
)
anything = st.lists(st.floats(0.0, 1.0), max_size=1500)


def steps(*parts: tuple[float, float]) -> list[float]:
    return [probability for seconds, probability in parts for _ in range(round(seconds / STEP_S))]


def hear(probabilities: list[float]) -> list[Decision]:
    """All decisions, the last piece included."""
    state, decisions = Listening(), list[Decision]()
    for probability in probabilities:
        state, new = listen(state, probability)
        decisions += new
    return [*decisions, finish(state, len(probabilities) * STEP_S)]


def cuts(decisions: list[Decision]) -> list[Cut]:
    return [decision for decision in decisions if isinstance(decision, Cut)]


def edges(decisions: list[Decision]) -> list[Voice]:
    return [decision for decision in decisions if isinstance(decision, Voice)]


def near(seconds: float) -> object:
    return pytest.approx(seconds, abs=3 * STEP_S)


# --- whatever is heard


@given(st.one_of(stretches.map(lambda parts: steps(*parts)), anything))
def test_pieces_follow_each_other_from_the_beginning_to_the_end(probabilities: list[float]) -> None:
    pieces = cuts(hear(probabilities))

    assert pieces[0].start_s == 0
    assert pieces[-1].end_s == len(probabilities) * STEP_S
    for before, after in itertools.pairwise(pieces):
        assert before.end_s == after.start_s


@given(st.one_of(stretches.map(lambda parts: steps(*parts)), anything))
def test_no_piece_is_longer_than_whisper_can_hear(probabilities: list[float]) -> None:
    assert all(piece.end_s - piece.start_s <= MAX_PIECE_S + STEP_S for piece in cuts(hear(probabilities)))


def in_speech(probabilities: list[float], number: int) -> bool:
    """Whether a step, and those next to it, are surely speech: no beginning that a forced cut may fall into."""
    around = probabilities[max(0, number - ONSET_STEPS) : number + ONSET_STEPS + 1]
    return len(around) == 2 * ONSET_STEPS + 1 and min(around) >= ONSET


def test_a_click_or_a_chord_is_no_speech() -> None:
    blip = [0.9] * (ONSET_STEPS - 1) + [0.0]

    decisions = hear(blip * 50)

    assert [piece.speech for piece in cuts(decisions)] == [None]
    assert speech_in(blip * 50) is None


def test_speech_begins_with_the_first_of_its_steps() -> None:
    (piece,) = cuts(hear([0.0] * 10 + [0.9] * 20 + [0.0] * 3))

    assert piece.speech == pytest.approx((10 * STEP_S, 30 * STEP_S))


@given(st.one_of(stretches.map(lambda parts: steps(*parts)), anything))
def test_every_step_of_speech_lies_in_the_speech_of_one_piece(probabilities: list[float]) -> None:
    spans = [piece.speech for piece in cuts(hear(probabilities)) if piece.speech is not None]

    for number in range(len(probabilities)):
        middle_s = (number + 0.5) * STEP_S
        inside = sum(start <= middle_s <= end for start, end in spans)
        assert inside <= 1
        assert inside == 1 or not in_speech(probabilities, number)


@given(st.one_of(stretches.map(lambda parts: steps(*parts)), anything))
def test_speech_lies_in_its_piece(probabilities: list[float]) -> None:
    for piece in cuts(hear(probabilities)):
        if piece.speech is not None:
            assert piece.start_s <= piece.speech[0] < piece.speech[1] <= piece.end_s + STEP_S / 2


@given(st.one_of(stretches.map(lambda parts: steps(*parts)), anything))
def test_edges_of_speech_alternate_and_begin_with_its_beginning(probabilities: list[float]) -> None:
    speaking = [edge.speaking for edge in edges(hear(probabilities))]

    assert speaking == [number % 2 == 0 for number in range(len(speaking))]


# --- edges


def test_speech_begins_with_its_first_step_and_ends_when_the_pause_is_heard() -> None:
    heard = edges(hear(steps((1.0, SILENCE), (2.0, SPEECH), (1.0, SILENCE))))

    assert heard == [Voice(near(1.0), speaking=True), Voice(near(3.0), speaking=False)]  # type: ignore[arg-type]


def test_a_gap_between_two_words_is_no_pause() -> None:
    heard = edges(hear(steps((1.0, SPEECH), (PAUSE_S - 2 * STEP_S, SILENCE), (1.0, SPEECH))))

    assert [edge.speaking for edge in heard] == [True]


def test_a_soft_syllable_does_not_end_speech_nor_begin_it() -> None:
    assert [edge.speaking for edge in edges(hear(steps((1.0, SPEECH), (3.0, BETWEEN))))] == [True]
    assert edges(hear(steps((3.0, BETWEEN)))) == []


# --- cuts


def test_a_long_enough_piece_is_cut_in_the_middle_of_the_pause_once_it_is_one() -> None:
    heard = hear(steps((ENOUGH_S + 1, SPEECH), (PAUSE_S + STEP_S, SILENCE)))

    first, rest = cuts(heard)
    assert first.speech == (0.0, near(ENOUGH_S + 1))
    assert first.end_s == near(ENOUGH_S + 1 + PAUSE_S / 2)
    assert rest.speech is None


@given(st.floats(PIECE_S + 0.1, ENOUGH_S - 0.1), st.floats(PAUSE_S + 0.1, LONG_PAUSE_S))
def test_the_longer_a_piece_the_shorter_a_pause_ends_it(speech_s: float, pause_s: float) -> None:
    """At PIECE_S that between two sentences, at ENOUGH_S any."""

    def pieces(speech_s: float, pause_s: float) -> int:
        return len(cuts(hear(steps((speech_s, SPEECH), (pause_s, SILENCE), (1.0, SPEECH)))))

    before = pieces(speech_s, pause_s)

    assert pieces(speech_s + 0.5, pause_s) >= before
    assert pieces(speech_s, pause_s + 0.2) >= before


def test_a_hesitation_does_not_cut_a_sentence_in_two() -> None:
    (piece,) = cuts(hear(steps((PIECE_S + 0.5, SPEECH), (SENTENCE_PAUSE_S - 0.2, SILENCE), (2.0, SPEECH))))

    assert piece.speech == (0.0, near(PIECE_S + SENTENCE_PAUSE_S + 2.3))


def test_a_short_piece_goes_on_over_a_pause() -> None:
    (piece,) = cuts(hear(steps((1.0, SPEECH), (1.0, SILENCE), (1.0, SPEECH))))

    assert piece.speech == (0.0, near(3.0))


def test_a_short_piece_ends_when_nobody_goes_on() -> None:
    first, second = cuts(hear(steps((1.0, SPEECH), (LONG_PAUSE_S + 0.5, SILENCE), (1.0, SPEECH))))

    assert first.speech == (0.0, near(1.0))
    assert second.speech == (near(LONG_PAUSE_S + 1.5), near(LONG_PAUSE_S + 2.5))


def test_speech_without_a_pause_is_cut_at_its_quietest_moment() -> None:
    quiet_s = MAX_PIECE_S - SEARCH_S / 2
    heard = hear(steps((5.0, SPEECH), (0.1, 0.36), (quiet_s - 5.1, SPEECH), (0.1, 0.4), (20.0, SPEECH)))

    first, second = cuts(heard)
    assert first.end_s == near(quiet_s)
    assert first.speech == (0.0, first.end_s)
    assert second.speech == (first.end_s, second.end_s)
    assert [edge.speaking for edge in edges(heard)] == [True]


def test_silence_without_end_is_cut_too() -> None:
    pieces = cuts(hear(steps((100.0, SILENCE))))

    assert len(pieces) >= 4
    assert all(piece.speech is None for piece in pieces)


def test_a_word_at_the_end_of_a_long_silence_is_not_cut_off() -> None:
    pieces = cuts(hear(steps((MAX_PIECE_S - 0.2, SILENCE), (1.0, SPEECH), (0.2, SILENCE))))

    (spoken,) = [piece for piece in pieces if piece.speech is not None]
    assert spoken.speech == (near(MAX_PIECE_S - 0.2), near(MAX_PIECE_S + 0.8))


def test_of_nothing_there_is_one_empty_piece() -> None:
    assert hear([]) == [Cut(0.0, 0.0, None)]


# --- lulls


@given(st.one_of(stretches.map(lambda parts: steps(*parts)), anything))
def test_what_is_read_in_a_lull_is_all_there_is_if_nobody_goes_on(probabilities: list[float]) -> None:
    """However long the silence then lasts, and whether or not it ends the recording."""
    state = Listening()
    for number, probability in enumerate(probabilities):
        before = state
        state, decisions = listen(state, probability)
        for lull in (decision for decision in decisions if isinstance(decision, Lull)):
            left = [*probabilities[number + 1 : number + 20], *[SILENCE] * 60]
            quiet = next((n for n, p in enumerate(left) if p >= RELEASE), len(left))
            if (state.heard - state.piece + quiet) * STEP_S < MAX_PIECE_S:
                assert _next_piece(state, left[:quiet]).speech == lull.piece.speech
            assert finish(state, (number + 1) * STEP_S) == lull.piece
            assert before.speaking and state.speaking


def _next_piece(state: Listening, probabilities: list[float]) -> Cut:
    for probability in probabilities:
        state, decisions = listen(state, probability)
        for cut in cuts(list(decisions)):
            return cut
    return finish(state, state.heard * STEP_S)


def lulls(decisions: list[Decision]) -> list[Lull]:
    return [decision for decision in decisions if isinstance(decision, Lull)]


def test_each_silence_has_one_lull_before_it_is_a_pause() -> None:
    heard = hear(steps((1.0, SPEECH), (2.0, SILENCE), (1.0, SPEECH), (0.25, SILENCE), (1.0, SPEECH), (0.1, SILENCE)))

    assert [lull.piece.speech for lull in lulls(heard)] == [
        (0.0, near(1.0)),
        (near(3.0), near(4.0)),
    ]
    assert LULL_STEPS * STEP_S < PAUSE_S


def test_silence_in_which_nobody_has_spoken_is_no_lull() -> None:
    assert lulls(hear(steps((3.0, SILENCE)))) == []


def test_much_speech_is_not_read_on_the_chance_that_it_was_all() -> None:
    assert lulls(hear(steps((LULL_SPEECH_S + 0.5, SPEECH), (0.25, SILENCE), (1.0, SPEECH)))) == []


# --- a recording that is there as a whole


def test_speech_is_found_from_its_first_sound_to_its_last() -> None:
    found = speech_in(steps((1.0, SILENCE), (0.2, BETWEEN), (1.0, SPEECH), (0.5, SILENCE), (0.2, BETWEEN)))

    assert found == (near(1.0), near(2.9))


def test_without_a_step_that_reaches_the_onset_nobody_spoke() -> None:
    assert speech_in(steps((1.0, 0.55)), onset=0.6) is None
    assert speech_in([]) is None
