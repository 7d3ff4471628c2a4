"""The border between the app's threads and Qt's: the only file that knows both sides.

    dictation thread ── show(status) ──▶ queued signal ──▶ status_changed   GUI thread: tray, overlay, window
    journal thread ──── level(peak) ───▶ a number ◀─────── take_level()     the overlay, while it is visible
    any thread ──────── tell, cue ─────▶ the functions given                (threads of their own)
    GUI thread ──────── wishes ────────▶ the functions given                (they post events and return at once)

The level is fetched, not sent: however many blocks a second arrive, the GUI thread is woken for none of them.

Imports: ports, core; Qt. May be imported by: the rest of ui, app.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject, Qt, Signal, Slot

from lysnrai_desktop.core.dictation import Sound
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.faults import HotkeyTaken
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.core.takes import TakeRecord
from lysnrai_desktop.ui import texts


@dataclass(frozen=True, slots=True)
class Choice:
    """A microphone or a model that can be chosen, or a take that can be transcribed."""

    name: str
    """What the settings hold; a take's id."""
    label: str
    """For people."""
    ready: bool = True
    """False for a model that must be downloaded first, and a take that is being transcribed."""


@dataclass(frozen=True, slots=True)
class Choices:
    """All there are now, and the name of the chosen one (it need not be among them; of takes none is)."""

    items: Sequence[Choice]
    chosen: str = ""


Deliver = Callable[[Choices], None]
"""Takes the answer; may be called on any thread, at any later time, or never."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user can want, as functions of the app. Each returns at once and may be called at any time."""

    start: Callable[[], None]
    stop: Callable[[], None]
    cancel: Callable[[], None]
    copy_last: Callable[[], None]
    open_settings: Callable[[], None]
    quit: Callable[[], None]
    list_microphones: Callable[[Deliver], None]
    choose_microphone: Callable[[str], None]
    """With "" for the system's default."""
    list_models: Callable[[Deliver], None]
    choose_model: Callable[[str], None]
    list_takes: Callable[[Deliver], None]
    """Those that are offered."""
    transcribe_take: Callable[[str], None]
    drop_take: Callable[[str], None]
    shared: Callable[[], str]
    """What usage data is shared now: the setting telemetry.collect."""
    share: Callable[[str], None]
    backend: Callable[[], str]
    """Who shall recognise speech: the setting engine.backend."""
    choose_backend: Callable[[str], None]
    """At once, in the middle of a dictation too."""
    inject: Callable[[Backend, str], None] | None
    """Makes something go wrong in an engine (core.engine_messages.Inject); None for all who are no testers."""


class Notify(Protocol):
    """Shows a desktop notification. One of the same kind before it is replaced."""

    def __call__(
        self, kind: str, summary: str, body: str, buttons: Sequence[tuple[str, Callable[[], None]]] = (), /
    ) -> None: ...


Play = Callable[[Sound], None]

TAKES = "takes"
"""The kind of notifications about takes: the answer replaces the question."""


class Bridge(QObject):
    """A Screen (ports.py) for the app, signals for the widgets. Lives on the GUI thread; `status` is read there."""

    status_changed = Signal(object)  # Status
    microphones_listed = Signal(object)  # Choices
    models_listed = Signal(object)  # Choices
    takes_listed = Signal(object)  # Choices
    notification_failed = Signal(str, str)  # summary, body

    _shown = Signal(object)

    def __init__(self, wishes: Wishes, notify: Notify, play: Play, hotkey: str = "") -> None:
        super().__init__()
        self.wishes = wishes
        self._hotkey = hotkey
        self.status = Status(state="idle", since=0.0)
        self._notify = notify
        self._play = play
        self._taken: texts.Advice | None = None
        self._peak = 0.0
        self._peak_lock = threading.Lock()
        self._shown.connect(self._take_status, Qt.ConnectionType.QueuedConnection)

    # -- Screen: called by the app, on any thread

    def show(self, status: Status) -> None:
        self._shown.emit(status)

    def level(self, peak: float) -> None:
        with self._peak_lock:
            self._peak = max(self._peak, peak)

    def tell(self, code: str) -> None:
        advice = self._taken if code == HotkeyTaken.code and self._taken else texts.fault(code)
        self._notify(code, advice.sentence, advice.remedy)

    def hotkey_taken(self, combo: str, free: Sequence[str]) -> None:
        """From now on `tell` names the combination that is taken, and some that are not. Any thread."""
        self._taken = texts.hotkey_taken(combo, free)

    def offer(self, records: Sequence[TakeRecord]) -> None:
        """Ask whether these takes shall be transcribed. Any thread."""
        words = texts.offer([record.duration_s for record in records], all(r.outcome is None for r in records))
        buttons = []
        if len(records) == 1:
            buttons = [(texts.TRANSCRIBE, partial(self.wishes.transcribe_take, records[0].id))]
        self._notify(TAKES, words.sentence, words.remedy, buttons)

    def recovered(self, heard: bool) -> None:
        """Tell that a take's text is on the clipboard, or that nothing was heard in it. Any thread."""
        words = texts.RECOVERED if heard else texts.NOTHING_RECOVERED
        self._notify(TAKES, words.sentence, words.remedy)

    def cue(self, sound: Sound) -> None:
        self._play(sound)

    def not_notified(self, summary: str, body: str) -> None:
        """Say that a notification could not be shown by the desktop, so that the tray can do it. Any thread."""
        self.notification_failed.emit(summary, body)

    # -- for the widgets, on the GUI thread

    def take_level(self) -> float:
        """The loudest peak since the last call, 0 to 1."""
        with self._peak_lock:
            peak, self._peak = self._peak, 0.0
        return peak

    def toggle(self) -> None:
        """Start a dictation, or stop the one that is arming or recording."""
        if self.listening:
            self.wishes.stop()
        else:
            self.wishes.start()

    @property
    def hotkey(self) -> str:
        """The combination that is bound, "" while none is. May be set anew, on the GUI thread."""
        return self._hotkey

    @hotkey.setter
    def hotkey(self, combo: str) -> None:
        self._hotkey = combo
        self.status_changed.emit(self.status)  # whoever shows the status shows the hotkey with it

    @property
    def listening(self) -> bool:
        return self.status.state in {"arming", "recording"}

    @property
    def can_cancel(self) -> bool:
        """Text that is being inserted cannot be called back."""
        return self.status.state in {"arming", "recording", "finishing"}

    def list_microphones(self) -> None:
        """Answered by `microphones_listed`."""
        self.wishes.list_microphones(self.microphones_listed.emit)

    def list_models(self) -> None:
        """Answered by `models_listed`."""
        self.wishes.list_models(self.models_listed.emit)

    def list_takes(self) -> None:
        """Answered by `takes_listed`."""
        self.wishes.list_takes(self.takes_listed.emit)

    @Slot(object)
    def _take_status(self, status: Status) -> None:
        self.status = status
        self.status_changed.emit(status)
