"""Every icon can be told from every other, and seen on light and dark panels."""

from __future__ import annotations

from itertools import combinations

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage, QPainter

from lysnrai_desktop import ASSETS
from lysnrai_desktop.ui import resources
from lysnrai_desktop.ui.theme import contrast

SIZES = (16, 22, 24, 32, 48, 64)
STATES = ("idle", "arming", "recording", "finishing", "inserting", "fault")
PANELS = ("#ffffff", "#e6e6e6", "#2e2e2e", "#1d1d1d", "#000000")

pytestmark = pytest.mark.usefixtures("qapp")


def on_panel(name: str, size: int, panel: str) -> QImage:
    image = QImage(size, size, QImage.Format.Format_RGB32)
    image.fill(QColor(panel))
    painter = QPainter(image)
    painter.drawPixmap(0, 0, resources.icon(name).pixmap(size))
    painter.end()
    return image


def colours(image: QImage) -> list[QColor]:
    return [image.pixelColor(x, y) for y in range(image.height()) for x in range(image.width())]


@pytest.mark.parametrize("name", resources.ICONS)
@pytest.mark.parametrize("size", SIZES)
def test_every_icon_is_drawn_at_every_size(name: str, size: int) -> None:
    pixmap = resources.icon(name).pixmap(size)

    assert (pixmap.width(), pixmap.height()) == (size, size)
    assert any(colour.alpha() for colour in colours(pixmap.toImage()))


def test_no_icon_file_is_without_a_name_and_none_is_missing() -> None:
    files = {file.stem for file in (ASSETS / "icons").glob("*.svg")}

    assert files == set(resources.ICONS)


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("name", STATES)
def test_an_icon_stands_out_from_its_panel_at_the_smallest_size(name: str, panel: str) -> None:
    ground = QColor(panel)

    seen = sum(contrast(colour, ground) >= 3.0 for colour in colours(on_panel(name, 16, panel)))

    # WCAG 2.1, 1.4.11: 3 to 1 for graphics. 64 of 256 pixels are a solid shape; idle and arming are line drawings.
    assert seen >= (36 if name in {"idle", "arming"} else 64)


@pytest.mark.parametrize("panel", ["#ffffff", "#1d1d1d"])
@pytest.mark.parametrize("colour_blind", [False, True])
def test_no_two_states_look_alike_at_the_smallest_size(panel: str, colour_blind: bool) -> None:
    images = {name: on_panel(name, 16, panel) for name in STATES}
    if colour_blind:
        images = {name: image.convertToFormat(QImage.Format.Format_Grayscale8) for name, image in images.items()}

    for one, other in combinations(STATES, 2):
        pairs = zip(colours(images[one]), colours(images[other]), strict=True)
        different = sum(_distance(a, b) > 40 for a, b in pairs)
        assert different >= 24, f"{one} and {other} differ in {different} of 256 pixels"


def _distance(one: QColor, other: QColor) -> int:
    return max(abs(one.red() - other.red()), abs(one.green() - other.green()), abs(one.blue() - other.blue()))


def test_icons_stay_sharp_on_dense_screens() -> None:
    assert resources.icon("idle").pixmap(QSize(16, 16), 2.0).width() == 32
