"""CLIPBOARD and PRIMARY: read whole, owned, served, given back.

An owner of a selection must answer whoever asks, whenever. So this part lives by the events of its connection, and
reading somebody else's selection is a wait during which our own are still served.

    read(selection)             all useful formats of the present owner, byte for byte, and whether they are all
    own(selections, content)    an Offer: answered with from now on, until another program takes the selection
    offer.fetches               who asked for what of it: the receipt

What is larger than a request is sent, and read, in pieces (INCR).

Source: Inter-Client Communication Conventions Manual 2.0, section 2.

Imports: python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from Xlib import X, Xatom, error
from Xlib.protocol import event, request, rq
from Xlib.xobject.drawable import Window

from lysnrai_desktop.adapters.x11 import XConnection

STALL_S = 1.0
"""What waiting for an owner that does not answer may cost, all its formats together."""
MOMENT_S = 0.05
"""An answer within this time costs nothing of STALL_S: an owner of much is not one that hangs."""
LARGEST_BYTES = 64 * 1024 * 1024
"""What is kept of a selection at most."""
PIECE_BYTES = 128 * 1024
"""Sent at once; more goes in pieces of this size. Every server takes requests of 256 KiB."""

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


@dataclass(slots=True)
class Fetch:
    """Somebody has asked for our content in one format."""

    target: int
    """Atom of the format."""
    requestor: int
    """The window that asked."""
    stamp: int
    """Server time of what made it ask; 0 if it did not say."""
    complete: bool = False
    """All of it was handed to the server or, in pieces, taken by the requestor."""


@dataclass(slots=True, eq=False)
class Offer:
    """Content that we own selections with."""

    content: Content
    since: int
    """Server time."""
    fetches: deque[Fetch] = field(default_factory=lambda: deque(maxlen=256))
    busy_at: float = 0.0
    """time.monotonic() of the last sign of somebody who fetches."""


@dataclass(slots=True)
class _Transfer:
    """Content on its way in pieces."""

    offer: Offer
    fetch: Fetch
    data: Data
    sent: int = 0
    ended: bool = False


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


class Selections:
    """For the thread of the connection, whose events it is handed by `handle`."""

    def __init__(self, connection: XConnection) -> None:
        self._x = connection
        self._display = connection.display
        root = self._display.screen().root
        self._window: Window = root.create_window(
            -1, -1, 1, 1, 0, X.CopyFromParent, X.InputOnly, X.CopyFromParent, event_mask=X.PropertyChangeMask
        )
        self._atom = self._display.intern_atom
        self._offers: dict[int, Offer] = {}
        self._transfers: dict[tuple[int, int], _Transfer] = {}
        self._places = itertools.cycle([self._atom(f"LYSNRAI_{n}") for n in range(8)])
        self._clock = self._atom("LYSNRAI_TIME")
        self._incr = self._atom("INCR")
        self._stamp = 0
        self._answers: list[rq.Event] = []
        self._arrived: dict[int, int] = {}
        """How often each of our properties was written since we looked."""

    def handle(self, happened: rq.Event) -> None:
        """Take an event of the connection; those of others are left alone."""
        match happened.type:
            case X.SelectionRequest:
                self._serve(happened)
            case X.SelectionClear if self._owner(happened.atom) != self._window.id:
                # otherwise it tells of a loss before we took the selection anew
                self._offers.pop(happened.atom, None)
            case X.SelectionNotify:
                self._answers.append(happened)
            case X.PropertyNotify if happened.window == self._window:
                if happened.atom == self._clock:
                    self._stamp = happened.time
                elif happened.state == X.PropertyNewValue:
                    self._arrived[happened.atom] = self._arrived.get(happened.atom, 0) + 1
            case X.PropertyNotify if happened.state == X.PropertyDelete:
                self._go_on(happened.window.id, happened.atom)
            case X.DestroyNotify:
                for key in [key for key in self._transfers if key[0] == happened.window.id]:
                    del self._transfers[key]
            case _:
                pass

    def now(self) -> int:
        """Return the server's time, in one round trip (ICCCM 2.1: appending nothing is told with the time)."""
        self._stamp = 0
        self._window.change_property(self._clock, Xatom.STRING, 8, b"", X.PropModeAppend)
        self._x.pump(lambda: self._stamp != 0)
        return self._stamp

    # -- owning

    def own(self, selections: Iterable[str], content: Content) -> Offer | None:
        """Take selections and answer for them with this content; None if the server will not have it."""
        offer = Offer(content, self.now())
        names = [self._atom(selection) for selection in selections]
        for name in names:
            self._window.set_selection_owner(name, offer.since)
            self._offers[name] = offer
            if self._owner(name) != self._window.id:
                del self._offers[name]
                return None
        return offer

    def holds(self, selection: str, offer: Offer) -> bool:
        """Tell whether nobody, ourselves included, has put something else there since."""
        return self._offers.get(self._atom(selection)) is offer

    def owns(self, selection: str) -> bool:
        """Tell whether what is there now is ours to serve."""
        return self._atom(selection) in self._offers

    def _owner(self, name: int) -> int:
        owner = self._display.get_selection_owner(name)
        return owner.id if isinstance(owner, Window) else 0

    def give_back(self, selection: str, offer: Offer, former: Former) -> None:
        """Let the selection be as it was before the offer: with its former content, or without an owner.

        What was put there since is newer and stays.
        """
        if not self.holds(selection, offer):
            return
        if former.content:
            self.own([selection], former.content)
            return
        name = self._atom(selection)
        del self._offers[name]
        request.SetSelectionOwner(display=self._display.display, window=X.NONE, selection=name, time=X.CurrentTime)
        self._display.flush()

    def save(self) -> None:
        """Ask a clipboard manager to keep what we own, for we are about to go (freedesktop.org, ClipboardManager)."""
        manager = self._atom("CLIPBOARD_MANAGER")
        if not self.owns("CLIPBOARD") or not self._owner(manager):
            return
        self._convert(manager, self._atom("SAVE_TARGETS"), self.now(), _Patience())

    # -- serving

    def _serve(self, asked: rq.Event) -> None:
        place = asked.property or asked.target  # clients older than the ICCCM name no property
        offer = self._offers.get(asked.selection)
        answered = offer is not None and self._answer_one(offer, asked, asked.target, place)
        asked.requestor.send_event(
            event.SelectionNotify(
                time=asked.time,
                requestor=asked.requestor,
                selection=asked.selection,
                target=asked.target,
                property=place if answered else X.NONE,
            )
        )
        self._display.flush()

    def _answer_one(self, offer: Offer, asked: rq.Event, target: int, place: int) -> bool:
        """Put one format where the requestor wants it; False if we have no such format."""
        offer.busy_at = time.monotonic()
        requestor: Window = asked.requestor
        if target == self._atom("MULTIPLE"):
            return self._answer_several(offer, asked, place)
        if target == self._atom("TARGETS"):
            about = [self._atom(name) for name in ("TARGETS", "MULTIPLE", "TIMESTAMP")]
            requestor.change_property(place, Xatom.ATOM, 32, [*about, *offer.content])
            return True
        if target == self._atom("TIMESTAMP"):
            requestor.change_property(place, Xatom.INTEGER, 32, [offer.since])
            return True
        data = offer.content.get(target)
        if data is None:
            return False
        fetch = Fetch(target, requestor.id, asked.time)
        offer.fetches.append(fetch)
        if len(data.bytes) > PIECE_BYTES:
            self._transfers[requestor.id, place] = _Transfer(offer, fetch, data)
            requestor.change_attributes(event_mask=X.PropertyChangeMask | X.StructureNotifyMask)
            requestor.change_property(place, self._incr, 32, [len(data.bytes)])
        else:
            requestor.change_property(place, data.type, data.unit_bits, data.bytes)
            fetch.complete = True
        return True

    def _answer_several(self, offer: Offer, asked: rq.Event, place: int) -> bool:
        with contextlib.suppress(error.BadWindow):
            listed = asked.requestor.get_full_property(place, X.AnyPropertyType)
            if listed is None or listed.format != 32:
                return False
            pairs = list(listed.value)
            for i in range(0, len(pairs) - 1, 2):
                several = pairs[i] == self._atom("MULTIPLE")
                if several or not self._answer_one(offer, asked, pairs[i], pairs[i + 1]):
                    pairs[i + 1] = X.NONE
            asked.requestor.change_property(place, self._atom("ATOM_PAIR"), 32, pairs)
            return True
        return False

    def _go_on(self, window: int, place: int) -> None:
        """The requestor has taken a piece: give it the next; one of no length is the last."""
        transfer = self._transfers.get((window, place))
        if transfer is None:
            return
        transfer.offer.busy_at = time.monotonic()
        if transfer.ended:
            transfer.fetch.complete = True
            del self._transfers[window, place]
            return
        data = transfer.data
        piece = data.bytes[transfer.sent : transfer.sent + PIECE_BYTES]
        transfer.sent += len(piece)
        transfer.ended = not piece
        requestor = self._display.create_resource_object("window", window)
        assert isinstance(requestor, Window)
        requestor.change_property(place, data.type, data.unit_bits, piece)
        self._display.sync()  # a piece can exceed what the socket takes at once

    # -- reading

    def read(self, selection: str) -> Former:
        """Read all formats worth keeping.

        What cannot be had is left out: the formats of an owner that hangs, and what exceeds LARGEST_BYTES.
        """
        name = self._atom(selection)
        if name in self._offers:
            return Former(self._offers[name].content)
        owner = self._owner(name)
        if not owner:
            return Former(None)
        patience, stamp = _Patience(), self.now()
        content: dict[int, Data] = {}
        for target in self._worth_keeping(self._convert(name, self._atom("TARGETS"), stamp, patience)):
            data = self._convert(name, target, stamp, patience) if patience.left_s > 0 else None
            if data:
                content[target] = data
                patience.room -= len(data.bytes)
        if self._owner(name) != owner:
            return Former(content)  # it is gone meanwhile, and its content with it
        return Former(content, whole=not patience.exhausted)

    def read_text(self, selection: str) -> bytes | None:
        """Read what is there as UTF-8 text; None if it is none."""
        data = self._convert(self._atom(selection), self._atom("UTF8_STRING"), self.now(), _Patience())
        return data.bytes if data else None

    def _worth_keeping(self, listed: Data | None) -> list[int]:
        if listed is None or listed.unit_bits != 32:
            return [self._atom("UTF8_STRING"), Xatom.STRING]
        atoms = dict.fromkeys(memoryview(listed.bytes).cast("I").tolist())
        names = {atom: str(self._display.get_atom_name(atom)) for atom in atoms if atom}
        wanted = worth_keeping(names.values())
        return [atom for atom, name in names.items() if name in wanted]

    def _convert(self, selection: int, target: int, stamp: int, patience: _Patience) -> Data | None:
        """Ask the owner for one format; None if it refuses, hangs, or has too much."""
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
            if part is None or before + len(whole) + part.bytes_after > patience.room:
                patience.too_much = part is not None
                return None
            whole += part.value if isinstance(part.value, bytes) else part.value.tobytes()
            if not part.bytes_after:
                self._window.delete_property(place)
                return Data(part.property_type, part.format, bytes(whole))
