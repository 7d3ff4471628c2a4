"""What tray, window and command line let the user choose from, and what becomes of the choice: it is written down.

Imports: runtime, ports, core; of adapters the settings' file; of ui the bridge's values. May be imported by: app.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from lysnrai_desktop.adapters.settings_file import SettingsFile
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.ports import Microphone, Usage
from lysnrai_desktop.runtime.engines import Engines
from lysnrai_desktop.runtime.model_choice import bring
from lysnrai_desktop.runtime.models import Models, Presence
from lysnrai_desktop.ui.bridge import Choice, Choices, Deliver


class InBackground:
    """Work for a thread of its own; what the world refuses there is told."""

    def __init__(self, trouble: Callable[[Fault], None]) -> None:
        self._trouble = trouble

    def __call__(self, name: str, work: Callable[[], None]) -> None:
        threading.Thread(target=self.now, args=(work,), name=name, daemon=True).start()

    def now(self, work: Callable[[], None]) -> None:
        """On this thread."""
        try:
            work()
        except Fault as fault:
            self._trouble(fault)


class AppChoices:
    """All but `set_backend` return at once."""

    def __init__(
        self,
        settings_file: SettingsFile,
        microphone: Microphone,
        models: Callable[[], Models],
        engines: Engines,
        usage: Usage,
        in_background: InBackground,
        look_for_key: Callable[[], None],
    ) -> None:
        self._settings_file = settings_file
        self._microphone = microphone
        self._models = models
        self._engines = engines
        self._usage = usage
        self._in_background = in_background
        self._look_for_key = look_for_key

    def save(self, key: str, value: str) -> None:
        self._in_background.now(lambda: self._settings_file.set(key, value))

    def list_microphones(self, deliver: Deliver) -> None:
        def work() -> None:
            items = [Choice(device.name, device.label) for device in self._microphone.devices()]
            deliver(Choices(items, self._settings_file.current().recording.device))

        self._in_background("microphones", work)

    def list_models(self, deliver: Deliver) -> None:
        def work() -> None:
            rows = self._models().list()
            items = [
                Choice(row.model.name, row.model.name, row.presence is Presence.READY or row.packaged) for row in rows
            ]
            deliver(Choices(items, self._settings_file.current().engine.model))

        self._in_background("models", work)

    def choose_model(self, name: str) -> None:
        def work() -> None:
            bring(self._models(), name, self._usage)
            self._settings_file.set("engine.model", name)

        self._in_background("model", work)

    def choose_backend(self, name: str) -> None:
        self._in_background.now(lambda: self.set_backend(name))

    def set_backend(self, name: str) -> None:
        """A dictation under way follows at once. Raises Fault."""
        self._settings_file.set("engine.backend", name)
        self._look_for_key()
        self._engines.prefer()
