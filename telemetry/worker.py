"""The thread that delivers: it looks at the situation, asks policy what is next, and does that.

    step() ─▶ Situation ─▶ policy.next_task ─▶ one exchange or none ─▶ seconds until the next step, or None to rest

A step is complete in itself; tests take steps by hand, with a clock of their own. The thread takes one after the other,
sleeping in between, and is woken by `wake`. It needs no orderly end: what is in flight when the process dies is sent
again by the next one.

Absent here: every decision and number (policy), recording (client).

Imports: identity, policy, sender, store, wire. May be imported by: client, inspect.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol, assert_never

import msgspec
from msgspec.structs import replace

from telemetry.identity import MIN_LEVEL, Identity, Install
from telemetry.policy import (
    Connection,
    Consent,
    Erase,
    FetchConfig,
    Register,
    Rest,
    Sent,
    Situation,
    Sleep,
    Task,
    Upload,
    anchored,
    judge_config,
    judge_erasure,
    judge_events,
    judge_registration,
    next_task,
    reconnected,
    restarted,
)
from telemetry.schema import CLOSED
from telemetry.sender import Sender, Ticket
from telemetry.store import Leased, Store, StoreDamaged, StoreUnavailable, file_identity, set_aside
from telemetry.wire import Config, Event, format_time

log = logging.getLogger(__name__)

TIDY_EVENTS: Final = 500
"""While nothing can be sent: after so many events the log, some 6 MB by then, is moved into the file."""

DISK_AGAIN_S: Final = 5.0
"""After the disk refused: how soon it is asked again, so that events held in memory are written."""


def _chance() -> float:
    """Uniform in [0, 1). The module `random` would cost every start 5 ms."""
    return int.from_bytes(os.urandom(6)) / 2**48


class Owner(Protocol):
    """Who runs the worker: the client, or a command that delivers without one."""

    @property
    def consent(self) -> Consent: ...

    def catch_up(self) -> int:
        """Take over what another process has chosen, and write what is held in memory; how many are still held."""

    def configured(self, config: Config) -> None:
        """The service's configuration has come, or was read from the disk."""

    def erased(self) -> None:
        """The service erased this install; the queue and the consent are gone."""


class Worker:
    def __init__(
        self,
        home: Path,
        sender: Sender | None,
        query: Mapping[str, str],
        owner: Owner,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = _chance,
    ) -> None:
        """Nothing happens before `start` or `step`.

        Args:
            home: the folder of queue and identity.
            sender: None: there is no service, the queue is only kept in order.
            query: the fields that GET /config asks with, but for the install id; events are compared with them.
            owner: told of what concerns it, on the worker's thread.
        """
        self._home = home
        self._sender = sender
        self.query = query
        self._owner = owner
        self._clock = clock
        self._chance = chance
        self._identity = Identity(home)
        self.store: Store | None = None
        """The worker's own connection, once it has one."""

        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._woken = False
        self._flush = True
        self._adjustments: list[Callable[[Connection], Connection]] = [restarted]
        self._ending = False
        self._resting = False
        self._untidy = True
        self.metered = False
        self.wake_after = 1
        """New events after which a look is worth it; the recording thread counts, and wakes for nothing less."""

    # ------------------------------------------------------------------------------------------------------ thread

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wake(self, *, flush: bool = False) -> None:
        """Look at the situation now; with `flush`, deliver what there is without waiting for the interval."""
        with self._changed:
            self._woken = True
            self._resting = False
            self._flush = self._flush or flush
            self._changed.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Whether, within that time, there was nothing left that could be done now."""
        with self._changed:
            return self._changed.wait_for(lambda: self._resting or self._ending, timeout_s)

    def stop(self, timeout_s: float) -> bool:
        """End; whether the thread ended within that time. It may be left behind: nothing depends on its end."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._sender is not None:
            self._sender.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        if self._thread is None:
            self._close()
        return not self.runs

    def _close(self) -> None:
        self._close_store()
        if self._sender is not None:
            self._sender.close()

    def _run(self) -> None:
        while not self._ending:
            wait_s = self.step()
            with self._changed:
                if wait_s != 0 and not self._woken:
                    self._resting = True
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._woken or self._ending, wait_s)
        self._close()

    def abandon(self) -> None:
        """In a forked child: the thread is not here, and the connection is the parent's."""
        if self.store is not None:
            self.store.abandon()

    # -------------------------------------------------------------------------------------------------------- step

    def step(self) -> float | None:
        """Do the next thing. Returns seconds until there may be another: 0 at once, None when woken."""
        with self._changed:
            self._woken = False
        # The ticket comes before every look: what changes after it makes the call impossible.
        ticket = None if self._sender is None else self._sender.ticket
        try:
            held = self._owner.catch_up()
            wait_s = self._take_step(self._open(), ticket)
            return self._idle(wait_s, at_most_s=DISK_AGAIN_S) if held else wait_s
        except StoreUnavailable as error:
            log.info("the queue is not available: %s", error)
            self._close_store()
            return DISK_AGAIN_S
        except StoreDamaged as error:
            log.warning("the queue is damaged and set aside: %s", error)
            self._set_aside()
            return DISK_AGAIN_S if self.store is None else 0
        except OSError as error:  # an identity file that the disk refuses
            log.info("the disk refuses: %s", type(error).__name__)
            return DISK_AGAIN_S

    @staticmethod
    def _idle(wait_s: float | None, at_most_s: float) -> float:
        return at_most_s if wait_s is None else min(wait_s, at_most_s)

    def _take_step(self, store: Store, ticket: Ticket | None) -> float | None:
        now = self._clock()
        situation = self._look(store, self._adjusted(store), now)
        if self._sender is None or ticket is None:
            return self._settle_down(store, Rest(), situation)
        task = next_task(situation)
        if isinstance(task, Sleep | Rest):
            return self._settle_down(store, task, situation)
        self._untidy = True
        if not self._perform(task, store, self._sender, situation, ticket):
            self._flush_is_over()
        return 0

    def _look(self, store: Store, connection: Connection, now: float) -> Situation:
        backlog = store.backlog(now)
        install = self._identity.install
        return Situation(
            now=now,
            connection=connection,
            config=store.get("config", Config) or Config(),
            consent=self._owner.consent,
            config_at=store.get("config_at", float),
            ready=backlog.ready,
            ready_fresh=backlog.ready_fresh,
            next_ready_at=backlog.next_ready_at,
            registered=install is not None and bool(install.token),
            erasures=len(self._identity.erasures()),
            flush=self._flush,
            metered=self.metered,
            user_paused=bool(store.get("user_paused", bool)),
        )

    def _settle_down(self, store: Store, task: Sleep | Rest, s: Situation) -> float | None:
        self._flush_is_over()
        self.wake_after = self._worth_a_look(s)
        if self._untidy or s.ready:
            store.tidy(s.now, s.config.max_age_days)
            self._untidy = False
        if store.backlog(s.now).ready > s.ready:
            return 0  # recorded since the look, perhaps by a thread that still went by the old `wake_after`
        return task.for_s if isinstance(task, Sleep) else None

    def _worth_a_look(self, s: Situation) -> int:
        waits = s.user_paused or s.connection.wait or s.connection.pause or not s.config.enabled
        if self._sender is None or waits:
            return TIDY_EVENTS
        # The first event sets the interval going, a full batch ends it.
        return max(1, s.config.batch_size - s.ready) if s.ready else 1

    def _flush_is_over(self) -> None:
        """Unless somebody has asked for another since this step began."""
        with self._changed:
            self._flush = self._flush and self._woken

    def _perform(self, task: Task, store: Store, sender: Sender, situation: Situation, ticket: Ticket) -> bool:
        """Whether the exchange did what it was meant to."""
        match task:
            case Register():
                return self._register(store, sender, situation, self._identity.ensure_install(), ticket)
            case Erase():
                return self._erase(store, sender, situation, ticket)
            case FetchConfig():
                return self._fetch_config(store, sender, situation, ticket)
            case Upload():
                return self._upload(task, store, sender, situation, ticket)
            case Sleep() | Rest():
                return True
            case _:
                assert_never(task)

    def _register(self, store: Store, sender: Sender, s: Situation, install: Install, ticket: Ticket) -> bool:
        answer = sender.register(install, self.query["platform"], ticket)
        judged = judge_registration(answer, s.connection, s.now, self._chance())
        if judged.token:
            self._identity.keep_token(install, judged.token)
        if judged.new_identity:
            if any(each.id == install.id for each in self._identity.erasures()):
                # The service knows that id by another secret: we can never speak for it.
                self._identity.end_erasure(install)
            else:
                log.info("the install id is taken: another one is made")
                self._identity.discard()
                self._identity.ensure_install()
                store.begin_anew("new_identity", MIN_LEVEL[self._owner.consent])
        store.put(connection=judged.connection)
        return bool(judged.token) or judged.new_identity

    def _erase(self, store: Store, sender: Sender, s: Situation, ticket: Ticket) -> bool:
        install = self._identity.erasures()[0]
        if not install.token:
            return self._register(store, sender, s, install, ticket)
        judged = judge_erasure(sender.erase(install, ticket), s.connection, s.now, self._chance())
        if judged.done:
            self._identity.end_erasure(install)
        if judged.register:
            self._identity.keep_token(install, "")
        store.put(connection=judged.connection)
        return judged.done or judged.register

    def _fetch_config(self, store: Store, sender: Sender, s: Situation, ticket: Ticket) -> bool:
        install = self._identity.ensure_install()
        query = {**self.query, "anonymousInstallId": install.id}
        answer = sender.configuration(install, query, store.get("config_etag", str), ticket)
        judged = judge_config(answer, s.config, s.connection, s.now, self._chance())
        if judged.forget_token:
            self._identity.keep_token(install, "")
        if judged.config is not None:
            store.put(config=judged.config, config_etag=judged.etag)
            store.limit(judged.config)
            self._owner.configured(judged.config)
        if judged.asked:
            store.put(config_at=s.now)
        store.put(connection=judged.connection)
        return judged.asked or judged.forget_token

    def _upload(self, task: Upload, store: Store, sender: Sender, s: Situation, ticket: Ticket) -> bool:
        install = self._identity.ensure_install()
        leased = store.lease(task.limit, s.now, fresh_only=task.fresh_only)
        if leased is None:
            # All that was ready waits with its budget, or another process has taken it.
            store.put(connection=replace(s.connection, last_upload_at=s.now))
            return False
        answer = sender.upload(install, batch_body(leased, s.now), ticket)
        of_users = frozenset(row.id.lower() for row in leased.rows if b'"userId":' in row.body)
        sent = Sent(leased.batch_id, [row.id for row in leased.rows], leased.deferred, of_users)
        judged = judge_events(answer, sent, s.connection, self._clock(), self._chance())
        if judged.erased:
            self._be_erased(store)
            return False
        if judged.config_etag is not None and self._concerns_us(leased):
            stale = judged.config_etag != store.get("config_etag", str)
            judged = replace(judged, connection=replace(judged.connection, config_stale=stale))
        store.settle(leased, judged, self._clock())
        if judged.forget_token:
            self._identity.keep_token(install, "")
        return bool(judged.settled) or judged.split or judged.forget_token

    def _concerns_us(self, leased: Leased) -> bool:
        """Whether the configuration that the answer speaks of is the one asked for with our fields."""
        try:
            first = msgspec.to_builtins(msgspec.json.decode(leased.rows[0].body, type=Event))
        except msgspec.MsgspecError:
            return False
        return all(first.get(key) == value for key, value in self.query.items())

    def _be_erased(self, store: Store) -> None:
        """The service erased this install: purge, be silent, and be as before the first consent."""
        log.info("the service erased this install")
        self._identity.choose("unset")
        self._identity.discard()
        store.begin_anew("erased", CLOSED)
        self._owner.erased()

    # ------------------------------------------------------------------------------------------------------- store

    def reconnect(self) -> None:
        """The network has come back: our own backoff has lost its reason. What costs money keeps to its interval."""
        self._adjust(reconnected, flush=not self.metered)

    def resume(self) -> None:
        """End every pause but the user's own."""
        self._adjust(restarted)

    def _adjust(self, change: Callable[[Connection], Connection], *, flush: bool = True) -> None:
        """With the next step; a command whose worker never runs does it at once."""
        with self._changed:
            self._adjustments.append(change)
        if self.runs:
            self.wake(flush=flush)
        else:
            try:
                self._adjusted(self._open())
            except (StoreUnavailable, StoreDamaged) as error:
                log.info("not noted: %s", error)

    def _adjusted(self, store: Store) -> Connection:
        """The connection as it is after all that was asked for, and after the clock went back."""
        with self._changed:
            changes, self._adjustments = self._adjustments, []
        connection = store.connection()
        if changes:
            for change in changes:
                connection = change(connection)
            store.put(connection=connection)
        return anchored(connection, self._clock())

    def _open(self) -> Store:
        if self.store is not None and not self.store.is_current:
            self._close_store()
        if self.store is None:
            self.store = Store(self._home, wait_s=2.0)
            config = self.store.get("config", Config)
            if config is not None:
                self._owner.configured(config)
        return self.store

    def _close_store(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None

    def _set_aside(self) -> None:
        damaged = file_identity(self._home) if self.store is None else self.store.file
        self._close_store()
        try:
            set_aside(self._home, self._clock(), damaged)
            store = self._open()
            store.open_gate(MIN_LEVEL[self._owner.consent])
        except (StoreUnavailable, StoreDamaged) as error:
            log.info("the damaged queue stays for now: %s", error)


def batch_body(leased: Leased, now: float) -> bytes:
    """The body of POST /events; the events stand in it byte for byte as they are stored."""
    ledger = msgspec.json.encode(leased.ledger)
    return b'{"batchId":"%b","sentAt":"%b","events":[%b],"ledger":%b}' % (
        leased.batch_id.encode(),
        format_time(now).encode(),
        b",".join(row.body for row in leased.rows),
        ledger,
    )
