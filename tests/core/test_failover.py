"""Each sample is heard by exactly one engine, whoever fails, lies or is chosen; and the right one is asked."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.dictation import (
    AzureChanged,
    Cancel,
    CancelEngine,
    Deadline,
    Delivery,
    Effect,
    EngineDone,
    EngineFailed,
    Event,
    Final,
    FinishEngine,
    Finishing,
    Idle,
    Insert,
    Inserted,
    KeepTake,
    MicrophoneLive,
    Outcome,
    Prefer,
    Recording,
    Report,
    Start,
    StartEngine,
    State,
    Stop,
    TakeClosed,
    Tell,
    TimedOut,
    Voice,
    WarmEngine,
)
from lysnrai_desktop.core.failover import (
    CLOSED,
    CONNECT_S,
    END_S,
    ENGINE_TRIES,
    FINAL_S,
    MUTE_S,
    NEEDS_PAUSE,
    NEEDS_USER,
    PAUSES_S,
    RECONNECT_S,
    Backend,
    Breaker,
    Choice,
    Watch,
    begin,
    breaker,
    choose,
)
from lysnrai_desktop.core.faults import AzureFault, leaves
from lysnrai_desktop.core.machine import step
from lysnrai_desktop.core.settings import EngineSettings, RecordingSettings, Settings
from lysnrai_desktop.core.speech import Segment, SpokenText

WHISPER, AZURE = Backend.WHISPER, Backend.AZURE
AUTO, LOCAL_FIRST = EngineSettings(), EngineSettings(prefer="local")
ONLY_AZURE, ONLY_LOCAL = EngineSettings(backend="azure"), EngineSettings(backend="local")
PASSING = ("azure.unreachable", "azure.mute", "azure.lost")


# --- which is asked


@pytest.mark.parametrize(
    ("settings", "azure", "order", "reason"),
    [
        (AUTO, CLOSED, (AZURE, WHISPER), ""),
        (AUTO, Breaker(), (WHISPER,), ""),
        (AUTO, breaker("azure.key"), (WHISPER,), "azure.key"),
        (AUTO, Breaker("azure.throttled", 20.0, 1), (WHISPER, AZURE), "azure.throttled"),
        (AUTO, Breaker("azure.throttled", 10.0, 1), (AZURE, WHISPER), ""),
        (LOCAL_FIRST, CLOSED, (WHISPER, AZURE), ""),
        (LOCAL_FIRST, breaker("azure.key"), (WHISPER,), ""),
        (LOCAL_FIRST, Breaker("azure.throttled", 20.0, 1), (WHISPER, AZURE), ""),
        (ONLY_AZURE, Breaker(), (AZURE,), ""),
        (ONLY_AZURE, Breaker("azure.throttled", 20.0, 1), (AZURE,), ""),
        (ONLY_LOCAL, CLOSED, (WHISPER,), ""),
    ],
)
def test_who_is_asked_and_why_it_is_not_the_preferred_one(
    settings: EngineSettings, azure: Breaker, order: tuple[Backend, ...], reason: str
) -> None:
    choice = choose(settings, azure, now=10.0)

    assert (choice.order, choice.reason) == (order, reason)
    assert (choice.order[0] is choice.preferred) is not bool(reason)


@given(st.sampled_from(["auto", "azure", "local"]), st.sampled_from(["azure", "local"]), st.floats(0, 1e6))
def test_who_forbids_the_service_is_never_heard_by_it(backend: str, prefer: str, now: float) -> None:
    settings = EngineSettings(backend=backend, prefer=prefer)

    for azure in (CLOSED, Breaker(), breaker("azure.key"), Breaker("azure.throttled", 5e5, 2)):
        order = choose(settings, azure, now).order
        assert len(set(order)) == len(order) > 0
        assert backend != "local" or AZURE not in order
        assert backend != "azure" or WHISPER not in order


@pytest.mark.parametrize("code", ["azure.not_configured", *sorted(NEEDS_USER)])
def test_what_the_user_must_mend_keeps_the_service_out_until_settings_or_key_are_others(code: str) -> None:
    azure = CLOSED.failed(code, at=5.0)

    assert azure.is_open(1e9)
    assert choose(AUTO, azure, 1e9).order == (WHISPER,)
    assert not breaker("").is_open(0.0)


@pytest.mark.parametrize("code", sorted(NEEDS_PAUSE))
def test_a_service_that_asks_for_a_pause_gets_longer_ones_until_it_answers(code: str) -> None:
    azure, at, pauses = CLOSED, 0.0, []
    for _ in range(len(PAUSES_S) + 3):
        azure = azure.failed(code, at)
        pauses.append(azure.until - at)
        assert azure.is_open(azure.until - 0.01)
        at = azure.until
        assert not azure.is_open(at)

    assert pauses == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1], PAUSES_S[-1]]
    well = begin(AUTO, azure, at).heard()
    assert well.azure.failed(code, at).until - at == PAUSES_S[0]


@pytest.mark.parametrize("code", [*PASSING, "engine.died", "engine.timeout"])
def test_after_a_passing_failure_the_next_dictation_asks_the_service_again(code: str) -> None:
    relay = begin(AUTO, CLOSED, 0.0).failed(code, 1.0)

    assert (relay.backend, relay.reason) == (WHISPER, code)
    assert choose(AUTO, relay.azure, 1.0).order[0] is AZURE


def test_every_failure_of_the_service_is_of_one_kind() -> None:
    kinds = NEEDS_USER | NEEDS_PAUSE | {"azure.not_configured", *PASSING}
    assert {fault.code for fault in leaves(AzureFault)} == kinds


# --- who hears one dictation


def test_both_are_asked_in_turn_until_neither_may_be_asked_again() -> None:
    relay, asked = begin(AUTO, CLOSED, 0.0), []
    while not relay.code:
        asked.append(relay.backend)
        relay = relay.failed("azure.lost" if relay.backend is AZURE else "engine.died", 1.0)

    assert asked == [AZURE, WHISPER] * ENGINE_TRIES
    assert relay.attempt == len(asked)
    assert relay.code == "engine.died"


def test_one_that_the_user_must_mend_is_not_asked_again() -> None:
    relay = begin(AUTO, CLOSED, 0.0).failed("azure.key", 1.0)
    backends = {relay.backend}
    while not relay.code:
        relay = relay.failed("engine.died", 1.0)
        backends.add(relay.backend)

    assert backends == {WHISPER}
    assert begin(ONLY_AZURE, CLOSED, 0.0).failed("azure.key", 1.0).code == "azure.key"


def test_what_the_user_chooses_is_asked_whatever_failed_before() -> None:
    relay = begin(AUTO, CLOSED, 0.0).failed("azure.key", 1.0)

    chosen = relay.chosen(ONLY_AZURE, 2.0)

    assert (chosen.backend, chosen.attempt, chosen.reason) == (AZURE, 3, "")
    assert chosen.failed("azure.lost", 3.0).backend is AZURE
    assert chosen.heard().azure == CLOSED


def test_an_answer_mends_a_refusal_but_makes_no_key_where_there_is_none() -> None:
    relay = begin(ONLY_AZURE, CLOSED, 0.0)

    for code in ("azure.key", "azure.throttled"):
        assert replace(relay, azure=CLOSED.failed(code, 0.0)).heard().azure == CLOSED
    for code in ("azure.not_configured", "keyring.unavailable"):
        assert replace(relay, azure=breaker(code)).heard().azure == breaker(code)


def test_choosing_the_one_that_hears_already_changes_nothing_but_who_may_follow() -> None:
    relay = begin(ONLY_LOCAL, CLOSED, 0.0)

    chosen = relay.chosen(LOCAL_FIRST, 1.0)

    assert (chosen.backend, chosen.attempt) == (WHISPER, 1)
    assert chosen.choice == Choice((WHISPER, AZURE), WHISPER)


def test_the_reason_is_gone_when_the_preferred_one_hears_again() -> None:
    relay = begin(AUTO, Breaker("azure.throttled", 20.0, 1), 10.0)

    assert (relay.backend, relay.reason) == (WHISPER, "azure.throttled")
    again = relay.failed("engine.died", 11.0)
    assert (again.backend, again.reason) == (AZURE, "")


# --- in the machine


CONFIGURED = (AzureChanged(0.0, ""),)
LIVE: tuple[Event, ...] = (*CONFIGURED, Start(1.0), MicrophoneLive(1, 1.1))
HELLO = Segment(0, 100, SpokenText("Hello."))
WORLD = Segment(100, 200, SpokenText("World."))


def play(*events: Event, settings: EngineSettings = AUTO) -> tuple[list[Effect], State]:
    state: State = Idle()
    effects: list[Effect] = []
    for event in events:
        state, new = step(state, event, Settings(engine=settings))
        effects += new
    return effects, state


def engines(effects: list[Effect]) -> list[Effect]:
    return [each for each in effects if isinstance(each, StartEngine | FinishEngine | CancelEngine)]


def told(effects: list[Effect]) -> list[str]:
    return [each.code for each in effects if isinstance(each, Tell)]


def test_whoever_may_have_to_take_over_is_made_ready_with_the_dictation() -> None:
    effects, _ = play(*LIVE)

    assert engines(effects) == [StartEngine(1, AZURE, 0)]
    assert [each for each in effects if isinstance(each, WarmEngine)] == [WarmEngine(1, WHISPER)]


def test_in_mid_sentence_the_other_goes_on_from_the_last_final_and_nobody_is_disturbed() -> None:
    effects, state = play(*LIVE, Final(1, 2.0, HELLO), EngineFailed(1, 3.0, "azure.lost"))

    assert engines(effects)[1:] == [CancelEngine(1, AZURE), StartEngine(1, WHISPER, 100, attempt=2)]
    assert told(effects) == []
    assert isinstance(state, Recording)
    assert state.relay.reason == "azure.lost"


def test_a_service_that_fails_while_the_rest_is_finished_is_followed_by_one_that_finishes_it() -> None:
    effects, _ = play(
        *LIVE, Stop(2.0), TakeClosed(1, 2.1, 1.0), EngineFailed(1, 3.0, "azure.mute"), Final(1, 4.0, HELLO, 2)
    )

    assert engines(effects)[-3:] == [
        CancelEngine(1, AZURE),
        StartEngine(1, WHISPER, 0, attempt=2),
        FinishEngine(1, WHISPER),
    ]


def test_what_needs_the_user_is_told_once_and_the_next_dictation_does_not_ask() -> None:
    first = (*LIVE, EngineFailed(1, 1.2, "azure.key"), Final(1, 2.0, HELLO, 2), Stop(3.0), TakeClosed(1, 3.1, 1.0))
    second = (Start(6.0), MicrophoneLive(2, 6.1))

    effects, state = play(*first, EngineDone(1, 4.0, 2), Inserted(1, 5.0, Delivery.INSERTED), *second)

    assert told(effects) == ["azure.key"]
    assert engines(effects)[-1] == StartEngine(2, WHISPER, 0)
    assert isinstance(state, Recording)
    assert state.relay.reason == "azure.key"


def test_a_new_key_brings_the_service_back_with_the_next_dictation() -> None:
    refused = (*LIVE, EngineFailed(1, 1.2, "azure.key"), Cancel(2.0))

    for at, more in enumerate([(), (Start(3.0),), (Start(3.0), MicrophoneLive(2, 3.1))]):
        _, state = play(*refused, *more, AzureChanged(4.0, ""), Cancel(5.0), Start(6.0))
        assert not isinstance(state, Idle)
        assert state.relay.backend is AZURE, at


@pytest.mark.parametrize(("text", "mended"), [("", False), ("Hello.", True)])
def test_a_refusal_is_forgotten_when_the_service_gives_text(text: str, mended: bool) -> None:
    refused = (AzureChanged(0.0, "azure.key"), Start(1.0), MicrophoneLive(1, 1.1))

    _, state = play(*refused, Final(1, 2.0, replace(HELLO, text=SpokenText(text))), Cancel(3.0), settings=ONLY_AZURE)

    assert isinstance(state, Idle)
    assert (state.azure == CLOSED) is mended


def test_nobody_hears_of_a_service_that_was_never_set_up() -> None:
    effects, state = play(Start(1.0), MicrophoneLive(1, 1.1))

    assert engines(effects) == [StartEngine(1, WHISPER, 0)]
    assert isinstance(state, Recording)
    assert state.relay.reason == ""


def test_a_final_that_does_not_begin_where_the_last_ended_is_its_engines_failure() -> None:
    effects, _ = play(*LIVE, Final(1, 2.0, HELLO), Final(1, 3.0, replace(WORLD, start=90)))

    assert engines(effects)[-1] == StartEngine(1, WHISPER, 100, attempt=2)


def test_both_dead_the_take_is_kept_and_its_last_failure_told() -> None:
    state: State = Idle()
    effects: list[Effect] = []

    def feed(event: Event) -> None:
        nonlocal state
        state, new = step(state, event, Settings())
        effects.extend(new)

    for event in LIVE:
        feed(event)
    while isinstance(state, Recording) and not state.relay.code:
        code = "azure.unreachable" if state.relay.backend is AZURE else "engine.died"
        feed(EngineFailed(1, 2.0, code, state.relay.attempt))
    for event in (Stop(3.0), TakeClosed(1, 3.1, 2.0)):  # it is recorded to its end
        feed(event)

    assert [each for each in effects if isinstance(each, KeepTake)] == [KeepTake(1, Outcome.FAILED, "engine.died")]
    assert told(effects) == ["engine.died"]
    assert repr(state) == repr(Idle(1, CLOSED))


@pytest.mark.parametrize("finishing", [False, True])
def test_the_user_switches_in_the_middle_and_back_ten_times(finishing: bool) -> None:
    state: State = Idle()
    started: list[StartEngine] = []

    def feed(event: Event, engine: EngineSettings) -> None:
        nonlocal state
        state, new = step(state, event, Settings(engine=engine))
        started.extend(each for each in new if isinstance(each, StartEngine))

    for event in (*LIVE, *((Stop(1.2), TakeClosed(1, 1.3, 60.0)) if finishing else ())):
        feed(event, AUTO)
    for number in range(10):
        feed(Prefer(2.0 + number), ONLY_LOCAL if number % 2 == 0 else ONLY_AZURE)
        assert isinstance(state, Recording | Finishing)
        late = Final(1, 2.1 + number, Segment(number, number + 1, SpokenText("late")), state.relay.attempt - 1)
        feed(late, AUTO)
        feed(Final(1, 2.2 + number, Segment(number, number + 1, SpokenText(str(number))), state.relay.attempt), AUTO)

    assert [each.backend for each in started] == [AZURE, *[WHISPER, AZURE] * 5]
    assert [each.from_sample for each in started] == [0, *range(10)]
    assert isinstance(state, Recording | Finishing)
    assert state.transcript.text().reveal() == "0 1 2 3 4 5 6 7 8 9"
    assert [segment.engine for segment in state.transcript.segments] == ["whisper", "azure"] * 5


def test_a_choice_between_dictations_is_for_the_next() -> None:
    effects, state = play(*CONFIGURED, Prefer(1.0))

    assert (effects, state) == ([], Idle(0, CLOSED))


def test_silence_noticed_by_an_engine_that_was_given_up_ends_nothing() -> None:
    quiet = Settings(recording=RecordingSettings(stop_at_silence_s=1.0))
    state: State = Idle()
    for event in (*LIVE, EngineFailed(1, 2.0, "azure.lost"), Voice(1, 2.1, False, attempt=1)):
        state, _ = step(state, event, quiet)

    state, _ = step(state, TimedOut(1, 3.2, Deadline.QUIET), quiet)

    assert isinstance(state, Recording)


# --- for any interleaving


SAMPLES = 40
"""Of the take. Each final is the numbers of its samples."""


def spoken(start: int, end: int) -> SpokenText:
    return SpokenText(" ".join(map(str, range(start, end))))


@dataclass
class World:
    """The microphone, and every engine that was ever started for the take: those that were given up go on talking."""

    random: random.Random
    settings: Settings = field(default_factory=Settings)
    state: State = field(default_factory=Idle)
    heard_to: dict[int, int] = field(default_factory=dict)
    """How far each attempt is, as it thinks."""
    finishing: set[int] = field(default_factory=set)
    told: list[Effect] = field(default_factory=list)
    at: float = 0.0

    def feed(self, event: Event) -> None:
        self.state, effects = step(self.state, event, self.settings)
        self.told += effects
        for effect in effects:
            match effect:
                case StartEngine(from_sample=start, attempt=attempt):
                    self.heard_to[attempt] = start
                case FinishEngine():
                    self.finishing.add(max(self.heard_to))
                case _:
                    pass

    def something(self) -> Event:
        """What an engine, old or new, does next, or what the user chooses."""
        self.at += 0.1
        attempt = self.random.choice([*self.heard_to, *[max(self.heard_to)] * 3])
        start = self.heard_to[attempt]
        end = self.random.randint(start, SAMPLES)
        match self.random.randrange(12):
            case 0:
                code = self.random.choice(["azure.lost", "azure.mute", "azure.throttled", "engine.died"])
                return EngineFailed(1, self.at, code, attempt)
            case 1:  # a lie
                wrong = self.random.randint(0, SAMPLES)
                more = min(wrong + 5, SAMPLES)  # beyond the take the link believes nobody
                return Final(1, self.at, Segment(wrong, more, spoken(wrong, more)), attempt)
            case 2:
                backend = self.random.choice(["auto", "azure", "local"])
                self.settings = Settings(engine=EngineSettings(backend=backend))
                return Prefer(self.at)
            case 3:
                return Voice(1, self.at, self.random.random() < 0.5, attempt)
            case 4 if self.random.random() < 0.2:
                return TimedOut(1, self.at, Deadline.FINISHING)
            case 5:
                return AzureChanged(self.at, self.random.choice(["", "azure.not_configured"]))
            case 6 | 7 if attempt in self.finishing and start == SAMPLES:
                return EngineDone(1, self.at, attempt)
            case _:
                self.heard_to[attempt] = end
                return Final(1, self.at, Segment(start, end, spoken(start, end)), attempt)


@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(0, 10))
def test_each_sample_is_in_the_text_exactly_once_and_in_order(
    seed: int, while_recording: int, while_closing: int
) -> None:
    world = World(random.Random(seed))
    for event in LIVE:
        world.feed(event)
    for _ in range(while_recording):
        world.feed(world.something())
    world.feed(Stop(world.at))
    for _ in range(while_closing):
        world.feed(world.something())
    world.feed(TakeClosed(1, world.at, 1.0))
    for _ in range(2000):
        if not isinstance(world.state, Finishing):
            break
        world.feed(world.something())

    inserted = [effect.text for effect in world.told if isinstance(effect, Insert)]
    failed = [effect.outcome for effect in world.told if isinstance(effect, Report)]
    assert (inserted, failed) in (([spoken(0, SAMPLES)], []), ([], [Outcome.FAILED])), "whole, or kept"
    starts = [effect for effect in world.told if isinstance(effect, StartEngine)]
    assert [effect.attempt for effect in starts] == list(range(1, len(starts) + 1))


# --- watchdogs


def test_a_connection_that_does_not_come_is_given_up() -> None:
    watch = Watch(connecting_at=10.0)

    assert watch.overdue(10.0 + CONNECT_S - 0.01) == ""
    assert watch.overdue(10.0 + CONNECT_S) == "azure.unreachable"
    assert watch.connected(0.0).overdue(1000.0) == ""


def test_a_connection_that_is_lost_may_come_back_in_time() -> None:
    lost = Watch(0.0).connected(0.0).disconnected(10.0).disconnected(11.0)

    assert lost.overdue(10.0 + RECONNECT_S - 0.01) == ""
    assert lost.overdue(10.0 + RECONNECT_S) == "azure.lost"
    assert lost.connected(0.0).overdue(1000.0) == ""


def test_silence_may_be_met_with_silence_but_speech_may_not() -> None:
    watch = Watch(0.0).connected(0.0)
    for tenth in range(40):
        assert watch.overdue(tenth / 10) == ""
        watch = watch.voiced(0.1, tenth / 10)

    assert watch.overdue(MUTE_S) == "azure.mute"
    assert watch.answered(MUTE_S).overdue(1000.0) == ""
    assert Watch(0.0).connected(0.0).voiced(MUTE_S / 2, 0.0).overdue(1000.0) == ""


def test_a_replay_that_is_handed_over_at_once_has_time_to_be_answered() -> None:
    watch = Watch(0.0).connected(0.0).voiced(60.0, at=1.0)

    assert watch.overdue(1.0) == ""
    assert watch.overdue(1.0 + MUTE_S) == "azure.mute"


def test_a_service_that_only_supposes_and_never_says_is_given_up() -> None:
    watch = Watch(0.0).connected(0.0)
    for second in range(1, 70):
        watch = watch.voiced(1.0, second).answered(second).open(second, second)
        assert watch.overdue(second) == ""

    assert watch.open(71.0, 71.0).overdue(71.0) == "azure.mute"
    assert watch.open(3.0, 71.0).open(72.0, 72.0).overdue(72.0) == ""


def test_a_take_that_is_replayed_at_once_is_given_time_for_its_first_final() -> None:
    watch = Watch(0.0).connected(0.0).open(60.0, 1.0).open(120.0, 2.0)

    assert watch.overdue(1.0 + FINAL_S - 0.1) == ""
    assert watch.overdue(1.0 + FINAL_S) == "azure.mute"


def test_the_end_must_be_answered_and_each_answer_gives_new_time() -> None:
    watch = Watch(0.0).connected(0.0).ended(10.0)

    assert watch.overdue(10.0 + END_S - 0.01) == ""
    assert watch.overdue(10.0 + END_S) == "azure.mute"
    assert watch.answered(12.0).overdue(12.0 + END_S - 0.01) == ""
    assert watch.answered(12.0).overdue(12.0 + END_S) == "azure.mute"
