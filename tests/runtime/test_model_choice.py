"""A model that is chosen is fetched if need be, and only then counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from lysnrai_desktop.core import usage
from lysnrai_desktop.core.faults import ModelDownloadFailed, ModelUnknown
from lysnrai_desktop.core.settings import ModelSettings
from lysnrai_desktop.runtime.model_choice import bring
from lysnrai_desktop.runtime.models import Models
from tests.fakes.usage import FakeUsage
from tests.runtime.made_models import CATALOGUE, MADE
from tests.runtime.test_models import Carrier

OWN = usage.Model.OWN
"""What is told of a model whose name is in no list of ours."""


def models(folder: Path, carrier: Carrier) -> Models:
    return Models(folder, CATALOGUE, ModelSettings(), sources=[carrier])


def test_a_download_is_counted_with_its_time_and_is_not_asked_about_again(tmp_path: Path) -> None:
    counted, times = FakeUsage(), iter([10.0, 12.5])
    carrier = Carrier(server="hub.example")

    bring(models(tmp_path, carrier), MADE.name, counted, lambda: next(times))
    bring(models(tmp_path, carrier), MADE.name, counted)

    assert counted.events == [usage.ModelDownloadStarted(OWN), usage.ModelDownloadCompleted(OWN, 2500)]
    assert len(carrier.asked) == 1


def test_a_download_that_fails_is_counted_and_told(tmp_path: Path) -> None:
    counted = FakeUsage()
    carrier = Carrier(server="hub.example", fault=ModelDownloadFailed("gone"))

    with pytest.raises(ModelDownloadFailed):
        bring(models(tmp_path, carrier), MADE.name, counted)

    assert counted.events[1] == usage.ModelDownloadFailed(OWN, usage.Code("model.download_failed"))


def test_a_folder_that_is_not_there_is_no_download(tmp_path: Path) -> None:
    counted = FakeUsage()

    with pytest.raises(ModelUnknown):
        bring(models(tmp_path / "models", Carrier()), str(tmp_path / "no-such-folder"), counted)

    assert not counted.events
