"""Keys as they go down and up, whoever gets them: told that, and never what they write.

For what no grab can do: that a modifier was pressed alone, and that something was typed since. Whoever asks for this
sees every key of the desktop, so it is asked for only while it is needed, and nothing of it is kept.

Source: "The X Input Device Extension" (XI2proc.txt), version 2.2: raw events; from 2.1 on they come whether or not
another client has the keyboard grabbed.

Imports: python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from Xlib.display import Display
from Xlib.ext import ge, xinput
from Xlib.protocol import rq

_WANTED = (2, 2)
_KINDS = {xinput.RawKeyPress: True, xinput.RawKeyRelease: False, xinput.RawButtonPress: True}


@dataclass(frozen=True, slots=True)
class RawKey:
    down: bool
    code: int
    """Keycode; 0 for a button of the mouse."""
    time_ms: int
    """The server's."""
    button: int = 0


def watch(display: Display, *, on: bool, releases: bool = False) -> bool:
    """Have presses of keys and buttons come from now on, or no more; False where this server tells of none.

    `releases`: those of keys, too.
    """
    if not display.has_extension(xinput.extname):
        return False
    version = xinput.XIQueryVersion(
        display=display.display,
        opcode=display.display.get_extension_major(xinput.extname),
        major_version=_WANTED[0],
        minor_version=_WANTED[1],
    )
    if (version.major_version, version.minor_version) < _WANTED:
        return False
    mask = xinput.RawKeyPressMask | xinput.RawButtonPressMask
    if releases:
        mask |= xinput.RawKeyReleaseMask
    display.screen().root.xinput_select_events([(xinput.AllMasterDevices, mask if on else 0)])
    display.sync()
    return True


def raw_key(display: Display, event: rq.Event) -> RawKey | None:
    """Return what an event tells about a key; None if it is another event."""
    if event.type != ge.GenericEventCode or event.extension != display.display.get_extension_major(xinput.extname):
        return None
    if event.evtype not in _KINDS:
        return None
    _device, time_ms, code = struct.unpack_from("=HII", event.data)
    if event.evtype == xinput.RawButtonPress:
        return RawKey(True, 0, time_ms, button=code)
    return RawKey(_KINDS[event.evtype], code, time_ms)
