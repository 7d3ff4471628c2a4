"""How a text is brought into a window: by which keys, over which selections. Pure; chosen by what the window is.

    way_into(wm_class, settings)    -> Way, or None: keep it on the clipboard
    asks_for_password(wm_class)     -> such a window is left alone
    undoes(wm_class)                -> Ctrl+Z takes a paste back there, in one step
    as_inserted(text, settings)     -> the text with what the settings add to it
    typed_in_pieces(text, keys, n)  -> the text in pieces, each of which needs at most n keys that the keyboard lacks

The keys are those that paste in the window's own program. Terminals and editors with key maps of their own do not
paste with Ctrl+V: there it would be typed as ^V, or scroll.

Where Shift+Insert is used, both selections are to hold the text, for programs and their users differ on which of the
two it pastes (xterm: PRIMARY, unless selectToClipboard is set).

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText


class Chord(StrEnum):
    CTRL_V = "ctrl+v"
    CTRL_SHIFT_V = "ctrl+shift+v"
    SHIFT_INSERT = "shift+insert"
    CTRL_Z = "ctrl+z"


class Undone(StrEnum):
    """How sure it is that the last insertion was taken back."""

    SURELY = "surely"
    """The window says that the text is gone."""
    PROBABLY = "probably"
    """Its keys were pressed there; the window does not tell what it made of them."""


@dataclass(frozen=True, slots=True)
class Way:
    """Own these selections, then press this."""

    chord: Chord | None
    """None: type the text, character by character."""
    selections: tuple[str, ...] = ("CLIPBOARD",)


PASTE = Way(Chord.CTRL_V)
PASTE_IN_TERMINAL = Way(Chord.CTRL_SHIFT_V)
PRIMARY = Way(Chord.SHIFT_INSERT, ("PRIMARY", "CLIPBOARD"))
TYPE = Way(None, ())

TYPED_CHARACTERS = 1000
"""A longer text is not typed: a slow program would not have it within the time that an insertion may take."""
TYPED_INSTEAD_CHARACTERS = 500
"""A text up to this length is rather typed than that something is lost which cannot be kept of the clipboard."""

# Names as in WM_CLASS, in lower case. Each program's own manual names its keys.
_CTRL_SHIFT_V = frozenset(
    {
        "alacritty", "blackbox", "com.mitchellh.ghostty", "cool-retro-term", "deepin-terminal", "ghostty",
        "gnome-terminal", "gnome-terminal-server", "guake", "io.elementary.terminal", "kgx", "kitty", "konsole",
        "lxterminal", "mate-terminal", "org.gnome.console", "org.gnome.ptyxis", "ptyxis", "qterminal", "sakura",
        "tabby", "terminator", "terminology", "tilda", "tilix", "wezterm", "org.wezfurlong.wezterm",
        "x-terminal-emulator", "xfce4-terminal", "yakuake",
    }
)  # fmt: skip
_SHIFT_INSERT = frozenset(
    {
        "aterm", "emacs", "eterm", "gvim", "kterm", "mlterm", "mrxvt", "rxvt", "st", "st-256color", "urxvt",
        "uxterm", "wterm", "xterm", "zutty",
    }
)  # fmt: skip


# They write it into nothing but a field for a password. A field within another program's window looks like any other,
# unless that program tells (adapters/insertion/atspi.py).
_PASSWORD_PROMPTS = frozenset(
    {
        "gcr-prompter", "gksu", "gksudo", "kdesu", "kdesudo", "ksshaskpass", "lxpolkit", "lxqt-openssh-askpass",
        "lxqt-policykit-agent", "lxqt-sudo", "mate-polkit", "org.kde.polkit-kde-authentication-agent-1", "pinentry",
        "pinentry-fltk", "pinentry-gnome3", "pinentry-gtk", "pinentry-gtk-2", "pinentry-qt", "pinentry-qt4",
        "pinentry-qt5", "pinentry-tqt", "polkit-gnome-authentication-agent-1", "polkit-kde-authentication-agent-1",
        "polkit-mate-authentication-agent-1", "seahorse-ssh-askpass", "ssh-askpass", "x11-ssh-askpass",
        "gnome-ssh-askpass", "xfce-polkit",
    }
)  # fmt: skip


def way_into(wm_class: Iterable[str], settings: InsertionSettings) -> Way | None:
    """Choose the way.

    Args:
        wm_class: both strings of the window's WM_CLASS; upper and lower case do not matter.
        settings: a rule for the class goes before the general strategy.
    """
    names = {name.lower() for name in wm_class}
    rules = (strategy for name, strategy in settings.rules.items() if name.lower() in names)
    match next(rules, settings.strategy):
        case "clipboard":
            return None
        case "type":
            return TYPE
        case "primary":
            return PRIMARY
        case "auto" if names & _SHIFT_INSERT:
            return PRIMARY
        case _:
            return PASTE_IN_TERMINAL if names & _CTRL_SHIFT_V else PASTE


def asks_for_password(wm_class: Iterable[str]) -> bool:
    """Tell whether the window is known to be for nothing but entering a password."""
    return any(name.lower() in _PASSWORD_PROMPTS for name in wm_class)


def undoes(wm_class: Iterable[str]) -> bool:
    """Tell whether Ctrl+Z takes back what was pasted; to a terminal it means something else."""
    return not {name.lower() for name in wm_class} & (_CTRL_SHIFT_V | _SHIFT_INSERT)


def typed_in_pieces(text: str, keys: Container[str], spare: int, longest: int = 64) -> Iterator[str]:
    """Cut a text so that each piece can be typed at one go.

    Args:
        text: what is to be typed.
        keys: the characters that the keyboard has.
        spare: how many others can be lent to it at the same time; at least one.
        longest: characters of a piece at most, for between two is looked whether all is well.
    """
    begin, lent = 0, set[str]()
    for here, character in enumerate(text):
        full = character not in keys and character not in lent and len(lent) == spare
        if full or here - begin == longest:
            yield text[begin:here]
            begin, lent = here, set()
        if character not in keys:
            lent.add(character)
    if text:
        yield text[begin:]


def as_inserted(text: SpokenText, settings: InsertionSettings) -> SpokenText:
    """Add the trailing space if wanted; leave out control characters, which a terminal would obey."""
    written = "".join(c for c in text.reveal() if c in "\n\t" or not (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0))
    if settings.trailing_space and written and not written[-1].isspace():
        written += " "
    return SpokenText(written)
