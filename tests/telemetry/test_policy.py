"""Whatever a service answers and whatever the clock does, the policy waits, but never for ever, and loses nothing."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from telemetry import policy
from telemetry.policy import (
    Answer,
    Connection,
    Erase,
    FetchConfig,
    Judgement,
    Register,
    Rest,
    Sent,
    Situation,
    Sleep,
    Upload,
    Wait,
    configuration,
    judge_events,
    next_task,
)
from telemetry.wire import Config, Sampling

BATCH = "9f2b1d6c-4c0a-4c8e-8f4b-6c7d0f1e2a3b"
IDS = ("3f0d8f0a-52a7-4d3e-9c11-0d2f6a1b7c55", "01938a3e-9d5b-7c31-8a44-3b8e1c0f5d21")
NOW = 1_800_000_000.0
READY = Situation(NOW, Connection(), Config(), "all", config_at=NOW, ready=1, registered=True, flush=True)


def situation(**change: Any) -> Situation:
    return Situation(**{**{name: getattr(READY, name) for name in READY.__struct_fields__}, **change})


FRESH = Connection()


def judge(answer: Answer, connection: Connection = FRESH, ids: tuple[str, ...] = IDS) -> Judgement:
    return judge_events(answer, Sent(BATCH, ids), connection, NOW, chance=0.5)


def verdicts(*results: Any, **envelope: Any) -> Answer:
    return Answer(200, body=json.dumps({"batchId": BATCH, "results": results, **envelope}).encode())


def test_public_names_are_sorted_and_there() -> None:
    assert policy.__all__ == sorted(policy.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(policy, name) for name in policy.__all__)


def test_without_consent_nothing_is_done_but_erasure() -> None:
    assert next_task(situation(consent="off")) == Rest()
    assert next_task(situation(consent="unset")) == Rest()
    assert next_task(situation(consent="off", erasures=1)) == Erase()


def test_an_install_registers_before_its_first_upload_and_asks_for_its_configuration() -> None:
    assert next_task(situation(registered=False)) == Register()
    assert next_task(situation(config_at=None)) == FetchConfig()
    assert next_task(situation()) == Upload(50)


def test_with_nothing_to_send_and_nobody_registered_the_worker_rests() -> None:
    assert next_task(situation(ready=0, registered=False)) == Rest()


def test_the_idle_worker_wakes_once_an_hour() -> None:
    assert next_task(situation(ready=0)) == Sleep(policy.CONFIG_AGE_S)


def test_a_single_event_waits_for_the_interval_and_a_full_batch_does_not() -> None:
    uploaded = Connection(last_upload_at=NOW - 10)

    assert next_task(situation(connection=uploaded, flush=False)) == Sleep(50)
    assert next_task(situation(connection=uploaded, flush=False, ready=50)) == Upload(50)


def test_a_metered_network_waits_longer_even_with_a_full_batch() -> None:
    uploaded = Connection(last_upload_at=NOW - 10)

    assert next_task(situation(connection=uploaded, flush=False, ready=50, metered=True)) == Sleep(890)


def test_a_flush_overrides_our_own_backoff_but_no_order_and_no_pause() -> None:
    own = Wait(since=NOW, for_s=100)

    assert next_task(situation(connection=Connection(wait=own))) == Upload(50)
    assert next_task(situation(connection=Connection(wait=replace(own, ordered=True)))) == Sleep(100)
    assert next_task(situation(connection=Connection(pause=own))) == Sleep(100)
    assert next_task(situation(connection=Connection(wait=own), flush=False)) == Sleep(100)


def test_a_kill_switch_stops_the_sending_until_the_next_hourly_question() -> None:
    assert next_task(situation(config=Config(enabled=False))) == Sleep(policy.CONFIG_AGE_S)
    assert next_task(situation(config=Config(enabled=False), config_at=NOW - 3600)) == FetchConfig()


def test_rows_told_to_retry_are_left_out_while_their_budget_is_spent() -> None:
    spent = Connection(deferred=Wait(since=NOW, for_s=30))

    assert next_task(situation(connection=spent, ready_fresh=1)) == Upload(50, fresh_only=True)
    assert next_task(situation(connection=spent, ready=9000, ready_fresh=0)) == Sleep(30)


def test_verdicts_end_events_one_by_one() -> None:
    judgement = judge(
        verdicts({"id": IDS[0].upper(), "status": "accepted"}, {"id": IDS[1], "status": "retry", "retryAfterMs": 4200})
    )

    assert judgement.settled == {IDS[0]: policy.Settled("delivered", "accepted")}
    assert judgement.retry_s == {IDS[1]: 4.2}
    assert judgement.connection.wait is None


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, body=b"<html>Sign in to the hotel's network</html>"),
        Answer(200, body=b"[]"),
        Answer(200, body=b"[" * 100_000),
        Answer(200, body=b'{"results": 3}'),
        Answer(200, body=json.dumps({"batchId": IDS[0], "results": [{"id": IDS[0], "status": "accepted"}]}).encode()),
        verdicts(),
        verdicts({"id": "another", "status": "accepted"}),
        verdicts({"id": IDS[0], "status": "fine"}, {"id": IDS[1], "status": ["accepted"]}),
        verdicts({"id": IDS[0], "status": "accepted"}, {"id": IDS[0], "status": "rejected"}, "x", {"id": 7}),
        *(Answer(status) for status in (100, 201, 202, 204, 301, 302, 307, 404, 405, 408, 410, 422, 500, 502, 503)),
        *(Answer(fault=fault) for fault in ("unreachable", "timeout", "tls", "broken")),
    ],
)
def test_what_is_no_verdict_ends_no_event_and_backs_off(answer: Answer) -> None:
    judgement = judge(answer)

    assert not judgement.settled
    assert not judgement.retry_s
    assert judgement.connection.wait is not None
    assert judgement.connection.failures == 1


def test_an_unknown_reason_is_final_and_counted_as_unknown() -> None:
    judgement = judge(verdicts({"id": IDS[0], "status": "rejected", "reason": "moonphase"}), ids=IDS[:1])

    assert judgement.settled == {IDS[0]: policy.Settled("rejected", "unknown")}


def test_a_poison_event_is_found_by_halving() -> None:
    connection = Connection()
    ids = tuple(str(number) for number in range(50))
    sizes = []

    while len(ids) > 1:
        judgement = judge(Answer(413), connection, ids)
        connection = judgement.connection
        assert judgement.split
        task = next_task(situation(connection=connection, ready=50, flush=False))
        assert isinstance(task, Upload)
        sizes.append(task.limit)
        ids = ids[: task.limit]
    last = judge(Answer(413), connection, ids)

    assert sizes == [25, 12, 6, 3, 1]
    assert last.settled == {"0": policy.Settled("rejected", "too_large")}


def test_the_third_lone_refusal_in_a_row_pauses_and_rejects_nothing() -> None:
    connection = Connection()
    for _ in range(policy.LONE_REFUSALS - 1):
        connection = judge(Answer(400), connection, IDS[:1]).connection

    judgement = judge(Answer(400), connection, IDS[:1])

    assert not judgement.settled
    assert judgement.connection.pause is not None
    after_an_hour = judge(Answer(400), replace(judgement.connection, pause=None), IDS[:1])
    assert not after_an_hour.settled


def test_a_refused_token_is_renewed_once_and_then_pauses() -> None:
    first = judge(Answer(401))
    second = judge(Answer(403), first.connection)

    assert first.forget_token
    assert first.connection.pause is None
    assert second.connection.pause is not None


def test_our_own_mistakes_pause_and_never_halve() -> None:
    for answer in (Answer(415), Answer(400, body=b'{"field": "batchId"}')):
        judgement = judge(answer)
        assert judgement.connection.pause is not None
        assert not judgement.settled


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120),
        ({"retry-after": "99999999999999999999"}, policy.ORDERED_MOST_S),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:27:00 GMT"}, 60),
    ],
)
def test_an_ordered_wait_is_kept(headers: dict[str, str], seconds: float) -> None:
    for status in (429, 503):
        wait = judge(Answer(status, headers)).connection.wait
        assert wait is not None
        assert (wait.for_s, wait.ordered) == (seconds, True)
        restarted = policy.restarted(judge(Answer(status, headers)).connection)
        assert restarted.wait == wait


@pytest.mark.parametrize("value", ["", "-5", "soon", "٣", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9"])
def test_an_unreadable_order_is_our_own_backoff(value: str) -> None:
    wait = judge(Answer(429, {"retry-after": value})).connection.wait

    assert wait is not None
    assert not wait.ordered


def test_erased_subject_is_told() -> None:
    answer = verdicts({"id": IDS[0], "status": "rejected", "reason": "erased_subject"})

    assert judge(answer).erased
    of_a_user = Sent(BATCH, IDS, of_users=frozenset(IDS[:1]))
    assert not judge_events(answer, of_a_user, FRESH, NOW, 0.5).erased, "it may be the user who was erased"


def test_the_kill_of_a_pause_is_an_hour_a_restart_or_a_resume() -> None:
    paused = judge(Answer(415)).connection

    assert next_task(situation(connection=paused, now=NOW + 3599)) == Sleep(1)
    assert next_task(situation(connection=paused, now=NOW + 3600, config_at=NOW + 3600)) == Upload(50)
    assert next_task(situation(connection=policy.restarted(paused))) == Upload(50)


def test_a_registration_answers_token_new_identity_or_pause() -> None:
    def judged(answer: Answer) -> policy.Registration:
        return policy.judge_registration(answer, Connection(), NOW, 0.5)

    assert judged(Answer(201, body=b'{"installToken": "t", "new": 1}')).token == "t"
    assert judged(Answer(409)).new_identity
    assert judged(Answer(400)).connection.pause is not None
    for token in ("", "a b", "é", "x" * 4097, "t\n"):
        refused = judged(Answer(201, body=json.dumps({"installToken": token}).encode()))
        assert not refused.token
        assert refused.connection.wait is not None


@given(st.floats(0, 0.999), st.integers(0, 10_000))
def test_backoff_stays_between_a_second_and_a_quarter_of_an_hour(chance: float, failures: int) -> None:
    assert 1 <= policy.backoff_s(failures, chance) <= 900


@given(st.floats(0, 4e9), st.floats(0, 4e9), st.floats(0, policy.ORDERED_MOST_S))
def test_no_jump_of_the_clock_makes_a_wait_longer_than_itself(before: float, after: float, for_s: float) -> None:
    connection = policy.anchored(Connection(wait=Wait(since=before, for_s=for_s, ordered=True)), after)

    assert connection.wait is not None
    assert connection.wait.left_s(after) <= for_s
    assert connection.wait.left_s(after + for_s + 1) == 0


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3)),
    max_leaves=8,
)
STATUS = st.one_of(
    st.sampled_from([0, 200, 201, 304, 400, 401, 403, 409, 413, 415, 429, 500, 503]), st.integers(100, 599)
)
RESULT = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(st.sampled_from([*IDS, IDS[0].upper()]), JSON),
        "status": st.one_of(st.sampled_from(["accepted", "duplicate", "rejected", "retry"]), JSON),
        "reason": JSON,
        "field": JSON,
        "retryAfterMs": JSON,
    },
)
BODY = st.one_of(
    st.binary(max_size=20),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.lists(st.one_of(RESULT, JSON), max_size=5).map(
        lambda results: json.dumps({"batchId": BATCH, "results": results}).encode()
    ),
)
ANSWERS = st.builds(
    Answer,
    STATUS,
    st.dictionaries(st.sampled_from(["retry-after", "date", "etag"]), st.text(max_size=30)),
    BODY,
    st.sampled_from(["", "timeout", "stopped"]),
)


@given(st.lists(ANSWERS, max_size=12), st.floats(0, 0.999))
def test_no_history_of_answers_breaks_the_policy(answers: list[Answer], chance: float) -> None:
    connection = Connection()
    now = NOW
    for answer in answers:
        judgement = judge_events(answer, Sent(BATCH, IDS, deferred=True), connection, now, chance)
        connection = judgement.connection
        assert judgement.settled.keys() | judgement.retry_s.keys() <= set(IDS)
        assert not judgement.settled.keys() & judgement.retry_s.keys()
        assert all(0 <= seconds <= policy.ORDERED_MOST_S for seconds in judgement.retry_s.values())
        task = next_task(situation(connection=connection, now=now, config_at=now, flush=False))
        assert isinstance(task, Upload | Sleep | FetchConfig)
        if isinstance(task, Sleep):
            assert 0 < task.for_s <= policy.ORDERED_MOST_S
        now += 10_000


@given(
    st.dictionaries(
        st.sampled_from([*configuration.BOUNDS, "enabled", "minLevel", "sampling", "blockedEvents", "version", "x"]),
        JSON,
    )
)
def test_a_configuration_is_never_taken_out_of_bounds(told: dict[str, Any]) -> None:
    config = policy.read_config(json.dumps(told).encode(), Config())

    assert config is not None
    assert 1 <= config.batch_size <= 100
    assert 5 <= config.flush_interval_s <= 3600
    assert 10 <= config.max_queue_size <= 100_000
    assert 1 <= config.max_age_days <= 30
    assert 0 <= config.sampling.default <= 1
    if not isinstance(told.get("enabled"), bool):
        assert config.enabled


def test_absurd_values_are_clamped_and_wrong_types_keep_the_last_good_one() -> None:
    last = Config(batch_size=20, sampling=Sampling(by_event={"a": 0.5}))
    told = {
        "batchSize": "all",
        "maxQueueSize": 10**12,
        "enabled": 0,
        "sampling": {"default": 7, "byEvent": []},
        "later": {},
    }

    config = policy.read_config(json.dumps(told).encode(), last)

    assert config == replace(last, max_queue_size=100_000)


def test_a_broken_configuration_endpoint_does_not_hold_up_the_events() -> None:
    for answer in (Answer(500), Answer(404), Answer(200, body=b"no")):
        judged = policy.judge_config(answer, Config(), Connection(), NOW, 0.5)
        assert judged.asked
        assert judged.connection.wait is None


def test_errors_are_never_sampled_out_and_the_finest_rate_counts() -> None:
    sampling = Sampling(default=0.0, by_module={"recovery": 0.5}, by_event={"app_started": 1.0})
    config = Config(sampling=sampling, min_level="info", blocked_events=["noise"])

    assert policy.admit(config, "fatal", "dictation", "x", share=0.99) is None
    assert policy.admit(config, "info", "dictation", "x", share=0.0) == "sampled_out"
    assert policy.admit(config, "info", "recovery", "x", share=0.49) is None
    assert policy.admit(config, "info", "recovery", "app_started", share=0.99) is None
    assert policy.admit(config, "debug", "recovery", "app_started", share=0.0) == "policy_blocked"
    assert policy.admit(config, "error", "recovery", "noise", share=0.0) == "policy_blocked"
