"""A private X server with window manager and tray; keys, windows, clipboard and pictures of it."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from Xlib import XK, X, display, error
from Xlib.ext import xtest
from Xlib.protocol import event
from Xlib.xobject.drawable import Window

from tests.desktop.processes import DEADLINE_S, call, eventually, running

if TYPE_CHECKING:
    from PySide6.QtGui import QImage  # only those who take pictures load Qt

_MODIFIERS = {"ctrl": "Control_L", "alt": "Alt_L", "shift": "Shift_L", "super": "Super_L"}
_KEYS = {"esc": "Escape", "enter": "Return", "tab": "Tab", "backspace": "BackSpace"}
_KEYS |= {f"f{n}": f"F{n}" for n in range(1, 13)}


class Screen:
    """A connection to the X server as a user sits before it: keys pressed, windows seen.

    Not safe for threads: each thread that needs one opens its own by `Screen(environment)`.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._display = display.Display(environment["DISPLAY"])
        self._root = self._display.screen().root

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(error.ConnectionClosedError, BrokenPipeError):
            self._display.close()

    # -- keys

    def key_down(self, combo: str) -> float:
        """Press the keys of e.g. "ctrl+alt+space" in this order; returns the time.time() of the last."""
        return self._keys(X.KeyPress, combo.split("+"))

    def key_up(self, combo: str) -> float:
        """Let the keys go in reverse order; returns the time.time() of the first."""
        at = time.time()
        self._keys(X.KeyRelease, combo.split("+")[::-1])
        return at

    def press(self, combo: str) -> float:
        """Press and let go at once; returns the time.time() between the two."""
        at = self.key_down(combo)
        self.key_up(combo)
        return at

    def type(self, text: str) -> None:
        """Type letters, digits and spaces of the plain ASCII keyboard."""
        for character in text:
            key = "space" if character == " " else character.lower()
            self.press(f"shift+{key}" if character.isupper() else key)

    def _keys(self, kind: int, keys: list[str]) -> float:
        for key in keys:
            name = _MODIFIERS.get(key) or _KEYS.get(key) or key
            keycode = self._display.keysym_to_keycode(XK.string_to_keysym(name))
            if not keycode:
                raise ValueError(f"no such key: {key!r}")
            xtest.fake_input(self._display, kind, keycode)
        self._display.sync()
        return time.time()

    def keys_held(self) -> bool:
        """Tell whether any key is down, as the server sees it."""
        return any(self._display.query_keymap())

    def keyboard_is_taken(self) -> bool:
        """Tell whether a program has the keyboard to itself, as a locker of screens has."""
        answer = self._root.grab_keyboard(False, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
        self._display.ungrab_keyboard(X.CurrentTime)
        self._display.sync()
        return bool(answer != X.GrabSuccess)

    def lay_out(self, layouts: str) -> None:
        """Give the keyboard these layouts, such as "us,ru".

        The server has a program of its own compile them, and on a busy machine now and then refuses what came of it.
        """

        def taken() -> bool:
            done = subprocess.run(
                ["setxkbmap", layouts], env=dict(self.environment), capture_output=True, timeout=DEADLINE_S, check=False
            )
            return not done.returncode

        eventually(taken, f"the keyboard has the layouts {layouts}")

    # -- mouse

    def click(self, x: int, y: int, button: int = 1) -> None:
        """Move the pointer there and press a button: 1 left, 2 middle, 3 right."""
        xtest.fake_input(self._display, X.MotionNotify, x=x, y=y)
        xtest.fake_input(self._display, X.ButtonPress, button)
        xtest.fake_input(self._display, X.ButtonRelease, button)
        self._display.sync()

    # -- windows

    def titles(self) -> list[str]:
        """Return the titles of all windows that the window manager knows."""
        return [self._title(window) for window in self._windows()]

    def focus(self, title: str) -> None:
        """Bring the window with exactly this title to the front; returns when it has the keyboard."""

        def focused() -> bool:
            if self.focused() == title:
                return True
            for window in self._windows():
                if self._title(window) == title:
                    self._activate(window)
            return False

        eventually(focused, f"window {title!r} has the keyboard")

    def place(self, title: str, x: int, y: int) -> None:
        """Move the window with exactly this title; the window manager sees to it."""
        for window in self._windows():
            if self._title(window) == title:
                window.configure(x=x, y=y)
        self._display.sync()

    def area(self, title: str) -> tuple[int, int, int, int]:
        """Return where the window with exactly this title is, without its frame: x, y, width, height.

        Raises:
            KeyError: there is none.
        """
        for window in self._windows():
            if self._title(window) == title:
                shape, corner = window.get_geometry(), window.translate_coords(self._root, 0, 0)
                return -corner.x, -corner.y, shape.width, shape.height
        raise KeyError(title)

    def focused(self) -> str:
        """Return the title of the window that has the keyboard, or ""."""
        with contextlib.suppress(error.BadWindow):
            active = self._property(self._root, "_NET_ACTIVE_WINDOW")
            focus = self._display.get_input_focus().focus
            if active and active[0] and isinstance(focus, Window):
                window = self._display.create_resource_object("window", active[0])
                while focus.id not in (window.id, self._root.id):
                    focus = focus.query_tree().parent
                return self._title(window) if focus.id == window.id else ""
        return ""

    def _windows(self) -> list[Window]:
        ids = self._property(self._root, "_NET_CLIENT_LIST")
        return [self._display.create_resource_object("window", number) for number in ids]

    def _title(self, window: Window) -> str:
        with contextlib.suppress(error.BadWindow):
            title = window.get_full_property(self._display.intern_atom("_NET_WM_NAME"), X.AnyPropertyType)
            if title:
                return bytes(title.value).decode()
            return str(window.get_wm_name() or "")
        return ""

    def _activate(self, window: Window) -> None:
        # data: 2 = on behalf of the user, so no focus stealing prevention applies
        message = event.ClientMessage(
            window=window,
            client_type=self._display.intern_atom("_NET_ACTIVE_WINDOW"),
            data=(32, [2, X.CurrentTime, 0, 0, 0]),
        )
        self._root.send_event(message, event_mask=X.SubstructureRedirectMask | X.SubstructureNotifyMask)
        self._display.sync()

    def _property(self, window: Window, name: str) -> list[int]:
        found = window.get_full_property(self._display.intern_atom(name), X.AnyPropertyType)
        return list(found.value) if found else []

    def keyboard(self) -> tuple[object, ...]:
        """Return all that a test may change of it: what its keys give, which are down, which locks are on."""
        first, last = self._display.display.info.min_keycode, self._display.display.info.max_keycode
        symbols = tuple(tuple(row) for row in self._display.get_keyboard_mapping(first, last - first + 1))
        return symbols, tuple(self._display.query_keymap()), self._root.query_pointer().mask

    # -- clipboard

    def clipboard(self, target: str = "UTF8_STRING", selection: str = "clipboard") -> str:
        """Return what a paste would give; "" where nothing is offered in this form."""
        command = ("xclip", "-selection", selection, "-target", target, "-o")
        try:
            return call(command, self.environment)
        except (subprocess.CalledProcessError, UnicodeDecodeError):
            return ""  # xclip takes another form if there was no owner at first

    @contextlib.contextmanager
    def copied(self, data: str | bytes, target: str = "UTF8_STRING", selection: str = "clipboard") -> Iterator[None]:
        """Own the clipboard as another program does after "copy", until someone else copies."""
        command = ("xclip", "-quiet", "-selection", selection, "-target", target, "-i")
        before = self._owner(selection.upper())
        with running(command, self.environment, stdin=subprocess.PIPE) as owner:
            assert owner.stdin
            owner.stdin.write(data.encode() if isinstance(data, str) else data)
            owner.stdin.close()
            eventually(lambda: self._owner(selection.upper()) not in (0, before), f"{selection} is owned")
            yield

    def _owner(self, selection: str) -> int:
        owner = self._display.get_selection_owner(self._display.intern_atom(selection))
        return int(owner.id) if isinstance(owner, Window) else 0

    # -- pictures

    def paint_background(self, colour: tuple[int, int, int]) -> None:
        """Give the empty desktop a colour: red, green, blue."""
        red, green, blue = colour
        self._root.change_attributes(background_pixel=red << 16 | green << 8 | blue)
        self._root.clear_area(0, 0, 0, 0)
        self._display.sync()

    def picture(self) -> QImage:
        """Return what the whole screen shows now."""
        from PySide6.QtGui import QImage

        shape = self._root.get_geometry()
        seen = self._root.get_image(0, 0, shape.width, shape.height, X.ZPixmap, 0xFFFFFFFF)
        return QImage(seen.data, shape.width, shape.height, QImage.Format.Format_RGB32).copy()

    def screenshot(self, path: Path) -> None:
        """Save the whole screen as a picture; the file's ending says which kind."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self.picture().save(str(path)):
            raise OSError(f"cannot write {path.name}")


@contextlib.contextmanager
def x_server(
    folder: Path,
    environment: Mapping[str, str],
    size: tuple[int, int] = (1280, 800),
    number: int | None = None,
) -> Iterator[Screen]:
    """Run an X server on a free display number that it finds itself, or on the one given.

    `-noreset`: without it the server starts afresh whenever its last client leaves, even a
    short-lived one, and takes the window manager down.
    """
    numbers, chosen = os.pipe()
    command = (
        "Xvfb",
        "-displayfd",
        str(chosen),
        "-screen",
        "0",
        f"{size[0]}x{size[1]}x24",
        "-nolisten",
        "tcp",
        "-noreset",
        *([] if number is None else [f":{number}"]),
    )
    try:
        with running(command, environment, log=folder / "x.log", pass_fds=(chosen,)):
            os.close(chosen)
            if not select.select([numbers], [], [], DEADLINE_S)[0]:
                raise RuntimeError("the X server names no display")
            found = os.read(numbers, 16).decode().strip()
            if not found:
                raise RuntimeError(f"the X server did not start: {(folder / 'x.log').read_text()}")
            own = {**environment, "DISPLAY": f":{found}", "QT_QPA_PLATFORM": "xcb", "XDG_SESSION_TYPE": "x11"}
            with Screen(own) as screen:
                yield screen
    finally:
        os.close(numbers)


@contextlib.contextmanager
def window_manager(folder: Path, screen: Screen) -> Iterator[None]:
    """Run a window manager (openbox)."""
    window = screen._root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
    ask = screen._display.intern_atom("_NET_REQUEST_FRAME_EXTENTS")

    def managed() -> bool:
        # Openbox says that it is there before it is ready, and overlooks windows that are mapped in between. So it is
        # asked something until it answers.
        message = event.ClientMessage(window=window, client_type=ask, data=(32, [0] * 5))
        screen._root.send_event(message, event_mask=X.SubstructureRedirectMask | X.SubstructureNotifyMask)
        return bool(screen._property(window, "_NET_FRAME_EXTENTS"))

    # Not asked to end: after a change of keys it is busy for seconds.
    with running(("openbox", "--sm-disable"), screen.environment, log=folder / "openbox.log", asked=False):
        eventually(managed, "window manager has taken over")
        window.destroy()
        yield


@contextlib.contextmanager
def tiling_window_manager(folder: Path, screen: Screen) -> Iterator[None]:
    """Run a window manager that tiles (i3); it has no frames to ask for, but has answered when it names itself."""
    configuration = folder / "i3"
    configuration.write_text("font pango:DejaVu Sans 9\nfocus_follows_mouse no\n", encoding="utf-8")
    with running(("i3", "-c", configuration), screen.environment, log=folder / "i3.log"):
        eventually(lambda: screen._property(screen._root, "_NET_SUPPORTED"), "window manager has taken over")
        yield


@contextlib.contextmanager
def tray(folder: Path, screen: Screen, *, dark: bool = False) -> Iterator[None]:
    """Run a tray (trayer, XEmbed); its window's title is "panel"."""
    options = "--edge bottom --align right --widthtype request --height 32 --SetDockType true --monitor 0"
    options += f" --transparent true --alpha 0 --tint {'0x212429' if dark else '0xefefef'}"

    def offered() -> bool:
        return screen._owner("_NET_SYSTEM_TRAY_S0") != 0

    with running(("trayer", *options.split()), screen.environment, log=folder / "trayer.log"):
        eventually(offered, "tray is there")
        yield
