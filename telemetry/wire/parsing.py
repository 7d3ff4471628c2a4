"""Bodies to values and back, each held against every limit of form.

    Event ──encode_event──▶ bytes ──parse_event──▶ Event      or Refused(reason, field)

The decoder in C decides (about 4 µs an event). Where it refuses, or could err, the same types are walked once more to
say which field is at fault and why: that is the careful way.

Absent here: the limits themselves (values), personal data (privacy).

Imports: times, values, msgspec. May be imported by: the rest of wire.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import msgspec
from msgspec import Raw, inspect

from telemetry.wire.times import parse_time
from telemetry.wire.values import (
    EVENT_ID,
    MAX_CONTENT_BYTES,
    MAX_EVENT_BYTES,
    TIME,
    UUID,
    Batch,
    Content,
    Event,
    Refused,
)

_ENCODE: Final = msgspec.json.Encoder()
_DECODE_EVENT: Final = msgspec.json.Decoder(Event)
_DECODE_CONTENT: Final = msgspec.json.Decoder(Content)
_DECODE_BATCH: Final = msgspec.json.Decoder(Batch)
_EVENT_TYPE: Final = inspect.type_info(Event)
_FIELDS: Final[dict[str, inspect.Field]] = (
    {field.encode_name: field for field in _EVENT_TYPE.fields} if isinstance(_EVENT_TYPE, inspect.StructType) else {}
)
_EXTENSION: Final = re.compile(r"x-[a-z0-9-]{1,40}")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")

# The decoder in C is right about everything but escapes: a NUL, a lone surrogate, and a line feed at the end, which `$`
# lets pass. An event that holds one takes the careful way.
_ESCAPES: Final = re.compile(rb"\\[un]")


def encode_event(event: Event) -> bytes:
    """The event as compact UTF-8 JSON, without what is absent."""
    return _ENCODE.encode(event)


def parse_event(body: bytes | Raw) -> Event:
    """Decode one event and hold it against every limit of form.

    Keys that begin with `x-` are checked and left out of the result; keep the bytes where they count.

    Raises:
        Refused: with the reason and, where one is at fault, the top-level key. "Of several faults of form any one may
            be told."
    """
    body = bytes(body)
    if len(body) <= MAX_EVENT_BYTES and _ESCAPES.search(body) is None:
        try:
            return _checked(_DECODE_EVENT.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass  # which field and why: below
    return parse_carefully(body)


def encode_content(content: Content) -> bytes:
    """The content as JSON, held against every limit of form. Raises Refused, and what encoding raises for no JSON."""
    body = _ENCODE.encode(content)
    if _ESCAPES.search(body) is None and len(body) < MAX_CONTENT_BYTES:
        try:
            _DECODE_CONTENT.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass  # which field and why: below
        else:
            return body
    value = json.loads(body)
    for key, item in value.items():
        _hold(item, _FIELDS[key].type, key)
    if len(body) >= MAX_CONTENT_BYTES:
        raise Refused("too_large")
    return body


def parse_batch(body: bytes) -> Batch:
    """Decode the envelope. Raises Refused("invalid_json"), with field "batchId" where that alone is wrong."""
    try:
        batch = _DECODE_BATCH.decode(body)
    except msgspec.ValidationError as error:
        raise Refused("invalid_json", "batchId" if "batchId" in str(error) else None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("invalid_json") from None
    if batch.batch_id.endswith("\n"):
        raise Refused("invalid_json", "batchId")
    return batch


def _checked(event: Event) -> Event:
    """What the types cannot say: the time exists, numbers are finite."""
    if parse_time(event.occurred_at) is None:
        raise Refused("bad_type", "occurredAt")
    return event


def parse_carefully(body: bytes) -> Event:
    """As parse_event, walking the types: says which field is at fault, and why."""
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refused("invalid_json") from None
    if not isinstance(value, dict):
        raise Refused("invalid_json")
    known: dict[str, Any] = {}
    for key, content in value.items():
        if key in _FIELDS:
            if content is not None:
                known[key] = _hold(content, _FIELDS[key].type, key)
        elif not _EXTENSION.fullmatch(key):
            raise Refused("unknown_field", key if _PLAIN_KEY.fullmatch(key) else None)
        else:
            _hold_extension(content, key, level=2)
    for key, field in _FIELDS.items():
        if field.required and key not in known:
            raise Refused("missing_field", key)
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    if len(compact) > MAX_EVENT_BYTES:
        raise Refused("too_large")
    return _checked(msgspec.convert(known, Event))


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _hold(value: Any, kind: inspect.Type, key: str) -> Any:  # noqa: C901  # one branch for each kind of type
    """Return the value in the form of its type, or raise Refused with the contract's reason for that fault."""
    match kind:
        case inspect.UnionType(types=types):
            return _hold(value, next(each for each in types if not isinstance(each, inspect.NoneType)), key)
        case inspect.LiteralType(values=values):
            if isinstance(values[0], int):
                if _whole(value, key) not in values:
                    raise Refused("bad_type", key)
                return int(value)
            if not isinstance(value, str):
                raise Refused("bad_type", key)
            if value not in values:
                raise Refused("unknown_enum", key)
            return value
        case inspect.StrType():
            return _hold_text(value, kind, key)
        case inspect.IntType(ge=least, le=most):
            number = _whole(value, key)
            if (least is not None and number < least) or (most is not None and number > most):
                raise Refused("bad_type", key)
            return number
        case inspect.FloatType(gt=above, le=most):
            real = _finite(value, key)
            if (above is not None and real <= above) or (most is not None and real > most):
                raise Refused("bad_type", key)
            return real
        case inspect.DictType(key_type=key_type, value_type=value_type, max_length=longest):
            if not isinstance(value, dict):
                raise Refused("bad_type", key)
            if longest is not None and len(value) > longest:
                raise Refused("too_long", key)
            return {_hold(name, key_type, key): _hold(content, value_type, key) for name, content in value.items()}
        case inspect.StructType(fields=fields):
            if not isinstance(value, dict):
                raise Refused("bad_type", key)
            inner = {field.encode_name: field.type for field in fields}
            if value.keys() - inner.keys():
                raise Refused("unknown_field", key)
            return {name: _hold(item, inner[name], key) for name, item in value.items() if item is not None}
        case _:
            raise AssertionError(f"the contract has no {kind}")


def _hold_text(value: Any, kind: inspect.StrType, key: str) -> str:
    if not isinstance(value, str) or not _is_text(value):
        raise Refused("bad_type", key)
    if kind.max_length is not None and len(value) > kind.max_length:
        # For a name the length is a limit; an id or a time of another length is simply none.
        raise Refused("bad_type" if kind.pattern in {UUID, EVENT_ID, TIME} else "too_long", key)
    if len(value) < (kind.min_length or 0):
        raise Refused("bad_type", key)
    if kind.pattern is not None and (value.endswith("\n") or re.search(kind.pattern, value) is None):
        raise Refused("bad_type", key)
    return value


def _hold_extension(value: Any, key: str, level: int) -> None:
    """An `x-` field: any type, nesting up to 3 with the event as level 1."""
    if isinstance(value, dict | list):
        if level > 3:
            raise Refused("bad_type", key)
        for name in value if isinstance(value, dict) else ():
            _hold_extension(name, key, level + 1)
        for item in value.values() if isinstance(value, dict) else value:
            _hold_extension(item, key, level + 1)
    elif isinstance(value, str):
        if not _is_text(value):
            raise Refused("bad_type", key)
    elif value is not None and not isinstance(value, bool):
        _finite(value, key)


def _is_text(value: str) -> bool:
    """Whether there is neither a NUL nor a lone surrogate in it."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _whole(value: Any, key: str) -> int:
    """An integer; 1.0 is one, true is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise Refused("bad_type", key)
    return int(value)


def _finite(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("bad_type", key)
    try:
        number = float(value)
    except OverflowError:
        raise Refused("bad_type", key) from None
    if not math.isfinite(number):
        raise Refused("bad_type", key)
    return number
