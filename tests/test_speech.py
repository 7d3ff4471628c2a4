"""The recordings are what the tests take them for."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from tests import speech


@pytest.mark.parametrize("language", speech.LANGUAGES)
def test_every_language_has_sentences_of_a_few_seconds(language: str) -> None:
    clips = speech.prompts(language, words=(4, 25), longest_s=6)

    assert len(clips) > 100
    assert all(clip.text and 0.5 < clip.duration_s <= 6 for clip in clips)


def test_the_novel_is_there_word_for_word() -> None:
    clips = speech.librivox()

    assert len(clips) == 5
    assert 24 < sum(clip.duration_s for clip in clips) < 27
    assert any("more amiable" in clip.text for clip in clips)


def test_a_clip_keeps_its_length_and_loudness_as_wav(tmp_path: Path) -> None:
    clip = speech.prompt("vm-goodbye")

    path = speech.as_wav(clip, tmp_path)

    with wave.open(str(path)) as recording:
        assert (recording.getnchannels(), recording.getframerate()) == (1, 48_000)
        assert recording.getnframes() / 48_000 == pytest.approx(clip.duration_s, abs=0.02)
    assert abs(speech.samples(path)).max() == pytest.approx(abs(speech.samples(clip)).max(), rel=0.1)


def test_absent_recordings_fail_with_the_command_that_brings_them(tmp_path: Path) -> None:
    with pytest.raises(speech.SpeechMissing, match="make speech"):
        speech.prompts(folder=tmp_path / "nowhere")


def test_case_punctuation_and_figures_are_no_errors() -> None:
    assert speech.word_error_rate([("You have ten new messages.", "you have 10 new messages")]) == 0
    assert speech.word_error_rate([("Vous avez deux messages", "vous avez 2 messages")], "fr") == 0


def test_a_text_that_never_came_counts_every_word() -> None:
    assert speech.word_error_rate([("nothing came", "")]) == 100
