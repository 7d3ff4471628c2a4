"""Which keys paste where, and what is inserted."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.insertion import PASTE, PASTE_IN_TERMINAL, PRIMARY, Way, as_inserted, way_into
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText


@pytest.mark.parametrize(
    ("wm_class", "strategy", "way"),
    [
        (("xterm", "XTerm"), "auto", PRIMARY),
        (("urxvt", "URxvt"), "auto", PRIMARY),
        (("emacs", "Emacs"), "auto", PRIMARY),
        (("gnome-terminal-server", "Gnome-terminal"), "auto", PASTE_IN_TERMINAL),
        (("kitty", "kitty"), "auto", PASTE_IN_TERMINAL),
        (("Alacritty", "Alacritty"), "paste", PASTE_IN_TERMINAL),
        (("gedit", "Gedit"), "auto", PASTE),
        ((), "auto", PASTE),
        (("xterm", "XTerm"), "paste", PASTE),
        (("gedit", "Gedit"), "primary", PRIMARY),
        (("gedit", "Gedit"), "clipboard", None),
    ],
)
def test_the_way_is_chosen_by_what_the_window_is(wm_class: tuple[str, ...], strategy: str, way: Way | None) -> None:
    assert way_into(wm_class, strategy) == way


@given(st.text())
def test_without_settings_a_text_is_inserted_as_it_is_but_for_control_characters(text: str) -> None:
    written = as_inserted(SpokenText(text), InsertionSettings()).reveal()

    assert written == "".join(c for c in text if c.isprintable() or c in "\n\t" or ord(c) > 0x9F)


@pytest.mark.parametrize(("text", "written"), [("one", "one "), ("one ", "one "), ("one\n", "one\n"), ("", "")])
def test_a_trailing_space_is_added_where_there_is_none(text: str, written: str) -> None:
    assert as_inserted(SpokenText(text), InsertionSettings(trailing_space=True)).reveal() == written
