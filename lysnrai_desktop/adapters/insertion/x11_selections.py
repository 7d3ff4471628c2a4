"""CLIPBOARD and PRIMARY: owned, served, given back.

An owner of a selection must answer whoever asks, whenever. So this part lives by the events of its connection; reading
somebody else's selection (x11_selection_reader.py) is a wait during which our own are still served.

    own(selections, content)    an Offer: answered with from now on, until another program takes the selection
    offer.fetches               who asked for what of it: the receipt

What is larger than a request is sent in pieces (INCR).

Source: Inter-Client Communication Conventions Manual 2.0, section 2.

Imports: python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from Xlib import X, Xatom, error
from Xlib.display import Display
from Xlib.protocol import event, request, rq
from Xlib.xobject.drawable import Window

from lysnrai_desktop.adapters.insertion.x11_selection_reader import (
    PIECE_BYTES,
    Content,
    Data,
    Former,
    Reader,
    owner_of,
)
from lysnrai_desktop.adapters.x11 import XConnection

NOT_TO_BE_KEPT = {"x-kde-passwordManagerHint": b"secret", "application/x-copyq-hidden": b"1"}
"""Formats that ask clipboard managers not to keep what comes with them: Klipper and GPaste; CopyQ."""


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
        self._incr = self._atom("INCR")
        reader = self._reader = Reader(connection, self._window)
        self.now = reader.now
        self.read_text = reader.read_text

    def handle(self, happened: rq.Event) -> None:
        """Take an event of the connection; those of others are left alone."""
        match happened.type:
            case X.SelectionRequest:
                self._serve(happened)
            case X.SelectionClear if owner_of(self._display, happened.atom) != self._window.id:
                # otherwise it tells of a loss before we took the selection anew
                self._offers.pop(happened.atom, None)
            case X.PropertyNotify if happened.state == X.PropertyDelete:
                self._go_on(happened.window.id, happened.atom)
            case X.DestroyNotify:
                for key in [key for key in self._transfers if key[0] == happened.window.id]:
                    del self._transfers[key]
            case _:
                pass
        self._reader.handle(happened)

    def read(self, selection: str) -> Former:
        """Read all formats worth keeping; see there."""
        offer = self._offers.get(self._atom(selection))
        return Former(offer.content) if offer else self._reader.read(selection)

    # -- owning

    def own(self, selections: Iterable[str], content: Content) -> Offer | None:
        """Take selections and answer for them with this content; None if the server will not have it."""
        offer = Offer(content, self.now())
        names = [self._atom(selection) for selection in selections]
        for name in names:
            self._window.set_selection_owner(name, offer.since)
            self._offers[name] = offer
            if owner_of(self._display, name) != self._window.id:
                del self._offers[name]
                return None
        return offer

    def holds(self, selection: str, offer: Offer) -> bool:
        """Tell whether nobody, ourselves included, has put something else there since."""
        return self._offers.get(self._atom(selection)) is offer

    def owns(self, selection: str) -> bool:
        """Tell whether what is there now is ours to serve."""
        return self._atom(selection) in self._offers

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
        if self.owns("CLIPBOARD") and owner_of(self._display, self._atom("CLIPBOARD_MANAGER")):
            self._reader.convert("CLIPBOARD_MANAGER", "SAVE_TARGETS")

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


def text_content(display: Display, written: str, *, secret: bool) -> Content:
    """Return a text in all formats that programs ask for; `secret`: clipboard managers are asked not to keep it."""
    atom = display.intern_atom
    utf8, latin1 = written.encode(errors="replace"), written.encode("latin-1", errors="ignore")
    is_latin1 = latin1.decode("latin-1") == written
    content = {
        atom(name): Data(atom(name), 8, utf8) for name in ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain")
    }
    if is_latin1:
        content[Xatom.STRING] = Data(Xatom.STRING, 8, latin1)
    content[atom("TEXT")] = content[Xatom.STRING if is_latin1 else atom("UTF8_STRING")]
    if secret:
        content |= {atom(name): Data(atom(name), 8, value) for name, value in NOT_TO_BE_KEPT.items()}
    return content
