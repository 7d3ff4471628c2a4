"""The real models hear what was said, and nothing where nothing was said."""

from __future__ import annotations

import itertools
import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.dictation import EngineDone, EngineFailed, Final, Voice
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.guards import Reading
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.engines.model import Model
from lysnrai_desktop.engines.whisper import WhisperEngine
from tests import nonspeech, speech
from tests.desktop.processes import DEADLINE_S, eventually
from tests.hearing import HOST, Hearing, hearing, pcm, settings_for, take_of, text_of

RATE_HZ = 16_000
ENGLISH = settings_for(model="tiny.en", idle_s=0.0)
MANY = settings_for(model="base", idle_s=0.0)

Sound = NDArray[np.floating]

_sessions = itertools.count(1)


@pytest.fixture(scope="module")
def english(tiny_en: Path) -> Iterator[Hearing]:
    with hearing([*HOST, "whisper"], lambda _: tiny_en) as link:
        link.link.warm(ENGLISH)
        link.until_state("ready")
        yield link


@pytest.fixture(scope="module")
def many(base: Path) -> Iterator[Hearing]:
    with hearing([*HOST, "whisper"], lambda _: base) as link:
        link.link.warm(MANY)
        link.until_state("ready")
        yield link


def said(link: Hearing, samples: Sound, settings: Settings, rate_hz: int = RATE_HZ) -> tuple[str, set[str]]:
    """The text of a recording, and the languages that were heard in it."""
    finals = link.hear(next(_sessions), take_of(samples, rate_hz), settings)
    assert [final.start for final in finals] == [0, *(final.end for final in finals[:-1])]
    assert finals[-1].end == len(samples)
    return text_of(finals), {final.language for final in finals if final.text}


def with_silence(samples: Sound, seconds: float = 0.5) -> Sound:
    return np.pad(samples, round(seconds * RATE_HZ))


# --- what was said


def test_recordings_are_heard_as_well_as_in_one_pass(english: Hearing, tiny_en: Path) -> None:
    clips = speech.thinned([clip for clip in speech.prompts() if 4 <= clip.duration_s < 8], 7) + speech.librivox()[:2]
    one_pass = WhisperModel(str(tiny_en), device="cpu", compute_type="int8", cpu_threads=2)

    ours = [(clip.text, said(english, speech.samples(clip), ENGLISH)[0]) for clip in clips]
    theirs = [
        (clip.text, "".join(segment.text for segment in one_pass.transcribe(speech.samples(clip))[0])) for clip in clips
    ]

    assert speech.word_error_rate(ours) <= speech.word_error_rate(theirs) + 1


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_any_rate_of_the_microphone_will_do(english: Hearing, rate_hz: int) -> None:
    clip = speech.librivox()[4]

    text, _ = said(english, speech.samples(clip, rate_hz), ENGLISH, rate_hz)

    assert speech.word_error_rate([(clip.text, text)]) == 0


def test_a_minute_with_pauses_is_heard_whole(english: Hearing) -> None:
    clips = speech.librivox() * 2
    pause = np.zeros(round(0.7 * RATE_HZ))
    sound = np.concatenate([part for clip in clips for part in (speech.samples(clip), pause)])

    text, _ = said(english, sound, ENGLISH)

    assert speech.word_error_rate([(" ".join(clip.text for clip in clips), text)]) <= 6


def test_speech_without_a_pause_is_heard_whole_though_it_has_to_be_cut(english: Hearing) -> None:
    clips = (speech.librivox() * 2)[:7]  # 37 s
    sounds = [_without_edges(speech.samples(clip)) for clip in clips]

    text, _ = said(english, np.concatenate(sounds), ENGLISH)

    assert speech.word_error_rate([(" ".join(clip.text for clip in clips), text)]) <= 15


def _without_edges(sound: Sound) -> Sound:
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    return sound[loud[0] : loud[-1]]


@pytest.mark.parametrize("level_db", [-10, -40])
def test_short_words_are_not_lost_however_softly_they_are_spoken(english: Hearing, level_db: int) -> None:
    for clip in speech.thinned([clip for clip in speech.prompts(words=(1, 2)) if clip.duration_s < 2], 5):
        sound = speech.samples(clip)
        softly = sound / np.abs(sound).max() * 10 ** (level_db / 20)

        assert said(english, with_silence(softly), ENGLISH)[0], clip.id


# --- what was not said


SILENCES: dict[str, Callable[[float], Sound]] = {
    **{name: lambda seconds, name=name: nonspeech.make(name, seconds) for name in nonspeech.SOUNDS},  # type: ignore[misc]
    "digital silence": lambda seconds: np.zeros(round(seconds * RATE_HZ)),
    "a quiet room": lambda seconds: 1e-3 * np.random.default_rng(1).standard_normal(round(seconds * RATE_HZ)),
    "white noise": lambda seconds: 0.03 * np.random.default_rng(1).standard_normal(round(seconds * RATE_HZ)),
}


@pytest.mark.parametrize("name", SILENCES)
@pytest.mark.parametrize("seconds", [0.02, 1, 8])
def test_nothing_is_written_for_what_is_no_speech(english: Hearing, name: str, seconds: float) -> None:
    assert said(english, SILENCES[name](seconds), ENGLISH) == ("", set())


def test_nothing_is_written_for_a_long_silence_and_its_end_is_told_on_the_way(english: Hearing) -> None:
    finals = english.hear(next(_sessions), take_of(SILENCES["a quiet room"](100)), ENGLISH)

    assert text_of(finals) == ""
    assert all(final.end - final.start <= wire.FINAL_WITHIN_S * RATE_HZ for final in finals)


def test_noises_around_speech_add_no_words(english: Hearing) -> None:
    clip = speech.librivox()[4]
    clicks = nonspeech.make("key clicks", 3)

    text, _ = said(english, np.concatenate([clicks, speech.samples(clip), clicks]), ENGLISH)

    assert speech.word_error_rate([(clip.text, text)]) == 0


def test_the_vocabulary_is_not_taken_for_speech(english: Hearing) -> None:
    terms = settings_for(model="tiny.en", idle_s=0.0, vocabulary=("Kubernetes", "LysnrAI", "Anna Kowalska"))
    clip = speech.librivox()[4]

    assert said(english, nonspeech.make("fan", 4), terms) == ("", set())
    assert speech.word_error_rate([(clip.text, said(english, speech.samples(clip), terms)[0])]) == 0


def test_a_vocabulary_decides_how_a_name_is_written(many: Hearing) -> None:
    clip = speech.librivox()[0]
    terms = settings_for(model="base", idle_s=0.0, language="en", vocabulary=("Jon Dashwoode",))

    assert "Dashwoode" in said(many, speech.samples(clip), terms)[0]


# --- languages


@pytest.mark.parametrize("language", ["en", "fr", "it"])
def test_the_language_spoken_is_found_among_the_chosen(many: Hearing, language: str) -> None:
    clip = next(clip for clip in speech.prompts(language) if 3 <= clip.duration_s <= 6)
    chosen = settings_for(model="base", idle_s=0.0, language="en,fr,it")

    assert said(many, speech.samples(clip), chosen)[1] == {language}


def test_a_fixed_language_is_taken_at_its_word(many: Hearing) -> None:
    clip = speech.librivox()[4]

    assert said(many, speech.samples(clip), settings_for(model="base", idle_s=0.0, language="fr"))[1] == {"fr"}


def test_automatic_is_english_for_an_english_model(english: Hearing) -> None:
    assert said(english, speech.samples(speech.librivox()[4]), ENGLISH)[1] == {"en"}


def test_a_language_the_model_cannot_do_has_its_own_code(english: Hearing) -> None:
    session = next(_sessions)
    english.link.start(session, take_of(np.zeros(RATE_HZ)), 0, settings_for(model="tiny.en", language="de"))

    while not isinstance(event := english.events.get(timeout=DEADLINE_S), EngineFailed):
        assert not isinstance(event, Final | EngineDone | Voice)
    assert (event.session, event.code) == (session, "engine.language")


# --- loading


def load(folder: Path, device: str = "auto", compute_type: str = "auto") -> wire.Load:
    return wire.Load(str(folder), device, compute_type, 1)


def loading_fails_with(link: wire.Load) -> str:
    with pytest.raises(Fault) as caught:
        WhisperEngine(queue.SimpleQueue[wire.FromEngine]().put).load(link)
    return caught.value.code


@pytest.mark.parametrize("missing", ["config.json", "model.bin", "tokenizer.json", "vocabulary.txt"])
def test_a_folder_that_lacks_a_file_is_a_damaged_model(tmp_path: Path, tiny_en: Path, missing: str) -> None:
    for file in tiny_en.iterdir():
        if file.name != missing:
            (tmp_path / file.name).symlink_to(file)

    assert loading_fails_with(load(tmp_path)) == "model.damaged"


def test_weights_that_end_too_soon_are_a_damaged_model(tmp_path: Path, tiny_en: Path) -> None:
    shutil.copytree(tiny_en, tmp_path / "model")
    with (tmp_path / "model" / "model.bin").open("r+b") as weights:
        weights.truncate(1_000_000)

    assert loading_fails_with(load(tmp_path / "model")) == "model.damaged"


def test_weights_of_another_program_are_a_damaged_model(tmp_path: Path, tiny_en: Path) -> None:
    shutil.copytree(tiny_en, tmp_path / "model")
    (tmp_path / "model" / "model.bin").write_bytes(b"ggml" * 10_000)

    assert loading_fails_with(load(tmp_path / "model")) == "model.damaged"


@pytest.mark.parametrize(("device", "compute_type"), [("cuda", "auto"), ("cpu", "float16")])
def test_a_device_or_type_that_is_not_there_is_a_failed_start(tiny_en: Path, device: str, compute_type: str) -> None:
    assert loading_fails_with(load(tiny_en, device, compute_type)) == "engine.start_failed"


def test_too_little_memory_is_not_taken_for_a_damaged_model(tiny_en: Path) -> None:
    with hearing(["prlimit", "--data=200000000", "--", *HOST, "whisper"], lambda _: tiny_en) as link:
        link.link.start(1, take_of(np.zeros(RATE_HZ)), 0, ENGLISH)

        while not isinstance(event := link.events.get(timeout=DEADLINE_S), EngineFailed):
            pass
        assert event.code == "engine.out_of_memory"


# --- whether it is at work


class Held(Model):
    """Reads nothing until it is let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), device="cpu", compute_type="int8")
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def read(self, *arguments: Any, **options: Any) -> Reading:
        self.begun.set()
        assert self.goes_on.wait(DEADLINE_S)
        return super().read(*arguments, **options)

    def read_sentence(self) -> str:
        return ""


@pytest.fixture(scope="module")  # its thread ends with the process
def held(tiny_en: Path) -> tuple[WhisperEngine, Held]:
    engine, model = WhisperEngine(queue.SimpleQueue[wire.FromEngine]().put), Held(tiny_en)
    engine.use(model)
    return engine, model


def test_it_is_at_work_until_a_piece_is_read_however_long_that_takes(held: tuple[WhisperEngine, Held]) -> None:
    engine, model = held
    eventually(lambda: not engine.is_at_work(), "it has nothing to do")
    hearing = engine.start(wire.Start(1, 0, "en", ()), lambda: True)
    hearing.audio(wire.Audio(1, RATE_HZ, pcm(speech.samples(speech.prompt("number-not-answering")))))
    hearing.finish()
    assert model.begun.wait(DEADLINE_S)

    assert engine.is_at_work()

    model.goes_on.set()
    eventually(lambda: not engine.is_at_work(), "it is done")
