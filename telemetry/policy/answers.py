"""What an answer of the service means: for the events that were sent, and for the next call.

    Answer ──judge_…──▶ what to do with the rows, and the Connection as it is now

Only a verdict ends an event. Whatever is no verdict leaves it pending.

Imports: configuration, connection, numbers, wire. May be imported by: the rest of policy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from telemetry.policy.configuration import read_config
from telemetry.policy.connection import Connection, Wait
from telemetry.policy.numbers import BACKOFF_FIRST_S, BACKOFF_MOST_S, LONE_REFUSALS, ORDERED_MOST_S, PAUSE_S
from telemetry.wire import MAX_BATCH_EVENTS, REASONS, STATUSES, Config, InstallAnswer


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
