"""Usage events into the queue of `telemetry/`, as far as the user agrees: ports.Usage.

    record, obey, phase ── any thread ──▶ queue ──▶ "usage" thread ──▶ telemetry.Telemetry ──▶ telemetry.db ──▶ service

What is decided here: that nothing is imported, opened or even kept before the user has agreed, and which words of the
settings are which of the client's. What is absent: the events (core/usage.py), delivery and its rules (telemetry/).

A thread of its own, for two reasons: importing and opening take a moment that no dictation shall wait for, and an event
of level error is written through to the disk. Without consent there is no thread.

The network is watched only while something may be sent. A network that is back, or that no longer costs money, is a
reason to deliver at once; one that is there at the start is not, or each start would void the backoff.

If the service has erased this install, the client forgets the user's choice; `revoked` then makes the settings
say so too, since a restart would take them for a new consent.

Imports: core, network; telemetry, when first needed. May be imported by: app, cli. Nothing else of the app knows
telemetry, but for cli/telemetry.py, which looks at the queue.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import platform
import queue
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, assert_never

import lysnrai_desktop
from lysnrai_desktop.adapters.network import NetworkWatch
from lysnrai_desktop.core import usage
from lysnrai_desktop.core.settings import TelemetrySettings
from lysnrai_desktop.core.usage import UsageEvent

if TYPE_CHECKING:
    from telemetry import Consent, Profile, Telemetry

log = logging.getLogger(__name__)

END_S = 1.0
"""Longest wait at the end: a second for a disk that is slow; what is queued then is lost."""
QUEUE_FILE = "telemetry.db"
_RECORDING = frozenset({"errors", "all"})
_OS_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){0,2}")


@dataclass(frozen=True, slots=True)
class _Phase:
    name: str


@dataclass(frozen=True, slots=True)
class _Network:
    online: bool
    metered: bool


@dataclass(frozen=True, slots=True)
class _ShutDown:
    pass


_Item = UsageEvent | TelemetrySettings | _Phase | _Network | _ShutDown


class UsageTelemetry:
    """Implements ports.Usage. Calls are safe from any thread and return at once, but for `shut_down`."""

    def __init__(self, home: Path, revoked: Callable[[], None], environ: Mapping[str, str] = os.environ) -> None:
        """Nothing is done before `obey`.

        Args:
            home: the app's folder.
            revoked: called, on a thread of ours, when the service has erased this install: the user must choose anew.
            environ: says where the system bus is.
        """
        self._home = home
        self._revoked = revoked
        self._environ = environ
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._settings: TelemetrySettings | None = None
        self._agreed = False
        self._phase = ""
        self._thread: threading.Thread | None = None
        self._client: Telemetry | None = None
        """Owned by the thread."""
        self._served = ("", "")
        """The address and key that the client was made with."""
        self._watch: NetworkWatch | None = None
        self._network = _Network(online=True, metered=False)
        """As last heard of; till then, what the client takes for granted."""
        self._crashed = False
        self._faults: IO[str] | None = None
        """Where a crash in native code leaves the names of the functions that it happened in."""

    def record(self, event: UsageEvent) -> None:
        if self._agreed:
            self._items.put(event)

    def phase(self, name: str) -> None:
        """What the app is doing, for the report of a crash: a word of core.usage.Phase."""
        if name != self._phase:
            self._phase = name
            if self._agreed:
                self._items.put(_Phase(name))

    def obey(self, settings: TelemetrySettings) -> None:
        """Do as the settings say, from now on. Called by one thread only."""
        if settings == self._settings:
            return
        self._settings = settings
        self._agreed = settings.collect in _RECORDING
        if self._thread is None:
            if not self._agreed and not (self._home / QUEUE_FILE).exists():
                return  # who never agreed pays nothing
            self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
            self._thread.start()
        self._items.put(settings)
        if self._agreed and self._phase:
            self._items.put(_Phase(self._phase))

    def shut_down(self) -> None:
        """Write what is left. Blocks for END_S at most."""
        self._agreed = False
        if self._thread is not None:
            self._items.put(_ShutDown())
            self._thread.join(END_S)

    # --- the thread

    def _run(self) -> None:
        try:
            while not isinstance(item := self._items.get(), _ShutDown):
                self._handle(item)
        finally:
            self._agreed = False  # after a mistake of ours nobody would empty the queue
            self._close()

    def _handle(self, item: UsageEvent | TelemetrySettings | _Phase | _Network) -> None:
        match item:
            case UsageEvent():
                self._record(item)
            case _Phase(name=name):
                if self._client is not None:
                    self._client.phase(name)
            case _Network():
                self._note(item)
            case TelemetrySettings():
                self._apply(item)
            case _:
                assert_never(item)

    def _apply(self, settings: TelemetrySettings) -> None:
        """Choose, and let the client live only while there is something to record or to erase."""
        served = (settings.url, settings.product_key)
        if self._served != served:
            self._close()  # they are a client's for life
        opened, damaged = self._client is None, _is_damaged(self._home)
        client = self._client or open_client(self._home, settings)
        self._client, self._served = client, served
        choice = consent_of(settings.collect)
        if client.consent != choice:
            client.choose(choice)
        if settings.collect not in _RECORDING and not erasure_pending(self._home):
            self._close()
        elif opened:
            self._begin(client, damaged)
        self._watch_network(wanted=bool(settings.url) and settings.collect in _RECORDING)

    def _watch_network(self, *, wanted: bool) -> None:
        if wanted and self._watch is None:
            self._watch = NetworkWatch(
                lambda online, metered: self._items.put(_Network(online, metered)), self._environ
            )
        elif not wanted and self._watch is not None:
            self._watch.shut_down()
            self._watch = None

    def _note(self, network: _Network) -> None:
        before, self._network = self._network, network
        improved = network.online and (not before.online or (before.metered and not network.metered))
        if self._client is not None:
            self._client.network_changed(online=improved, metered=network.metered)

    def _begin(self, client: Telemetry, damaged: bool) -> None:
        if damaged:
            self._record(usage.QueueRecovered())
        begin(client)
        self._faults = _watch_faults(client.fault_file)
        self._crashed = self._crashed or bool(client.crashes)

    def _record(self, event: UsageEvent) -> None:
        client = self._client
        if client is None:
            return
        if isinstance(event, usage.AppStarted) and self._crashed:
            event = replace(event, start=usage.Start.AFTER_CRASH)
        record_into(client, event)
        if client.consent == "unset" and self._agreed:
            self._agreed = False
            self._close()
            log.info("the service has erased this install; the user may choose anew")
            self._revoked()

    def _close(self) -> None:
        self._watch_network(wanted=False)
        if self._faults is not None:
            faulthandler.disable()
            self._faults.close()
            self._faults = None
        if self._client is not None:
            self._client.close()
            self._client = None


def record_into(client: Telemetry, event: UsageEvent) -> None:
    """Record an event with this client."""
    told = usage.told(event)
    client.record(
        event.area.value,
        event.name,
        event.level.value,
        error_domain=told.error.domain if told.error else None,
        error_code=told.error.text if told.error else None,
        tags=told.tags or None,
        metrics=told.metrics or None,
    )


def begin(client: Telemetry) -> None:
    """Start it, and tell of the times before that ended without saying goodbye."""
    client.start()
    for crash in client.crashes:
        stack = usage.stack(crash.frames)
        record_into(client, usage.AppCrashed(usage.phase(crash.phase), stack, round(crash.uptime_s)))


def _watch_faults(report: Path | None) -> IO[str] | None:
    """Have a crash in native code leave a report there, unless somebody has it already; it stays on this machine."""
    if report is None or faulthandler.is_enabled():
        return None
    try:
        descriptor = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    file = os.fdopen(descriptor, "w", encoding="utf-8")
    faulthandler.enable(file)
    return file


def open_client(home: Path, settings: TelemetrySettings) -> Telemetry:
    """A client with the app's profile, address and key; not started."""
    from telemetry import Telemetry

    return Telemetry(home, profile(), url=settings.url, product_key=settings.product_key)


def profile() -> Profile:
    """What all events of this computer have in common: versions, kind of system and processor; no name of anything."""
    from telemetry import Device, Profile

    version = lysnrai_desktop.__version__
    return Profile(
        product_id="lysnrai",
        platform="desktop",
        channel="desktop_app",
        os_family={"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform, "other"),
        os_version=_os_version(),
        app_version=version,
        release_channel="dev" if "dev" in version else "beta" if re.search("[ab]|rc", version) else "stable",
        device=Device(arch=platform.machine()[:16] or None, cpu_count=os.cpu_count()),
    )


def consent_of(collect: str) -> Consent:
    """The client's word for that of the settings."""
    words: dict[str, Consent] = {"off": "off", "errors": "errors", "all": "all"}
    return words.get(collect, "unset")


def erasure_pending(home: Path) -> bool:
    """Whether the user asked to be forgotten and the service has not confirmed it."""
    from telemetry.inspect import status

    return bool(status(home).erasures)


def _is_damaged(home: Path) -> bool:
    from telemetry.inspect import status

    return status(home).state == "damaged"


def _os_version() -> str | None:
    """Of the distribution, such as "12"; nothing that somebody may have given it by hand."""
    try:
        version = platform.freedesktop_os_release().get("VERSION_ID", "")
    except OSError:
        return None
    return version if _OS_VERSION.fullmatch(version) else None
