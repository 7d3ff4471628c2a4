"""`lysnrai doctor`: is everything there that a dictation needs, and what to do about what is not.

Each part is tried for real and in the shortest way: the screen is connected to, the hotkey is taken and given back, the
microphone is listened to for a moment. While the app runs, what it holds (the hotkey) is asked of it instead.
Azure Speech is tried only if asked for by name: doctor/azure.py.

Imports: adapters, runtime, core, ui.texts. May be imported by: cli.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lysnrai_desktop.adapters import control_socket
from lysnrai_desktop.adapters.paths import Home
from lysnrai_desktop.adapters.settings_file import SettingsFile
from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.combo import alternatives, parse
from lysnrai_desktop.core.dictation import Event, MicrophoneFailed
from lysnrai_desktop.core.faults import Fault, HotkeyTaken, InsertUnavailable, MicrophoneMissing, MicrophoneStuck
from lysnrai_desktop.core.hotkey import hotkeys
from lysnrai_desktop.ui import texts

if TYPE_CHECKING:
    from lysnrai_desktop.adapters.x11_probe import Offer

LISTEN_S = 4.0
"""A cold sound server was seen to need 2.2 s to the first block."""
ENOUGH_AUDIO_S = 0.3
SPARE_BYTES = 1 << 30
"""Half an hour of audio is 170 MB, the default model 148 MB."""


class Grade(StrEnum):
    GOOD = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    part: str
    grade: Grade
    sentence: str
    remedy: str = ""
    code: str = ""
    """Fault code, where one fits."""

    @property
    def is_bad(self) -> bool:
        return self.grade is Grade.BAD

    @property
    def mark(self) -> str:
        return {Grade.GOOD: "ok ", Grade.WARNING: " ! ", Grade.BAD: "BAD"}[self.grade]

    def as_dict(self) -> dict[str, str]:
        return {
            "part": self.part,
            "grade": self.grade.value,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "code": self.code,
        }


def examine(home: Home, settings_file: SettingsFile) -> list[Finding]:
    """Look at every part, in the order in which a dictation needs them."""
    settings_file.current()
    parts: tuple[tuple[str, Callable[[Home, SettingsFile], Finding]], ...] = (
        ("settings", _settings),
        ("disk", _disk),
        ("screen", _screen),
        ("tray", _tray),
        ("notifications", _notifications),
        ("hotkey", _hotkey),
        ("microphone", _microphone),
        ("model", _model),
        ("insertion", _insertion),
    )
    findings = []
    for part, look in parts:
        try:
            findings.append(look(home, settings_file))
        except Fault as fault:
            findings.append(bad(part, fault.code))
    return findings


def good(part: str, sentence: str) -> Finding:
    return Finding(part, Grade.GOOD, sentence)


def bad(part: str, code: str, grade: Grade = Grade.BAD) -> Finding:
    advice = texts.fault(code)
    return Finding(part, grade, advice.sentence, advice.remedy, code)


def _settings(_: Home, settings_file: SettingsFile) -> Finding:
    if settings_file.complaints:
        sentence = "; ".join(map(str, settings_file.complaints)) + "."
        return Finding("settings", Grade.WARNING, sentence, "Mend these lines; until then the defaults serve.")
    return good("settings", "Every setting is valid.")


def _disk(home: Home, _: SettingsFile) -> Finding:
    if not home.prepare():
        return bad("disk", "disk.read_only")
    free = shutil.disk_usage(home.folder).free
    if free < SPARE_BYTES:
        return bad("disk", "disk.full", Grade.WARNING)
    return good("disk", f"{free / 1e9:.0f} GB are free. The log is {home.log}.")


def _screen(_: Home, __: SettingsFile) -> Finding:
    if os.environ.get("WAYLAND_DISPLAY"):
        return Finding(
            "screen",
            Grade.WARNING,
            "This is a Wayland session: global hotkeys and insertion work for X11 windows only.",
            "Bind “lysnrai toggle” to a key in the desktop's own settings, or log in to an X11 session.",
        )
    if _offer() is not None:
        return good("screen", "There is an X11 screen.")
    sentence = "There is no screen." if not os.environ.get("DISPLAY") else "The X11 screen cannot be reached."
    return Finding("screen", Grade.BAD, sentence, "Log in to a desktop. “lysnrai transcribe” works without one.")


def _tray(_: Home, __: SettingsFile) -> Finding:
    from lysnrai_desktop.adapters.notifications import has_owner

    offer = _offer()
    if offer is not None and offer.tray:
        return good("tray", "The panel has a tray.")
    if has_owner("org.kde.StatusNotifierWatcher"):
        return good("tray", "The desktop has a tray.")
    return Finding("tray", Grade.WARNING, "There is no tray.", "A small window serves instead.")


def _notifications(_: Home, __: SettingsFile) -> Finding:
    from lysnrai_desktop.adapters.notifications import has_owner

    if has_owner("org.freedesktop.Notifications"):
        return good("notifications", "The desktop shows notifications.")
    return Finding(
        "notifications",
        Grade.WARNING,
        "No notification service is running now.",
        "Where the desktop starts one on demand all is well; else the tray shows messages.",
    )


def _hotkey(home: Home, settings_file: SettingsFile) -> Finding:
    from lysnrai_desktop.adapters.hotkeys.x11 import X11Hotkeys

    wanted = {name: hotkey.combo for name, hotkey in hotkeys(settings_file.current().hotkey).items()}
    named = " and ".join(texts.hotkey(combo) for combo in wanted.values())
    try:
        status = next(control_socket.ask(home.run, {"verb": "status"}, timeout_s=5.0))
    except (control_socket.NotRunning, TimeoutError, StopIteration, OSError):
        status = None
    if status is not None:
        fault = status.get("fault") or ""
        return bad("hotkey", fault) if fault.startswith("hotkey.") else good("hotkey", f"{named}, held by the app.")
    keys = X11Hotkeys(lambda _: None, lambda _: None, lambda _: None)
    try:
        for name, combo in wanted.items():
            try:
                keys.bind(combo, name)
            except HotkeyTaken as fault:
                advice = texts.hotkey_taken(combo, [str(other) for other in keys.free(alternatives(parse(combo)))])
                return Finding("hotkey", Grade.BAD, advice.sentence, advice.remedy, fault.code)
    finally:
        keys.shut_down()
    return good("hotkey", f"{named}: free.")


def _microphone(_: Home, settings_file: SettingsFile) -> Finding:
    from lysnrai_desktop.adapters.microphone import PortAudioMicrophone

    failures: queue.SimpleQueue[Event] = queue.SimpleQueue()
    heard = _Heard()
    microphone = PortAudioMicrophone(failures.put, lambda: 0.0)
    try:
        devices = microphone.devices()
        chosen = settings_file.current().recording.device
        microphone.open(1, chosen, heard)
        heard.enough.wait(LISTEN_S)
        microphone.close(1)
    finally:
        microphone.shut_down()
    while not failures.empty():
        event = failures.get()
        if isinstance(event, MicrophoneFailed):
            return bad("microphone", event.code)
    if not devices:
        return bad("microphone", MicrophoneMissing.code)
    if not heard.samples:
        return bad("microphone", MicrophoneStuck.code)
    label = next((d.label for d in devices if (d.name == chosen if chosen else d.is_default)), chosen or "the default")
    if not heard.sound:
        return Finding(
            "microphone", Grade.WARNING, f"{label} delivers digital silence.", "It may be muted: look at its switch."
        )
    return good("microphone", f"{label} can be heard.")


class _Heard:
    """A sink that keeps nothing but the fact that there was sound."""

    def __init__(self) -> None:
        self.samples = 0
        self.sound = False
        self.enough = threading.Event()

    def block(self, block: Block) -> None:
        self.samples += block.samples
        self.sound = self.sound or any(block.pcm)
        if self.samples >= ENOUGH_AUDIO_S * block.rate_hz:
            self.enough.set()

    def end(self) -> None:
        self.enough.set()


def _model(home: Home, settings_file: SettingsFile) -> Finding:
    from lysnrai_desktop.core.faults import ModelMissing
    from lysnrai_desktop.runtime.models import Models, load_catalogue, models_dir

    settings = settings_file.current()
    catalogue = load_catalogue()
    models = Models(models_dir(home.folder, os.environ), catalogue, settings.models)
    name = settings.engine.model
    try:
        found = models.locate(name)
    except ModelMissing:
        row = next((row for row in models.list() if row.model.name == name), None)
        if row is not None and row.packaged:
            return good("model", f"{name} is installed as a package and will be unpacked when first needed.")
        raise
    if not found.verified:
        return Finding("model", Grade.WARNING, "A folder of your own, not verified, is used.")
    return good("model", f"{name} is here, and every file of it is the published one.")


def _insertion(_: Home, __: SettingsFile) -> Finding:
    offer = _offer()
    if offer is None or not offer.synthetic_keys:
        return bad("insertion", InsertUnavailable.code)
    return good("insertion", "Text can be pasted into other windows.")


def _offer() -> Offer | None:
    from lysnrai_desktop.adapters.x11 import NoDisplay
    from lysnrai_desktop.adapters.x11_probe import probe

    try:
        return probe()
    except NoDisplay:
        return None
