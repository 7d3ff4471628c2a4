"""The real models, prepared once by the app's own code from the installed packages, for every test that listens.

They lie in build/models and stay there from run to run; a run that finds them changed puts them right. Where the
packages are not installed, the test fails and says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lysnrai_desktop.core.settings import ModelSettings
from lysnrai_desktop.runtime.models import Models, load_catalogue

FOLDER = Path(__file__).parents[1] / "build" / "models"


def prepared_models() -> Models:
    """The store that tests and demonstration share; brings nothing from the network."""
    settings = ModelSettings(sources=("package",), download="never")
    return Models(FOLDER, load_catalogue(), settings)


def prepared(name: str) -> Path:
    """The folder of a model that comes as a package, verified."""
    model = prepared_models().get(name)
    assert model is not None
    return model.path


@pytest.fixture(scope="session")
def tiny_en() -> Path:
    """Folder of the English model, quick: 40 ms for a second of speech."""
    return prepared("tiny.en")


@pytest.fixture(scope="session")
def base() -> Path:
    """Folder of the app's default model, multilingual."""
    return prepared("base")


@pytest.fixture(scope="session")
def models_environment(tiny_en: Path, base: Path) -> dict[str, str]:
    """What makes a real app use the prepared models."""
    assert tiny_en.parent == base.parent == FOLDER
    return {"LYSNRAI_MODELS": str(FOLDER)}
