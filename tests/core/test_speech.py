"""Spoken text keeps to itself however it is formatted."""

from __future__ import annotations

from hypothesis import given, strategies as st

from lysnrai_desktop.core.speech import Leg, Segment, SpokenText, Transcript, joined
from lysnrai_desktop.core.status import Status

SECRET = SpokenText("the vault code is swordfish")


def test_no_way_of_formatting_shows_the_text() -> None:
    segment = Segment(0, 1, SECRET)
    shown = [
        str(SECRET),
        repr(SECRET),
        f"{SECRET}",
        f"{SECRET!s:>40}",
        "%s" % SECRET,  # noqa: UP031
        repr(segment),
        repr(Transcript((segment,))),
        repr(Status("idle", since=0.0, text=SECRET)),
        str(Status("idle", since=0.0, text=SECRET).as_dict()),
        repr({SECRET: [SECRET]}),
    ]

    assert not [text for text in shown if "swordfish" in text or "vault" in text]


def test_equal_texts_are_equal_and_empty_ones_false() -> None:
    assert SpokenText("a") == SpokenText("a") != SpokenText("b")
    assert hash(SpokenText("a")) == hash(SpokenText("a"))
    assert SpokenText("a") != "a"
    assert not SpokenText("")
    assert len(SECRET) == 27


@given(st.lists(st.tuples(st.integers(0, 9), st.text()), max_size=6))
def test_a_transcript_grows_in_order_and_knows_where_it_ends(parts: list[tuple[int, str]]) -> None:
    transcript, at = Transcript(), 0
    for length, text in parts:
        transcript = transcript.plus(Segment(at, at + length, SpokenText(text)))
        at += length

    assert transcript.end == at
    assert transcript.text() == joined(SpokenText(text) for _, text in parts)


def test_the_legs_of_a_take_tell_who_heard_how_much_of_it_and_why() -> None:
    transcript = Transcript(
        (
            Segment(0, 1000, SpokenText("one"), engine="azure"),
            Segment(1000, 1500, SpokenText(), engine="azure"),
            Segment(1500, 2000, SpokenText("two"), engine="whisper", reason="azure.lost"),
            Segment(2000, 2500, SpokenText("three"), engine="azure"),
        )
    )

    assert transcript.legs(1000) == (
        Leg("azure", 1.5, ""),
        Leg("whisper", 0.5, "azure.lost"),
        Leg("azure", 0.5, ""),
    )
    assert Transcript().legs(0) == ()
