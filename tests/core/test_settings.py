"""Settings are valid whatever the file says, and every mistake is named."""

from __future__ import annotations

import re
from dataclasses import fields
from json import dumps as json_text
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.settings import STRATEGIES, Settings, changes, override, parse


def test_an_empty_file_means_the_defaults() -> None:
    assert parse({}) == (Settings(), ())


def test_valid_values_are_taken() -> None:
    settings, problems = parse(
        {
            "hotkey": {"combo": "f9", "mode": "hold", "hold_s": 1},
            "engine": {"vocabulary": ["LysnrAI", "Kubernetes"], "threads": 2},
            "recording": {"cues": False},
            "models": {"sources": ["package"]},
            "polish": {"replacements": {"a": "b"}},
        }
    )

    assert problems == ()
    assert (settings.hotkey.combo, settings.hotkey.mode, settings.hotkey.hold_s) == ("f9", "hold", 1.0)
    assert settings.engine.vocabulary == ("LysnrAI", "Kubernetes")
    assert settings.engine.threads == 2
    assert settings.recording.cues is False
    assert settings.models.sources == ("package",)
    assert settings.polish.replacements == {"a": "b"}


@pytest.mark.parametrize(
    ("document", "key", "reason"),
    [
        ({"hotkeys": {}}, "hotkeys", "is not a known section"),
        ({"hotkey": "f9"}, "hotkey", "must be a section"),
        ({"hotkey": {"kombo": "f9"}}, "hotkey.kombo", "is not a known setting"),
        ({"hotkey": {"mode": "often"}}, "hotkey.mode", "must be one of hold, toggle, hybrid"),
        ({"hotkey": {"combo": 9}}, "hotkey.combo", "must be a text"),
        ({"hotkey": {"combo": "f9\x00"}}, "hotkey.combo", "must not have control characters"),
        ({"hotkey": {"hold_s": "long"}}, "hotkey.hold_s", "must be a number from 0.1 to 5"),
        ({"hotkey": {"hold_s": True}}, "hotkey.hold_s", "must be a number from 0.1 to 5"),
        ({"recording": {"max_s": 0}}, "recording.max_s", "must be a number from 1 to 14400"),
        ({"recording": {"max_s": float("nan")}}, "recording.max_s", "must be a number from 1 to 14400"),
        ({"recording": {"cues": "yes"}}, "recording.cues", "must be true or false"),
        ({"engine": {"threads": 1.5}}, "engine.threads", "must be a whole number from 0 to 64"),
        ({"engine": {"vocabulary": "LysnrAI"}}, "engine.vocabulary", "must be a list of texts"),
        ({"engine": {"vocabulary": [1]}}, "engine.vocabulary", "must be a list of texts"),
        ({"models": {"sources": ["web"]}}, "models.sources", "must only have package, hub, mirror, folder"),
        ({"polish": {"replacements": {"a": 1}}}, "polish.replacements", "must be a table of texts"),
        ({"polish": {"replacements": {" ": "x"}}}, "polish.replacements", "must be a table of texts"),
        ({"insertion": {"rules": {"gedit": "shout"}}}, "insertion.rules", f"must only have {', '.join(STRATEGIES)}"),
        ({"polish": {"replacements": []}}, "polish.replacements", "must be a table of texts"),
    ],
)
def test_a_bad_value_is_named_and_its_default_stays(document: dict[str, Any], key: str, reason: str) -> None:
    settings, problems = parse(document)

    assert [(problem.key, problem.reason) for problem in problems] == [(key, reason)]
    assert settings == Settings()


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _keys(section: str) -> list[str]:
    return [field.name for field in fields(getattr(Settings(), section))]


sections = st.sampled_from([section.name for section in fields(Settings)]).flatmap(
    lambda section: st.tuples(st.just(section), st.dictionaries(st.sampled_from([*_keys(section), "else"]), json))
)


@given(st.lists(sections, max_size=4).map(dict))
def test_nothing_in_a_file_can_stop_the_app(document: dict[str, Any]) -> None:
    settings, problems = parse(document)

    named = {problem.key for problem in problems}
    for section, values in document.items():
        for key in values:
            taken = getattr(getattr(settings, section), key, None)
            default = getattr(getattr(Settings(), section), key, None)
            assert f"{section}.{key}" not in named or taken == default


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("engine.model", "tiny.en", "tiny.en"),
        ("recording.max_s", "90", 90.0),
        ("engine.threads", "2", 2),
        ("recording.cues", "no", False),
        ("engine.vocabulary", "LysnrAI, Qt", ("LysnrAI", "Qt")),
    ],
)
def test_a_flag_or_variable_overrides_one_setting(key: str, text: str, value: object) -> None:
    settings, problem = override(Settings(), key, text)

    section, _, name = key.partition(".")
    assert problem is None
    assert getattr(getattr(settings, section), name) == value


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("engine.modell", "base", "is not a known setting"),
        ("motor.model", "base", "is not a known setting"),
        ("engine", "base", "is not a known setting"),
        ("", "base", "is not a known setting"),
        ("recording.cues", "perhaps", "must be true or false"),
        ("recording.max_s", "long", "must be a number from 1 to 14400"),
        ("engine.threads", "1.5", "must be a whole number from 0 to 64"),
    ],
)
def test_a_bad_flag_is_named_and_changes_nothing(key: str, text: str, reason: str) -> None:
    settings, problem = override(Settings(), key, text)

    assert problem is not None
    assert (problem.key, problem.reason) == (key, reason)
    assert settings == Settings()


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("", True),
        ("https://telemetry.example/base", True),
        ("http://localhost:4003", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:4003/", True),
        ("http://telemetry.example", False),
        ("http://127.0.0.1.example", False),
        ("http://localhost:4003@telemetry.example", False),
        ("telemetry.example", False),
        ("https://a b", False),
    ],
)
def test_usage_data_goes_over_no_network_in_the_clear(url: str, good: bool) -> None:
    settings, problem = override(Settings(), "telemetry.url", url)

    assert (problem is None, settings.telemetry.url) == (good, url if good else "")


def test_what_changed_is_named_without_its_value() -> None:
    before = Settings()
    after, _ = override(before, "engine.model", "tiny.en")
    after, _ = override(after, "telemetry.collect", "all")

    assert changes(before, after) == ("engine.model", "telemetry.collect")
    assert changes(after, after) == ()


def test_the_page_about_settings_lists_exactly_what_there_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text("utf-8")
    told: dict[str, str] = {}
    section = ""
    for line in page.splitlines():
        if heading := re.match(r"## \[(\w+)\]", line):
            section = heading[1]
        elif line.startswith("## "):
            section = ""
        elif section and (row := re.match(r"\| `(\w+)` \| `(.*?)` \|", line)):
            told[f"{section}.{row[1]}"] = row[2]

    defaults = {
        f"{section.name}.{key}": _as_toml(getattr(getattr(Settings(), section.name), key))
        for section in fields(Settings)
        for key in _keys(section.name)
    }
    assert told == defaults


def _as_toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return json_text(list(value))
    return json_text(value)


@pytest.mark.parametrize(
    ("key", "text", "good"),
    [
        ("azure.region", "westeurope", True),
        ("azure.region", "westeurope.evil.example/", False),
        ("azure.endpoint", "wss://speech.example", True),
        ("azure.endpoint", "https://mine.cognitiveservices.azure.com/", True),
        ("azure.endpoint", "ws://127.0.0.1:4010", True),
        ("azure.endpoint", "ws://speech.example", False),
        ("azure.proxy", "proxy.example:3128", True),
        ("azure.proxy", "http://proxy.example:3128", False),
        ("azure.proxy", "user:word@proxy.example:3128", False),
    ],
)
def test_the_key_of_azure_goes_only_where_the_settings_clearly_say(key: str, text: str, good: bool) -> None:
    settings, problem = override(Settings(), key, text)

    assert (problem is None, settings.azure == Settings().azure) == (good, not good)


def test_a_key_has_no_place_in_the_settings() -> None:
    _, problems = parse({"azure": {"key": "0123456789abcdef"}})

    assert [problem.key for problem in problems] == ["azure.key"]
    assert "0123456789abcdef" not in repr(problems)


@pytest.mark.parametrize(("key", "located"), [("azure.region", True), ("azure.endpoint", True), ("azure.proxy", False)])
def test_azure_is_located_by_a_region_or_an_endpoint(key: str, located: bool) -> None:
    text = {"azure.region": "westeurope", "azure.endpoint": "wss://a.example", "azure.proxy": "a:1"}[key]
    settings, _ = override(Settings(), key, text)

    assert settings.azure.is_located is located
    assert not Settings().azure.is_located
