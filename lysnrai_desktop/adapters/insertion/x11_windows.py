"""Windows as the inserter needs them: which has the focus, what and whose it is, and how to bring it back.

All calls are for the thread that owns the connection. A window that is gone is no error: it has no focus, no class,
and nobody's.

Source: Extended Window Manager Hints 1.5 (_NET_ACTIVE_WINDOW, _NET_CLIENT_LIST, _NET_CURRENT_DESKTOP, _NET_WM_DESKTOP,
_NET_WM_PID); X-Resource 1.2.

Imports: python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from Xlib import X, error
from Xlib.display import Display
from Xlib.ext import res
from Xlib.protocol import event
from Xlib.xobject.drawable import Window

_ALL_DESKTOPS = 0xFFFF_FFFF
_DEEPEST = 32
"""Windows are not nested deeper; a tree that is being changed cannot lead us round and round."""


@dataclass(frozen=True, slots=True)
class X11Target:
    """A top-level window that had the focus."""

    id: int
    wm_class: tuple[str, ...] = ()


class Windows:
    """Questions about windows, asked of the server."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._root = display.screen().root
        self._names_clients = display.has_extension("X-Resource")

    def focused(self) -> X11Target | None:
        """Return the window that has the focus; None where there is none, or it is this process's own."""
        try:
            window = self._active()
            if window is None or self._pid(window) == os.getpid():
                return None
            return X11Target(window.id, tuple(window.get_wm_class() or ()))
        except error.BadWindow:
            return None  # closed while we looked

    def exists(self, target: X11Target) -> bool:
        """Tell whether the window is still there and managed (hidden by its program counts as gone)."""
        try:
            attributes = self._window(target.id).get_attributes()
            managed = self._root_list("_NET_CLIENT_LIST")
            return target.id in managed if managed else attributes.map_state == X.IsViewable
        except error.BadWindow:
            return False

    def has_focus(self, target: X11Target) -> bool:
        """Tell whether keys would go to this window: it is the active one, and the focus is inside."""
        try:
            active, focus = self._active(), self._focus()
            return active is not None and active.id == target.id and target.id in self._line_of(focus)
        except error.BadWindow:
            return False

    def is_active(self, target: X11Target) -> bool:
        try:
            active = self._active()
            return active is not None and active.id == target.id
        except error.BadWindow:
            return False

    def activate(self, target: X11Target, time: int) -> None:
        """Ask for the window to be brought to the front and given the focus. `time`: the server's, now."""
        window = self._window(target.id)
        name = self._display.intern_atom("_NET_ACTIVE_WINDOW")
        if name in self._root_list("_NET_SUPPORTED"):
            # Some window managers (openbox) do not go to another desktop for a window, unless told to.
            desktop, here = self._desktop_of(window), self._root_list("_NET_CURRENT_DESKTOP")
            if here and desktop not in (None, _ALL_DESKTOPS, here[0]):
                self._ask(self._root, "_NET_CURRENT_DESKTOP", desktop or 0, time)
            on_behalf_of_the_user = 2
            self._ask(window, "_NET_ACTIVE_WINDOW", on_behalf_of_the_user, time)
        else:
            window.configure(stack_mode=X.Above)
            window.set_input_focus(X.RevertToParent, time)
        self._display.sync()

    def _ask(self, window: Window, name: str, *data: int) -> None:
        """Ask the window manager for something."""
        message = event.ClientMessage(
            window=window, client_type=self._display.intern_atom(name), data=(32, [*data, *[0] * (5 - len(data))])
        )
        self._root.send_event(message, event_mask=X.SubstructureRedirectMask | X.SubstructureNotifyMask)

    def _desktop_of(self, window: Window) -> int | None:
        with contextlib.suppress(error.BadWindow):
            found = window.get_full_property(self._display.intern_atom("_NET_WM_DESKTOP"), X.AnyPropertyType)
            return int(found.value[0]) if found and found.value else None
        return None

    def same_program(self, one: int, other: int) -> bool:
        """Tell whether two windows belong to one program: one connection, or one process with several."""
        own_part = ~self._display.display.info.resource_id_mask
        if one & own_part == other & own_part:
            return True
        pid = self._pid_of_client(one)
        return pid is not None and pid == self._pid_of_client(other)

    def is_under_pointer(self, target: X11Target) -> bool:
        """Tell whether the mouse points at this window or at its frame."""
        try:
            top = self._root.query_pointer().child
            return isinstance(top, Window) and top.id in self._line_of(self._window(target.id))
        except error.BadWindow:
            return False

    def pid(self, target: X11Target) -> int | None:
        """Return the process at the other end of the window's connection; None if it is not on this machine."""
        return self._pid_of_client(target.id)

    def accessibility_bus(self) -> str:
        """Return the address of the bus; "" where none runs. Its launcher puts it on the root window."""
        found = self._root.get_full_property(self._display.intern_atom("AT_SPI_BUS"), X.AnyPropertyType)
        return bytes(found.value).decode(errors="replace") if found else ""

    def _active(self) -> Window | None:
        supported = self._root_list("_NET_SUPPORTED")
        if self._display.intern_atom("_NET_ACTIVE_WINDOW") in supported:
            active = self._root_list("_NET_ACTIVE_WINDOW")
            if active and active[0]:
                return self._window(active[0])
        for xid in self._line_of(self._focus()):
            window = self._window(xid)
            if window.get_wm_class():
                return window
        return None

    def _focus(self) -> Window | None:
        focus = self._display.get_input_focus().focus
        return focus if isinstance(focus, Window) and focus.id != self._root.id else None

    def _line_of(self, window: Window | None) -> list[int]:
        """Return the window and those around it, up to the root, which is left out."""
        line: list[int] = []
        while window and window.id != self._root.id and len(line) < _DEEPEST:
            line.append(window.id)
            window = window.query_tree().parent
        return line

    def _pid(self, window: Window) -> int | None:
        found = window.get_full_property(self._display.intern_atom("_NET_WM_PID"), X.AnyPropertyType)
        return int(found.value[0]) if found and found.value else None

    def _pid_of_client(self, window: int) -> int | None:
        if not self._names_clients:
            return None
        try:
            answer = res.query_client_ids(self._display, [(window, res.LocalClientPIDMask)])
        except error.XError:
            return None
        return next((int(found.value[0]) for found in answer.ids if found.value), None)

    def _root_list(self, name: str) -> list[int]:
        found = self._root.get_full_property(self._display.intern_atom(name), X.AnyPropertyType)
        return list(found.value) if found else []

    def _window(self, xid: int) -> Window:
        window = self._display.create_resource_object("window", xid)
        assert isinstance(window, Window)
        return window
