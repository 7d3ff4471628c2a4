"""Selections of other programs, read whole: every format worth keeping, byte for byte.

    read(selection)             all useful formats of the present owner, and whether they are all
    read_text(selection)        what is there as text

Reading is a wait, for an owner that may be slow, or hang; its length is bounded, and the connection goes on serving.
What is larger than a request comes in pieces (INCR).

Source: Inter-Client Communication Conventions Manual 2.0, section 2.

Imports: python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.protocol import rq
from Xlib.xobject.drawable import Window

from lysnrai_desktop.adapters.x11 import XConnection

STALL_S = 1.0
"""What waiting for an owner that does not answer may cost, all its formats together."""
MOMENT_S = 0.05
"""An answer within this time costs nothing of STALL_S: an owner of much is not one that hangs."""
LARGEST_BYTES = 64 * 1024 * 1024
"""What is kept of a selection at most."""
PIECE_BYTES = 128 * 1024
"""Sent, or read, at once; more goes in pieces of this size. Every server takes requests of 256 KiB."""

_NO_CONTENT = {
    "TARGETS", "MULTIPLE", "TIMESTAMP", "SAVE_TARGETS", "DELETE", "INSERT_SELECTION", "INSERT_PROPERTY",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Data:
    """One format of a selection's content."""

    type: int
    """Atom."""
    unit_bits: int
    """8, 16 or 32."""
    bytes: bytes = field(repr=False)


Content = Mapping[int, Data]
"""By the atom of the format's name."""


@dataclass(frozen=True, slots=True)
class Former:
    """What a selection held."""

    content: Content | None
    """None where nobody owned it."""
    whole: bool = True
    """False: its owner has more, or hangs, and loses it when somebody else takes the selection."""


class _Patience:
    """How long an owner may keep us waiting, over several waits, and how much it may send."""

    def __init__(self) -> None:
        self.left_s = STALL_S
        self.room = LARGEST_BYTES
        self.too_much = False

    @property
    def exhausted(self) -> bool:
        return self.left_s <= 0 or self.too_much

    def wait(self, pump: Callable[[Callable[[], bool], float], bool], condition: Callable[[], bool]) -> bool:
        begun = time.monotonic()
        if not pump(condition, begun + self.left_s):
            self.left_s = 0.0
            return False
        self.left_s -= max(0.0, time.monotonic() - begun - MOMENT_S)
        return True


def worth_keeping(names: Collection[str]) -> set[str]:
    """Choose the formats that the others can be made of again.

    A toolkit that owns a picture offers it in some twenty formats and makes each when asked. PNG loses nothing, so
    it stands for those; a drawing (SVG) and an animation (GIF) are not a picture of themselves.
    """
    pictures = {name for name in names if name.startswith("image/") or name in ("PIXMAP", "BITMAP", "DRAWABLE")}
    if "image/png" in pictures:
        pictures -= {"image/png", "image/svg+xml", "image/gif"}
        return set(names) - pictures - _NO_CONTENT
    return set(names) - _NO_CONTENT


def owner_of(display: Display, selection: int) -> int:
    """Return the window that owns it, by its atom; 0: none does."""
    owner = display.get_selection_owner(selection)
    return owner.id if isinstance(owner, Window) else 0


class Reader:
    """For the thread of the connection, whose events it is handed by `handle`."""

    def __init__(self, connection: XConnection, window: Window) -> None:
        """`window`: of ours, where answers are to be put; its properties are told."""
        self._x = connection
        self._display: Display = connection.display
        self._window = window
        self._atom = self._display.intern_atom
        self._places = itertools.cycle([self._atom(f"LYSNRAI_{n}") for n in range(8)])
        self._clock = self._atom("LYSNRAI_TIME")
        self._incr = self._atom("INCR")
        self._stamp = 0
        self._answers: list[rq.Event] = []
        self._arrived: dict[int, int] = {}
        """How often each of our properties was written since we looked."""

    def handle(self, happened: rq.Event) -> None:
        """Take an event of the connection; those of others are left alone."""
        if happened.type == X.SelectionNotify:
            self._answers.append(happened)
        elif happened.type == X.PropertyNotify and happened.window == self._window:
            if happened.atom == self._clock:
                self._stamp = happened.time
            elif happened.state == X.PropertyNewValue:
                self._arrived[happened.atom] = self._arrived.get(happened.atom, 0) + 1

    def now(self) -> int:
        """Return the server's time, in one round trip (ICCCM 2.1: appending nothing is told with the time)."""
        self._stamp = 0
        self._window.change_property(self._clock, Xatom.STRING, 8, b"", X.PropModeAppend)
        self._x.pump(lambda: self._stamp != 0)
        return self._stamp

    def read(self, selection: str) -> Former:
        """Read all formats worth keeping.

        What cannot be had is left out: the formats of an owner that hangs, and what exceeds LARGEST_BYTES.
        """
        name = self._atom(selection)
        owner = owner_of(self._display, name)
        if not owner:
            return Former(None)
        patience, stamp = _Patience(), self.now()
        content: dict[int, Data] = {}
        for target in self._worth_keeping(self._convert(name, self._atom("TARGETS"), stamp, patience)):
            data = self._convert(name, target, stamp, patience) if patience.left_s > 0 else None
            if data:
                content[target] = data
                patience.room -= len(data.bytes)
        if owner_of(self._display, name) != owner:
            return Former(content)  # it is gone meanwhile, and its content with it
        return Former(content, whole=not patience.exhausted)

    def read_text(self, selection: str) -> bytes | None:
        """Read what is there as UTF-8 text; None if it is none."""
        data = self.convert(selection, "UTF8_STRING")
        return data.bytes if data else None

    def convert(self, selection: str, target: str) -> Data | None:
        """Ask the owner for one format; None if it refuses, hangs, or has too much."""
        return self._convert(self._atom(selection), self._atom(target), self.now(), _Patience())

    def _worth_keeping(self, listed: Data | None) -> list[int]:
        if listed is None or listed.unit_bits != 32:
            return [self._atom("UTF8_STRING"), Xatom.STRING]
        atoms = dict.fromkeys(memoryview(listed.bytes).cast("I").tolist())
        names = {atom: str(self._display.get_atom_name(atom)) for atom in atoms if atom}
        wanted = worth_keeping(names.values())
        return [atom for atom, name in names.items() if name in wanted]

    def _convert(self, selection: int, target: int, stamp: int, patience: _Patience) -> Data | None:
        place = next(self._places)
        self._answers.clear()
        self._window.delete_property(place)
        self._window.convert_selection(selection, target, place, stamp)

        def answers() -> list[int]:
            return [
                answer.property
                for answer in self._answers
                if (answer.selection, answer.target) == (selection, target) and answer.property in (place, X.NONE)
            ]

        if not patience.wait(self._x.pump, lambda: bool(answers())) or not answers()[0]:
            return None
        self._arrived[place] = 0
        data = self._take(place, patience)
        if data is None or data.type != self._incr:
            return data
        return self._gather(place, patience)

    def _gather(self, place: int, patience: _Patience) -> Data | None:
        """Read what comes in pieces, the last of which is empty."""
        whole = bytearray()
        while patience.wait(self._x.pump, lambda: self._arrived[place] > 0):
            self._arrived[place] -= 1
            piece = self._take(place, patience, len(whole))
            if piece is None or not piece.bytes:
                return piece and Data(piece.type, piece.unit_bits, bytes(whole))
            whole += piece.bytes
        return None

    def _take(self, place: int, patience: _Patience, before: int = 0) -> Data | None:
        """Read a property of ours and delete it, which tells the owner to go on; None if there is no room for it.

        `before`: bytes of the same format that came before.
        """
        whole = bytearray()
        while True:
            part = self._window.get_property(place, X.AnyPropertyType, len(whole) // 4, PIECE_BYTES // 4)
            if part is None:
                return None
            whole += part.value if isinstance(part.value, bytes) else part.value.tobytes()
            if before + len(whole) + part.bytes_after > patience.room:
                patience.too_much = True
                return None
            if not part.bytes_after:
                self._window.delete_property(place)
                return Data(part.property_type, part.format, bytes(whole))
