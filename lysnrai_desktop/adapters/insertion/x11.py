"""Insertion on X11: paste with receipt, and where that will not do, typing.

    wait until no key is held ─▶ read the clipboard ─▶ focus the target ─▶ ask it what stands before the cursor
      ─▶ own the clipboard, with the text as it fits there ─▶ press the keys
      ─▶ the target fetches the text: the receipt, "inserted" ─▶ it is done fetching: the former content comes back

Whatever fails on the way, the text stays on the clipboard and the caller is told so. The former content comes back when
the target is done, never after a fixed time, and never over something newer. What cannot be kept of the clipboard (too
large, or its owner hangs) is not taken from its owner: a text of some sentences is typed instead, and before a longer
one is pasted, the user is told.

What the target does not tell of its cursor at once is not waited for: where nothing was pressed in it since our own
last insertion, that is what stands there.

One thread does it, on a connection of its own; while it waits it goes on serving, so a capture does not wait for an
insertion under way. Insertions follow one another.

Absent: which keys paste where (core/insertion.py), what fits behind what (core/context.py), the undo (x11_undo.py).

Imports: core, ports, python-xlib. May be imported by: app.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from Xlib import X
from Xlib.display import Display
from Xlib.protocol import rq

from lysnrai_desktop.adapters.insertion import x11_keyboard as keyboard
from lysnrai_desktop.adapters.insertion.atspi import Accessibility, Spot
from lysnrai_desktop.adapters.insertion.x11_cursor import Cursor
from lysnrai_desktop.adapters.insertion.x11_last import Last, LastInsertion
from lysnrai_desktop.adapters.insertion.x11_reach import Reach
from lysnrai_desktop.adapters.insertion.x11_receipts import LONGEST_S, Receipts
from lysnrai_desktop.adapters.insertion.x11_selection_reader import Content, Former
from lysnrai_desktop.adapters.insertion.x11_selections import Offer, Selections, text_content
from lysnrai_desktop.adapters.insertion.x11_typing import Typist
from lysnrai_desktop.adapters.insertion.x11_undo import Undo
from lysnrai_desktop.adapters.insertion.x11_windows import Windows, X11Target
from lysnrai_desktop.adapters.x11 import ConnectionLost, NoDisplay, XConnection
from lysnrai_desktop.adapters.x11_raw_keys import raw_key
from lysnrai_desktop.core.context import LOOK_BACK, fitted
from lysnrai_desktop.core.dictation import Delivery
from lysnrai_desktop.core.faults import (
    ClipboardLost,
    Fault,
    InsertUnavailable,
    PasswordPrompt,
    TargetGone,
    TargetRefused,
)
from lysnrai_desktop.core.insertion import (
    PRIMARY,
    TYPE,
    TYPED_CHARACTERS,
    TYPED_INSTEAD_CHARACTERS,
    Chord,
    Undone,
    Way,
    as_inserted,
    asks_for_password,
    way_into,
)
from lysnrai_desktop.core.last_insertion import is_untouched
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered, Target

Done = Callable[[Delivered | Fault], None]

KEPT = Delivered(Delivery.ON_CLIPBOARD)
TARGET_GONE = Delivered(Delivery.ON_CLIPBOARD, TargetGone.code)
NOT_DELIVERED = Delivered(Delivery.ON_CLIPBOARD, TargetRefused.code)
LEFT_ALONE = Delivered(Delivery.ON_CLIPBOARD, PasswordPrompt.code)


@dataclass(frozen=True, slots=True)
class _Insertion:
    text: SpokenText
    target: X11Target | None
    done: Done
    fit: bool


@dataclass(frozen=True, slots=True)
class _Undoing:
    done: Callable[[Undone | Fault], None]


class X11Inserter:
    """The port `Inserter`. `settings` is asked at each insertion."""

    def __init__(
        self,
        settings: Callable[[], InsertionSettings],
        display: str | None = None,
        tell: Callable[[Fault], None] = lambda _: None,
    ) -> None:
        """Connect to the X server.

        Args:
            settings: gives the present settings; called on the inserter's thread.
            display: such as ":0"; None takes the environment's.
            tell: told what an insertion is about to cost, before it does.

        Raises:
            InsertUnavailable: there is no X server.
        """
        self._settings = settings
        self._tell = tell
        self._jobs: deque[_Insertion | _Undoing] = deque()
        self._busy = False
        self._stopping = False
        self._display = display
        self._accessibility = Accessibility()  # outlives a connection
        self._connect()

    def _connect(self) -> None:
        try:
            self._x = XConnection("insertion", self._handle, self._refuse_jobs, self._display)
            self._x.call(self._begin)
        except (NoDisplay, ConnectionLost):
            raise InsertUnavailable from None

    def capture(self) -> Target | None:
        """After a disconnection this connects again: a dictation that begins will want it."""
        try:
            return self._x.call(lambda _: self._capture())
        except ConnectionLost:
            if self._stopping:
                return None
        try:
            self._connect()
            return self._x.call(lambda _: self._capture())
        except (InsertUnavailable, ConnectionLost):
            return None

    def insert(self, text: SpokenText, target: Target | None, done: Done, *, fit: bool = False) -> None:
        assert target is None or isinstance(target, X11Target), "a target is inserted into by who captured it"
        self._queue(_Insertion(text, target, done, fit))

    def undo(self, done: Callable[[Undone | Fault], None]) -> None:
        self._queue(_Undoing(done))

    def _queue(self, job: _Insertion | _Undoing) -> None:
        self._jobs.append(job)
        if not self._x.post(lambda _: self._work_off()):
            self._refuse_jobs()

    def copy(self, text: SpokenText) -> None:
        self._x.post(
            lambda display: self._selections.own(["CLIPBOARD"], text_content(display, text.reveal(), secret=False))
        )

    def shut_down(self) -> None:
        """Blocks until what is on the clipboard was handed to a clipboard manager, if there is one (1 s at most)."""
        self._stopping = True
        self._x.close(last=lambda _: self._selections.save())
        self._refuse_jobs()
        self._accessibility.shut_down()

    # -- on the connection's thread

    def _begin(self, display: Display) -> None:
        self._windows = Windows(display)
        self._selections = Selections(self._x)
        self._receipts = Receipts(self._x, self._windows, self._selections, lambda: self._stopping)
        self._reach = Reach(self._x, self._windows, self._selections, lambda: self._stopping)
        self._cursor = Cursor(self._x, self._windows, self._accessibility)
        self._undo = Undo(self._x, self._windows, self._reach, self._cursor)
        self._last = LastInsertion(display, self._windows)
        self._typist = Typist(self._x)
        self._can_press = display.has_extension("XTEST")

    def _capture(self) -> X11Target | None:
        target = self._windows.focused()
        self._selections.now()  # what was pressed before this call is known thereafter
        self._last.note_wish()
        if target is not None:
            self._cursor.warm(target)
        return target

    def _handle(self, event: rq.Event) -> None:
        if event.type == X.MappingNotify:
            self._x.display.refresh_keyboard_mapping(event)
        elif (key := raw_key(self._x.display, event)) is not None:
            self._last.note(key)
        else:
            self._selections.handle(event)
            self._typist.handle(event)

    def _work_off(self) -> None:
        if self._busy:
            return  # this is a wait within the insertion under way, which goes on with the next one
        self._busy = True
        try:
            while self._jobs and not self._stopping:
                self._do(self._jobs.popleft())
        finally:
            self._busy = False

    def _do(self, job: _Insertion | _Undoing) -> None:
        try:
            if isinstance(job, _Undoing):
                self._selections.now()  # what was pressed before this is known thereafter
                job.done(self._undo.take_back(self._last.forget()))
            else:
                self._insert(job)
        except Fault as fault:
            job.done(fault)
        except ConnectionLost:
            job.done(InsertUnavailable())
            raise

    def _refuse_jobs(self) -> None:
        with contextlib.suppress(IndexError):  # called by any thread: the last one may be gone meanwhile
            while True:
                self._jobs.popleft().done(InsertUnavailable())

    def _insert(self, job: _Insertion) -> None:
        """All its bounds together stay below INSERTING_S (core/machine.py)."""
        settings = self._settings()
        text = as_inserted(job.text, settings)
        plan = self._plan(job.target, settings, len(text))
        if isinstance(plan, Delivered):
            self._keep(text)
            job.done(plan)
            return
        target, way, keycodes = plan
        former = {selection: self._selections.read(selection) for selection in way.selections}
        refusal, before = self._come_to(target, may_activate=settings.when_focus_moved == "return")
        if refusal:
            self._keep(text)
            job.done(refusal)
            return
        if job.fit and settings.fit:
            text = fitted(text, before)
        if "CLIPBOARD" in former and not former["CLIPBOARD"].whole:
            if len(text) <= TYPED_INSTEAD_CHARACTERS:
                way = TYPE
            else:
                self._tell(ClipboardLost())
        if way is TYPE:
            job.done(self._type(text, target))
        else:
            self._paste(text, target, way, keycodes, former, job.done)

    def _plan(
        self, captured: X11Target | None, settings: InsertionSettings, characters: int
    ) -> Delivered | tuple[X11Target, Way, list[int]]:
        """Where to and how, or why the text is better kept on the clipboard. Waits for keys to be let go."""
        target = captured
        if captured is None or not self._windows.is_active(captured):
            if settings.when_focus_moved == "clipboard":
                return KEPT
            if captured is None or settings.when_focus_moved == "follow":
                target = self._windows.focused()
        if target is None or not self._windows.exists(target):
            return TARGET_GONE
        if asks_for_password(target.wm_class):
            return LEFT_ALONE
        way = way_into(target.wm_class, settings)
        if way is None:
            return KEPT
        if way is TYPE and characters > TYPED_CHARACTERS:
            return NOT_DELIVERED
        keycodes = keyboard.keycodes_of(self._x.display, way.chord) if way.chord else []
        if way.chord and not keycodes:  # a layout without Latin letters; Shift+Insert does nearly everywhere
            way, keycodes = PRIMARY, keyboard.keycodes_of(self._x.display, Chord.SHIFT_INSERT)
        if (way.chord and not keycodes) or not self._can_press or not self._reach.keys_are_free():
            return NOT_DELIVERED
        return target, way, keycodes

    def _keep(self, text: SpokenText, selections: tuple[str, ...] = ("CLIPBOARD",)) -> Offer:
        offer = self._selections.own(selections, self._as_content(text))
        if offer is None:
            raise InsertUnavailable("the server gives us no selection")
        return offer

    def _as_content(self, text: SpokenText) -> Content:
        return text_content(self._x.display, text.reveal(), secret=True)

    def _come_to(self, target: X11Target, *, may_activate: bool) -> tuple[Delivered | None, str]:
        """Bring the focus to the target.

        Returns why no keys are to be pressed there, if none are, and what stands before the cursor.
        """
        had_focus = self._windows.is_active(target)
        if not self._reach.gain(target, may_activate=may_activate):
            return self._not_into(target), ""
        last, spot = self._last.forget(), self._cursor.spot(target, has_just_come=not had_focus)
        if spot is not None and spot.is_password:
            return LEFT_ALONE, ""
        return None, _before(target, spot, last)

    def _not_into(self, target: X11Target) -> Delivered:
        return NOT_DELIVERED if self._windows.exists(target) else TARGET_GONE

    def _paste(
        self,
        text: SpokenText,
        target: X11Target,
        way: Way,
        keycodes: list[int],
        former: Mapping[str, Former],
        done: Done,
    ) -> None:
        offer = self._keep(text, way.selections)
        outcome, took_s = self._press(offer, way, target, keycodes)
        if outcome.delivery is Delivery.INSERTED:
            self._last.remember(Last(target, text, by_paste=True))
        done(outcome)
        if outcome.delivery is Delivery.INSERTED:
            self._receipts.cease(offer, target, took_s)
        for selection, was_there in former.items():
            if selection != "CLIPBOARD" or outcome.delivery is not Delivery.ON_CLIPBOARD:
                self._selections.give_back(selection, offer, was_there)

    def _press(self, offer: Offer, way: Way, target: X11Target, keycodes: list[int]) -> tuple[Delivered, float]:
        """Press the keys, wait for the receipt; returns how many seconds that one took, too.

        Raises:
            TargetRefused: no receipt, and something newer is on the clipboard: the text is nowhere.
        """
        if self._windows.is_active(target):
            offer.fetches.clear()
            since = self._selections.now()
            pressed_at = time.monotonic()
            keyboard.press(self._x.display, keycodes)
            if self._receipts.arrive(offer, way.selections, target, since):
                return Delivered(Delivery.INSERTED), time.monotonic() - pressed_at
            if not self._selections.holds("CLIPBOARD", offer):
                return self._after_loss(offer), 0.0
        return self._not_into(target), 0.0

    def _type(self, text: SpokenText, target: X11Target) -> Delivered:
        """Type. The target gives no receipt; but that it has read the keys is known of most."""
        end = time.monotonic() + LONGEST_S

        def may_go_on() -> bool:
            display = self._x.display
            free = not keyboard.modifiers_held(display) and not keyboard.is_taken(display)
            return free and self._windows.is_active(target) and not self._stopping and time.monotonic() < end

        if self._typist.type(text.reveal(), target.id, may_go_on):
            self._last.remember(Last(target, text, by_paste=False))
            return Delivered(Delivery.PROBABLY_INSERTED)
        self._keep(text)
        return self._not_into(target)

    def _after_loss(self, offer: Offer) -> Delivered:
        """Another program has taken the clipboard before the target fetched the text."""
        utf8 = self._x.display.intern_atom("UTF8_STRING")
        if self._selections.read_text("CLIPBOARD") == offer.content[utf8].bytes:
            return Delivered(Delivery.PROBABLY_INSERTED)  # a clipboard manager serves the target in our place
        raise TargetRefused


def _before(target: X11Target, spot: Spot | None, last: Last | None) -> str:
    """Return what stands before the cursor, as the target tells it, or as we left it; "" if nobody knows."""
    if spot is not None and spot.before is not None:
        return spot.before
    if last is not None and last.target == target and is_untouched(last.since):
        return last.text.reveal()[-LOOK_BACK:]
    return ""
