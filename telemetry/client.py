"""What the app calls. Nothing here raises into it, and nothing here waits for the network.

    record ─▶ the user's choice ─▶ form ─▶ personal data ─▶ the service's wishes ─▶ store.add ─▶ worker.wake
                                                                                      │ disk refuses
                                                                                      └▶ held in memory, written later

When `record` returns STORED, the event is on disk: it survives `kill -9`, and for error and fatal the loss of power.

Absent here: delivering (worker), numbers (policy).

Imports: crash, identity, policy, sender, store, wire, worker. May be imported by: the app, as `telemetry`.
"""

from __future__ import annotations

import atexit
import enum
import logging
import os
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from telemetry.crash import Crash, Session
from telemetry.identity import MIN_LEVEL, Identity
from telemetry.policy import DISK_S, EXIT_S, HELD_EVENTS, Consent, admit, rate_of
from telemetry.schema import CLOSED
from telemetry.sender import Sender
from telemetry.store import NewEvent, Store, StoreDamaged, StoreUnavailable, file_identity, set_aside
from telemetry.wire import (
    LEVELS,
    Config,
    Content,
    Device,
    Dictation,
    Event,
    Level,
    Refused,
    encode_content,
    encode_event,
    format_time,
    judge_content,
    judge_privacy,
    new_id,
    parse_event,
    share_of_sampling,
)
from telemetry.worker import Worker

log = logging.getLogger(__name__)

_NO_INSTALL: Final = "00000000-0000-4000-8000-000000000000"
_UNREADABLE: Final = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError)
"""What encoding raises for values that are none of the contract's."""


class Recorded(enum.Enum):
    """What became of an event."""

    STORED = "stored"
    HELD = "held"
    """In memory: the disk refuses it for now."""

    REFUSED = "refused"
    """Against the contract or its rules on personal data, or not wanted by the service; counted."""

    NO_CONSENT = "no_consent"


class _Captured(Struct, frozen=True):
    """An event on its way to the disk: all but its number, which it gets when it enters the queue."""

    id: str
    level: Level
    at: float
    content: bytes


class Profile(Struct, frozen=True):
    """What all events of this app have in common."""

    product_id: str
    platform: str
    channel: str
    os_family: str
    app_version: str
    release_channel: str
    os_version: str | None = None
    build_number: str | None = None
    device: Device | None = None

    def query(self) -> dict[str, str]:
        """The fields that the configuration is asked with."""
        return {
            "productId": self.product_id,
            "platform": self.platform,
            "channel": self.channel,
            "osFamily": self.os_family,
            "appVersion": self.app_version,
            "releaseChannel": self.release_channel,
        }


class Telemetry:
    """The telemetry of one app on one machine. Safe from any thread; every method returns soon."""

    def __init__(
        self,
        home: Path,
        profile: Profile,
        *,
        url: str = "",
        product_key: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the queue. Delivering begins with `start`.

        Args:
            home: the folder for queue and identity, made if it is missing.
            profile: checked here, once: one that the contract does not admit is a mistake of the program.
            url: of the platform service; empty: nothing is ever sent.
            product_key: public; ships with the app.
            clock: seconds since 1970.

        Raises:
            ValueError: for a profile that the contract does not admit. Nothing else, here or elsewhere.
        """
        self._home = home
        self._clock = clock
        self._identity = Identity(home)
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._held: deque[_Captured] = deque()
        self._overflowed: Counter[Level] = Counter()
        self._stilled: list[Store] = []
        self._config = Config()
        self._consent: Consent = "unset"
        self._unwritten: Consent | None = None
        self._consent_mark = 0
        self._min_level = CLOSED
        self._epoch = 1
        self._share = 0.0
        self._closed = False
        self._unseen = 0
        self._event_seq = 0
        self._template = _template(profile)
        self._session_id = new_id()
        self._constant = b""
        """What all events of this session have in common, encoded; empty before the session has its number."""

        self._session: Session | None = None
        self._sender = Sender(url, product_key) if url else None
        self._worker = Worker(home, self._sender, profile.query(), self, clock=clock)
        self.crashes: tuple[Crash, ...] = ()
        """Sessions of this install that ended uncleanly since the last start, found by `start`."""

        with self._lock:
            self._reopen()
        _clients.add(self)

    def start(self) -> None:
        """Look for crashes, begin the session, begin to deliver."""
        self._session, self.crashes = Session.begin(self._home, self._session_id, self._clock)
        self._worker.start()

    # --------------------------------------------------------------------------------------------------- recording

    def record(
        self,
        module: str,
        name: str,
        level: Level = "info",
        *,
        message: str | None = None,
        error_domain: str | None = None,
        error_code: str | None = None,
        tags: dict[str, str] | None = None,
        metrics: dict[str, float] | None = None,
        dictation: Dictation | None = None,
        user_id: str | None = None,
    ) -> Recorded:
        """Queue one event. Raises nothing, and gives up waiting for other writers after three times DISK_S.

        `name` is a fixed name with nothing dynamic in it. Only an event that may not be, by its form or for what is in
        it, is REFUSED; a refusal for its form is a mistake of the caller and is logged, without any value.
        """
        if level not in LEVELS:
            log.warning("event refused: unknown_enum level")
            return Recorded.REFUSED
        if not self._agreed(level) and not (self._chosen_anew() and self._agreed(level)):
            return Recorded.NO_CONSENT
        at = self._clock()
        try:
            reason = admit(self._config, level, module, name, self._share)
            if reason is not None:
                return self._count_refused(reason, level, at)
            rate = rate_of(self._config, level, module, name)
            content = Content(
                module=module,
                event_name=name,
                level=level,
                message=message,
                error_domain=error_domain,
                error_code=error_code,
                tags=tags,
                metrics=metrics,
                dictation=dictation,
                user_id=user_id,
                sample_rate=None if rate == 1 else rate,
            )
            body = encode_content(content)
            judge_content(content)
        except Refused as refused:
            if refused.reason != "pii_detected":
                log.warning("event refused: %s %s", refused.reason, refused.field)
            return self._count_refused(refused.reason, level, at)
        except _UNREADABLE as error:
            log.warning("event refused: %s", type(error).__name__)
            return self._count_refused("bad_type", level, at)
        return self._keep(_Captured(new_id(), level, at, body))

    def _keep(self, event: _Captured) -> Recorded:
        if not self._lock.acquire(timeout=DISK_S):
            return self._hold(event)
        try:
            if self._held and self._write_held():
                return self._hold(event)
            outcome = self._write(event)
        finally:
            self._lock.release()
        if outcome is None:
            return self._hold(event)
        if outcome is Recorded.STORED:
            self._unseen += 1
            if self._unseen >= self._worker.wake_after:
                self._unseen = 0
                self._worker.wake()
        return outcome

    def _write(self, event: _Captured) -> Recorded | None:
        """Under the lock. None where the disk refuses for now."""
        if self._store is None:
            return None
        try:
            for _ in range(2):
                if not self._constant:
                    self._number_session(self._store)
                body = b'%b,%b,"id":"%b","eventSeq":%d,"occurredAt":"%b"}' % (
                    event.content[:-1],
                    self._constant,
                    event.id.encode(),
                    self._event_seq + 1,
                    format_time(event.at).encode(),
                )
                if self._store.add(NewEvent(event.id, event.level, event.at, body), self._epoch):
                    self._event_seq += 1
                    return Recorded.STORED
                # Another process has changed the user's choice or the install: see which, and ask once more.
                self._look_again(self._store)
                if not self._agreed(event.level):
                    return Recorded.NO_CONSENT
        except (StoreUnavailable, OSError):
            return None
        except StoreDamaged as error:
            log.warning("the queue is damaged and set aside: %s", error)
            self._set_aside()
            return None
        return Recorded.NO_CONSENT

    def _hold(self, event: _Captured) -> Recorded:
        """Keep it in memory; beyond the bound the oldest goes, and is counted when the disk is back."""
        self._held.append(event)
        while len(self._held) > HELD_EVENTS:
            self._overflowed[self._held.popleft().level] += 1
        if len(self._held) == 1:
            self._worker.wake()
        return Recorded.HELD

    def _count_refused(self, reason: str, level: Level, at: float) -> Recorded:
        store = self._store
        if store is not None:
            try:
                store.count("rejected", reason, level, at)
            except (StoreUnavailable, StoreDamaged) as error:
                log.info("a refusal was not counted: %s", error)
        return Recorded.REFUSED

    def write_held(self) -> int:
        """Write what is held in memory to the queue; returns how many are still held. Called by the worker."""
        with self._lock:
            self._unseen = 0
            if not self._closed and (self._store is None or not self._store.is_current):
                self._reopen()
            return self._write_held() if self._held or self._overflowed else 0

    def _write_held(self) -> int:
        while self._held:
            if self._write(self._held[0]) is None:
                return len(self._held)
            self._held.popleft()
        try:
            for level, count in list(self._overflowed.items()):
                if self._store is not None:
                    self._store.count("evicted", "memory_full", level, self._clock(), count)
                    del self._overflowed[level]
        except (StoreUnavailable, StoreDamaged):
            pass  # counted when the disk is back
        return 0

    # --------------------------------------------------------------------------------------------------- the user

    @property
    def consent(self) -> Consent:
        return self._consent

    def choose(self, consent: Consent) -> None:
        """Obey the user's choice at once: what it does not cover is purged, nothing of it is sent any more.

        When this returns after "off", the queue is empty on the disk too, and no byte of it leaves the machine.
        """
        with self._lock:
            self._consent = consent
            self._min_level = MIN_LEVEL[consent]
            for event in [each for each in self._held if not self._agreed(each.level)]:
                self._held.remove(event)
            self._unwritten = consent
            self._read_choice()
            if self._unwritten is not None:
                log.warning("the choice cannot be written down and holds for this session")
            if self._sender is not None:
                self._sender.stop()
            self._obey()
        self._worker.wake(flush=True)

    def _obey(self) -> None:
        """Under the lock: bring the queue in line with the choice."""
        if self._store is None:
            return
        try:
            self._store.open_gate(self._min_level)
            self._know_install(self._store)
        except (StoreUnavailable, StoreDamaged, OSError) as error:
            # The next look at the store, by the worker or by record(), compares gate and choice again.
            log.warning("the queue could not be purged yet: %s", error)
            self._store.close()
            self._store = None

    def forget_me(self) -> None:
        """Ask the service to erase this install, erase it here, and go on, if the user still agrees, as another one."""
        with self._lock:
            self._held.clear()
            self._overflowed.clear()
            try:
                self._identity.ask_erasure()
                if self._sender is not None:
                    self._sender.stop()
                self._begin_anew()
            except (StoreUnavailable, StoreDamaged, OSError) as error:
                log.warning("erasure is finished at the next start: %s", error)
        self._worker.wake(flush=True)

    def _begin_anew(self) -> None:
        """Under the lock. Written down before it is done, so that a crash in between is made good (_reopen)."""
        if self._store is not None:
            self._store.begin_anew("forgotten", self._min_level)
        self._identity.discard()
        if self._store is not None:
            self._look_again(self._store)

    def purge(self) -> None:
        """Empty the queue; the choice stays."""
        with self._lock:
            self._held.clear()
            if self._sender is not None:
                self._sender.stop()
            try:
                if self._store is not None:
                    self._store.purge("asked")
            except (StoreUnavailable, StoreDamaged) as error:
                log.warning("the queue could not be purged: %s", error)

    def pause(self) -> None:
        """Send nothing until `resume`, over restarts; recording goes on."""
        if self._store is not None:
            try:
                self._store.put(user_paused=True)
            except (StoreUnavailable, StoreDamaged) as error:
                log.warning("not paused: %s", error)
        if self._sender is not None:
            self._sender.stop()

    def resume(self) -> None:
        if self._store is not None:
            try:
                self._store.put(user_paused=None)
            except (StoreUnavailable, StoreDamaged) as error:
                log.warning("not resumed: %s", error)
        self._worker.resume()

    # ---------------------------------------------------------------------------------------------------- the app

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Deliver now what may be delivered now; whether that was done within the time."""
        if not self._worker.runs:
            return False
        self._worker.wake(flush=True)
        return self._worker.wait_until_idle(timeout_s)

    def network_changed(self, *, online: bool, metered: bool = False) -> None:
        self._worker.metered = metered
        if online:
            self._worker.reconnect()

    def phase(self, name: str) -> None:
        """What the app is doing, for the report of a crash: a fixed name such as "recording"."""
        if self._session is not None:
            self._session.phase(name)

    def close(self, budget_s: float = EXIT_S) -> None:
        """End cleanly within the budget. Needs no network: what is queued is sent after the next start."""
        with self._lock:
            self._closed = True
            self._write_held()
            if self._store is not None:
                self._store.close()
                self._store = None
        self._worker.stop(budget_s)
        if self._session is not None:
            self._session.end()
            self._session = None
        _clients.discard(self)

    # -------------------------------------------------------------------------------------------- told by the worker

    def configured(self, config: Config) -> None:
        self._config = config

    def erased(self) -> None:
        with self._lock:
            self._held.clear()
            self._consent, self._min_level, self._unwritten = "unset", CLOSED, None
            self._consent_mark = self._identity.consent_mark

    # ------------------------------------------------------------------------------------------------------- inside

    def _agreed(self, level: Level) -> bool:
        return LEVELS.index(level) >= self._min_level

    def _chosen_anew(self) -> bool:
        """Whether another process has written a choice since we last looked."""
        if self._identity.consent_mark == self._consent_mark:
            return False
        with self._lock:
            if self._store is None:
                self._read_choice()
            else:
                try:
                    self._look_again(self._store)
                except (StoreUnavailable, StoreDamaged, OSError):
                    return False
        return True

    def _reopen(self) -> None:
        """Under the lock: open the queue, bring it in line with the choice, begin a session in it."""
        if self._store is not None:
            self._store.close()
            self._store = None
        damaged = file_identity(self._home)
        try:
            store = Store(self._home)
        except StoreUnavailable as error:
            log.info("the queue is not available: %s", error)
            self._read_choice()
            return
        except StoreDamaged as error:
            log.warning("the queue is damaged and set aside: %s", error)
            self._set_aside(damaged)
            return
        try:
            self._read_choice()
            install = self._identity.install
            if install is not None and any(each.id == install.id for each in self._identity.erasures()):
                store.begin_anew("forgotten", self._min_level)
                self._identity.discard()
            self._look_again(store)
            self._config = store.get("config", Config) or self._config
            self._store = store
        except (StoreUnavailable, OSError) as error:
            log.info("the queue is not available: %s", error)
            store.close()
        except StoreDamaged as error:
            log.warning("the queue is damaged and set aside: %s", error)
            store.close()
            self._set_aside(damaged)

    def _read_choice(self) -> None:
        """Under the lock: the user's choice as it stands on the disk, once ours has been written there."""
        self._consent_mark = self._identity.consent_mark
        if self._unwritten is not None:
            try:
                self._identity.choose(self._unwritten)
            except OSError:
                return
            self._unwritten = None
            self._consent_mark = self._identity.consent_mark
        self._consent = self._identity.consent
        self._min_level = MIN_LEVEL[self._consent]

    def _look_again(self, store: Store) -> None:
        """Under the lock: take over choice and install as they stand on the disk."""
        self._read_choice()
        if store.min_level != self._min_level:
            store.open_gate(self._min_level)
        self._know_install(store)

    def _know_install(self, store: Store) -> None:
        """Under the lock: be the install that the disk says."""
        self._epoch = store.epoch
        if self._min_level == CLOSED:
            return
        install = self._identity.ensure_install()
        if install.id == self._template.anonymous_install_id:
            return
        if self._template.anonymous_install_id != _NO_INSTALL:
            # Another install is another session, so that nothing links the two.
            self._new_session()
        self._template = replace(self._template, anonymous_install_id=install.id)
        self._share = share_of_sampling(install.id)

    def _new_session(self) -> None:
        self._session_id = new_id()
        self._event_seq = 0
        self._constant = b""

    def _number_session(self, store: Store) -> None:
        """A session gets its number with its first event: one without events would look like a lost one."""
        self._template = replace(self._template, session_id=self._session_id, session_seq=store.next_number("session"))
        self._constant = _constant_part(self._template)

    def _set_aside(self, damaged: tuple[int, int] | None = None) -> None:
        """Under the lock: begin with a new file; what is refused until then is held."""
        if self._store is not None:
            damaged = self._store.file
            self._store.close()
            self._store = None
        try:
            set_aside(self._home, self._clock(), damaged)
        except (StoreUnavailable, StoreDamaged) as error:
            log.info("the damaged queue stays for now: %s", error)

    def before_fork(self) -> None:
        """Let no SQLite call be under way: its global locks would stay locked for ever in the child."""
        self._stilled = [each for each in (self._store, self._worker.store) if each is not None and each.still()]

    def after_fork_in_parent(self) -> None:
        for each in self._stilled:
            each.go_on()

    def after_fork(self) -> None:
        """In a forked child: another session, with a connection of its own, delivered by whoever runs a worker."""
        if self._store is not None:
            self._store.abandon()
        self._worker.abandon()
        self._lock = threading.Lock()
        self._store = None
        self._held.clear()
        self._overflowed.clear()
        self._session = None
        self._new_session()
        # A shutdown by the child would end the parent's connection.
        self._sender = None
        self._worker = Worker(self._home, None, self._worker.query, self, clock=self._clock)
        with self._lock:
            self._reopen()


def _template(profile: Profile) -> Event:
    """An event with all that never changes; checked as a whole."""
    made: dict[str, Any] = {name: getattr(profile, name) for name in profile.__struct_fields__}
    event = Event(
        **made,
        id=_NO_INSTALL,
        module="lifecycle",
        event_name="none",
        level="info",
        session_id=_NO_INSTALL,
        session_seq=0,
        event_seq=0,
        anonymous_install_id=_NO_INSTALL,
        occurred_at="1970-01-01T00:00:00.000Z",
        schema_version=1,
    )
    try:
        body = encode_event(event)
        parse_event(body)
        judge_privacy(msgspec.json.decode(body))
    except Refused as refused:
        raise ValueError(f"profile: {refused.reason} {refused.field}") from None
    return event


_CONTENT: Final = frozenset(field.encode_name for field in msgspec.structs.fields(Content))
_OWN: Final = frozenset({"id", "eventSeq", "occurredAt"})


def _constant_part(event: Event) -> bytes:
    """What all events of a session have in common, as it stands in each of them: encoded once."""
    fields = msgspec.json.decode(encode_event(event))
    return msgspec.json.encode({key: value for key, value in fields.items() if key not in _CONTENT | _OWN})[1:-1]


_clients: weakref.WeakSet[Telemetry] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for client in list(_clients):
        client.close()


def _each(act: Callable[[Telemetry], None]) -> Callable[[], None]:
    def act_on_all() -> None:
        for client in list(_clients):
            act(client)

    return act_on_all


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(Telemetry.before_fork),
        after_in_parent=_each(Telemetry.after_fork_in_parent),
        after_in_child=_each(Telemetry.after_fork),
    )
