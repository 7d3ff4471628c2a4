"""Languages with their countries: what a service is asked for, given the user's wish and where they live.

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from lysnrai_desktop.core.faults import LanguageUnsupported
from lysnrai_desktop.core.language import AUTO

MOST = 4
"""Azure tells so many apart, at most."""
_OFTEN = ("en", "es", "fr", "de")
"""What "auto" means beside the language of the user's system, which comes first."""

_AZURE = """
    af-ZA am-ET ar-SA ar-AE ar-BH ar-DZ ar-EG ar-IQ ar-JO ar-KW ar-LB ar-LY ar-MA ar-OM ar-PS ar-QA ar-SY ar-TN ar-YE
    as-IN az-AZ bg-BG bn-IN bs-BA ca-ES cs-CZ cy-GB da-DK de-DE de-AT de-CH el-GR en-US en-AU en-CA en-GB en-GH en-HK
    en-IE en-IN en-KE en-NG en-NZ en-PH en-SG en-TZ en-ZA es-ES es-AR es-BO es-CL es-CO es-CR es-CU es-DO es-EC es-GQ
    es-GT es-HN es-MX es-NI es-PA es-PE es-PR es-PY es-SV es-US es-UY es-VE et-EE eu-ES fa-IR fi-FI fil-PH fr-FR fr-BE
    fr-CA fr-CH ga-IE gl-ES gu-IN he-IL hi-IN hr-HR hu-HU hy-AM id-ID is-IS it-IT it-CH ja-JP jv-ID ka-GE kk-KZ km-KH
    kn-IN ko-KR lo-LA lt-LT lv-LV mk-MK ml-IN mn-MN mr-IN ms-MY mt-MT my-MM nb-NO ne-NP nl-NL nl-BE pa-IN pl-PL ps-AF
    pt-PT pt-BR ro-RO ru-RU si-LK sk-SK sl-SI so-SO sq-AL sr-RS sv-SE sw-KE sw-TZ ta-IN te-IN th-TH tr-TR uk-UA ur-IN
    uz-UZ vi-VN zh-CN zh-HK zh-TW zu-ZA
"""
_KNOWN = tuple(_AZURE.split())
"""What Azure Speech recognises; the first of each language is the usual one."""
_OTHER_NAMES = {"no": "nb", "tl": "fil", "jw": "jv"}
"""Whisper's codes (core/language.py) where Azure has others."""


def locales(wish: str, home: str) -> tuple[str, ...]:
    """What to ask Azure for, at most MOST.

    Args:
        wish: as in EngineSettings.language.
        home: of the user's system, as "de_AT"; "" or "C" if there is none. Decides the country of its language.

    Raises:
        LanguageUnsupported: it knows none of the languages.
    """
    home = home.replace("_", "-")
    wished = [part.strip().lower() for part in wish.split(",") if part.strip()] or [AUTO]
    if AUTO in wished:
        wished = [of_locale(home), *_OFTEN]
    found = dict.fromkeys(locale for code in wished if (locale := _locale(code, home)))
    if not found:
        raise LanguageUnsupported("the service knows none of the chosen languages")
    return tuple(found)[:MOST]


def of_locale(locale: str) -> str:
    """The language's code, as in core.speech.Segment; "" of ""."""
    language = locale.partition("-")[0]
    return next((code for code, other in _OTHER_NAMES.items() if other == language), language)


def _locale(code: str, home: str) -> str:
    """Empty if there is none."""
    language = _OTHER_NAMES.get(code, code)
    known = [locale for locale in _KNOWN if locale.partition("-")[0] == language]
    return home if home in known else next(iter(known), "")
