"""The text field that has the focus, as its program tells it on the accessibility bus (AT-SPI).

    ask(address, pid, deadline, answer)     -> answer(Spot), or answer(None): it does not tell

What is asked: is it a field for a password, and which characters stand before the cursor. Of a password field nothing
is read. The bus is only used where it runs and where programs are on it anyway; nothing is started or switched on, and
no events are listened to.

A thread of its own asks, each question bounded by its deadline. Where the bus hangs, and not even that bound holds,
further questions are answered at once: by None.

Source: at-spi2-core 2.46, xml/{Accessible,Collection,Text}.xml, atspi/atspi-constants.h.

Imports: core, jeepney. May be imported by: adapters.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lysnrai_desktop.core.context import LOOK_BACK

LOOK_S = 0.01
"""How often is looked for what no event tells us."""
CLOSING_S = 1.0

_REGISTRY = ("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root")
_ACCESSIBLE = "org.a11y.atspi.Accessible"
_COLLECTION = "org.a11y.atspi.Collection"
_TEXT = "org.a11y.atspi.Text"
_ACTIVE, _EDITABLE, _FOCUSED, _SHOWING = (1 << number for number in (1, 7, 12, 25))
"""Bits of a state."""
_PASSWORD_TEXT = 40
"""A role."""
_EMBEDDED = "\ufffc"
"""Stands for something that is a text of its own, or none."""

Object = tuple[str, str]
"""A program's name on the bus, and a path within it."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where text would go to."""

    place: Object
    is_password: bool
    characters: int = 0
    """How many there are in the field."""
    before: str | None = field(default=None, repr=False)
    """The last of those before the cursor, or before what is selected; None: not told."""


Answer = Callable[[Spot | None], None]


@dataclass(frozen=True, slots=True)
class _Question:
    address: str
    pid: int
    deadline: float
    wait: bool
    answer: Answer


class Refused(Exception):
    """What was asked has not what was asked for."""


class Accessibility:
    """Asks one question at a time."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._due: deque[float] = deque()
        """Deadlines of the questions under way."""
        self._bus: _Bus | None = None
        self._address = ""

    def ask(self, address: str, pid: int, deadline: float, answer: Answer, *, wait: bool = False) -> None:
        """Ask the program what has the focus within it.

        Args:
            address: the bus's.
            pid: of the program whose window has the focus.
            deadline: of time.monotonic().
            wait: for something to get the focus within that program.
            answer: called once; on the thread of this object, or at once where a question is overdue.
        """
        with contextlib.suppress(IndexError):  # the last one may be answered meanwhile
            if self._due[0] < time.monotonic():
                answer(None)
                return
        self._due.append(deadline)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="accessibility", daemon=True)
            self._thread.start()
        self._questions.put(_Question(address, pid, deadline, wait, answer))

    def shut_down(self) -> None:
        if self._thread is not None:
            self._questions.put(None)
            self._thread.join(CLOSING_S)

    def _run(self) -> None:
        while (question := self._questions.get()) is not None:
            found = self._find(question)
            self._due.popleft()
            question.answer(found)
        self._disconnect()

    def _find(self, question: _Question) -> Spot | None:
        try:
            if self._bus is None or question.address != self._address:
                self._disconnect()
                self._bus, self._address = _Bus(question.address, question.deadline), question.address
            while True:
                found = self._bus.spot(question.pid, question.deadline)
                if found or not question.wait:
                    return found
                time.sleep(min(LOOK_S, max(0.0, question.deadline - time.monotonic())))
        except (Refused, TimeoutError):
            return None
        except (OSError, ValueError, RuntimeError):
            # no bus there, one that refuses us or has ended, or what jeepney cannot read
            self._disconnect()
            return None

    def _disconnect(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None


class _Bus:
    def __init__(self, address: str, deadline: float) -> None:
        from jeepney.io.blocking import open_dbus_connection

        self._connection = open_dbus_connection(address, auth_timeout=max(0.0, deadline - time.monotonic()))
        self._deadline = deadline
        self._pids: dict[str, int] = {}
        """By the program's name, which no other gets."""
        self._focused: dict[int, Object] = {}
        """What had the focus last, by process: mostly it still has."""

    def close(self) -> None:
        self._connection.close()

    def spot(self, pid: int, deadline: float) -> Spot | None:
        self._deadline = deadline
        last = self._focused.get(pid)
        place = last if last and self._has_focus(last) else self._look_for_focus(pid)
        if place is None:
            self._focused.pop(pid, None)
            return None
        self._focused[pid] = place
        (role,) = self._call(place, _ACCESSIBLE, "GetRole", "u")
        if role == _PASSWORD_TEXT:
            return Spot(place, is_password=True)
        try:
            return Spot(place, False, self._number(place, "CharacterCount"), self._before(place))
        except Refused:
            return Spot(place, is_password=False)

    def _before(self, place: Object) -> str | None:
        end = self._number(place, "CaretOffset")
        (selections,) = self._call(place, _TEXT, "GetNSelections", "i")
        if selections > 0:
            end = min(self._call(place, _TEXT, "GetSelection", "ii", "i", 0))
        if end < 0:
            return None
        if end == 0:
            return ""
        (text,) = self._call(place, _TEXT, "GetText", "s", "ii", max(0, end - LOOK_BACK), end)
        return None if not text or text.endswith(_EMBEDDED) else str(text)

    # -- which has the focus

    def _look_for_focus(self, pid: int) -> Object | None:
        for program in self._programs(pid):
            try:
                found = self._collected(program)
            except Refused:  # Qt before 6.10, GTK 4
                found = self._walked(program)
            if found:
                return found
        return None

    def _programs(self, pid: int) -> Iterator[Object]:
        (programs,) = self._call(_REGISTRY, _ACCESSIBLE, "GetChildren", "a(so)")
        for name, path in programs:
            if name not in self._pids:
                bus = ("org.freedesktop.DBus", "/org/freedesktop/DBus")
                try:
                    (self._pids[name],) = self._call(bus, bus[0], "GetConnectionUnixProcessID", "u", "s", name)
                except Refused:  # it has just ended
                    continue
            if self._pids[name] == pid:
                yield name, path

    def _collected(self, program: Object) -> Object | None:
        all_of, in_tree_order, one = 1, 1, 1
        nothing: list[object] = []
        attributes: dict[str, str] = {}
        rule = ([_FOCUSED, 0], all_of, attributes, all_of, nothing, all_of, nothing, all_of, False)
        asked = (rule, in_tree_order, one, True)
        (found,) = self._call(program, _COLLECTION, "GetMatches", "a(so)", "(aiia{ss}iaiiasib)uib", *asked)
        return (found[0][0], found[0][1]) if found else None

    def _walked(self, program: Object) -> Object | None:
        """Look at all that is to be seen in the active window."""
        left = deque(place for place in self._children(program) if self._state(place) & _ACTIVE)
        while left:
            for place in self._children(left.popleft()):
                state = self._state(place)
                if state & _FOCUSED:
                    return place
                if state & _SHOWING:
                    left.append(place)
        return None

    def _children(self, place: Object) -> list[Object]:
        (children,) = self._call(place, _ACCESSIBLE, "GetChildren", "a(so)")
        return [(name, path) for name, path in children]

    def _state(self, place: Object) -> int:
        (words,) = self._call(place, _ACCESSIBLE, "GetState", "au")
        return int(words[0]) if words else 0

    def _has_focus(self, place: Object) -> bool:
        try:
            return bool(self._state(place) & _FOCUSED)
        except Refused:
            return False

    # -- calls

    def _number(self, place: Object, name: str) -> int:
        ((kind, value),) = self._call(place, "org.freedesktop.DBus.Properties", "Get", "v", "ss", _TEXT, name)
        if kind != "i":
            raise Refused
        return int(value)

    def _call(self, place: Object, interface: str, method: str, returns: str, takes: str = "", *sent: object) -> Any:
        """Call a method and return its results.

        Raises:
            Refused: there is no such object or method, or it returns something else.
            TimeoutError: no answer until the deadline.
        """
        from jeepney import DBusAddress, HeaderFields, MessageFlag, new_method_call
        from jeepney.wrappers import DBusErrorResponse, unwrap_msg

        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        name, path = place
        message = new_method_call(DBusAddress(path, name, interface), method, takes or None, sent)
        message.header.flags |= MessageFlag.no_auto_start
        reply = self._connection.send_and_get_reply(message, timeout=left_s)
        try:
            results = unwrap_msg(reply)
        except DBusErrorResponse:
            raise Refused from None
        if reply.header.fields.get(HeaderFields.signature) != returns:
            raise Refused
        return results
