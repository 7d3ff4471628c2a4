"""Every body is held against every limit, by the fast way and the careful way alike."""

import json
import os
import time
import uuid
from typing import Any

import pytest
from hypothesis import given, strategies as st

from telemetry import wire
from telemetry.examples import EVENT, FULL, INSTALL
from telemetry.wire.parsing import parse_carefully

KEYS = st.sampled_from([*FULL, "colour", "x-a"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=70),
    st.sampled_from(
        ["", "info", "a" * 101, "desktop", "a\n", "\0", "\ud800", INSTALL, 1.0, 2**53, "2026-11-24T11:07:18Z"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=42), st.just("backend")), inner, max_size=34),
    ),
    max_leaves=40,
)


def as_json(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.booleans())
def test_the_fast_way_lets_nothing_pass_that_the_careful_way_refuses(change: dict[str, Any], whole: bool) -> None:
    event = {**(FULL if whole else EVENT), **change}
    text = json.dumps(event, ensure_ascii=False)
    try:
        body = text.encode()
    except UnicodeEncodeError:
        body = as_json(event)

    try:
        fast: object = wire.parse_event(body)
    except wire.Refused as refused:
        fast = refused.reason
    try:
        careful: object = parse_carefully(body)
    except wire.Refused as refused:
        careful = refused.reason

    assert fast == careful


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_refused(body: bytes) -> None:
    for parse in (wire.parse_event, wire.parse_batch):
        with pytest.raises(wire.Refused):
            parse(body)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"x-a":' * 50_000, b'{"events":' + b"[" * 100_000])
def test_deep_nesting_is_refused_and_crashes_nothing(body: bytes) -> None:
    for parse in (wire.parse_event, wire.parse_batch):
        with pytest.raises(wire.Refused):
            parse(body)


def test_what_is_encoded_is_parsed_to_the_same_event() -> None:
    event = wire.parse_event(as_json(EVENT))

    assert wire.parse_event(wire.encode_event(event)) == event


def test_a_refusal_never_holds_what_was_refused() -> None:
    with pytest.raises(wire.Refused) as caught:
        wire.judge_privacy({"message": "write to anna@example.org"})

    assert "anna" not in repr(caught.value)
    assert (caught.value.reason, caught.value.field, caught.value.rule) == ("pii_detected", "message", "email")


def test_one_bad_event_leaves_the_envelope_whole() -> None:
    batch = wire.parse_batch(as_json({"batchId": INSTALL, "sentAt": 7, "events": [EVENT, 3], "ledger": [], "new": 1}))

    assert len(batch.events) == 2
    assert wire.parse_event(batch.events[0]).id == EVENT["id"]


def test_a_wrong_batch_id_is_told_by_name() -> None:
    with pytest.raises(wire.Refused) as caught:
        wire.parse_batch(as_json({"batchId": "7", "events": []}))

    assert caught.value.field == "batchId"


@given(st.floats(min_value=0, max_value=4e9))
def test_times_survive_the_wire_within_a_millisecond(seconds: float) -> None:
    parsed = wire.parse_time(wire.format_time(seconds))

    assert parsed is not None
    assert abs(parsed - seconds) <= 0.001


@given(st.text(max_size=40))
def test_finding_personal_data_in_any_text_ends_quickly(text: str) -> None:
    wire.find_pii(text)


@pytest.mark.parametrize("piece", ["1", "1 ", "1-", "a.", "a@a.", "1.1.", ":1", "(1", "+1 ", "a@", "/home", "::", "1:"])
def test_no_text_makes_the_rules_run_away(piece: str) -> None:
    began = time.process_time()

    wire.find_pii(piece * 1000)

    assert time.process_time() - began < 2, "a rule backtracks without bound"


def test_each_level_and_reason_is_listed_once() -> None:
    assert len(set(wire.REASONS)) == len(wire.REASONS) == 16
    assert wire.LEVELS == ("debug", "info", "warn", "error", "fatal")


def test_public_names_are_sorted_and_there() -> None:
    assert wire.__all__ == sorted(wire.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(wire, name) for name in wire.__all__)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forking with threads is the test
def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    wire.new_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, wire.new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert told.read() not in {wire.new_id() for _ in range(200)}


def test_a_new_id_is_a_uuid_of_version_4_and_another_each_time() -> None:
    made = {wire.new_id() for _ in range(1000)}

    assert len(made) == 1000
    assert all(uuid.UUID(each).version == 4 and uuid.UUID(each).variant == uuid.RFC_4122 for each in made)
    assert all(str(uuid.UUID(each)) == each for each in made)
