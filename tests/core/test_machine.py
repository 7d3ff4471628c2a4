"""The dictation machine keeps its promises for every order of events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from lysnrai_desktop.core.dictation import (
    Arming,
    AzureChanged,
    Cancel,
    CancelEngine,
    CaptureTarget,
    CloseMicrophone,
    Cue,
    Deadline,
    Delivery,
    Effect,
    EngineDone,
    EngineFailed,
    EraseTake,
    Event,
    Final,
    FinishEngine,
    Finishing,
    Idle,
    Insert,
    Inserted,
    InsertFailed,
    Inserting,
    KeepTake,
    MicrophoneFailed,
    MicrophoneLive,
    OpenMicrophone,
    OpenTake,
    Outcome,
    Prefer,
    Recording,
    Report,
    Settled,
    Silence,
    Sound,
    Start,
    StartEngine,
    StartTimer,
    State,
    Stop,
    TakeClosed,
    Tell,
    TimedOut,
    Voice,
    WatchCancelKey,
)
from lysnrai_desktop.core.failover import ENGINE_TRIES, Backend
from lysnrai_desktop.core.machine import ARMING_S, FINISHING_S, step
from lysnrai_desktop.core.settings import EngineSettings, RecordingSettings, Settings, TakesSettings
from lysnrai_desktop.core.speech import Segment, SpokenText

DEFAULTS = Settings()
WHISPER = Backend.WHISPER
HELLO = Segment(0, 48000, SpokenText("Hello."))
WORLD = Segment(48000, 96000, SpokenText("World."))


def play(*events: Event, settings: Settings = DEFAULTS) -> tuple[list[Effect], State]:
    """Feed events to a fresh machine; return all effects and the last state."""
    state: State = Idle()
    effects: list[Effect] = []
    for event in events:
        state, new = step(state, event, settings)
        effects += new
    return effects, state


def only(effects: list[Effect], kind: type[Any]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


LIVE: tuple[Event, ...] = (Start(0.0), MicrophoneLive(1, 0.1))
SPOKEN: tuple[Event, ...] = (*LIVE, Final(1, 2.0, HELLO), Stop(3.0), TakeClosed(1, 3.1, 2.9))
DONE: tuple[Event, ...] = (*SPOKEN, EngineDone(1, 3.5))


def test_the_words_are_inserted_after_the_engine_has_heard_everything() -> None:
    effects, state = play(
        *LIVE, Final(1, 2.0, HELLO), Stop(3.0), TakeClosed(1, 3.1, 2.9), Final(1, 3.4, WORLD), EngineDone(1, 3.5)
    )

    assert only(effects, Insert) == [Insert(1, SpokenText("Hello. World."))]
    assert isinstance(state, Inserting)


def test_a_start_captures_the_target_before_anything_else_can_take_the_focus() -> None:
    effects, _ = play(Start(0.0))

    assert isinstance(effects[0], CaptureTarget)
    assert [type(effect) for effect in effects[1:4]] == [OpenTake, OpenMicrophone, StartEngine]


def test_it_says_recording_only_when_sound_arrives() -> None:
    effects, state = play(Start(0.0))

    assert isinstance(state, Arming)
    assert not only(effects, Cue)

    state, after = step(state, MicrophoneLive(1, 2.2), DEFAULTS)

    assert isinstance(state, Recording)
    assert only(list(after), Cue) == [Cue(Sound.LIVE)]


def test_a_delivered_take_is_erased_and_reported_with_the_wait_the_user_felt() -> None:
    effects, state = play(*DONE, Inserted(1, 4.0, Delivery.INSERTED))

    assert state == Idle(1)
    assert only(effects, EraseTake) == [EraseTake(1)]
    assert only(effects, Report) == [Report(1, Outcome.INSERTED, "", 2.9, 1.0)]


def test_a_delivered_take_is_kept_where_the_user_wants_it_kept() -> None:
    effects, _ = play(*DONE, Inserted(1, 4.0, Delivery.INSERTED), settings=Settings(takes=TakesSettings(keep_s=60)))

    assert only(effects, KeepTake) == [KeepTake(1, Outcome.INSERTED, "")]
    assert not only(effects, EraseTake)


@pytest.mark.parametrize("delivery", [Delivery.ON_CLIPBOARD, Delivery.PROBABLY_INSERTED])
def test_the_take_stays_until_the_text_is_known_to_be_in_the_target(delivery: Delivery) -> None:
    effects, _ = play(*DONE, Inserted(1, 4.0, delivery, code="insert.target_gone"))

    assert only(effects, KeepTake) == [KeepTake(1, Outcome(delivery.value), "insert.target_gone")]


@pytest.mark.parametrize("ending", [InsertFailed(1, 5.0, "insert.unavailable"), TimedOut(1, 30.0, Deadline.INSERTING)])
def test_text_that_cannot_be_inserted_keeps_the_take(ending: Event) -> None:
    effects, state = play(*DONE, ending)

    assert state == Idle(1)
    assert [keep.outcome for keep in only(effects, KeepTake)] == [Outcome.FAILED]
    assert [report.outcome for report in only(effects, Report)] == [Outcome.FAILED]


def test_text_that_arrives_after_cancel_is_never_inserted() -> None:
    effects, _ = play(*SPOKEN, Cancel(3.2), Start(3.3), Final(1, 3.4, WORLD), EngineDone(1, 3.5))

    assert not only(effects, Insert)


@pytest.mark.parametrize("before", [(Start(0.0),), LIVE, SPOKEN], ids=["arming", "recording", "finishing"])
def test_cancel_erases_the_take_at_once(before: tuple[Event, ...]) -> None:
    effects, state = play(*before, Cancel(3.2))

    assert state == Idle(1)
    assert only(effects, EraseTake)
    assert only(effects, CancelEngine)
    assert only(effects, Report)[-1].outcome is Outcome.CANCELLED


def test_cancel_is_too_late_once_the_keys_are_on_their_way() -> None:
    effects, state = play(*DONE, Cancel(3.6))

    assert isinstance(state, Inserting)
    assert not only(effects, EraseTake)


def test_silence_inserts_nothing_and_keeps_the_audio() -> None:
    effects, state = play(*LIVE, Stop(3.0), TakeClosed(1, 3.1, 2.9), EngineDone(1, 3.5))

    assert state == Idle(1)
    assert not only(effects, Insert)
    assert only(effects, KeepTake) == [KeepTake(1, Outcome.NOTHING_HEARD, "")]


def test_the_maximum_length_ends_it_as_a_key_press_would() -> None:
    by_key, _ = play(*LIVE, Final(1, 2.0, HELLO), Stop(1800.1))
    by_clock, state = play(*LIVE, Final(1, 2.0, HELLO), TimedOut(1, 1800.1, Deadline.MAX_LENGTH))

    assert by_clock == by_key
    assert isinstance(state, Finishing)


def test_the_maximum_length_counts_from_the_first_block() -> None:
    effects, _ = play(Start(0.0), MicrophoneLive(1, 2.0), settings=Settings(recording=RecordingSettings(max_s=10)))

    assert only(effects, StartTimer)[-1] == StartTimer(1, Deadline.MAX_LENGTH, 12.0)


QUIET = Settings(recording=RecordingSettings(stop_at_silence_s=2.0))


def test_silence_behind_speech_ends_it_where_the_user_wants_that() -> None:
    effects, state = play(
        *LIVE, Voice(1, 1.0, True), Voice(1, 3.0, False), TimedOut(1, 5.0, Deadline.QUIET), settings=QUIET
    )

    assert StartTimer(1, Deadline.QUIET, 5.0) in effects
    assert isinstance(state, Finishing)


def test_speaking_again_outlives_the_silence() -> None:
    _, state = play(*LIVE, Voice(1, 3.0, False), Voice(1, 4.9, True), TimedOut(1, 5.0, Deadline.QUIET), settings=QUIET)

    assert isinstance(state, Recording)


def test_silence_ends_nothing_by_default() -> None:
    effects, state = play(*LIVE, Voice(1, 3.0, False), TimedOut(1, 1000.0, Deadline.QUIET))

    assert Deadline.QUIET not in [timer.deadline for timer in only(effects, StartTimer)]
    assert isinstance(state, Recording)


def test_a_key_let_go_before_the_microphone_is_live_still_records_what_comes() -> None:
    effects, state = play(Start(0.0), Stop(0.2), MicrophoneLive(1, 0.4))

    assert isinstance(state, Finishing)
    assert only(effects, CloseMicrophone)
    assert not only(effects, EraseTake)
    assert Cue(Sound.LIVE) not in effects


def test_a_key_let_go_too_early_is_told_with_the_outcome() -> None:
    effects, _ = play(Start(0.0), Stop(0.2), MicrophoneLive(1, 0.4), TakeClosed(1, 0.5, 0.1), EngineDone(1, 0.6))

    assert only(effects, KeepTake) == [KeepTake(1, Outcome.NOTHING_HEARD, "microphone.late")]
    assert [report.code for report in only(effects, Report)] == ["microphone.late"]


def test_a_muted_microphone_is_told_once_and_settled_when_sound_comes() -> None:
    effects, state = play(*LIVE, Silence(1, 1.6, on=True), Silence(1, 2.0, on=False), Silence(1, 4.0, on=True))

    assert only(effects, Tell) == [Tell(1, "microphone.silent")]
    assert only(effects, Settled) == [Settled(1, "microphone.silent")]
    assert isinstance(state, Recording), "it goes on"


def test_pressed_again_before_it_was_live_it_goes_on() -> None:
    _, state = play(Start(0.0), Stop(0.2), Start(0.3), MicrophoneLive(1, 0.4))

    assert isinstance(state, Recording)


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (MicrophoneFailed(1, 1.0, "microphone.missing"), "microphone.missing"),
        (TimedOut(1, ARMING_S, Deadline.ARMING), "microphone.no_audio"),
    ],
)
def test_a_microphone_that_never_comes_is_told(ending: Event, code: str) -> None:
    effects, state = play(Start(0.0), ending)

    assert state == Idle(1)
    assert only(effects, KeepTake) == [KeepTake(1, Outcome.FAILED, code)], "which is no file where nothing came"
    assert only(effects, CloseMicrophone)
    assert only(effects, Report)[0].code == code


def test_a_microphone_that_vanishes_ends_it_and_what_was_heard_is_inserted() -> None:
    effects, state = play(
        *LIVE,
        Final(1, 2.0, HELLO),
        MicrophoneFailed(1, 3.0, "microphone.lost"),
        TakeClosed(1, 3.1, 2.9),
        EngineDone(1, 3.5),
    )

    assert only(effects, Tell) == [Tell(1, "microphone.lost")]
    assert only(effects, Insert) == [Insert(1, SpokenText("Hello."))]
    assert isinstance(state, Inserting)


def test_an_engine_that_dies_is_started_again_behind_its_last_final() -> None:
    effects, _ = play(*LIVE, Final(1, 2.0, HELLO), EngineFailed(1, 2.5, "engine.died"))

    assert only(effects, StartEngine) == [StartEngine(1, WHISPER, 0), StartEngine(1, WHISPER, 48000, attempt=2)]


def test_an_engine_that_dies_while_finishing_hears_the_rest_again() -> None:
    effects, state = play(*SPOKEN, EngineFailed(1, 3.3, "engine.died"), Final(1, 4.0, WORLD, 2), EngineDone(1, 4.1, 2))

    assert [type(effect) for effect in effects if isinstance(effect, StartEngine | FinishEngine)][-2:] == [
        StartEngine,
        FinishEngine,
    ]
    assert only(effects, Insert) == [Insert(1, SpokenText("Hello. World."))]
    assert isinstance(state, Inserting)


@pytest.mark.parametrize(
    "before", [(Start(0.0),), LIVE, SPOKEN], ids=["while arming", "while recording", "while finishing"]
)
def test_an_engine_that_fails_every_time_leaves_the_take_to_the_user(before: tuple[Event, ...]) -> None:
    failures = [EngineFailed(1, 3.2, "engine.died", attempt + 1) for attempt in range(ENGINE_TRIES)]
    rest = (MicrophoneLive(1, 3.3), Stop(4.0), TakeClosed(1, 4.1, 2.0))

    effects, state = play(*before, *failures, *rest)

    assert state == Idle(1)
    assert len(only(effects, StartEngine)) == ENGINE_TRIES
    assert only(effects, KeepTake) == [KeepTake(1, Outcome.FAILED, "engine.died")]
    assert only(effects, Report)[0].outcome is Outcome.FAILED


def test_an_engine_that_says_nothing_is_replaced() -> None:
    effects, _ = play(*SPOKEN, TimedOut(1, 3.0 + FINISHING_S, Deadline.FINISHING))

    assert only(effects, StartEngine)[-1] == StartEngine(1, WHISPER, 48000, attempt=2)


def test_what_an_engine_says_after_it_was_given_up_is_not_heard() -> None:
    silent = TimedOut(1, 3.0 + FINISHING_S, Deadline.FINISHING)

    effects, state = play(*SPOKEN, silent, Final(1, 63.1, WORLD), EngineDone(1, 63.2))
    assert isinstance(state, Finishing)

    for event in (Final(1, 70.0, WORLD, attempt=2), EngineDone(1, 70.1, attempt=2)):
        state, new = step(state, event, DEFAULTS)
        effects += new
    assert only(effects, Insert) == [Insert(1, SpokenText("Hello. World."))]


def test_an_engine_that_is_done_with_an_open_take_is_not_believed() -> None:
    effects, state = play(*LIVE, Final(1, 2.0, HELLO), Stop(3.0), EngineDone(1, 3.05))

    assert isinstance(state, Finishing)
    assert not only(effects, Insert)


def test_each_final_gives_the_engine_new_time() -> None:
    effects, _ = play(*SPOKEN, Final(1, 50.0, WORLD))

    assert only(effects, StartTimer)[-1] == StartTimer(1, Deadline.FINISHING, 50.0 + FINISHING_S)


@pytest.mark.parametrize("before", [SPOKEN, DONE], ids=["finishing", "inserting"])
def test_a_press_while_the_last_text_is_on_its_way_begins_the_next_dictation_after_it(
    before: tuple[Event, ...],
) -> None:
    effects, state = play(*before, Start(3.55), EngineDone(1, 3.6), Inserted(1, 4.0, Delivery.INSERTED))

    assert state == Arming(2, 4.0)
    assert only(effects, Insert) == [Insert(1, SpokenText("Hello."))]


@pytest.mark.parametrize("before", [SPOKEN, DONE], ids=["finishing", "inserting"])
def test_a_press_that_ended_before_that_is_forgotten(before: tuple[Event, ...]) -> None:
    _, state = play(*before, Start(3.55), Stop(3.58), EngineDone(1, 3.6), Inserted(1, 4.0, Delivery.INSERTED))

    assert state == Idle(1)


# --- for every order of events ------------------------------------------------------------------------------

sessions = st.integers(0, 3)
times = st.floats(0, 1e5)
codes = st.sampled_from(["engine.died", "azure.lost", "azure.key", "azure.throttled", "microphone.lost"])
segments = st.builds(
    Segment, st.integers(0, 9), st.integers(9, 99), st.builds(SpokenText, st.sampled_from(["Hi", "", "."]))
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Start, times),
    st.builds(Stop, times),
    st.builds(Cancel, times),
    st.builds(Prefer, times),
    st.builds(AzureChanged, times, st.sampled_from(["", "azure.not_configured"])),
    st.builds(MicrophoneLive, sessions, times),
    st.builds(MicrophoneFailed, sessions, times, codes),
    st.builds(Voice, sessions, times, st.booleans()),
    st.builds(Silence, sessions, times, st.booleans()),
    st.builds(TakeClosed, sessions, times, st.floats(0, 100)),
    st.builds(Final, sessions, times, segments, st.integers(1, 3)),
    st.builds(EngineDone, sessions, times, st.integers(1, 3)),
    st.builds(EngineFailed, sessions, times, codes, st.integers(1, 3)),
    st.builds(Inserted, sessions, times, st.sampled_from(Delivery), codes),
    st.builds(InsertFailed, sessions, times, codes),
    st.builds(TimedOut, sessions, times, st.sampled_from(Deadline)),
)
histories = st.lists(events, max_size=60)
settings = st.sampled_from(
    [
        DEFAULTS,
        QUIET,
        Settings(takes=TakesSettings(keep_s=60)),
        Settings(engine=EngineSettings(backend="azure")),
        Settings(engine=EngineSettings(prefer="local")),
    ]
)


@given(histories, settings)
def test_each_dictation_ends_exactly_once(sequence: list[Event], chosen: Settings) -> None:
    effects, state = play(*sequence, settings=chosen)

    started = [effect.session for effect in only(effects, OpenTake)]
    ended = [effect.session for effect in only(effects, Report)]
    live = [] if isinstance(state, Idle) else [state.session]
    assert started == list(range(1, len(started) + 1)) == ended + live


@given(histories, settings)
def test_the_microphone_and_the_cancel_key_are_always_given_back(sequence: list[Event], chosen: Settings) -> None:
    effects, state = play(*sequence, settings=chosen)

    opened = [effect.session for effect in only(effects, OpenMicrophone)]
    closed = [effect.session for effect in only(effects, CloseMicrophone)]
    watching = [effect.on for effect in only(effects, WatchCancelKey)]
    assert closed == (opened[:-1] if isinstance(state, Arming | Recording) else opened)
    assert watching == [True, False] * len(closed) + [True] * (len(opened) - len(closed))


@given(histories, settings)
def test_every_take_is_erased_or_kept_exactly_once(sequence: list[Event], chosen: Settings) -> None:
    effects, state = play(*sequence, settings=chosen)

    opened = [effect.session for effect in only(effects, OpenTake)]
    settled = [effect.session for effect in effects if isinstance(effect, EraseTake | KeepTake)]
    assert settled == (opened if isinstance(state, Idle) else opened[:-1])


@given(histories, settings)
def test_a_cancelled_dictation_is_never_inserted_and_no_other_twice(sequence: list[Event], chosen: Settings) -> None:
    effects, _ = play(*sequence, settings=chosen)

    inserted = [effect.session for effect in only(effects, Insert)]
    cancelled = {report.session for report in only(effects, Report) if report.outcome is Outcome.CANCELLED}
    assert len(inserted) == len(set(inserted))
    assert not cancelled & set(inserted)


@given(histories, settings)
def test_audio_is_erased_only_when_delivered_or_cancelled(sequence: list[Event], chosen: Settings) -> None:
    effects, _ = play(*sequence, settings=chosen)

    reports = {report.session: report for report in only(effects, Report)}
    for erased in only(effects, EraseTake):
        assert reports[erased.session].outcome in {Outcome.INSERTED, Outcome.CANCELLED}


@given(histories, settings)
def test_no_other_take_is_heard_and_none_after_its_end(sequence: list[Event], chosen: Settings) -> None:
    effects, _ = play(*sequence, settings=chosen)

    now = 0
    for effect in effects:
        if isinstance(effect, OpenTake):
            now = effect.session
        elif isinstance(effect, Report):
            assert effect.session == now
            now = 0
        elif not isinstance(effect, CaptureTarget | WatchCancelKey | Cue):
            assert effect.session == now, "of the dictation under way, and of no other"


@given(histories, settings)
def test_a_restarted_engine_hears_from_the_end_of_the_last_final_on(sequence: list[Event], chosen: Settings) -> None:
    state: State = Idle()
    for event in sequence:
        before = state
        state, effects = step(before, event, chosen)
        heard = before.transcript.end if isinstance(before, Recording | Finishing) else 0
        for start in only(list(effects), StartEngine):
            assert start.from_sample == (heard if start.session == before.session else 0)


faulty = st.one_of(
    st.builds(MicrophoneFailed, st.just(1), times, codes),
    st.builds(EngineFailed, st.just(1), times, codes),
    st.builds(InsertFailed, st.just(1), times, codes),
    st.builds(Silence, st.just(1), times, st.booleans()),
    st.builds(TimedOut, st.just(1), times, st.sampled_from([Deadline.FINISHING, Deadline.INSERTING])),
    st.builds(Cancel, times),
)
ALL_WELL: tuple[Event, ...] = (
    *LIVE,
    Voice(1, 1.0, True),
    Final(1, 2.0, HELLO),
    Stop(3.0),
    TakeClosed(1, 3.1, 2.9),
    Final(1, 3.4, WORLD),
    EngineDone(1, 3.5),
    Inserted(1, 4.0, Delivery.INSERTED),
)


def of_the_present_engine(event: Event, state: State) -> Event:
    if isinstance(event, Final | EngineDone | EngineFailed) and not isinstance(state, Idle | Inserting):
        return replace(event, attempt=state.relay.attempt)
    return event


@given(st.lists(st.tuples(st.integers(0, len(ALL_WELL)), faulty), max_size=6), settings)
def test_with_faults_at_every_point_of_a_dictation_what_was_said_is_delivered_kept_or_cancelled(
    faults: list[tuple[int, Event]], chosen: Settings
) -> None:
    sequence: list[Event] = []
    for at, event in enumerate(ALL_WELL):
        sequence += [fault for place, fault in faults if place == at]
        sequence.append(event)
    state: State = Idle()
    effects: list[Effect] = []
    for event in sequence:
        state, new = step(state, of_the_present_engine(event, state), chosen)
        effects += new

    reports = {report.session: report.outcome for report in only(effects, Report)}
    erased = {effect.session for effect in only(effects, EraseTake)}
    cancelled = any(isinstance(fault, Cancel) for _, fault in faults)
    for session in erased:
        assert reports[session] is Outcome.INSERTED or cancelled
    if not faults:
        assert reports == {1: Outcome.INSERTED}
        assert only(effects, Insert) == [Insert(1, SpokenText("Hello. World."))]
    for text in only(effects, Insert):
        assert text.text.reveal() in {"Hello. World.", "Hello."}, "nothing twice, nothing that was not said"
    assert isinstance(state, Idle | Finishing | Inserting)


@given(histories, settings)
def test_left_alone_it_always_returns_to_idle(sequence: list[Event], chosen: Settings) -> None:
    effects, state = play(*sequence, settings=chosen)

    for _ in range(4 * ENGINE_TRIES + 3):
        if isinstance(state, Idle):
            return
        timer = [e for e in effects if isinstance(e, StartTimer) and e.deadline is not Deadline.QUIET][-1]
        after, new = step(state, TimedOut(state.session, at=1e6, deadline=timer.deadline), chosen)
        assert after != state, f"nothing will ever wake {state}"
        state, effects = after, [*effects, *new]
    assert isinstance(state, Idle)
