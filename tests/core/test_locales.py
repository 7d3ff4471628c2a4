"""Azure is asked for languages it knows, with the country the user lives in."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.faults import LanguageUnsupported
from lysnrai_desktop.core.locales import MOST, locales, of_locale


@pytest.mark.parametrize(
    ("wish", "home", "asked"),
    [
        ("en", "", ("en-US",)),
        ("en", "en_GB", ("en-GB",)),
        ("de", "de_AT", ("de-AT",)),
        ("de", "en_GB", ("de-DE",)),
        ("en", "en_DK", ("en-US",)),  # a locale of Linux, not a dialect
        ("de, en", "C", ("de-DE", "en-US")),
        (" FR ,fr", "", ("fr-FR",)),
        ("no", "", ("nb-NO",)),
        ("tl", "", ("fil-PH",)),
        ("xx,de", "", ("de-DE",)),
        ("auto", "C", ("en-US", "es-ES", "fr-FR", "de-DE")),
        ("", "", ("en-US", "es-ES", "fr-FR", "de-DE")),
        ("auto", "de_CH", ("de-CH", "en-US", "es-ES", "fr-FR")),
        ("de,auto", "pl_PL", ("pl-PL", "en-US", "es-ES", "fr-FR")),
        ("de,en,fr,it,es", "", ("de-DE", "en-US", "fr-FR", "it-IT")),
    ],
)
def test_the_wish_becomes_languages_with_their_country(wish: str, home: str, asked: tuple[str, ...]) -> None:
    assert locales(wish, home) == asked


def test_a_language_that_the_service_does_not_know_is_refused() -> None:
    with pytest.raises(LanguageUnsupported):
        locales("la", "en_US")


@given(st.text(), st.text())
def test_whatever_is_wished_no_more_is_asked_for_than_can_be_told_apart(wish: str, home: str) -> None:
    try:
        asked = locales(wish, home)
    except LanguageUnsupported:
        return

    assert 0 < len(asked) == len(set(asked)) <= MOST


@pytest.mark.parametrize(("locale", "code"), [("de-AT", "de"), ("nb-NO", "no"), ("fil-PH", "tl"), ("", "")])
def test_a_locale_is_told_as_its_language(locale: str, code: str) -> None:
    assert of_locale(locale) == code
