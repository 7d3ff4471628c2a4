"""Human speech for tests, the demonstration and benchmarks: fetching, choosing, comparing.

`python -m tests.speech fetch` fills build/speech and returns at once when it is full. Nothing
is installed and nothing compiled. Not for shipping: the recordings belong to others.

    prompts    Debian's Asterisk prompts in five languages (asterisk-core-sounds-*), spoken by
               Allison Smith (en, es), June Wallack (fr): CC-BY-SA-3.0; Carlo Flora (it),
               Maxim Topal / ivrvoice.ru (ru): CC-BY-3.0
    librivox   five sentences of Sense and Sensibility, public domain, from the source archive
               of pocketsphinx

Word error rates are compared after normalising case, punctuation, spelling and numbers.
"""

from __future__ import annotations

import functools
import gzip
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import wave
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[1] / "build" / "speech"

_VOICES = {
    "en": "en_US_f_Allison",
    "fr": "fr_CA_f_June",
    "es": "es_MX_f_Allison",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}
LANGUAGES = tuple(_VOICES)

_AT_LEAST = {"en": 230, "fr": 190, "es": 160, "it": 165, "ru": 155}
"""Usable prompts of four words or more, a few less than version 1.6.1-1 has of each."""

_ARCHIVE = "pocketsphinx==5.1.1 --hash=sha256:675778b309a22dfc9b7d37f7621976bba491d2a5f8c59696bd77fd6d07271355"
_ARCHIVED = "pocketsphinx-5.1.1/test/data/librivox/"

# Sounds in brackets, alternatives, broken characters; a question mark is fine at the end only.
_UNCLEAR = re.compile(r"[\[\](){}<>\ufffd?]")
_NOT_SPEECH_OF_WORDS = ("letters/", "digits/", "phonetic/", "silence/")
_G722_BYTES_PER_S = 8000
_FASTEST_WORDS_PER_S = 7  # what claims more describes a sound

_NUMBERS = {
    "fr": "zero un deux trois quatre cinq six sept huit neuf dix",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez",
    "it": "zero uno due tre quattro cinque sei sette otto nove dieci",
    "ru": "ноль один два три четыре пять шесть семь восемь девять десять",
}


class SpeechMissing(Exception):
    """The recordings are not there. Tests fail by it; they are never skipped."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording and what is said in it."""

    id: str
    """Stable name within its language, e.g. "vm-goodbye" or "librivox/0870"."""

    language: str
    text: str
    path: Path
    """G.722 or WAV, as it came; `samples` and `as_wav` read both."""

    @property
    def duration_s(self) -> float:
        if self.path.suffix == ".g722":
            return self.path.stat().st_size / _G722_BYTES_PER_S
        with wave.open(str(self.path)) as recording:
            return float(recording.getnframes() / recording.getframerate())


# -- choosing


def prompts(
    language: str = "en", *, words: tuple[int, int] = (4, 99), longest_s: float = 28.0, folder: Path = FOLDER
) -> list[Clip]:
    """Return the prompts with this many words whose transcript can be trusted, by name.

    Left out: names of letters and digits, tones and silences, transcripts with alternatives or
    broken characters, and in languages other than English those with digits.
    """
    return [
        clip
        for clip in _all_prompts(language, folder)
        if not clip.id.startswith(_NOT_SPEECH_OF_WORDS)
        and not _UNCLEAR.search(clip.text.rstrip("?"))
        and (language == "en" or not re.search(r"\d", clip.text))
        and words[0] <= len(spoken := re.findall(r"\w+", clip.text)) <= words[1]
        and len(spoken) / _FASTEST_WORDS_PER_S <= clip.duration_s <= longest_s
    ]


def prompt(name: str, language: str = "en") -> Clip:
    """Return one prompt by name, digits and letters included, e.g. "digits/7"."""
    for clip in _all_prompts(language, FOLDER):
        if clip.id == name:
            return clip
    raise KeyError(name)


def librivox(folder: Path = FOLDER) -> list[Clip]:
    """Return five sentences of a novel, read by one man: 2 to 7 s each, 25 s in all."""
    _require(folder)
    return [
        Clip(
            f"librivox/{path.stem[-4:]}",
            "en",
            # One transcript has an article too many that is not spoken.
            path.with_suffix(".txt").read_text(encoding="utf-8").strip().replace("more a amiable", "more amiable"),
            path,
        )
        for path in sorted((folder / "librivox").glob("*.wav"))
    ]


def thinned(clips: list[Clip], count: int) -> list[Clip]:
    """Return `count` clips, evenly chosen from all."""
    return [clips[i * len(clips) // count] for i in range(min(count, len(clips)))]


@functools.cache
def _all_prompts(language: str, folder: Path) -> tuple[Clip, ...]:
    _require(folder)
    sounds = folder / "prompts/usr/share/asterisk/sounds" / _VOICES[language]
    listed = folder / f"prompts/usr/share/doc/asterisk-core-sounds-{language}/core-sounds-{language}.txt.gz"
    clips = []
    for line in gzip.decompress(listed.read_bytes()).decode("utf-8-sig", "replace").splitlines():
        name, colon, text = line.partition(":")
        path = sounds / f"{name.strip()}.g722"
        if colon and not line.startswith(";") and path.exists():
            clips.append(Clip(name.strip(), language, text.strip(), path))
    return tuple(sorted(clips, key=lambda clip: clip.id))


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise SpeechMissing("no recordings in build/speech: run `make speech` (python -m tests.speech fetch)")


# -- hearing


def samples(source: Clip | Path, rate_hz: int = 16_000) -> NDArray[np.float32]:
    """Return a recording as mono samples in [-1, 1]."""
    import av

    path = source.path if isinstance(source, Clip) else source
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
    with av.open(str(path)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)


def as_wav(source: Clip | Path, folder: Path, rate_hz: int = 48_000) -> Path:
    """Write a recording as 16-bit mono WAV for playing, once; returns its path in `folder`."""
    name = source.id.replace("/", "-") if isinstance(source, Clip) else source.stem
    language = source.language if isinstance(source, Clip) else "file"
    path = folder / f"{language}-{name}-{rate_hz}.wav"
    if not path.exists():
        write_wav(path, samples(source, rate_hz), rate_hz)
    return path


def write_wav(path: Path, mono: NDArray[np.floating], rate_hz: int) -> None:
    """Write samples in [-1, 1] as 16-bit mono WAV."""
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(rate_hz)
        recording.writeframes(np.rint(np.clip(mono, -1, 1) * 32767).astype("<i2").tobytes())


# -- comparing


def normalise(text: str, language: str = "en") -> str:
    """Return the words alone, so that writing "10" for "ten" or "colour" for "color" is no error."""
    english, other = _normalizers()
    if language == "en":
        return english(text).strip()
    plain = other(text.replace("ё", "е"))
    names = _NUMBERS.get(language, "").split()
    return re.sub(r"\b(10|\d)\b", lambda number: names[int(number[1])], plain).strip() if names else plain.strip()


def word_error_rate(pairs: Iterable[tuple[str, str]], language: str = "en") -> float:
    """Return the word error rate in percent over all pairs of (spoken, written) together."""
    import jiwer

    errors = words = 0
    for spoken, written in pairs:
        reference = normalise(spoken, language)
        if reference:
            counts = jiwer.process_words(reference, normalise(written, language) or "<nothing>")
            errors += counts.substitutions + counts.deletions + counts.insertions
            words += len(reference.split())
    return 100 * errors / max(1, words)


@functools.cache
def _normalizers() -> tuple[Callable[[str], str], Callable[[str], str]]:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer(), BasicTextNormalizer(remove_diacritics=True)


# -- fetching


def fetch() -> None:
    """Fill FOLDER, whole or not at all."""
    if FOLDER.is_dir():
        return
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="speech-", dir=FOLDER.parent) as name:
        draft = Path(name)
        (draft / "speech").mkdir()
        _fetch_prompts(draft)
        _fetch_librivox(draft)
        _check(draft / "speech")
        (draft / "speech").replace(FOLDER)


def _fetch_prompts(draft: Path) -> None:
    packages = [f"asterisk-core-sounds-{language}{codec}" for language in LANGUAGES for codec in ("-g722", "")]
    download = draft / "packages"
    download.mkdir()
    if _apt(["download", *packages], download).returncode != 0:
        # No package lists, or old ones. Lists of our own need no root and leave the system's alone.
        (draft / "lists" / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={draft / 'lists'}", "-o", f"Dir::Cache={draft / 'cache'}"]
        for verb in (["update"], ["download", *packages]):
            if (done := _apt([*own, *verb], download)).returncode != 0:
                raise SystemExit(f"cannot fetch the speech recordings of Debian:\n{done.stderr}")
    for package in sorted(download.glob("*.deb")):
        subprocess.run(["dpkg", "-x", package, draft / "speech" / "prompts"], check=True)


def _apt(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["apt-get", "-q", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def _fetch_librivox(draft: Path) -> None:
    # The index also has wheels, without the recordings. pip reads the archive's metadata, no more.
    wanted = draft / "archive.txt"
    wanted.write_text(_ARCHIVE, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    pip += ["--no-deps", "--no-binary", "pocketsphinx", "--dest", str(draft), "--requirement", str(wanted)]
    subprocess.run(pip, check=True)
    target = draft / "speech" / "librivox"
    target.mkdir()
    with tarfile.open(next(draft.glob("pocketsphinx-*.tar.gz"))) as archive:
        for member in archive:
            if member.name.startswith(_ARCHIVED) and re.fullmatch(
                r"sense_\w+-\d{4}\.(wav|txt)", Path(member.name).name
            ):
                content = archive.extractfile(member)
                assert content
                with content, (target / Path(member.name).name).open("wb") as out:
                    shutil.copyfileobj(content, out)


def _check(folder: Path) -> None:
    """Fail unless as many usable recordings came as these sources had when they were chosen."""
    counts = {language: len(prompts(language, folder=folder)) for language in LANGUAGES}
    sentences = len(librivox(folder))
    short = [language for language, count in counts.items() if count < _AT_LEAST[language]]
    if short or sentences != 5:
        raise SystemExit(f"the sources of speech have changed: {counts}, {sentences} sentences of LibriVox")


if __name__ == "__main__":
    if sys.argv[1:] != ["fetch"]:
        raise SystemExit("usage: python -m tests.speech fetch")
    fetch()
