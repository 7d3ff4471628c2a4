"""How a text is brought into a window: by which keys, over which selections. Pure; chosen by what the window is.

    way_into(wm_class, strategy) -> Way, or None: keep it on the clipboard
    as_inserted(text, settings)  -> the text with what the settings add to it

The keys are those that paste in the window's own program. Terminals and editors with key maps of their own do not
paste with Ctrl+V: there it would be typed as ^V, or scroll.

Where Shift+Insert is used, both selections are to hold the text, for programs and their users differ on which of the
two it pastes (xterm: PRIMARY, unless selectToClipboard is set).

Imports: core only. May be imported by: everyone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText


class Chord(StrEnum):
    CTRL_V = "ctrl+v"
    CTRL_SHIFT_V = "ctrl+shift+v"
    SHIFT_INSERT = "shift+insert"


@dataclass(frozen=True, slots=True)
class Way:
    """Own these selections, then press this."""

    chord: Chord
    selections: tuple[str, ...] = ("CLIPBOARD",)


PASTE = Way(Chord.CTRL_V)
PASTE_IN_TERMINAL = Way(Chord.CTRL_SHIFT_V)
PRIMARY = Way(Chord.SHIFT_INSERT, ("PRIMARY", "CLIPBOARD"))

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


def way_into(wm_class: Iterable[str], strategy: str) -> Way | None:
    """Choose the way.

    Args:
        wm_class: both strings of the window's WM_CLASS; upper and lower case do not matter.
        strategy: `InsertionSettings.strategy`.
    """
    names = {name.lower() for name in wm_class}
    match strategy:
        case "clipboard":
            return None
        case "primary":
            return PRIMARY
        case "auto" if names & _SHIFT_INSERT:
            return PRIMARY
        case _:
            return PASTE_IN_TERMINAL if names & _CTRL_SHIFT_V else PASTE


def as_inserted(text: SpokenText, settings: InsertionSettings) -> SpokenText:
    """Add the trailing space if wanted; leave out control characters, which a terminal would obey."""
    written = "".join(c for c in text.reveal() if c in "\n\t" or not (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0))
    if settings.trailing_space and written and not written[-1].isspace():
        written += " "
    return SpokenText(written)
