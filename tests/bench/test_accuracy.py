"""What judges is fixed, apart from what was tuned on, and judged by what a reader would mind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import speech
from tests.bench import accuracy, judging
from tests.bench.accuracy import Score, Store
from tests.bench.judging import Recording
from tests.speech import Clip


@pytest.mark.parametrize("language", speech.LANGUAGES)
def test_enough_recordings_judge_and_none_of_them_was_tuned_on(language: str) -> None:
    recordings = judging.recordings(language)
    tuning = {clip.id for number, clip in enumerate(speech.prompts(language)) if judging.is_for_tuning(number)}

    assert len({recording.id for recording in recordings}) == len(recordings) >= (400 if language == "en" else 100)
    assert len({(recording.clips, recording.noise) for recording in recordings}) == len(recordings)
    assert not tuning & {clip.id for recording in recordings for clip in recording.clips}
    assert all(2 <= sum(clip.duration_s for clip in recording.clips) <= 60 for recording in recordings)


def test_a_recording_is_the_same_each_time_and_as_noisy_as_it_says() -> None:
    clip = speech.librivox()[4]
    noisy = Recording("a", "en", judging.NOISY, (clip,), "white", 10.0)

    sound = noisy.samples()

    assert np.array_equal(sound, noisy.samples())
    clean = speech.samples(clip)
    added = np.sqrt(np.mean((sound - clean) ** 2))
    assert 20 * np.log10(judging._speech_rms(clean) / added) == pytest.approx(10, abs=0.5)


def of(*sentences: str) -> Recording:
    clips = tuple(Clip(f"clip{number}", "en", text, Path()) for number, text in enumerate(sentences))
    return Recording("a", "en", judging.JOINED, clips)


TWO = of("The lights are on.", "Please close the door behind you.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The lights are on. Please close the door behind you.", Score(10, 0, 12, 0)),
        ("the lights are on please close the door behind you", Score(10, 0, 12, 4)),
        ("The lights are off. Please close the door behind you.", Score(10, 1, 12, 1)),
        ("The lights are on.", Score(10, 6, 12, 7, lost=1)),
        ("", Score(10, 10, 12, 12, lost=2)),
    ],
)
def test_texts_are_scored_as_they_read(text: str, expected: Score) -> None:
    assert accuracy.score(TWO, text) == expected


def test_a_text_that_repeats_itself_is_counted_as_one() -> None:
    assert accuracy.score(TWO, TWO.text + " behind you" * 10).repeats == 1
    assert accuracy.score(TWO, TWO.text + " please").repeats == 0


def test_what_has_no_punctuation_is_not_judged_by_it() -> None:
    clip = speech.librivox()[4]
    assert accuracy.score(Recording("a", "en", judging.ALONE, (clip,)), clip.text.upper()).tokens == 0


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "FOLDER", tmp_path)
    Store("base", "ours").add("en/a", ["One."])
    [file] = tmp_path.iterdir()
    with file.open("a") as store:
        store.write('["en/b", ["Tw')  # it was killed

    assert Store("base", "ours").texts == {"en/a": ["One."]}
    assert Store("base", "one pass").texts == {}
    assert Store("tiny.en", "ours").texts == {}
    Store("base", "ours").add("en/c", ["Three."])
    assert Store("base", "ours").texts == {"en/a": ["One."], "en/c": ["Three."]}


def test_the_table_says_whether_ours_is_within_bounds() -> None:
    good, bad = TWO.text, "The lights."
    texts = {accuracy.OURS: {"a": bad}, accuracy.ONE_PASS: {"a": good}}

    rows = {line.split(" | ")[0]: line for line in accuracy.table("base", accuracy.rows([TWO], texts))}

    assert "| 1 | 80.00 / 0.00 | NO | 0 / 1 |" in rows["| en, joined"]
    assert "| 0 | 0.00 / 0.00 | yes |" in rows["| en, alone"]
