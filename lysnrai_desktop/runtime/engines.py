"""The engines of the app: a link for each, made ready as the settings want it.

    apply(settings) ──▶ ┌─────────┐ ──▶ links: warm
    key_changed()   ──▶ │ engines │ ──▶ dictation thread: AzureChanged, Prefer
                        └─────────┘

What is absent: which of them hears a dictation (core/failover.py).

Imports: core, ports. May be imported by: app.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from lysnrai_desktop.core.dictation import AzureChanged, Prefer
from lysnrai_desktop.core.failover import Backend, breaker, choose
from lysnrai_desktop.core.faults import AzureNotConfigured
from lysnrai_desktop.core.settings import Settings, changes
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.ports import Post
from lysnrai_desktop.runtime.engine_kinds import EngineKind
from lysnrai_desktop.runtime.engine_link import EngineLink
from lysnrai_desktop.runtime.items import EngineState, Item, Partial

_OF_THE_SERVICE = ("azure.", "engine.language", "engine.vocabulary")
"""What begins so is told to Azure, which may take what it refused before."""


class Engines:
    """Owns the links. `apply` is for one thread, everything else for any."""

    def __init__(
        self,
        post: Callable[[Item], None],
        settings: Callable[[], Settings],
        kinds: Mapping[Backend, EngineKind],
        key_code: Callable[[], str],
    ) -> None:
        """`key_code`: why there is no key of Azure, "" if there is one; never waits."""
        self._post = post
        self._settings = settings
        self._kinds = kinds
        self._key_code = key_code
        self._applied: Settings | None = None
        self._links = {
            backend: EngineLink(post, self._partial, partial(self._state, backend), kind)
            for backend, kind in kinds.items()
        }

    @property
    def links(self) -> Mapping[Backend, EngineLink]:
        return self._links

    def second(self, post: Post) -> EngineLink:
        """One more of this computer's own, for takes that an earlier dictation left."""
        return EngineLink(post, on_partial=lambda *_: None, on_state=lambda *_: None, kind=self._kinds[Backend.WHISPER])

    def apply(self, settings: Settings) -> None:
        """Follow the settings as they are now."""
        before, self._applied = self._applied, settings
        changed = changes(before, settings) if before else ("azure.",)
        if any(name.startswith(_OF_THE_SERVICE) for name in changed):
            self._post(AzureChanged(time.monotonic(), self._azure_code(settings)))
        if "engine.backend" in changed or "engine.prefer" in changed:
            self.prefer()
        if changed:
            self._warm(settings)

    def key_changed(self) -> None:
        """There is another key of Azure, or another reason for none."""
        settings = self._settings()
        self._post(AzureChanged(time.monotonic(), self._azure_code(settings)))
        self._warm(settings)

    def prefer(self) -> None:
        """The user has chosen: a dictation under way follows at once."""
        self._post(Prefer(time.monotonic()))

    def inject(self, backend: Backend, fault: str) -> None:
        self._links[backend].inject(fault)

    def shut_down(self) -> None:
        for link in self._links.values():
            link.shut_down()

    def _azure_code(self, settings: Settings) -> str:
        return self._key_code() if settings.azure.is_located else AzureNotConfigured.code

    def _warm(self, settings: Settings) -> None:
        """Whoever hears the next dictation, and whoever may have to take over."""
        for backend in choose(settings.engine, breaker(self._azure_code(settings)), time.monotonic()).order:
            self._links[backend].warm(settings)

    def _partial(self, session: int, stable: SpokenText, tentative: SpokenText) -> None:
        self._post(Partial(session, stable, tentative))

    def _state(self, backend: Backend, state: str, model: str) -> None:
        self._post(EngineState(backend, state, model))
