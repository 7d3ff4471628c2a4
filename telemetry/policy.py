"""What the client does next, and what an answer means. Every number of the client stands here with its reason.

    Situation ──next_task──▶ Register │ Erase │ FetchConfig │ Upload(n) │ Wait(s) │ Rest
    Answer ──judge_…──▶ what to do with the rows, and the Connection as it is now

Rule 1. This file performs nothing: time and chance are passed in, the worker obeys.
Rule 2. Only a verdict ends an event. Whatever is no verdict leaves it pending.
Rule 3. What must survive a restart is in Connection, which is stored whole.
Rule 4. A clock that jumps lengthens a wait at most once by its own length, and never makes it eternal (`anchored`).

Imports: wire. May be imported by: store (limits), sender (Answer), worker, client, inspect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from telemetry.wire import (
    LEVELS,
    MAX_BATCH_EVENTS,
    REASONS,
    STATUSES,
    Config,
    InstallAnswer,
    Level,
    Reason,
    Sampling,
    parse_time,
)

BACKOFF_FIRST_S: Final = 1.0
"""A service that restarts is back within seconds; the contract's lower end."""
BACKOFF_MOST_S: Final = 900.0
"""A quarter of an hour: 96 attempts a day from a client that never gets through; the contract's upper end."""
ORDERED_MOST_S: Final = 86_400.0
"""A longer wait ordered by the service is a mistake of its own; the contract's bound."""
PAUSE_S: Final = 3600.0
"""Something is wrong that time alone will not mend: one more look an hour; the contract's number."""
CONFIG_AGE_S: Final = 3600.0
"""The configuration is asked for again after this time; the contract's number."""
METERED_INTERVAL_S: Final = 900.0
"""On a connection that costs money: a quarter of an hour, since each exchange wakes a radio."""
LONE_REFUSALS: Final = 3
"""So many single events refused in a row without a 200 between: something on the way refuses everything."""
BATCH_BYTES: Final = 500 * 1024
"""Plain bytes of a batch's events. Below the limit of a compressed body, so that no compression can exceed it."""
SOONEST_S: Final = 0.05
"""The shortest sleep; what is left of a longer one after rounding is no reason to spin."""
LEASE_S: Final = 60.0
"""Twice the longest exchange: a lease that has run out belongs to a process that died."""
CONNECT_S: Final = 3.05
READ_S: Final = 10.0
EXCHANGE_S: Final = 30.0
"""The whole of one call, however slowly its bytes come."""
ANSWER_BYTES: Final = 1024 * 1024
"""Of an answer, inflated; verdicts on 100 events are 20 KiB."""
TOKEN_BYTES: Final = 4096
EXIT_S: Final = 0.3
"""What the end of the app may cost. The queue is on disk, so nothing depends on it."""
DISK_S: Final = 0.05
"""How long record() waits for another writer before the event is held in memory: three frames of a screen."""
HELD_EVENTS: Final = 1000
"""Events held in memory while the disk refuses them: a day of dictation, 1 MB."""
HISTORY_EVENTS: Final = 500
"""Delivered and rejected events kept for people to look at."""
HISTORY_S: Final = 7 * 86_400.0
LEDGER_DAYS: Final = 400
"""Daily counts are kept as long as the service keeps its own."""


class Wait(Struct, frozen=True, kw_only=True):
    since: float
    for_s: float
    ordered: bool = False
    """By the service: `flush()` does not override it."""

    cause: str = ""

    def left_s(self, now: float) -> float:
        """Seconds still to wait. A clock that went back counts as no time passed."""
        return max(0.0, self.for_s - max(0.0, now - self.since))


class Connection(Struct, frozen=True, kw_only=True):
    """What the client remembers of its dealings with the service, across restarts."""

    failures: int = 0
    """Failed exchanges in a row."""

    wait: Wait | None = None
    pause: Wait | None = None
    """Only the passing of an hour, a restart or `resume` ends it."""

    deferred: Wait | None = None
    """While this lasts, rows that the service once told `retry` are not offered again."""

    batch_limit: int | None = None
    lone_refusals: int = 0
    registered_anew: bool = False
    """Since the last 200; a second refusal is then a pause."""

    config_stale: bool = False
    last_answer: str = ""
    last_answer_at: float = 0.0
    last_delivery_at: float = 0.0
    last_upload_at: float = 0.0


class Answer(Struct, frozen=True):
    """What came back from one call: a status, or why there is none."""

    status: int = 0
    """0: no answer."""

    headers: Mapping[str, str] = {}
    """By lower-case name."""

    body: bytes = b""
    fault: str = ""
    """Without an answer: unreachable, tls, timeout, broken, too_large, stopped. Never an address or a secret."""

    def told(self) -> str:
        return self.fault or str(self.status)


Consent = Literal["unset", "off", "errors", "all"]


class Situation(Struct, frozen=True):
    """All that the next step depends on."""

    now: float
    connection: Connection
    config: Config
    consent: Consent
    config_at: float | None = None
    """When the configuration was last asked for; None: never."""

    ready: int = 0
    """Events that may be sent now."""

    ready_fresh: int = 0
    """Of these, how many were never told `retry`."""

    next_ready_at: float | None = None
    """When the next of the events that wait alone may be sent; None where none does."""

    registered: bool = False
    erasures: int = 0
    flush: bool = False
    """Somebody asked for it, or the app has just started."""

    metered: bool = False
    user_paused: bool = False


class Register(Struct, frozen=True):
    pass


class Erase(Struct, frozen=True):
    pass


class FetchConfig(Struct, frozen=True):
    pass


class Upload(Struct, frozen=True):
    limit: int
    fresh_only: bool = False
    """Leave out what was told `retry`."""


class Sleep(Struct, frozen=True):
    """Look again after so many seconds, or when woken. Never less than a clock can tell apart."""

    for_s: float

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "for_s", max(SOONEST_S, self.for_s))


class Rest(Struct, frozen=True):
    """Nothing will change by itself: wait to be woken."""


Task = Register | Erase | FetchConfig | Upload | Sleep | Rest


def next_task(s: Situation) -> Task:
    """The next thing to do. Doing it changes the situation; ask again then."""
    if s.user_paused:
        return Rest()
    blocked_s = max(
        s.connection.pause.left_s(s.now) if s.connection.pause else 0.0,
        s.connection.wait.left_s(s.now) if s.connection.wait and (s.connection.wait.ordered or not s.flush) else 0.0,
    )
    wanted = s.erasures > 0 or (s.consent in {"errors", "all"} and (s.ready > 0 or s.next_ready_at is not None))
    if blocked_s > 0:
        return Sleep(blocked_s) if wanted else Rest()
    if s.erasures:
        return Erase()
    if not wanted:
        return _tend_config(s)
    if not s.registered:
        return Register() if s.ready else Sleep(_until(s.next_ready_at, s.now))
    if s.connection.config_stale or _config_left_s(s) <= 0:
        return FetchConfig()
    if not s.config.enabled:
        return Sleep(_config_left_s(s))
    return _upload(s)


def _upload(s: Situation) -> Task:
    full = min(s.config.batch_size, MAX_BATCH_EVENTS)
    limit = min(full, s.connection.batch_limit or full)
    interval_s = max(s.config.flush_interval_s, METERED_INTERVAL_S if s.metered else 0.0)
    due_s = 0.0
    if not (s.flush or (s.ready >= limit and not s.metered)):
        # A clock that went back must not put the next upload off for longer than the interval.
        due_s = interval_s - max(0.0, s.now - s.connection.last_upload_at)
    held_s = s.connection.deferred.left_s(s.now) if s.connection.deferred else 0.0
    ready = s.ready_fresh if held_s > 0 else s.ready
    if ready and due_s <= 0:
        return Upload(limit, fresh_only=held_s > 0)
    waits = [max(_config_left_s(s), 1.0)]
    if ready:
        waits.append(due_s)
    elif s.ready:
        waits.append(held_s)
    if s.next_ready_at is not None:
        waits.append(_until(s.next_ready_at, s.now))
    return Sleep(min(waits))


def _tend_config(s: Situation) -> Task:
    """With nothing to send: an install that is known to the service keeps its configuration fresh."""
    if not s.registered or s.consent not in {"errors", "all"}:
        return Rest()
    if s.connection.config_stale or _config_left_s(s) <= 0:
        return FetchConfig()
    return Sleep(_config_left_s(s))


def _config_left_s(s: Situation) -> float:
    """Seconds until the configuration is too old; one that came in the future is, since the clock went back."""
    if s.config_at is None or s.config_at > s.now:
        return 0.0
    return CONFIG_AGE_S - (s.now - s.config_at)


def _until(at: float | None, now: float) -> float:
    return CONFIG_AGE_S if at is None else max(0.0, at - now)


def anchored(connection: Connection, now: float) -> Connection:
    """Begin anew, from now, each wait that began in the future: the clock went back."""

    def anchor(wait: Wait | None) -> Wait | None:
        return replace(wait, since=now) if wait is not None and wait.since > now else wait

    moved = replace(
        connection,
        wait=anchor(connection.wait),
        pause=anchor(connection.pause),
        deferred=anchor(connection.deferred),
        last_upload_at=min(connection.last_upload_at, now),
    )
    return connection if moved == connection else moved


def restarted(connection: Connection) -> Connection:
    """As a new start finds it: a pause is over, an ordered wait and the count of failures stay."""
    return replace(connection, pause=None, registered_anew=False)


def reconnected(connection: Connection) -> Connection:
    """The network is back: our own backoff has lost its reason, the service's order has not."""
    wait = connection.wait
    return connection if wait is None or wait.ordered else replace(connection, wait=None, failures=0)


# -------------------------------------------------------------------------------------------------- what is recorded


def admit(config: Config, level: Level, module: str, name: str, share: float) -> Reason | None:
    """Why the service does not want an event, or None where it does.

    `enabled: false` stops the sending, not the recording. error and fatal are never sampled out.
    """
    if LEVELS.index(level) < LEVELS.index(config.min_level) or name in config.blocked_events:
        return "policy_blocked"
    rate = rate_of(config, level, module, name)
    return "sampled_out" if rate < 1 and share >= rate else None


def rate_of(config: Config, level: Level, module: str, name: str) -> float:
    """The share of installs whose events of this kind are kept."""
    if level in {"error", "fatal"}:
        return 1.0
    sampling = config.sampling
    return sampling.by_event.get(name, sampling.by_module.get(module, sampling.default))


# ------------------------------------------------------------------------------------------------------- judgements


class Settled(Struct, frozen=True):
    state: Literal["delivered", "rejected"]
    reason: str = ""
    """A reason of the contract or "unknown"; for what was delivered: accepted, duplicate."""

    field: str = ""
    rule: str = ""


class Judgement(Struct, frozen=True):
    """What an answer to POST /events means for the rows that were sent."""

    connection: Connection
    settled: Mapping[str, Settled] = {}
    """By lower-case id. Whatever is in neither map is pending as before, under the same batch id."""

    retry_s: Mapping[str, float] = {}
    config_etag: str | None = None
    erased: bool = False
    """The service erased this install: purge, and be as before the first consent."""

    forget_token: bool = False
    split: bool = False
    """The next batch is another set."""


class Sent(Struct, frozen=True):
    """A batch that an answer is about."""

    batch_id: str
    ids: Sequence[str]
    deferred: bool = False
    """Whether one of its events was once told `retry`."""

    of_users: frozenset[str] = frozenset()
    """Lower-case ids of the events that name a user."""


def judge_events(answer: Answer, sent: Sent, connection: Connection, now: float, chance: float) -> Judgement:
    """What becomes of the events of one batch. `chance` is uniform in [0, 1)."""
    connection = replace(connection, last_answer=answer.told(), last_answer_at=now)
    if answer.fault == "stopped":
        return Judgement(connection)
    if answer.status == 200:
        verdicts = _read_verdicts(answer.body, sent.batch_id)
        if verdicts is not None:
            return _obey(verdicts, sent, connection, now, chance)
        return Judgement(_back_off(replace(connection, last_answer="200 unreadable"), now, chance))
    if answer.status in {401, 403}:
        return Judgement(_unauthorised(connection, now), forget_token=True)
    if answer.status == 415 or (answer.status == 400 and _field_of(answer) == "batchId"):
        return Judgement(_pause(connection, now, f"{answer.status}: a mistake of this client"))
    if answer.status in {400, 413}:
        return _too_much(answer.status, sent.ids, connection, now)
    return Judgement(_wait_as_told(answer, connection, now, chance))


def _obey(verdicts: Mapping[str, Any], sent: Sent, connection: Connection, now: float, chance: float) -> Judgement:
    wanted = {each.lower() for each in sent.ids}
    told = _verdict_by_id(verdicts["results"], wanted)
    settled: dict[str, Settled] = {}
    retry_s: dict[str, float] = {}
    erased = False
    for each, verdict in told.items():
        status = verdict["status"]
        if status in {"accepted", "duplicate"}:
            settled[each] = Settled("delivered", status)
        elif status == "rejected":
            reason = verdict.get("reason")
            known = reason if reason in REASONS else "unknown"
            settled[each] = Settled("rejected", known, _short(verdict.get("field")), _short(verdict.get("rule")))
            # Of an event that names a user it may be the user who was erased.
            erased = erased or (known == "erased_subject" and each not in sent.of_users)
        else:
            retry_s[each] = _retry_after_ms(verdict.get("retryAfterMs"), connection.failures, chance)
    limit = None if connection.batch_limit is None else connection.batch_limit * 2
    after = replace(
        connection,
        failures=0,
        wait=None,
        lone_refusals=0,
        registered_anew=False,
        batch_limit=None if limit is None or limit >= MAX_BATCH_EVENTS else limit,
        last_upload_at=now,
        last_delivery_at=now
        if any(each.state == "delivered" for each in settled.values())
        else connection.last_delivery_at,
        deferred=Wait(since=now, for_s=max(retry_s.values())) if retry_s and sent.deferred else connection.deferred,
    )
    if told.keys() != wanted:
        after = _back_off(replace(after, failures=connection.failures), now, chance)
    etag = verdicts.get("configEtag")
    return Judgement(after, settled, retry_s, etag if isinstance(etag, str) else None, erased, split=bool(told))


def _read_verdicts(body: bytes, batch_id: str) -> Mapping[str, Any] | None:
    """The answer's object, if it is one of the contract's form, to this batch."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("results"), list):
        return None
    told = value.get("batchId")
    return value if isinstance(told, str) and told.lower() == batch_id.lower() else None


def _verdict_by_id(results: Sequence[Any], wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Verdicts by id: "two different verdicts for one id or an unknown status are no verdict"."""
    told: dict[str, dict[str, Any]] = {}
    contradicted: set[str] = set()
    for result in results:
        if not isinstance(result, dict) or not isinstance(result.get("id"), str):
            continue
        each = result["id"].lower()
        if each not in wanted:
            continue
        first = told.setdefault(each, result)
        if result.get("status") not in STATUSES or result["status"] != first.get("status"):
            contradicted.add(each)
    return {each: verdict for each, verdict in told.items() if each not in contradicted}


def _short(value: object) -> str:
    return value[:40] if isinstance(value, str) else ""


def _retry_after_ms(value: object, failures: int, chance: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return min(value / 1000, ORDERED_MOST_S)
    return backoff_s(failures, chance)


def _too_much(status: int, ids: Sequence[str], connection: Connection, now: float) -> Judgement:
    """413 and 400: halve down to the one event that is at fault."""
    if len(ids) > 1:
        return Judgement(replace(connection, batch_limit=len(ids) // 2), split=True)
    refusals = connection.lone_refusals + 1
    if refusals >= LONE_REFUSALS:
        return Judgement(_pause(connection, now, f"{status}: everything is refused"))
    reason = "too_large" if status == 413 else "invalid_json"
    return Judgement(
        replace(connection, lone_refusals=refusals),
        {each.lower(): Settled("rejected", reason) for each in ids},
        split=True,
    )


def _field_of(answer: Answer) -> object:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return value.get("field") if isinstance(value, dict) else None


def _unauthorised(connection: Connection, now: float) -> Connection:
    if connection.registered_anew:
        return _pause(connection, now, f"{connection.last_answer}: this install is refused")
    return replace(connection, registered_anew=True)


def _pause(connection: Connection, now: float, cause: str) -> Connection:
    return replace(connection, pause=Wait(since=now, for_s=PAUSE_S, cause=cause))


def _wait_as_told(answer: Answer, connection: Connection, now: float, chance: float) -> Connection:
    """429 and 503 may order a wait; everything else that is no answer of the contract's is a failed exchange."""
    ordered_s = _retry_after_s(answer) if answer.status in {429, 503} else None
    if ordered_s is None:
        return _back_off(connection, now, chance)
    wait = Wait(since=now, for_s=ordered_s, ordered=True, cause=answer.told())
    return replace(connection, wait=wait, failures=connection.failures + 1)


def _back_off(connection: Connection, now: float, chance: float) -> Connection:
    wait = Wait(since=now, for_s=backoff_s(connection.failures, chance), cause=connection.last_answer)
    return replace(connection, wait=wait, failures=connection.failures + 1)


def backoff_s(failures: int, chance: float) -> float:
    """Full jitter: anywhere between the first wait and a ceiling that doubles with each failure.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: of the kinds compared, least work in all.
    """
    ceiling_s = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** min(failures + 1, 30))
    return BACKOFF_FIRST_S + (ceiling_s - BACKOFF_FIRST_S) * chance


def _retry_after_s(answer: Answer) -> float | None:
    """Seconds, or a date "measured against the answer's own Date header"; None for anything unreadable."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), ORDERED_MOST_S)
    until, now = _http_date(value), _http_date(answer.headers.get("date", ""))
    if until is None or now is None or until < now:
        return None
    return min(until - now, ORDERED_MOST_S)


def _http_date(value: str) -> float | None:
    import email.utils

    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


class Registration(Struct, frozen=True):
    """What an answer to POST /installs means."""

    connection: Connection
    token: str = ""
    new_identity: bool = False
    """The id is taken: another one, with a ledger that starts anew."""


def judge_registration(answer: Answer, connection: Connection, now: float, chance: float) -> Registration:
    connection = replace(connection, last_answer=answer.told(), last_answer_at=now)
    if answer.fault == "stopped":
        return Registration(connection)
    if answer.status == 201:
        try:
            token = msgspec.json.decode(answer.body, type=InstallAnswer).install_token
        except (msgspec.MsgspecError, UnicodeDecodeError):
            token = ""
        if token and not token.endswith("\n"):
            return Registration(replace(connection, wait=None), token)
        return Registration(_back_off(replace(connection, last_answer="201 unreadable"), now, chance))
    if answer.status == 409:
        return Registration(connection, new_identity=True)
    if answer.status in {400, 401}:
        return Registration(_pause(connection, now, f"{answer.status}: registration is refused"))
    return Registration(_wait_as_told(answer, connection, now, chance))


class Erasure(Struct, frozen=True):
    """What an answer to DELETE /install/{id} means."""

    connection: Connection
    done: bool = False
    register: bool = False
    """The token is refused: register that id once more, then ask again."""


def judge_erasure(answer: Answer, connection: Connection, now: float, chance: float) -> Erasure:
    connection = replace(connection, last_answer=answer.told(), last_answer_at=now)
    if answer.fault == "stopped":
        return Erasure(connection)
    if answer.status in {200, 202, 204, 404}:
        return Erasure(replace(connection, failures=0, wait=None, registered_anew=False), done=True)
    if answer.status in {401, 403}:
        return Erasure(_unauthorised(connection, now), register=True)
    return Erasure(_wait_as_told(answer, connection, now, chance))


class Configured(Struct, frozen=True):
    """What an answer to GET /config means."""

    connection: Connection
    config: Config | None = None
    """None: the last good one stays."""

    etag: str | None = None
    forget_token: bool = False
    asked: bool = False
    """The service has answered; ask again in an hour."""


def judge_config(answer: Answer, last: Config, connection: Connection, now: float, chance: float) -> Configured:
    """A service that answers, whatever it says, was asked: a broken /config must not hold up the events for ever."""
    connection = replace(connection, last_answer=answer.told(), last_answer_at=now, config_stale=False)
    if answer.fault == "stopped":
        return Configured(connection)
    if answer.status == 200:
        config = read_config(answer.body, last)
        etag = answer.headers.get("etag") if config else None
        return Configured(connection, config, etag, asked=True)
    if answer.status in {401, 403}:
        return Configured(_unauthorised(connection, now), forget_token=True)
    if answer.status == 0 or _retry_after_s(answer) is not None:
        return Configured(_wait_as_told(answer, connection, now, chance))
    return Configured(connection, asked=True)


_BOUNDS: Final = {
    "batchSize": (1, 100),
    "flushIntervalS": (5, 3600),
    "maxQueueSize": (10, 100_000),
    "maxQueueBytes": (65_536, 2**30),
    "maxAgeDays": (1, 30),
}


def read_config(body: bytes, last: Config) -> Config | None:
    """The service's configuration: "values beyond their bounds are clamped, one of the wrong type keeps the last good".

    None where the body is no JSON object. Unknown keys are ignored.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    values: dict[str, Any] = msgspec.to_builtins(last)
    for key, (least, most) in _BOUNDS.items():
        if _is_number(told.get(key)):
            values[key] = int(min(max(told[key], least), most))
    for key, good in _CHECKS.items():
        if key in told and good(told[key]):
            values[key] = told[key]
    sampling = told.get("sampling")
    if isinstance(sampling, dict):
        values["sampling"] = _read_sampling(sampling, last.sampling)
    return msgspec.convert(values, Config)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


_CHECKS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "enabled": lambda value: isinstance(value, bool),
    "minLevel": lambda value: isinstance(value, str) and value in LEVELS,
    "blockedEvents": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    "version": lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53,
    "expiresAt": lambda value: value is None or parse_time(value) is not None,
}


def _read_sampling(told: Mapping[str, Any], last: Sampling) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(last)
    if _is_number(told.get("default")):
        values["default"] = _rate(told["default"])
    for key in ("byModule", "byEvent"):
        rates = told.get(key)
        if isinstance(rates, dict):
            values[key] = {name: _rate(rate) for name, rate in rates.items() if _is_number(rate)}
    return values


def _rate(value: float) -> float:
    return min(max(float(value), 0.0), 1.0)
