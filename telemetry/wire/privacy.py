"""Whether there is personal data in an event: which strings are searched, and by which rules.

Absent here: the rules themselves (telemetry/pii.py).

Imports: pii, values. May be imported by: the rest of wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from telemetry.pii import Rule, find_pii, is_suspicious
from telemetry.wire.values import Content, Refused

_VERSION_FIELDS: Final = frozenset({"osVersion", "appVersion", "buildNumber"})
_NOT_IN_VERSIONS: Final = frozenset[Rule]({"ip", "phone"})
_UNSEARCHED: Final = frozenset({"id", "sessionId", "anonymousInstallId", "occurredAt"})


def judge_privacy(fields: Mapping[str, Any]) -> None:
    """Search the keys and values of every string for personal data.

    Args:
        fields: an event, or part of one, by its names on the wire.

    Raises:
        Refused: "pii_detected", with field and rule, never the value.
    """
    found: list[str] = []
    for field, value in fields.items():
        if field not in _UNSEARCHED:
            _collect(value, found)
    if not is_suspicious("\n".join(found)):
        return
    for field, value in fields.items():
        if field not in _UNSEARCHED:
            skip = _NOT_IN_VERSIONS if field in _VERSION_FIELDS else frozenset[Rule]()
            found.clear()
            _collect(value, found)
            for text in found:
                if (rule := find_pii(text, skip)) is not None:
                    raise Refused("pii_detected", field, rule)


def judge_content(content: Content) -> None:
    """As judge_privacy, for what a client records: about 2 µs where its words were seen before."""
    _clean("module", content.module)
    _clean("eventName", content.event_name)
    for field, text in (
        ("message", content.message),
        ("errorDomain", content.error_domain),
        ("errorCode", content.error_code),
        ("userId", content.user_id),
    ):
        if text is not None:
            _clean(field, text)
    if content.tags:
        for key, text in content.tags.items():
            _clean("tags", key)
            _clean("tags", text)
    if content.metrics:
        for key in content.metrics:
            _clean("metrics", key)
    if (told := content.dictation) is not None:
        for text in (told.backend, told.reason, told.language, told.model, told.result):
            if text is not None:
                _clean("dictation", text)


_known_clean: Final[set[str]] = set()
"""Words that no rule finds anything in: an app says the same few again and again."""

_MOST_KNOWN: Final = 4096


def _clean(field: str, text: str) -> None:
    if text in _known_clean:
        return
    if (rule := find_pii(text)) is not None:
        raise Refused("pii_detected", field, rule)
    if len(_known_clean) >= _MOST_KNOWN:
        _known_clean.clear()
    _known_clean.add(text)


def _collect(value: Any, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            found.append(key)
            if not isinstance(item, float | int):
                _collect(item, found)
    elif isinstance(value, list):
        for item in value:
            _collect(item, found)
