"""What the app calls. Nothing here raises into it, and nothing here waits for the network.

    record ─▶ the user's choice ─▶ form ─▶ personal data ─▶ the service's wishes ─▶ store.add ─▶ worker.wake
                                                                                      │ disk refuses
                                                                                      └▶ held in memory, written later

When `record` returns STORED, the event is on disk: it survives `kill -9`, and for error and fatal the loss of power.

Absent here: delivering (worker), numbers (policy), what stands around an event's content (envelope), the memory for
events that the disk refuses (held), the user's choice in many processes (choice), forks and the end (lifetime).

Imports: calls, choice, crash, envelope, held, identity, lifetime, policy, sender, store, wire, worker. May be imported
by: the app, as `telemetry`.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from telemetry import calls, lifetime
from telemetry.choice import Choice
from telemetry.crash import Crash, Session
from telemetry.envelope import Envelope, Profile
from telemetry.held import Captured, Held
from telemetry.identity import Identity
from telemetry.policy import DISK_S, EXIT_S, QUIET_S, Consent, admit, rate_of
from telemetry.schema import CLOSED
from telemetry.sender import Sender
from telemetry.store import NewEvent, Store, StoreDamaged, StoreUnavailable, file_identity, set_aside
from telemetry.wire import (
    LEVELS,
    Config,
    Content,
    Dictation,
    Level,
    Refused,
    encode_content,
    judge_content,
    new_id,
    share_of_sampling,
)
from telemetry.worker import Worker

log = logging.getLogger(__name__)

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
        self._held = Held()
        self._config = Config()
        self._choice = Choice(self._identity)
        self._epoch = 1
        self._share = 0.0
        self._closed = False
        self._unseen = 0
        self._envelope = Envelope(profile)
        self._session: Session | None = None
        self._sender = Sender(home, url, product_key) if url else None
        self._worker = Worker(home, self._sender, profile.query(), self, clock=clock)
        self.crashes: tuple[Crash, ...] = ()
        """Sessions of this install that ended uncleanly since the last start, found by `start`."""

        with self._lock:
            self._reopen()
        lifetime.began(self)

    def start(self) -> None:
        """Look for crashes, begin the session, begin to deliver."""
        self._session, self.crashes = Session.begin(self._home, self._envelope.session_id, self._clock)
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
        if not self._choice.admits(level) and not (self._chosen_anew() and self._choice.admits(level)):
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
        return self._keep(Captured(new_id(), level, at, body))

    def _keep(self, event: Captured) -> Recorded:
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

    def _write(self, event: Captured) -> Recorded | None:
        """Under the lock. None where the disk refuses for now."""
        if self._store is None:
            return None
        try:
            for _ in range(2):
                if not self._envelope.is_numbered:
                    self._envelope.number(self._store.next_number("session"))
                body = self._envelope.body(event.content, event.id, event.at)
                if self._store.add(NewEvent(event.id, event.level, event.at, body), self._epoch):
                    self._envelope.entered()
                    return Recorded.STORED
                # Another process has changed the user's choice or the install: see which, and ask once more.
                self._look_again(self._store)
                if not self._choice.admits(event.level):
                    return Recorded.NO_CONSENT
        except (StoreUnavailable, OSError):
            return None
        except StoreDamaged as error:
            log.warning("the queue is damaged and set aside: %s", error)
            self._set_aside()
            return None
        return Recorded.NO_CONSENT

    def _hold(self, event: Captured) -> Recorded:
        """Keep it in memory; what that cannot hold is counted when the disk is back."""
        self._held.hold(event)
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

    def catch_up(self) -> int:
        """Take over what another process has chosen, and write what is held in memory; how many are still held.

        Called by the worker, before each look at what is to be done.
        """
        with self._lock:
            self._unseen = 0
            if not self._closed and (self._store is None or not self._store.is_current):
                self._reopen()
            elif self._store is not None and self._choice.is_stale:
                self._look_again(self._store)
            return self._write_held() if self._held else 0

    def _write_held(self) -> int:
        while (event := self._held.take()) is not None:
            if self._write(event) is None:
                self._held.put_back(event)
                return len(self._held)
        try:
            for level, count in list(self._held.overflowed.items()):
                if self._store is not None:
                    self._store.count("evicted", "memory_full", level, self._clock(), count)
                    del self._held.overflowed[level]
        except (StoreUnavailable, StoreDamaged):
            pass  # counted when the disk is back
        return 0

    # --------------------------------------------------------------------------------------------------- the user

    @property
    def consent(self) -> Consent:
        return self._choice.consent

    def choose(self, consent: Consent) -> None:
        """Obey the user's choice at once: what it does not cover is purged, nothing of it is sent any more.

        When this returns after "off", the queue is empty on the disk too, and no byte of it leaves the machine.
        """
        with self._lock:
            if not self._choice.make(consent):
                log.warning("the choice cannot be written down and holds for this session")
            self._held.keep_only(lambda event: self._choice.admits(event.level))
            self._stop_sending()
            self._obey()
        self._wait_until_quiet()
        self._worker.wake(flush=True)

    def _obey(self) -> None:
        """Under the lock: bring the queue in line with the choice."""
        if self._store is None:
            return
        try:
            self._store.open_gate(self._choice.min_level)
            self._know_install(self._store)
        except (StoreUnavailable, StoreDamaged, OSError) as error:
            # The next look at the store, by the worker or by record(), compares gate and choice again.
            log.warning("the queue could not be purged yet: %s", error)
            self._store.close()
            self._store = None

    def forget_me(self) -> bool:
        """Ask the service to erase this install, erase it here, and go on, if the user still agrees, as another one.

        Returns whether it is erased here; where the queue cannot be opened now, that is done when it can.
        """
        with self._lock:
            self._held.clear()
            try:
                self._identity.ask_erasure()
                done = self._begin_anew()
            except (StoreUnavailable, StoreDamaged, OSError) as error:
                log.warning("erasure is finished at the next start: %s", error)
                done = False
            self._stop_sending()
        self._wait_until_quiet()
        self._worker.wake(flush=True)
        return done

    def _begin_anew(self) -> bool:
        """Under the lock. Written down before it is done, so that a crash in between is made good (_reopen)."""
        if self._store is None:
            return False  # and the install stays, by which _reopen knows whose queue it is
        self._store.begin_anew("forgotten", self._choice.min_level)
        self._identity.discard()
        self._look_again(self._store)
        return True

    def purge(self) -> bool:
        """Empty the queue; the choice stays. Returns whether it is empty now."""
        with self._lock:
            self._held.clear()
            done = self._store is not None
            try:
                if self._store is not None:
                    self._store.purge("asked")
            except (StoreUnavailable, StoreDamaged) as error:
                log.warning("the queue could not be purged: %s", error)
                done = False
            self._stop_sending()  # now there is nothing that another call could be made of
        self._wait_until_quiet()
        return done

    def pause(self) -> bool:
        """Send nothing until `resume`, over restarts; recording goes on. Returns whether it is so now."""
        done = self._note_pause(paused=True)
        self._stop_sending()
        self._wait_until_quiet()
        return done

    def _note_pause(self, *, paused: bool) -> bool:
        if self._store is None:
            return False
        try:
            self._store.put(user_paused=paused or None)
        except (StoreUnavailable, StoreDamaged) as error:
            log.warning("not %s: %s", "paused" if paused else "resumed", error)
            return False
        return True

    def _stop_sending(self) -> None:
        """End the call that is under way: here at once, in other processes when they look next."""
        self._identity.call_off()
        if self._sender is not None:
            self._sender.stop()

    def _wait_until_quiet(self) -> None:
        """Until the other processes have looked. Not under the lock: meanwhile there may be something to record."""
        if not calls.wait_until_quiet(self._home, QUIET_S):
            log.info("a call to the service has not ended yet")

    def resume(self) -> bool:
        """End every pause. Returns whether the user's own is over."""
        done = self._note_pause(paused=False)
        self._worker.resume()
        return done

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

    @property
    def fault_file(self) -> Path | None:
        """Where faulthandler shall write, so that the next start can say in which function this one crashed."""
        return None if self._session is None else self._session.faults

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
        lifetime.ended(self)

    # -------------------------------------------------------------------------------------------- told by the worker

    def configured(self, config: Config) -> None:
        self._config = config

    def erased(self) -> None:
        with self._lock:
            self._held.clear()
            self._choice.revoke()

    # ------------------------------------------------------------------------------------------------------- inside

    def _chosen_anew(self) -> bool:
        """Whether another process has written a choice since we last looked."""
        if not self._choice.is_stale:
            return False
        with self._lock:
            if self._store is None:
                self._choice.refresh()
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
            self._choice.refresh()
            return
        except StoreDamaged as error:
            log.warning("the queue is damaged and set aside: %s", error)
            self._set_aside(damaged)
            return
        try:
            self._choice.refresh()
            install = self._identity.install
            if install is not None and any(each.id == install.id for each in self._identity.erasures()):
                store.begin_anew("forgotten", self._choice.min_level)
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

    def _look_again(self, store: Store) -> None:
        """Under the lock: take over choice and install as they stand on the disk."""
        self._choice.refresh()
        if store.min_level != self._choice.min_level:
            store.open_gate(self._choice.min_level)
        self._know_install(store)

    def _know_install(self, store: Store) -> None:
        """Under the lock: be the install that the disk says."""
        self._epoch = store.epoch
        if self._choice.min_level == CLOSED:
            return
        install = self._identity.ensure_install()
        if not self._envelope.is_of(install.id):
            self._envelope.belong_to(install.id)
            self._share = share_of_sampling(install.id)

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

    def after_fork(self) -> None:
        """In a forked child: another session, with a connection of its own, delivered by whoever runs a worker."""
        if self._store is not None:
            self._store.abandon()
        self._worker.abandon()
        self._lock = threading.Lock()
        self._store = None
        self._held = Held()
        self._session = None
        self._envelope.begin_session()
        # A shutdown by the child would end the parent's connection.
        self._sender = None
        self._worker = Worker(self._home, None, self._worker.query, self, clock=self._clock)
        with self._lock:
            self._reopen()
