"""The language is one the user allowed and the model can do."""

from __future__ import annotations

import pytest

from lysnrai_desktop.core.faults import LanguageUnsupported
from lysnrai_desktop.core.language import candidates, choose

MANY = ("en", "de", "fr", "it", "es")


def test_automatic_means_whatever_the_model_can_do() -> None:
    assert candidates("auto", MANY) == MANY
    assert candidates("", MANY) == MANY
    assert candidates("auto", ["en"]) == ("en",)


def test_a_wish_is_one_language_or_several() -> None:
    assert candidates("de", MANY) == ("de",)
    assert candidates(" DE , en,xx", MANY) == ("de", "en")


@pytest.mark.parametrize(("wish", "supported"), [("de", ["en"]), ("xx", MANY), ("xx,yy", MANY)])
def test_a_language_the_model_cannot_do_is_a_fault(wish: str, supported: list[str]) -> None:
    with pytest.raises(LanguageUnsupported):
        candidates(wish, supported)


def test_the_likeliest_of_the_allowed_is_taken() -> None:
    heard = {"fr": 0.7, "de": 0.2, "en": 0.1}

    assert choose(heard, MANY, "") == "fr"
    assert choose(heard, ("de", "en"), "") == "de"


def test_when_uncertain_the_last_language_stays() -> None:
    heard = {"it": 0.4, "es": 0.35}

    assert choose(heard, MANY, "es") == "es"
    assert choose(heard, ("it", "en"), "es") == "it"
    assert choose({"it": 0.6}, MANY, "es") == "it"
