"""The composition root: builds every part, connects them, starts and stops them in order.

    GUI thread            Qt; `ui/`; this file
    dictation             runtime/loop.py                      state, deadlines
    microphone, journal   adapters/                            the open stream, the open take
    hotkeys, insertion    adapters/                            one X connection each
    engine links          runtime/engines.py                   an engine process each
    azure key             adapters/secrets.py                  the question to the system's keyring, if there is one
    recovery              runtime/recovery.py                  the stored take that is transcribed, its engine
    control, …-client     adapters/control_socket.py           one conversation each
    notifications, cues   adapters/                            started with the first of each
    usage                 adapters/usage_telemetry.py          the queue of usage events, once the user has agreed
    network               adapters/network.py                  what NetworkManager says, while that queue may be sent

Start: lock, tray, then what may take a moment (hotkey, engine) once the tray is there. Stop: first what can bring new
wishes, then the dictation, then what it used; a take under way is kept, and nothing is inserted. A session manager that
asks what there is to save (commitDataRequest) gets no answer of ours: all that was spoken is on the disk already.

Imports: everything. May be imported by: cli.
"""

from __future__ import annotations

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
from lysnrai_desktop.adapters.log_file import log_to
from lysnrai_desktop.adapters.microphone import PortAudioMicrophone
from lysnrai_desktop.adapters.notifications import Notifications
from lysnrai_desktop.adapters.paths import Home
from lysnrai_desktop.adapters.secrets import AzureKey
from lysnrai_desktop.adapters.settings_file import SettingsFile
from lysnrai_desktop.adapters.takes import TakeFolder
from lysnrai_desktop.adapters.usage_telemetry import UsageTelemetry
from lysnrai_desktop.app_choices import AppChoices, InBackground
from lysnrai_desktop.app_takes import AppTakes
from lysnrai_desktop.core import usage
from lysnrai_desktop.core.combo import alternatives, parse
from lysnrai_desktop.core.dictation import Cancel, Start, Stop
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.faults import (
    DiskReadOnly,
    Fault,
    HotkeyInvalid,
    HotkeyTaken,
    HotkeyUnavailable,
    SettingsInvalid,
)
from lysnrai_desktop.core.hotkey import MAIN, hotkeys
from lysnrai_desktop.core.settings import Settings, changes
from lysnrai_desktop.runtime.control import Control
from lysnrai_desktop.runtime.engine_kinds import azure, whisper
from lysnrai_desktop.runtime.engines import Engines
from lysnrai_desktop.runtime.items import Item, RecordsFrom, Trouble
from lysnrai_desktop.runtime.loop import DictationLoop, Ports
from lysnrai_desktop.runtime.models import Models, load_catalogue, models_dir
from lysnrai_desktop.runtime.recovery import Recovery
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.bridge import Bridge, Wishes
from lysnrai_desktop.ui.overlay import Overlay
from lysnrai_desktop.ui.resources import icon_file
from lysnrai_desktop.ui.tray import Tray
from lysnrai_desktop.ui.window import Window

IS_TESTER = os.environ.get("LYSNRAI_TESTER") == "1"
"""Engines may be made to fail, by the menu."""
LONGEST_END_S = 4.0
"""A session that ends gives its programs about five seconds."""
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

[azure]
# region = "westeurope"      # recognise speech with Azure Speech; its key: lysnrai azure key

[polish.replacements]
# "lysner ai" = "LysnrAI"

[telemetry]
# collect = "ask"            # what you share about the use of the app, never a word you say: off, errors, all
"""


def run(home: Home, settings_file: SettingsFile) -> int:
    """Run the app until it is told to quit; returns the exit status."""
    writable = home.prepare()
    started = usage.Start.WARM if process.since_boot(home.log) else usage.Start.COLD
    log_to(home.log if writable else None)
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
        self._in_background = InBackground(trouble)
        self._catalogue = load_catalogue()
        self._bound: dict[str, str] = {}
        """The combination of each hotkey, as last tried."""
        self._applied = settings()
        """What usage events go by, to name the settings that change."""
        self._usage = UsageTelemetry(home.folder, revoked=lambda: self._choices.save("telemetry.collect", "ask"))
        self._microphone = PortAudioMicrophone(
            post, lambda: settings().recording.warm_s, on_name=lambda label: post(RecordsFrom(label))
        )
        self._azure_key = AzureKey(changed=lambda: self._engines.key_changed())  # noqa: PLW0108  the engines come next
        self._engines = Engines(
            post,
            settings,
            {Backend.WHISPER: whisper(self._model_folder), Backend.AZURE: azure(lambda: self._azure_key.secret)},
            key_code=lambda: self._azure_key.found.code,
        )
        self._choices = AppChoices(
            settings_file,
            self._microphone,
            self._models,
            self._engines,
            self._usage,
            self._in_background,
            self._azure_key.look_again,
        )
        self._notifications = Notifications(
            icon=icon_file("lysnrai"),
            unshown=lambda summary, body: self._bridge.not_notified(summary, body),  # noqa: PLW0108  the bridge comes next
        )
        self._cues = Cues()
        self._bridge = Bridge(self._wishes(), self._notifications.show, self._cues.play)
        self._journal = Journal(home.takes, post, self._bridge.level, lambda code: post(Trouble(code)))
        self._hotkeys = _if_there(lambda: self._take_keys(post), trouble)
        self._inserter = _if_there(lambda: X11Inserter(lambda: settings().insertion, tell=trouble), trouble)
        ports = Ports(
            self._microphone,
            self._journal,
            self._engines.links,
            self._inserter,
            self._hotkeys,
            self._bridge,
            self._usage,
        )
        self._loop = DictationLoop(ports, settings, inbox)
        takes = TakeFolder(home.takes)
        self._left_takes = AppTakes(takes, settings, self._bridge, self._inserter, post, self._usage)
        self._recovery = Recovery(
            takes,
            self._engines.second,
            settings,
            give=self._left_takes.give,
            nothing=self._left_takes.nothing,
            failed=lambda code: post(Trouble(code)),
        )
        self._asked = _Asked()
        self._asked.quit.connect(QApplication.quit)
        self._control = Control(
            self._loop, self._inserter, self._asked.quit.emit, self._choices.set_backend, self._look_for_key
        )
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
        self._in_background("takes", self._left_takes.offer)
        self._tidying = QTimer(interval=TIDY_MS)
        self._tidying.timeout.connect(lambda: self._in_background("takes", self._left_takes.tidy))
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
        self._azure_key.shut_down()
        self._engines.shut_down()
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
        if settings.azure.is_located and settings.engine.backend != "local":
            self._azure_key.look_once()
        self._engines.apply(settings)

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
            list_microphones=self._choices.list_microphones,
            choose_microphone=lambda name: self._choices.save("recording.device", name),
            list_models=self._choices.list_models,
            choose_model=self._choices.choose_model,
            list_takes=lambda deliver: self._in_background(
                "takes", lambda: deliver(self._left_takes.choices(self._recovery.present))
            ),
            transcribe_take=lambda take_id: self._recovery.transcribe(take_id),  # noqa: PLW0108  made later
            drop_take=lambda take_id: self._in_background("takes", lambda: self._left_takes.drop(take_id)),
            shared=lambda: self._settings.telemetry.collect,
            share=lambda choice: self._choices.save("telemetry.collect", choice),
            backend=lambda: self._settings.engine.backend,
            choose_backend=self._choices.choose_backend,
            inject=self._engines.inject if IS_TESTER else None,
        )

    def _look_for_key(self) -> None:
        """Any thread. It may be the same key, and accepted now."""
        self._engines.key_changed()
        self._azure_key.look()

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
