"""Which keys paste where, and what is inserted."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.insertion import (
    PASTE,
    PASTE_IN_TERMINAL,
    PRIMARY,
    TYPE,
    Way,
    as_inserted,
    asks_for_password,
    typed_in_pieces,
    undoes,
    way_into,
)
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
        (("gedit", "Gedit"), "type", TYPE),
    ],
)
def test_the_way_is_chosen_by_what_the_window_is(wm_class: tuple[str, ...], strategy: str, way: Way | None) -> None:
    assert way_into(wm_class, InsertionSettings(strategy=strategy)) == way


def test_a_rule_for_a_program_goes_before_the_strategy_for_all() -> None:
    settings = InsertionSettings(strategy="clipboard", rules={"Virt-Manager": "type", "xterm": "auto"})

    assert way_into(("virt-manager", "Virt-manager"), settings) is TYPE
    assert way_into(("xterm", "XTerm"), settings) is PRIMARY
    assert way_into(("gedit", "Gedit"), settings) is None


def test_a_window_for_passwords_is_known_by_its_class() -> None:
    assert asks_for_password(("pinentry-gtk-2", "Pinentry-gtk-2"))
    assert not asks_for_password(("gedit", "Gedit"))


def test_a_terminal_is_no_place_for_an_undo() -> None:
    assert undoes(("gedit", "Gedit"))
    assert not undoes(("xterm", "XTerm"))
    assert not undoes(("kitty", "kitty"))


@given(st.text(), st.sets(st.characters()), st.integers(1, 5), st.integers(1, 9))
def test_each_piece_can_be_typed_with_the_keys_there_are(text: str, keys: set[str], spare: int, longest: int) -> None:
    pieces = list(typed_in_pieces(text, keys, spare, longest))

    assert "".join(pieces) == text
    assert all(0 < len(piece) <= longest and len(set(piece) - keys) <= spare for piece in pieces)


@given(st.text())
def test_without_settings_a_text_is_inserted_as_it_is_but_for_control_characters(text: str) -> None:
    written = as_inserted(SpokenText(text), InsertionSettings()).reveal()

    assert written == "".join(c for c in text if c.isprintable() or c in "\n\t" or ord(c) > 0x9F)


@pytest.mark.parametrize(("text", "written"), [("one", "one "), ("one ", "one "), ("one\n", "one\n"), ("", "")])
def test_a_trailing_space_is_added_where_there_is_none(text: str, written: str) -> None:
    assert as_inserted(SpokenText(text), InsertionSettings(trailing_space=True)).reveal() == written
