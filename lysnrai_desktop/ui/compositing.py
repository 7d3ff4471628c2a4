"""Whether the screen blends transparent windows with what lies below them.

X11 says so by an owner of the selection _NET_WM_CM_Sn (Extended Window Manager Hints 1.5, "Compositing Managers").
Qt 6 has no question for it, so the X server is asked over Qt's own connection, on the GUI thread.

Imports: nothing of this package; Qt. May be imported by: overlay.
"""

from __future__ import annotations

import ctypes
from functools import cache

from PySide6.QtGui import QGuiApplication


def composited() -> bool:
    """True everywhere but on an X11 screen without a compositing manager. Takes one round trip."""
    if QGuiApplication.platformName() != "xcb":
        return True
    from PySide6.QtGui import QNativeInterface  # what it offers differs between systems

    application = QGuiApplication.instance()
    assert isinstance(application, QGuiApplication)
    native = application.nativeInterface()
    assert isinstance(native, QNativeInterface.QX11Application)
    display = ctypes.c_void_p(native.display())
    x11 = _x11()
    atom = x11.XInternAtom(display, b"_NET_WM_CM_S%d" % x11.XDefaultScreen(display), False)
    return bool(x11.XGetSelectionOwner(display, atom))


@cache
def _x11() -> ctypes.CDLL:
    library = ctypes.CDLL("libX11.so.6")  # Qt's X11 plugin has loaded it
    library.XDefaultScreen.argtypes = (ctypes.c_void_p,)
    library.XInternAtom.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    library.XInternAtom.restype = ctypes.c_ulong
    library.XGetSelectionOwner.argtypes = (ctypes.c_void_p, ctypes.c_ulong)
    library.XGetSelectionOwner.restype = ctypes.c_ulong
    return library
