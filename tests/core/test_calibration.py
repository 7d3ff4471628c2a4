"""What suits a machine is chosen by what was measured there, and nothing is changed for a trifle."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop import ASSETS
from lysnrai_desktop.core import calibration, catalogue
from lysnrai_desktop.core.calibration import COSTS, DEFAULT, Pair, Timed, Way, Windows
from lysnrai_desktop.core.settings import Settings, parse
from lysnrai_desktop.core.speech import SpokenText

seconds = st.floats(0.001, 100)
words = st.lists(st.sampled_from(["the", "quick", "brown", "fox"]), max_size=12).map(" ".join)

SENTENCE = "the quick brown fox jumps over the lazy dog again and again"


def models() -> tuple[catalogue.Model, ...]:
    with (ASSETS / "models" / "catalogue.toml").open("rb") as document:
        return catalogue.parse(tomllib.load(document)).models


def timed(read_s: float, beam: int = 5) -> Timed:
    return Timed(Way(threads=round(read_s * 100), beam=beam), read_s)


def pair(full: str, short: str, spoken: str | None = None) -> Pair:
    return Pair(SpokenText(full), SpokenText(short), None if spoken is None else SpokenText(spoken))


# --- settings


@pytest.mark.parametrize(
    ("has_gpu", "types"), [(False, ()), (True, ("float16", "int8_float16")), (True, ("float16",)), (True, ())]
)
def test_every_way_that_is_tried_is_one_that_can_be_set(has_gpu: bool, types: tuple[str, ...]) -> None:
    tried = calibration.ways(has_gpu, types)

    assert tried[0] == DEFAULT
    assert len(set(tried)) == len(tried) >= 2
    for way in tried:
        engine = {name: getattr(way, name) for name in Way.__dataclass_fields__}
        assert parse({"engine": engine})[1] == ()


@given(st.integers(1, 256))
def test_no_more_threads_are_tried_than_there_are_cores_and_none_twice(cores: int) -> None:
    usual = min(cores, 4)

    counts = calibration.thread_counts(cores, usual)

    assert all(1 <= count <= cores for count in counts)
    assert usual not in counts
    assert counts or cores == 1


@given(seconds, st.lists(seconds))
def test_the_default_stays_unless_another_way_is_clearly_quicker(default_s: float, others_s: list[float]) -> None:
    default, others = Timed(DEFAULT, default_s), [timed(other_s) for other_s in others_s]

    taken = calibration.quickest(default, others)

    if min(others_s, default=default_s) > calibration.WORTH * default_s:
        assert taken is default
    else:
        assert taken.read_s == min(others_s)


@given(seconds, seconds)
def test_the_quick_beam_is_for_machines_on_which_the_text_comes_late(careful_s: float, quick_s: float) -> None:
    careful, quick = timed(careful_s), timed(quick_s, beam=1)

    taken = calibration.with_beam(careful, quick)

    late = careful_s + calibration.ALSO_S > calibration.AIM_S
    assert (taken is quick) is (late and quick_s <= calibration.WORTH * careful_s)


# --- short windows


def test_short_windows_that_read_the_same_are_as_good() -> None:
    assert calibration.judge([pair(SENTENCE, SENTENCE, SENTENCE)] * 6) is Windows.AS_GOOD
    assert calibration.judge([pair(SENTENCE, SENTENCE)] * 6) is Windows.AS_GOOD


def test_too_few_words_decide_nothing() -> None:
    assert calibration.judge([]) is Windows.UNDECIDED
    assert calibration.judge([pair(SENTENCE, SENTENCE, SENTENCE)] * 4) is Windows.UNDECIDED


def test_one_word_more_may_be_wrong_and_not_two() -> None:
    right, wrong = pair(SENTENCE, SENTENCE, SENTENCE), pair(SENTENCE, SENTENCE.replace("fox", "box"), SENTENCE)

    assert calibration.judge([*[right] * 9, wrong]) is Windows.AS_GOOD
    assert calibration.judge([*[right] * 8, wrong, wrong]) is Windows.WORSE


def test_what_short_windows_read_better_makes_up_for_what_they_read_worse() -> None:
    spoilt = SENTENCE.replace("fox", "box")
    worse, better = pair(SENTENCE, spoilt, SENTENCE), pair(spoilt, SENTENCE, SENTENCE)

    assert calibration.judge([worse, better] * 5) is Windows.AS_GOOD


def test_where_nobody_knows_what_was_said_the_two_may_differ_a_little() -> None:
    same, other = pair(SENTENCE, SENTENCE), pair(SENTENCE, SENTENCE.replace("fox", "box"))

    assert calibration.judge([same, other] * 5) is Windows.AS_GOOD
    assert calibration.judge([other] * 10) is Windows.WORSE


@pytest.mark.parametrize("short", [f"{SENTENCE} {SENTENCE} {SENTENCE}", "the quick", ""])
@pytest.mark.parametrize("spoken", [SENTENCE, None])
def test_one_repeat_or_one_lost_sentence_is_enough_against_them(short: str, spoken: str | None) -> None:
    assert calibration.judge([*[pair(SENTENCE, SENTENCE, SENTENCE)] * 50, pair(SENTENCE, short, spoken)]) is (
        Windows.WORSE
    )


@given(words, words, words)
def test_word_errors_are_a_distance(one: str, two: str, three: str) -> None:
    def distance(a: str, b: str) -> int:
        return calibration.word_errors(SpokenText(a), SpokenText(b))

    assert distance(one, one) == 0
    assert distance(one, two) == distance(two, one)
    assert abs(len(one.split()) - len(two.split())) <= distance(one, two) <= max(len(one.split()), len(two.split()))
    assert distance(one, three) <= distance(one, two) + distance(two, three)


def test_case_and_punctuation_are_no_word_errors() -> None:
    assert calibration.word_errors(SpokenText("The quick, brown fox."), SpokenText("the quick brown fox")) == 0


# --- other models


def test_every_published_model_has_a_known_cost_and_larger_ones_cost_more() -> None:
    assert {model.name.removesuffix(".en") for model in models()} == set(COSTS)
    for size in ("tiny", "base", "small", "medium", "large-v3"):
        assert COSTS[size].short < COSTS[size].full
    assert COSTS["tiny"].short < COSTS["base"].short < COSTS["small"].short < COSTS["medium"].short


@given(st.sampled_from([model.name for model in models()]), seconds, st.sampled_from(Windows))
def test_the_measured_model_is_expected_to_be_as_quick_as_it_was(name: str, read_s: float, windows: Windows) -> None:
    expected_s = calibration.estimates(name, read_s, windows)[name.removesuffix(".en")]

    if windows.are_short:
        assert expected_s == pytest.approx(read_s + calibration.ALSO_S)
    else:
        assert expected_s < read_s + calibration.ALSO_S


def test_of_a_model_of_ones_own_nothing_follows_for_others() -> None:
    assert calibration.estimates("/home/anna/whisper-nb", 0.3, Windows.MEASURED) == {}
    assert calibration.largest(models(), {}, "en") is None


@given(seconds, st.sampled_from(["auto", "en", "de", "en, de"]))
def test_the_largest_that_keeps_up_is_recommended(read_s: float, language: str) -> None:
    expected_s = calibration.estimates("base", read_s, Windows.MEASURED)

    found = calibration.largest(models(), expected_s, language)

    able = [model for model in models() if expected_s[model.name.removesuffix(".en")] <= calibration.AIM_S]
    able = [model for model in able if language == "en" or len(model.languages) > 1]
    assert (found is None) is (not able)
    if found is not None:
        assert found in able
        assert round(found.size_bytes, -7) == max(round(model.size_bytes, -7) for model in able)


def test_who_dictates_english_alone_is_shown_the_model_that_knows_nothing_else() -> None:
    expected_s = {"tiny": 0.1, "base": 0.4, "small": 0.9}

    english = calibration.largest(models(), expected_s, "en")
    many = calibration.largest(models(), expected_s, "auto")

    assert english is not None and many is not None
    assert (english.name, many.name) == ("base.en", "base")


def test_what_is_set_by_default_is_what_calibration_starts_from() -> None:
    engine = Settings().engine

    assert replace(engine, **{name: getattr(DEFAULT, name) for name in Way.__dataclass_fields__}) == engine
