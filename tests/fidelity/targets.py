"""Programs of other makers that text is inserted into, each with what it is called and what it makes of a text."""

from __future__ import annotations

import contextlib
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlparse

from tests.desktop.accessibility import address as accessible
from tests.desktop.editors import Editor, QtEditor, qt_editor, terminal
from tests.desktop.processes import eventually, running
from tests.desktop.screen import Screen

Open = Callable[[Path, Screen], contextlib.AbstractContextManager[Editor]]
_SYSTEM_PYTHON = "/usr/bin/python3"
"""The one that has GTK and Tk."""


@dataclass(frozen=True, slots=True)
class Target:
    open: Open
    default: str
    """The strategy that "auto" takes here."""
    version: tuple[str, ...]
    """A command that tells the program's version."""
    package: str = ""
    """Of the system, where the tests do not install it anyway."""
    received: Callable[[str], str] = str
    """What the program gets of a text that is exact."""
    password: Open | None = None
    """A field for one, of the same toolkit."""


@contextlib.contextmanager
def gtk_editor(folder: Path, screen: Screen) -> Iterator[QtEditor]:
    with _python_editor("gtk_editor", folder, screen) as editor:
        yield editor


@contextlib.contextmanager
def tk_editor(folder: Path, screen: Screen) -> Iterator[QtEditor]:
    with _python_editor("tk_editor", folder, screen) as editor:
        # The server gives Tk's window the focus; Tk gives it to the text when it gets round to that.
        eventually(lambda: editor._recorded()["focused"], "the text has the keyboard")
        yield editor


@contextlib.contextmanager
def _python_editor(name: str, folder: Path, screen: Screen) -> Iterator[QtEditor]:
    editor = QtEditor(name, folder / f"{name}.json")  # the same record
    command = (_SYSTEM_PYTHON, Path(__file__).with_name(f"{name}.py"), name, editor.record)
    with running(command, screen.environment, log=folder / f"{name}.log"):
        eventually(editor.record.exists, f"{name} is there")
        screen.focus(name)
        yield editor


@contextlib.contextmanager
def line_editor(folder: Path, screen: Screen, toolkit: str, kind: str) -> Iterator[QtEditor]:
    """Open a window with a line to write in; see line_editor.py."""
    editor = QtEditor(f"{toolkit} {kind}", folder / f"{toolkit}-{kind}.json")
    python = _SYSTEM_PYTHON if toolkit == "gtk" else sys.executable
    command = (python, Path(__file__).with_name("line_editor.py"), toolkit, editor.title, editor.record, kind)
    with running(command, screen.environment, log=folder / "line-editor.log"):
        eventually(editor.record.exists, "the window is there")
        screen.focus(editor.title)
        yield editor


@contextlib.contextmanager
def gtk_password(folder: Path, screen: Screen) -> Iterator[QtEditor]:
    with line_editor(folder, screen, "gtk", "password") as editor:
        yield editor


@contextlib.contextmanager
def qt_password(folder: Path, screen: Screen) -> Iterator[QtEditor]:
    with line_editor(folder, screen, "qt", "password") as editor:
        yield editor


_PAGE = """<!doctype html><meta charset="utf-8"><title>%(kind)s</title>
<style>#e { width: 95%%; height: 250px; white-space: pre-wrap; border: 1px solid }</style>
%(element)s
<script>
const e = document.getElementById("e"); let queue = Promise.resolve(), painted = false;
// Lines end with a line feed, a <br>, or a block's border. A <br> that only keeps an empty block open is none, and a
// line feed right before a block is that border.
function written(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  let text = "";
  for (const child of node.childNodes) {
    if (child.nodeName === "BR") text += child.nextSibling || child === node.firstChild && node === e ? "\\n" : "";
    else if (child.nodeName === "DIV" || child.nodeName === "P") {
      const before = child.previousSibling;
      text += (before && !(before.data || "").endsWith("\\n") ? "\\n" : "") + written(child);
    } else text += written(child);
  }
  return text;
}
function tell() {
  const text = e.value === undefined ? written(e) : e.value;
  const body = JSON.stringify({text, ready: painted && document.hasFocus()});
  queue = queue.then(() => fetch("/changed?kind=%(kind)s", {method: "POST", body}));
}
e.addEventListener("input", tell); addEventListener("focus", tell); e.focus();
// Before its first picture a page drops keys.
requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => { painted = true; tell(); }, 500)));
</script>"""
_ELEMENTS = {
    "textarea": '<textarea id="e"></textarea>',
    "contenteditable": '<div id="e" contenteditable="true"></div>',
    "password": '<input id="e" type="password">',
}


@dataclass(slots=True)
class _Page:
    title: str
    found: dict[str, object] = field(default_factory=dict)
    at: float = 0.0

    def text(self) -> str:
        return str(self.found.get("text", ""))

    def changed_at(self) -> float:
        return self.at

    def pressed(self) -> list[str]:
        return []


@contextlib.contextmanager
def chromium(kind: str, folder: Path, screen: Screen) -> Iterator[_Page]:
    """Open a page with one element to write in; it tells this process of every change."""
    page = _Page(kind)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlparse(self.path).query).get("kind", [""])[0]
            self.send_response(200 if asked else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            if asked:
                self.wfile.write((_PAGE % {"kind": asked, "element": _ELEMENTS[asked]}).encode())

        def do_POST(self) -> None:
            page.found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            page.at = time.time()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = (
        "chromium",
        "--no-sandbox",  # the virtual desktop may be root's
        f"--user-data-dir={folder / 'chromium'}",
        f"--app=http://127.0.0.1:{server.server_port}/?kind={kind}",
        *("--no-first-run", "--disable-gpu", "--disable-background-networking", "--disable-sync"),
        *("--disable-component-update", "--password-store=basic", "--disable-features=Translate,MediaRouter"),
        *(["--force-renderer-accessibility"] if accessible(screen) else []),  # as beside a screen reader
    )
    try:
        with running(command, screen.environment, log=folder / "chromium.log"):
            eventually(lambda: page.found and kind in screen.titles(), "the page is there")
            screen.focus(kind)
            eventually(lambda: page.found.get("ready"), "the element has the keyboard")
            yield page
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def chromium_textarea(folder: Path, screen: Screen) -> Iterator[_Page]:
    with chromium("textarea", folder, screen) as page:
        yield page


@contextlib.contextmanager
def chromium_password(folder: Path, screen: Screen) -> Iterator[_Page]:
    with chromium("password", folder, screen) as page:
        yield page


@contextlib.contextmanager
def chromium_contenteditable(folder: Path, screen: Screen) -> Iterator[_Page]:
    with chromium("contenteditable", folder, screen) as page:
        yield page


def _as_returns(text: str) -> str:
    """A terminal gets what Return sends."""
    return text.replace("\n", "\r")


_GTK_VERSION = (
    "import gi; gi.require_version('Gtk', '3.0'); from gi.repository import Gtk;"
    "print('GTK', f'{Gtk.get_major_version()}.{Gtk.get_minor_version()}.{Gtk.get_micro_version()}')"
)
TARGETS: Mapping[str, Target] = {
    "Qt": Target(qt_editor, "paste", (), password=qt_password),
    "GTK 3": Target(
        gtk_editor,
        "paste",
        (_SYSTEM_PYTHON, "-c", _GTK_VERSION),
        "python3-gi gir1.2-gtk-3.0",
        password=gtk_password,
    ),
    "Tk": Target(
        tk_editor,
        "paste",
        (_SYSTEM_PYTHON, "-c", "import tkinter; print('Tk', tkinter.Tcl().call('info', 'patchlevel'))"),
        "python3-tk",
    ),
    "xterm": Target(terminal, "primary", ("xterm", "-version"), received=_as_returns),
    "Chromium textarea": Target(
        chromium_textarea, "paste", ("chromium", "--version"), "chromium", password=chromium_password
    ),
    "Chromium contenteditable": Target(chromium_contenteditable, "paste", ("chromium", "--version"), "chromium"),
}


def version_of(target: Target) -> str:
    if not target.version:
        import PySide6

        return f"Qt {PySide6.__version__}"
    told = subprocess.run(target.version, capture_output=True, text=True, check=False).stdout.strip()
    return told.splitlines()[0] if told else ""
