"""The service's configuration, as far as it makes sense.

Imports: wire. May be imported by: the rest of policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from telemetry.wire import LEVELS, Config, Sampling, parse_time

BOUNDS: Final = {
    "batchSize": (1, 100),
    "flushIntervalS": (5, 3600),
    "maxQueueSize": (10, 100_000),
    "maxQueueBytes": (65_536, 2**30),
    "maxAgeDays": (1, 30),
}


def read_config(body: bytes, last: Config) -> Config | None:
    """The service's configuration: "values beyond their bounds are clamped, one of the wrong type keeps the last good".

    None where the body is no JSON object. Unknown keys are ignored.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    values: dict[str, Any] = msgspec.to_builtins(last)
    for key, (least, most) in BOUNDS.items():
        if _is_number(told.get(key)):
            values[key] = int(min(max(told[key], least), most))
    for key, good in _CHECKS.items():
        if key in told and good(told[key]):
            values[key] = told[key]
    sampling = told.get("sampling")
    if isinstance(sampling, dict):
        values["sampling"] = _read_sampling(sampling, last.sampling)
    return msgspec.convert(values, Config)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


_CHECKS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "enabled": lambda value: isinstance(value, bool),
    "minLevel": lambda value: isinstance(value, str) and value in LEVELS,
    "blockedEvents": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    "version": lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53,
    "expiresAt": lambda value: value is None or parse_time(value) is not None,
}


def _read_sampling(told: Mapping[str, Any], last: Sampling) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(last)
    if _is_number(told.get("default")):
        values["default"] = _rate(told["default"])
    for key in ("byModule", "byEvent"):
        rates = told.get(key)
        if isinstance(rates, dict):
            values[key] = {name: _rate(rate) for name, rate in rates.items() if _is_number(rate)}
    return values


def _rate(value: float) -> float:
    return min(max(float(value), 0.0), 1.0)
