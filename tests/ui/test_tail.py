"""The last two lines of a growing text, in any script."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter

from lysnrai_desktop.ui.tail import LINES, Tail

pytestmark = pytest.mark.usefixtures("qapp")

SPEECH = "It was a bright cold day in April and the clocks were striking thirteen as everybody could plainly hear"


def tail(text: str, width: float = 388.0) -> Tail:
    made = Tail(QGuiApplication.font(), width)
    made.set(text)
    return made


def test_no_text_takes_no_room() -> None:
    assert tail("").height == 0.0


def test_a_short_text_is_shown_whole() -> None:
    assert tail("Hello there.").shown == "Hello there."


def test_a_long_text_is_cut_at_its_beginning_between_words() -> None:
    shown = tail(SPEECH * 3).shown

    assert shown.startswith("… ")
    assert (SPEECH * 3).endswith(" " + shown.removeprefix("… "))
    assert len(shown) > 60, "two lines are used"


def test_a_text_without_spaces_is_cut_between_characters() -> None:
    text = "今天天气很好我们一起去公园散步吧" * 20

    shown = tail(text).shown

    assert text.endswith(shown.removeprefix("… "))
    assert len(shown) > 20


def test_the_end_that_may_change_is_told_apart_wherever_the_text_is_cut() -> None:
    made = tail("")

    for certain, tentative in [("Hello", "there."), (SPEECH * 3, "and so it went"), ("", "Hello"), ("Hello", "")]:
        made.set(certain, tentative)

        assert made.shown.endswith(tentative)
        assert made.shown_tentative == tentative


def test_a_tentative_end_is_drawn_in_its_own_colour() -> None:
    made = tail("")
    colours = []
    for certain, tentative in [("Hello", ""), ("", "Hello")]:
        made.set(certain, tentative)
        picture = QImage(200, 40, QImage.Format.Format_RGB32)
        picture.fill(QColor("white"))
        painter = QPainter(picture)
        painter.setPen(QColor("black"))
        made.draw(painter, 0, 0, QColor("red"))
        painter.end()
        pixels = (picture.pixelColor(x, y) for x in range(200) for y in range(40))
        colours.append({pixel.red() for pixel in pixels})

    assert min(colours[0]) < 100
    assert min(colours[1]) > 200


def test_line_ends_are_spaces() -> None:
    assert tail("one\n\ntwo").shown == "one two"


def test_text_that_goes_takes_its_room_with_it() -> None:
    made = tail(SPEECH)

    made.set("")

    assert made.height == 0.0


@settings(max_examples=60)
@given(st.text(max_size=900), st.floats(min_value=40.0, max_value=600.0))
def test_it_never_takes_more_than_its_lines(text: str, width: float) -> None:
    made = tail(text, width)

    assert made.height <= LINES * tail("Åg", width).height * 2, "scripts with taller letters included"
    assert made._layout.lineCount() <= LINES
