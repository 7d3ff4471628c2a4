"""The three requests of the XKEYBOARD extension that hotkeys need; python-xlib has none of them.

Source: "The X Keyboard Extension: Protocol Specification", version 1.0, sections 16.1.1 UseExtension,
16.1.2 SelectEvents, 16.3.11 PerClientFlags; opcodes and masks from its appendices.

Imports: python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

from Xlib.display import Display
from Xlib.protocol import rq

_CORE_KEYBOARD = 0x100
_DETECTABLE_AUTO_REPEAT = 1
_KEYBOARD_AND_MAP = 0b11  # NewKeyboardNotify, MapNotify
_EVERY_PART = 0xFF


class _UseExtension(rq.ReplyRequest):
    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(0), rq.RequestLength(), rq.Card16("wanted_major"), rq.Card16("wanted_minor")
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("supported"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card16("server_major"),
        rq.Card16("server_minor"),
        rq.Pad(20),
    )


class _SelectEvents(rq.Request):
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(1),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card16("affect_which"),
        rq.Card16("clear"),
        rq.Card16("select_all"),
        rq.Card16("affect_map"),
        rq.Card16("map"),
    )


class _PerClientFlags(rq.ReplyRequest):
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(21),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Pad(2),
        rq.Card32("change"),
        rq.Card32("value"),
        rq.Card32("controls_to_change"),
        rq.Card32("auto_controls"),
        rq.Card32("auto_control_values"),
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("device"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card32("supported"),
        rq.Card32("value"),
        rq.Card32("auto_controls"),
        rq.Card32("auto_control_values"),
        rq.Pad(8),
    )


def repeat_detectably(display: Display) -> int:
    """Have a held key repeat as presses alone, and its one release told when it happens.

    Asks for news of the keyboard, too: a client that uses XKEYBOARD gets no core MappingNotify for all of it.

    Returns:
        The event type of that news; 0 where the server has no XKEYBOARD, or cannot do this. A held key then repeats
        as pairs of release and press with equal times (the grace in core/hotkey.py unites them).
    """
    extension = display.query_extension("XKEYBOARD")
    if extension is None:
        return 0
    opcode = extension.major_opcode
    if not _UseExtension(display.display, opcode=opcode, wanted_major=1, wanted_minor=0).supported:
        return 0
    _SelectEvents(
        display=display.display,
        opcode=opcode,
        device=_CORE_KEYBOARD,
        affect_which=_KEYBOARD_AND_MAP,
        clear=0,
        select_all=_KEYBOARD_AND_MAP,
        affect_map=_EVERY_PART,
        map=_EVERY_PART,
    )
    _PerClientFlags(
        display.display,
        opcode=opcode,
        device=_CORE_KEYBOARD,
        change=_DETECTABLE_AUTO_REPEAT,
        value=_DETECTABLE_AUTO_REPEAT,
        controls_to_change=0,
        auto_controls=0,
        auto_control_values=0,
    )
    return int(extension.first_event)
