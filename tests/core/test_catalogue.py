"""The catalogue says all that is needed to trust a file, and cannot lead out of a model's folder."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lysnrai_desktop.core.catalogue import Catalogue, parse

ROOT = Path(__file__).parents[2]
SUM = "ab" * 32
COMPLETE: dict[str, Any] = {
    "languages": {"english": "en", "two": "en  fr"},
    "model": [
        {
            "name": "tiny.en",
            "repository": "owner/name-1.0",
            "revision": "0123456789" * 4,
            "licence": "MIT",
            "languages": "two",
            "memory_mib": 300,
            "memory_measured": True,
            "extra": "model-tiny-en",
            "files": [
                {"name": "model.bin", "size_bytes": 30, "sha256": SUM},
                {"name": "config.json", "size_bytes": 5, "sha256": SUM},
            ],
            "package": [
                {
                    "distribution": "one",
                    "version": "1",
                    "members": {"model.bin": "one/a.part1", "config.json": "one/config.json"},
                },
                {"distribution": "two", "version": "2", "members": {"model.bin": "two/a.part2"}},
            ],
        }
    ],
}


def published() -> Catalogue:
    return parse(tomllib.loads((ROOT / "assets" / "models" / "catalogue.toml").read_text("utf-8")))


def test_a_file_in_parts_is_joined_in_the_order_of_the_packages() -> None:
    model = parse(COMPLETE).models[0]

    joined, whole = (model.parts(file) for file in model.files)

    assert [(package.distribution, member) for package, member in joined] == [
        ("one", "one/a.part1"),
        ("two", "two/a.part2"),
    ]
    assert [member for _, member in whole] == ["one/config.json"]


def test_a_model_knows_its_size_and_its_languages() -> None:
    model = parse(COMPLETE).models[0]

    assert model.size_bytes == 35
    assert model.languages == {"en", "fr"}


def test_a_name_that_is_not_there_is_not_found() -> None:
    catalogue = parse(COMPLETE)

    assert catalogue.find("tiny.en") is catalogue.models[0]
    assert catalogue.find("tiny") is None


def test_a_model_need_not_come_as_a_package() -> None:
    document = copy.deepcopy(COMPLETE)
    del document["model"][0]["package"], document["model"][0]["extra"]

    model = parse(document).models[0]

    assert (model.packages, model.extra) == ((), "")
    assert model.parts(model.files[0]) == ()


Damage = Callable[[dict[str, Any]], object]
DAMAGES: dict[str, Damage] = {
    "incomplete": lambda model: model.pop("licence"),
    "unknown languages": lambda model: model.update(languages="klingon"),
    "a file without a sum": lambda model: model["files"][0].pop("sha256"),
    "a field too many": lambda model: model["files"][0].update(colour="blue"),
    "a name that leads elsewhere": lambda model: model.update(name="../base"),
    "a hidden name": lambda model: model.update(name=".base"),
    "a repository without owner": lambda model: model.update(repository="name"),
    "a branch for a revision": lambda model: model.update(revision="main"),
    "no memory": lambda model: model.update(memory_mib=0),
    "no file": lambda model: model.update(files=[], package=[]),
    "a file twice": lambda model: model["files"].append(model["files"][0]),
    "a file in a folder": lambda model: model["files"][0].update(name="a/model.bin"),
    "an empty file": lambda model: model["files"][0].update(size_bytes=0),
    "half a sum": lambda model: model["files"][0].update(sha256="ab"),
    "a sum in capitals": lambda model: model["files"][0].update(sha256=SUM.upper()),
    "a file no package has": lambda model: model["package"][0]["members"].pop("config.json"),
    "a package with a file too many": lambda model: model["package"][0]["members"].update({"readme": "one/readme"}),
    "a member that leads elsewhere": lambda model: model["package"][1]["members"].update({"model.bin": "two/../a"}),
    "a member with an absolute path": lambda model: model["package"][1]["members"].update({"model.bin": "/etc/a"}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_an_entry_that_cannot_be_trusted_is_refused(damage: Damage) -> None:
    document = copy.deepcopy(COMPLETE)
    damage(document["model"][0])

    with pytest.raises(ValueError, match=r"base|tiny\.en|twice"):
        parse(document)


def test_a_name_that_stands_twice_is_refused() -> None:
    document = copy.deepcopy(COMPLETE)
    document["model"].append(document["model"][0])

    with pytest.raises(ValueError, match="twice"):
        parse(document)


def test_every_size_of_whisper_is_in_the_catalogue_from_small_to_large() -> None:
    names = [model.name for model in published().models]

    assert names == [
        *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium"),
        *("large-v3", "large-v3-turbo", "distil-large-v3"),
    ]


def test_every_model_has_the_files_that_faster_whisper_needs() -> None:
    for model in published().models:
        names = {file.name for file in model.files}

        assert {"config.json", "model.bin", "tokenizer.json"} < names, model.name
        assert len(names & {"vocabulary.txt", "vocabulary.json"}) == 1, model.name
        assert ("preprocessor_config.json" in names) == ("large-v3" in model.name), "128 mel bins"


def test_models_for_english_know_english_alone() -> None:
    for model in published().models:
        if model.name.endswith(".en") or model.name.startswith("distil"):
            assert model.languages == {"en"}
        else:
            assert len(model.languages) in (99, 100)
            assert {"en", "de", "zh", "haw"} < model.languages


def test_memory_is_called_measured_only_where_it_was() -> None:
    assert {model.name for model in published().models if model.memory_measured} == {"tiny.en", "base"}


def test_the_extras_install_what_the_catalogue_names() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]

    packaged = {model.extra: model.packages for model in published().models if model.packages}

    assert set(packaged) == {"model-base", "model-tiny-en"}
    for extra, packages in packaged.items():
        assert extras[extra] == [f"{package.distribution}=={package.version}" for package in packages]
