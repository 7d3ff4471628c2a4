"""Who would get the keys that are pressed."""

from __future__ import annotations

import contextlib

from Xlib import X, display

from lysnrai_desktop.adapters.insertion.x11_keyboard import is_taken
from tests.desktop.screen import Screen


def test_a_keyboard_that_another_program_has_taken_is_known_as_such_until_it_is_given_back(screen: Screen) -> None:
    name = screen.environment["DISPLAY"]
    with contextlib.closing(display.Display(name)) as ours, contextlib.closing(display.Display(name)) as locker:
        assert not is_taken(ours)
        grabbed = locker.screen().root.grab_keyboard(False, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
        assert grabbed == X.GrabSuccess, "asking has not taken it"

        assert is_taken(ours)

        locker.ungrab_keyboard(X.CurrentTime)
        locker.sync()
        assert not is_taken(ours)
