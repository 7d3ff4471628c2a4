"""Whether corners can be blended is asked of the screen itself."""

from __future__ import annotations

import pytest
from Xlib import display

from lysnrai_desktop.ui.compositing import composited
from tests.desktop.screen import Screen
from tests.ui.conftest import Program


def test_a_plain_x_screen_is_not_composited_until_a_manager_comes(program: Program, screen: Screen) -> None:
    assert program.show("composited") == [0]

    manager = display.Display(screen.environment["DISPLAY"])
    window = manager.screen().root.create_window(0, 0, 1, 1, 0, 0)
    window.set_selection_owner(manager.intern_atom("_NET_WM_CM_S0"), 0)
    manager.sync()

    assert program.show("composited") == [1]
    manager.close()


@pytest.mark.usefixtures("qapp")
def test_elsewhere_blending_is_taken_for_granted() -> None:
    assert composited()
