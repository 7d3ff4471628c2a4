"""What app and engine say arrives as it was said, however the pipe cuts it, or is refused."""

from __future__ import annotations

import json
import struct
from typing import Any, get_args

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.secret import Secret
from lysnrai_desktop.core.speech import SpokenText

numbers = st.integers(0, 2**32 - 1)
texts = st.text()
secrets = st.text(st.characters(min_codepoint=32, max_codepoint=126)).map(Secret)
spoken = st.builds(SpokenText, texts)
messages: st.SearchStrategy[wire.Message] = st.one_of(
    st.builds(wire.Load, texts, texts, texts, numbers),
    st.builds(wire.Connect, texts, texts, secrets, texts, texts, texts, numbers, st.booleans(), st.booleans()),
    st.builds(wire.Inject, st.sampled_from(wire.INJECTABLE)),
    st.builds(wire.Start, numbers, st.integers(0, 2**50), texts, st.lists(texts).map(tuple)),
    st.builds(wire.Audio, numbers, numbers, st.binary(max_size=300).map(lambda pcm: pcm[: len(pcm) // 2 * 2])),
    st.builds(wire.Finish, numbers),
    st.builds(wire.Cancel, numbers),
    st.just(wire.Quit()),
    st.builds(wire.Hello, numbers, texts),
    st.builds(wire.Ready, texts, texts),
    st.builds(wire.Started, numbers),
    st.builds(wire.Voice, numbers, st.booleans()),
    st.builds(wire.Partial, numbers, spoken, spoken),
    st.builds(wire.Final, numbers, st.integers(0, 2**50), st.integers(0, 2**50), spoken, texts),
    st.builds(wire.Done, numbers),
    st.builds(wire.Failed, numbers, texts),
    st.just(wire.Ping()),
    st.builds(wire.Pong, numbers),
)


def frame(kind: int, body: bytes) -> bytes:
    return struct.pack("<IB", len(body), kind) + body


@given(st.lists(messages, max_size=12), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_messages_arrive_whole_and_in_order_however_the_pipe_cuts_them(
    said: list[wire.Message], cuts: list[int]
) -> None:
    stream = b"".join(map(wire.encode, said))
    heard: list[wire.Message] = []
    decoder, at, turn = wire.Decoder(), 0, 0

    while at < len(stream):
        size = cuts[turn % len(cuts)]
        heard += decoder.feed(stream[at : at + size])
        at, turn = at + size, turn + 1

    assert heard == said


@given(st.binary(max_size=200))
def test_whatever_comes_it_is_messages_or_a_protocol_error(received: bytes) -> None:
    try:
        heard = list(wire.Decoder().feed(received))
    except wire.ProtocolError:
        return
    assert all(isinstance(message, get_args(wire.Message)) for message in heard)


@pytest.mark.parametrize(
    "received",
    [
        b"Loading weights: 100%\n",
        frame(0, b"[]"),
        frame(3, b"\x01\0\0\0"),
        frame(3, b"\x01\0\0\0\x80\xbb\0\0\x01"),
        frame(4, b"not json"),
        frame(4, b"\xff\xfe"),
        frame(4, b"7"),
        frame(4, b"[7, 8]"),
        frame(4, b"[true]"),
        frame(4, b"[-1]"),
        frame(4, b'["7"]'),
        frame(4, b"[7.5]"),
        frame(2, b'[1, 0, "en", "one"]'),
        frame(2, b'[1, 0, "en", [1]]'),
        frame(8, b'["", "", "a\\nb", "", "", "", 0, true, true]'),
        frame(68, b"[1, 1]"),
        frame(69, b"[1, null]"),
        struct.pack("<IB", wire.MAX_BODY_BYTES + 1, 3),
    ],
)
def test_what_is_no_message_is_a_protocol_error(received: bytes) -> None:
    with pytest.raises(wire.ProtocolError):
        list(wire.Decoder().feed(received))


def test_messages_before_the_garbage_are_still_given() -> None:
    stream = wire.Decoder().feed(wire.encode(wire.Done(3)) + b"Segmentation fault\n")

    assert next(stream) == wire.Done(3)
    with pytest.raises(wire.ProtocolError):
        next(stream)


def test_a_frame_that_has_not_wholly_come_is_waited_for() -> None:
    decoder = wire.Decoder()
    whole = wire.encode(wire.Final(1, 0, 16000, SpokenText("Guten Tag."), "de"))

    assert list(decoder.feed(whole[:-1])) == []
    assert len(list(decoder.feed(whole[-1:]))) == 1


@given(st.text(min_size=4, alphabet=st.characters(categories=["Lo"])))
def test_a_printed_message_does_not_say_what_was_spoken(secret: str) -> None:
    final = wire.Final(1, 0, 1, SpokenText(secret), "en")
    partial = wire.Partial(1, SpokenText(secret), SpokenText(secret))

    assert secret not in f"{final!r} {partial!r} {final} {partial}"


def test_a_printed_message_does_not_show_the_key() -> None:
    connect = wire.Connect("", "westeurope", Secret("5ecre7"), "", "", "masked", 0, dictation=True, preconnect=False)

    assert "5ecre7" not in f"{connect!r} {connect}"


def test_every_message_has_a_kind_of_its_own() -> None:
    def kind(message: type[Any]) -> int:
        return wire._KIND_OF[message]

    known = get_args(wire.FromApp) + get_args(wire.FromEngine)

    assert len({kind(message) for message in known}) == len(known) == len(wire._KINDS)


def test_a_greeting_of_any_later_version_can_be_told_from_ours() -> None:
    body = json.dumps([wire.VERSION + 1, "whisper"]).encode()

    (hello,) = wire.Decoder().feed(frame(65, body))

    assert isinstance(hello, wire.Hello)
    assert hello.version != wire.VERSION
