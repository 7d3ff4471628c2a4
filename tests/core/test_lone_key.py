"""A modifier alone is a hotkey; with another key it is what it always was."""

from __future__ import annotations

from hypothesis import given, strategies as st

from lysnrai_desktop.core.hotkey import Edge
from lysnrai_desktop.core.lone_key import ALONE_S, CHORD_S, Lone, other, own, tick

Happening = tuple[str, float]


def edges_of(*happenings: Happening, others_held: bool = False) -> list[Edge]:
    """Feed what happens ("down", "up", "other") at which time, with every tick when it is due."""
    lone, edges = Lone(), list[Edge]()
    for what, at in [*happenings, ("end", float("inf"))]:
        if lone.deadline is not None and lone.deadline <= at:
            lone, new = tick(lone, lone.deadline)
            edges += new
        if what == "other":
            lone, new = other(lone, at)
        else:
            lone, new = own(lone, what == "down", at, others_held) if what != "end" else (lone, ())
        edges += new
    return edges


def test_held_alone_it_is_down_from_its_press_on() -> None:
    assert edges_of(("down", 1.0), ("up", 3.0)) == [Edge(True, 1.0), Edge(False, 3.0)]


def test_a_tap_alone_counts() -> None:
    assert edges_of(("down", 1.0), ("up", 1.1)) == [Edge(True, 1.0), Edge(False, 1.1)]


def test_in_a_combination_it_is_no_hotkey() -> None:
    assert edges_of(("down", 1.0), ("other", 1.0 + ALONE_S - 0.01), ("up", 1.3)) == []


def test_nor_behind_another_key_that_is_held() -> None:
    assert edges_of(("down", 1.0), ("up", 3.0), others_held=True) == []


def test_a_combination_made_slowly_takes_the_press_back() -> None:
    assert edges_of(("down", 1.0), ("other", 1.5), ("other", 1.6), ("up", 2.0)) == [
        Edge(True, 1.0),
        Edge(False, 1.5, alone=False),
    ]


def test_a_key_that_is_touched_late_costs_nothing() -> None:
    assert edges_of(("down", 1.0), ("other", 1.0 + CHORD_S), ("up", 9.0)) == [Edge(True, 1.0), Edge(False, 9.0)]


def test_a_held_key_that_repeats_is_one_press() -> None:
    repeats = [("down", 1.66 + 0.04 * n) for n in range(9)]

    assert edges_of(("down", 1.0), *repeats, ("up", 3.0)) == [Edge(True, 1.0), Edge(False, 3.0)]
    assert edges_of(("down", 1.0), ("other", 1.1), *repeats, ("up", 3.0)) == []


def test_a_release_nobody_pressed_means_nothing() -> None:
    assert edges_of(("up", 1.0), ("other", 2.0)) == []


def test_before_its_time_nothing_is_told() -> None:
    pending, _ = own(Lone(), down=True, at=1.0, others_held=False)

    assert tick(pending, 1.0 + ALONE_S / 2) == (pending, ())
    assert tick(Lone(), 9.0) == (Lone(), ())


@given(st.lists(st.tuples(st.sampled_from(["down", "up", "other"]), st.floats(0.001, 2.0)), max_size=60))
def test_edges_alternate_and_no_press_is_told_that_another_key_spoiled(steps: list[tuple[str, float]]) -> None:
    at, happenings = 0.0, list[Happening]()
    for what, gap in steps:
        at += gap
        happenings.append((what, at))

    edges = edges_of(*happenings)

    assert [edge.down for edge in edges] == [n % 2 == 0 for n in range(len(edges))]
    others = [at for what, at in happenings if what == "other"]
    for press, release in zip(edges[::2], edges[1::2], strict=False):
        alone_until = min(press.at + ALONE_S, release.at)
        assert not any(press.at < at < alone_until for at in others)
