"""Insertion on X11: paste with receipt, and where that will not do, typing.

    wait until no key is held ─▶ read the clipboard ─▶ own it, with the text ─▶ focus the target ─▶ press the keys
      ─▶ the target fetches the text: the receipt, "inserted" ─▶ it is done fetching: the former content comes back

Whatever fails on the way, the text stays on the clipboard and the caller is told so. The receipt is a request for the
text, from the target's own program, made after the keys; programs that fetch at every change (clipboard managers) are
served and do not count. The former content comes back when the target is done, never after a fixed time, and never
over something newer. What cannot be kept of the clipboard (too large, or its owner hangs) is not taken from its owner:
a text of some sentences is typed instead, and before a longer one is pasted, the user is told.

Taken back (`undo`) is the last insertion, by Ctrl+Z in a window that knows it in one step, as long as nothing was
typed there since.

One thread does it, on a connection of its own; while it waits it goes on serving, so a capture does not wait for an
insertion under way. Insertions follow one another.

Absent: which keys paste where (core/insertion.py).

Imports: core, ports, python-xlib. May be imported by: app.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.protocol import rq

from lysnrai_desktop.adapters.insertion import x11_keyboard as keyboard
from lysnrai_desktop.adapters.insertion.x11_selections import Content, Data, Fetch, Offer, Selections
from lysnrai_desktop.adapters.insertion.x11_typing import Typist
from lysnrai_desktop.adapters.insertion.x11_windows import Windows, X11Target
from lysnrai_desktop.adapters.x11 import ConnectionLost, NoDisplay, XConnection
from lysnrai_desktop.adapters.x11_raw_keys import raw_key, watch
from lysnrai_desktop.core.dictation import Delivery
from lysnrai_desktop.core.faults import (
    ClipboardLost,
    Fault,
    InsertUnavailable,
    NothingToUndo,
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
    Way,
    as_inserted,
    asks_for_password,
    undoes,
    way_into,
)
from lysnrai_desktop.core.settings import InsertionSettings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Delivered, Target

HELD_S = 2.0
"""Longest wait for keys to be let go."""
ACTIVATION_S = 1.5
"""Longest wait for the window manager to bring the target back."""
RECEIPT_S = 3.0
"""Longest wait for the target to fetch the text, and between two signs of its fetching it."""
QUIET_S = 1.0
"""The target is done when it has fetched nothing for so long. Chromium looks at the text when the keys come, and
fetches it once more to paste it: on a busy machine there was more than 0.25 s between the two."""
LONGEST_QUIET_S = 2.5
"""A program that never stops fetching does not keep the former content from coming back."""
LONGEST_S = 10.0
"""Longest transfer, and longest typing. All bounds together stay below INSERTING_S (core/dictation.py)."""
LOOK_S = 0.01
"""How often is looked at what no event tells: keys held, the focus."""
GLANCE_S = 0.25
"""The same for a target that does not fetch: is it still there?"""

WISH_S = 1.0
"""A key pressed so shortly before an undo is the one that asked for it: a hotkey of ours, or of the desktop."""

Done = Callable[[Delivered | Fault], None]
Undone = Callable[[Fault | None], None]

KEPT = Delivered(Delivery.ON_CLIPBOARD)
TARGET_GONE = Delivered(Delivery.ON_CLIPBOARD, TargetGone.code)
NOT_DELIVERED = Delivered(Delivery.ON_CLIPBOARD, TargetRefused.code)
LEFT_ALONE = Delivered(Delivery.ON_CLIPBOARD, PasswordPrompt.code)


@dataclass(frozen=True, slots=True)
class _Insertion:
    text: SpokenText
    target: X11Target | None
    done: Done


@dataclass(frozen=True, slots=True)
class _Undo:
    done: Undone


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
        self._jobs: deque[_Insertion | _Undo] = deque()
        self._last: X11Target | None = None
        """Where the last insertion went, while it can be taken back."""
        self._typed_at: list[float] = []
        """When keys were pressed there since."""
        self._busy = False
        self._stopping = False
        self._display = display
        self._connect()

    def _connect(self) -> None:
        self._last = None
        try:
            self._x = XConnection("insertion", self._handle, self._refuse_jobs, self._display)
            self._x.call(self._begin)
        except (NoDisplay, ConnectionLost):
            raise InsertUnavailable from None

    def capture(self) -> Target | None:
        """After a disconnection this connects again: a dictation that begins will want it."""
        try:
            return self._x.call(lambda _: self._windows.focused())
        except ConnectionLost:
            if self._stopping:
                return None
        try:
            self._connect()
            return self._x.call(lambda _: self._windows.focused())
        except (InsertUnavailable, ConnectionLost):
            return None

    def insert(self, text: SpokenText, target: Target | None, done: Done) -> None:
        assert target is None or isinstance(target, X11Target), "a target is inserted into by who captured it"
        self._queue(_Insertion(text, target, done))

    def undo(self, done: Undone) -> None:
        self._queue(_Undo(done))

    def _queue(self, job: _Insertion | _Undo) -> None:
        self._jobs.append(job)
        if not self._x.post(lambda _: self._work_off()):
            self._refuse_jobs()

    def copy(self, text: SpokenText) -> None:
        self._x.post(lambda _: self._selections.own(["CLIPBOARD"], self._as_content(text, secret=False)))

    def shut_down(self) -> None:
        """Blocks until what is on the clipboard was handed to a clipboard manager, if there is one (1 s at most)."""
        self._stopping = True
        self._x.close(last=lambda _: self._selections.save())
        self._refuse_jobs()

    # -- on the connection's thread

    def _begin(self, display: Display) -> None:
        self._windows = Windows(display)
        self._selections = Selections(self._x)
        self._typist = Typist(self._x)
        self._can_press = display.has_extension("XTEST")
        self._hint = display.intern_atom("x-kde-passwordManagerHint")

    def _handle(self, event: rq.Event) -> None:
        if event.type == X.MappingNotify:
            self._x.display.refresh_keyboard_mapping(event)
        elif (key := raw_key(self._x.display, event)) is not None:
            self._note_typing(key.code)
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

    def _do(self, job: _Insertion | _Undo) -> None:
        try:
            if isinstance(job, _Undo):
                self._undo()
                job.done(None)
            else:
                self._insert(job.text, job.target, job.done)
        except Fault as fault:
            job.done(fault)
        except ConnectionLost:
            job.done(InsertUnavailable())
            raise

    def _refuse_jobs(self) -> None:
        with contextlib.suppress(IndexError):  # called by any thread: the last one may be gone meanwhile
            while True:
                self._jobs.popleft().done(InsertUnavailable())

    def _insert(self, text: SpokenText, captured: X11Target | None, done: Done) -> None:
        settings = self._settings()
        self._forget_last()
        text = as_inserted(text, settings)
        content = self._as_content(text, secret=True)
        plan = self._plan(captured, settings, len(text))
        if isinstance(plan, Delivered):
            self._keep(content)
            done(plan)
            return
        target, way, keycodes = plan
        may_activate = settings.when_focus_moved == "return"
        former = {selection: self._selections.read(selection) for selection in way.selections}
        if any(selection == "CLIPBOARD" and not was_there.whole for selection, was_there in former.items()):
            if len(text) <= TYPED_INSTEAD_CHARACTERS:
                way = TYPE
            else:
                self._tell(ClipboardLost())
        if way is TYPE:
            outcome = self._type(text, target, may_activate)
            if outcome.delivery is Delivery.ON_CLIPBOARD:
                self._keep(content)
            done(outcome)
            return
        offer = self._keep(content, way.selections)
        outcome, took_s = self._bring_in(offer, way, target, keycodes, may_activate)
        done(outcome)
        if outcome.delivery is Delivery.INSERTED:
            self._await_quiet(offer, QUIET_S + took_s)  # who is slow is slow the next time, too
            self._remember(target)
        for selection, was_there in former.items():
            if selection != "CLIPBOARD" or outcome.delivery is not Delivery.ON_CLIPBOARD:
                self._selections.give_back(selection, offer, was_there)

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
        if (way.chord and not keycodes) or not self._can_press or not self._keys_are_free():
            return NOT_DELIVERED
        return target, way, keycodes

    def _keep(self, content: Content, selections: tuple[str, ...] = ("CLIPBOARD",)) -> Offer:
        offer = self._selections.own(selections, content)
        if offer is None:
            raise InsertUnavailable("the server gives us no selection")
        return offer

    def _bring_in(
        self, offer: Offer, way: Way, target: X11Target, keycodes: list[int], may_activate: bool
    ) -> tuple[Delivered, float]:
        """Focus the target, press the keys, wait for the receipt; returns how many seconds that one took, too.

        Raises:
            TargetRefused: no receipt, and something newer is on the clipboard: the text is nowhere.
        """
        if self._focus(target, may_activate) and self._keys_are_free():
            offer.fetches.clear()
            since = self._selections.now()
            pressed_at = time.monotonic()
            keyboard.press(self._x.display, keycodes)
            if self._await_receipt(offer, way, target, since):
                return Delivered(Delivery.INSERTED), time.monotonic() - pressed_at
            if not self._selections.holds("CLIPBOARD", offer):
                return self._after_loss(offer), 0.0
        return NOT_DELIVERED if self._windows.exists(target) else TARGET_GONE, 0.0

    def _type(self, text: SpokenText, target: X11Target, may_activate: bool) -> Delivered:
        """Focus the target and type. It gives no receipt; but that it has read the keys is known of most."""
        end = time.monotonic() + LONGEST_S

        def may_go_on() -> bool:
            display = self._x.display
            free = not keyboard.modifiers_held(display) and not keyboard.is_taken(display)
            return free and self._windows.is_active(target) and not self._stopping and time.monotonic() < end

        ready = self._focus(target, may_activate) and self._keys_are_free()
        if ready and self._typist.type(text.reveal(), target.id, may_go_on):
            return Delivered(Delivery.PROBABLY_INSERTED)
        return NOT_DELIVERED if self._windows.exists(target) else TARGET_GONE

    def _after_loss(self, offer: Offer) -> Delivered:
        """Another program has taken the clipboard before the target fetched the text."""
        utf8 = self._x.display.intern_atom("UTF8_STRING")
        if self._selections.read_text("CLIPBOARD") == offer.content[utf8].bytes:
            return Delivered(Delivery.PROBABLY_INSERTED)  # a clipboard manager serves the target in our place
        raise TargetRefused

    def _focus(self, target: X11Target, may_activate: bool) -> bool:
        if may_activate and not self._windows.is_active(target):
            self._windows.activate(target, self._selections.now())
            self._look(lambda: self._windows.has_focus(target), ACTIVATION_S)
        return self._windows.is_active(target)

    def _keys_are_free(self) -> bool:
        """Wait until no key is held; a key that stays down is borne with, unless it is a modifier.

        While the hotkey itself is down, the server sends every key to the hotkeys and none to the target. The same goes
        for whoever else has taken the keyboard: what is meant for a window must not be typed into a locked screen.
        """
        display = self._x.display
        let_go = self._look(lambda: not keyboard.keys_held(display), HELD_S) or not keyboard.modifiers_held(display)
        return let_go and self._look(lambda: not keyboard.is_taken(display), HELD_S)

    def _await_receipt(self, offer: Offer, way: Way, target: X11Target, since: int) -> bool:
        """Wait until the target has fetched the text; False if it does not, or nobody can have it from us any more."""
        known: dict[int, bool] = {}

        def counts(fetch: Fetch) -> bool:
            if fetch.requestor not in known:
                known[fetch.requestor] = self._windows.same_program(fetch.requestor, target.id)
            # CurrentTime, or not before the keys; stamps begin anew after 49.7 days
            return known[fetch.requestor] and (not fetch.stamp or (fetch.stamp - since) % 2**32 < 2**31)

        def settled() -> bool:
            receipts = [fetch for fetch in offer.fetches if fetch.target != self._hint and counts(fetch)]
            nobody = not receipts and not any(self._selections.holds(name, offer) for name in way.selections)
            return nobody or any(fetch.complete for fetch in receipts)

        begun = now = time.monotonic()
        end = begun + RECEIPT_S
        while not self._x.pump(settled, min(end, now + GLANCE_S)):
            now = time.monotonic()
            if any(counts(fetch) for fetch in offer.fetches):  # it is coming, piece by piece
                end = min(offer.busy_at + RECEIPT_S, begun + LONGEST_S)
            if self._stopping or now >= end or not self._windows.exists(target):
                return False
        return any(fetch.complete and fetch.target != self._hint and counts(fetch) for fetch in offer.fetches)

    def _await_quiet(self, offer: Offer, quiet_s: float) -> None:
        end = time.monotonic() + LONGEST_QUIET_S
        while not self._stopping and time.monotonic() < (due := min(end, offer.busy_at + quiet_s)):
            self._x.pump(deadline=due)

    # -- taking it back

    def _remember(self, target: X11Target) -> None:
        """The insertion into this window may be taken back, until something is typed there."""
        if undoes(target.wm_class) and watch(self._x.display, on=True):
            self._last = target
            self._typed_at.clear()

    def _forget_last(self) -> None:
        if self._last is not None:
            self._last = None
            watch(self._x.display, on=False)

    def _note_typing(self, keycode: int) -> None:
        if self._last and self._windows.is_active(self._last) and not keyboard.is_modifier(self._x.display, keycode):
            self._typed_at.append(time.monotonic())
            if len(self._typed_at) > 1:  # more than the one key that may ask for the undo
                self._forget_last()

    def _undo(self) -> None:
        """Take the last insertion back.

        Raises:
            NothingToUndo: there is none, or its window has changed since, or can no longer be reached.
        """
        target = self._last
        now = time.monotonic()
        self._forget_last()
        if target is None or any(at < now - WISH_S for at in self._typed_at):
            raise NothingToUndo
        keycodes = keyboard.keycodes_of(self._x.display, Chord.CTRL_Z)
        if not keycodes or not self._keys_are_free() or not self._focus(target, may_activate=True):
            raise NothingToUndo
        keyboard.press(self._x.display, keycodes)

    def _look(self, condition: Callable[[], bool], bound_s: float) -> bool:
        """Wait for something that no event tells."""
        end = time.monotonic() + bound_s
        while not condition():
            if self._stopping or time.monotonic() >= end:
                return False
            self._x.pump(deadline=time.monotonic() + LOOK_S)
        return True

    def _as_content(self, text: SpokenText, *, secret: bool) -> Content:
        """The text in all forms that programs ask for; `secret`: clipboard managers are asked not to keep it."""
        written = text.reveal()
        atom = self._x.display.intern_atom
        utf8, latin1 = written.encode(errors="replace"), written.encode("latin-1", errors="ignore")
        is_latin1 = latin1.decode("latin-1") == written
        content = {
            atom(name): Data(atom(name), 8, utf8) for name in ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain")
        }
        if is_latin1:
            content[Xatom.STRING] = Data(Xatom.STRING, 8, latin1)
        content[atom("TEXT")] = content[Xatom.STRING if is_latin1 else atom("UTF8_STRING")]
        if secret:
            content[self._hint] = Data(self._hint, 8, b"secret")
        return content
