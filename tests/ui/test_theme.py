"""What we paint ourselves can be read, light and dark."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QGuiApplication, QPalette

from lysnrai_desktop.ui import theme


@pytest.mark.parametrize("look", [theme.LIGHT, theme.DARK])
@pytest.mark.parametrize(("part", "least"), [("text", 7.0), ("quiet", 4.5), ("fault", 4.5), ("level", 3.0)])
def test_every_part_stands_out_from_its_ground(look: theme.Theme, part: str, least: float) -> None:
    assert theme.contrast(QColor(getattr(look, part)), QColor(look.ground)) >= least


def test_contrast_is_that_of_the_standard() -> None:
    assert theme.contrast(QColor("white"), QColor("black")) == pytest.approx(21.0)
    assert theme.contrast(QColor("#777777"), QColor("white")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize(("window", "look"), [("#efefef", theme.LIGHT), ("#202020", theme.DARK)])
def test_where_the_desktop_names_no_scheme_its_palette_tells(
    window: str, look: theme.Theme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QGuiApplication, "palette", lambda: QPalette(QColor(window)))

    assert theme.current() == look
