"""The catalogue of usage events admits no free text, and the page for people lists exactly it."""

from __future__ import annotations

import re
import typing
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop import ASSETS
from lysnrai_desktop.core import usage
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.usage import Area, Code, Phase, Setting, Stack, UsageEvent, catalogue, told

ROOT = Path(__file__).parents[2]


def example(type_: Any) -> Any:
    if type_ is int:
        return 7
    if type_ is Code:
        return Code("engine.died")
    if type_ is Setting:
        return Setting("engine.model")
    if type_ is Stack:
        return Stack(("loop.handle", "x11.<module>"))
    return next(iter(type_))


def kinds(event: type[UsageEvent]) -> dict[str, Any]:
    hints = typing.get_type_hints(event)
    return {each.name: hints[each.name] for each in fields(event)}


@pytest.mark.parametrize("event", catalogue(), ids=lambda event: event.name)
def test_no_field_of_any_event_can_carry_free_text(event: type[UsageEvent]) -> None:
    for type_ in kinds(event).values():
        assert type_ in (int, Code, Setting, Stack) or issubclass(type_, StrEnum)
    assert re.fullmatch("[a-z][a-z_]{2,60}", event.name)
    assert event.says.endswith(".")


@given(st.text())
def test_neither_a_code_nor_a_setting_can_be_made_of_what_somebody_said(text: str) -> None:
    said = f"{text} and so on"

    for kind in (Code, Setting, lambda said: Stack((said,))):
        with pytest.raises(ValueError, match="not the"):
            kind(said)
    assert usage.code(said).text == "bug"
    assert usage.model(said) is usage.Model.OWN
    assert usage.phase(said) is Phase.UNKNOWN
    assert str(usage.stack([said])) == "unknown"


def test_a_value_of_any_other_kind_is_refused_when_it_is_told() -> None:
    @dataclass(frozen=True, slots=True)
    class Careless(usage.AppStopped):
        text: Any = "what was said"

    with pytest.raises(TypeError, match=r"app_stopped\.text cannot be told$"):
        told(Careless(1))
    with pytest.raises(TypeError, match="uptime_s"):
        told(usage.AppStopped(1.5))  # type: ignore[arg-type]


@given(st.integers())
def test_numbers_stay_within_bounds(number: int) -> None:
    assert 0 <= told(usage.AppStopped(number)).metrics["uptime_s"] <= usage.MOST


def test_an_event_is_told_as_tags_numbers_and_one_code() -> None:
    code = Code("engine.died")

    failed = told(usage.DictationFailed(Phase.FINISHING, 1200, code))
    again = told(usage.ErrorRecoveryAttempted(Backend.WHISPER, Backend.WHISPER, code))

    assert (failed.tags, failed.metrics, failed.error) == ({"phase": "finishing"}, {"audio_ms": 1200}, code)
    assert code.domain == "engine"
    assert again.tags == {"from": "whisper", "to": "whisper", "reason": "engine.died"}


def test_names_are_unique_and_every_area_has_events() -> None:
    names = [event.name for event in catalogue()]

    assert len(set(names)) == len(names)
    assert {event.area for event in catalogue()} == set(Area)


def test_every_model_of_the_catalogue_has_its_word() -> None:
    named = re.findall(r'^name = "(.+)"$', (ASSETS / "models" / "catalogue.toml").read_text("utf-8"), re.MULTILINE)

    assert [usage.model(name).value for name in named] == named


def row(event: type[UsageEvent]) -> str:
    """An event as docs/telemetry.md lists it."""
    types = {name.rstrip("_"): type_ for name, type_ in kinds(event).items()}
    tags = [f"`{name}`" for name, type_ in types.items() if type_ is not int and name != "code"]
    tags += ["error code"] if "code" in types else []
    metrics = [f"`{name}`" for name, type_ in types.items() if type_ is int]
    cells = [f"`{event.name}`", event.level.value, ", ".join(tags), ", ".join(metrics), event.says]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def test_the_page_about_telemetry_lists_exactly_the_catalogue() -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    listed: dict[str, list[str]] = {}
    area = ""
    for line in page.splitlines():
        if heading := re.fullmatch(r"### (\w+)", line):
            area = heading[1]
        elif area and line.startswith("| `"):
            listed.setdefault(area, []).append(line)
        elif line.startswith("## "):
            area = ""

    wanted: dict[str, list[str]] = {}
    for event in catalogue():
        wanted.setdefault(event.area.value, []).append(row(event))
    assert listed == wanted


def test_the_page_lists_every_word_that_a_tag_can_be() -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    words = {
        name.rstrip("_"): type_
        for event in catalogue()
        for name, type_ in kinds(event).items()
        if type_ not in (int, Code, Setting, Stack)
    }

    for type_ in words.values():
        assert ", ".join(f"`{word.value}`" for word in type_) in page, type_.__name__


def test_each_kind_of_event_can_be_told() -> None:
    for event in catalogue():
        names = kinds(event)
        found = told(event(**{name: example(type_) for name, type_ in names.items()}))

        assert set(found.tags) | set(found.metrics) >= {name.rstrip("_") for name in names} - {"code"}
