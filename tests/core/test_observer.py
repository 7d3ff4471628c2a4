"""What the machine does becomes usage events: the right ones, once, and nothing of what was said."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, strategies as st

from lysnrai_desktop.core import usage
from lysnrai_desktop.core.dictation import (
    AzureChanged,
    Cancel,
    Deadline,
    Delivery,
    EngineDone,
    EngineFailed,
    Event,
    Final,
    Idle,
    Inserted,
    InsertFailed,
    MicrophoneFailed,
    MicrophoneLive,
    Prefer,
    Silence,
    Start,
    State,
    Stop,
    TakeClosed,
    TimedOut,
    Voice,
)
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.machine import step
from lysnrai_desktop.core.observer import Seen, observe, observe_engine
from lysnrai_desktop.core.settings import EngineSettings, Settings
from lysnrai_desktop.core.speech import Segment, SpokenText
from lysnrai_desktop.core.usage import Code, UsageEvent

WHISPER, AZURE = Backend.WHISPER, Backend.AZURE
DIED = Code("engine.died")
HELLO = Segment(0, 48000, SpokenText("hello there,"))
AGAIN = Segment(48000, 96000, SpokenText("it is me."))
READY = "ready"


def play(*script: Event | str | Settings) -> list[UsageEvent]:
    """Feed a fresh machine; texts are states of Whisper's process. Returns what was told."""
    settings = Settings()
    state: State = Idle()
    seen = Seen()
    events: list[UsageEvent] = []
    for item in script:
        more: tuple[UsageEvent, ...] = ()
        if isinstance(item, Settings):
            settings = item
        elif isinstance(item, str):
            seen, more = observe_engine(seen, WHISPER, item)
        else:
            before = state
            state, effects = step(before, item, settings)
            seen, more = observe(seen, before, item, state, effects)
        events += more
    return events


def names(events: Iterable[UsageEvent]) -> list[str]:
    return [event.name for event in events]


SPOKEN: tuple[Event, ...] = (
    Start(10.0),
    MicrophoneLive(1, 10.25),
    Final(1, 11.0, HELLO),
    Stop(12.0),
    TakeClosed(1, 12.1, audio_s=2.0),
    Final(1, 12.5, AGAIN),
    EngineDone(1, 12.6),
)


def test_a_dictation_is_told_in_numbers() -> None:
    events = play(*SPOKEN, Inserted(1, 13.0, Delivery.INSERTED))

    assert events == [
        usage.DictationStarted(WHISPER),
        usage.BackendSelected(WHISPER, usage.Why.PREFERRED),
        usage.RecognitionStarted(WHISPER, wait_ms=250),
        usage.DictationCompleted(
            usage.Result.INSERTED,
            duration_ms=3000,
            latency_ms=1000,
            word_count=5,
            segment_count=2,
            transcript_length=22,
            audio_ms=2000,
        ),
    ]


def test_text_that_stays_on_the_clipboard_says_why() -> None:
    events = play(*SPOKEN, Inserted(1, 13.0, Delivery.ON_CLIPBOARD, "insert.target_gone"))

    assert events[-2] == usage.TextKeptOnClipboard(Code("insert.target_gone"))
    assert names(events)[-1] == "dictation_completed"


def test_nothing_heard_is_nothing_inserted() -> None:
    events = play(Start(1.0), MicrophoneLive(1, 1.1), Stop(2.0), TakeClosed(1, 2.1, 1.0), EngineDone(1, 2.5))

    assert events[-1] == usage.InsertNoop(audio_ms=1000)


def test_a_cancelled_dictation_says_where_it_was() -> None:
    assert play(Start(1.0), MicrophoneLive(1, 1.1), Cancel(2.0))[-1] == usage.DictationCancelled(usage.Phase.RECORDING)
    assert play(Start(1.0), Cancel(2.0))[-1] == usage.DictationCancelled(usage.Phase.ARMING)
    assert play(*SPOKEN[:-1], Cancel(12.5))[-1] == usage.DictationCancelled(usage.Phase.FINISHING)


def test_a_failed_insertion_is_a_failed_dictation() -> None:
    events = play(*SPOKEN, InsertFailed(1, 13.0, "insert.not_delivered"))

    assert events[-1] == usage.DictationFailed(usage.Phase.INSERTING, 2000, Code("insert.not_delivered"))


def test_a_microphone_that_is_refused_is_told_apart_from_one_that_is_silent() -> None:
    denied = play(Start(1.0), MicrophoneFailed(1, 1.5, "microphone.denied"))
    missing = play(Start(1.0), MicrophoneFailed(1, 1.5, "microphone.missing"))
    silent = play(Start(1.0), TimedOut(1, 9.0, Deadline.ARMING))

    assert names(denied)[2:] == ["mic_permission_denied", "recording_start_failed", "dictation_failed"]
    assert names(missing)[2:] == ["recording_start_failed", "dictation_failed"]
    assert denied[3] == usage.RecordingStartFailed(500, Code("microphone.denied"))
    assert silent[2] == usage.RecordingStartFailed(8000, Code("microphone.no_audio"))


def test_a_microphone_that_vanishes_is_told_and_the_text_still_counts() -> None:
    events = play(
        Start(1.0),
        MicrophoneLive(1, 1.1),
        MicrophoneFailed(1, 2.0, "microphone.lost"),
        TakeClosed(1, 2.1, 0.9),
        Final(1, 2.5, HELLO),
        EngineDone(1, 2.6),
        Inserted(1, 3.0, Delivery.INSERTED),
    )

    assert usage.MicrophoneLost(Code("microphone.lost")) in events
    assert names(events)[-1] == "dictation_completed"


def test_an_engine_that_dies_and_is_replaced_is_a_recovery_that_succeeded() -> None:
    events = play(
        Start(1.0),
        MicrophoneLive(1, 1.1),
        EngineFailed(1, 2.0, "engine.died"),
        "starting",
        READY,
        READY,
        Final(1, 5.5, HELLO, attempt=2),
        Final(1, 6.0, AGAIN, attempt=2),
    )

    assert events[3:] == [
        usage.RecognitionFailed(WHISPER, DIED),
        usage.ErrorRecoveryAttempted(WHISPER, WHISPER, DIED),
        usage.EngineRestarted(DIED),
        usage.ErrorRecoverySucceeded(duration_ms=3500),
    ]


def test_an_engine_that_dies_each_time_is_a_recovery_that_failed() -> None:
    died = [EngineFailed(1, at, "engine.died", attempt) for attempt, at in enumerate((2.0, 3.0, 4.5), 1)]
    events = play(Start(1.0), MicrophoneLive(1, 1.1), Stop(1.5), TakeClosed(1, 1.6, 0.5), *died)

    assert names(events).count("recognition_failed") == 3
    assert names(events).count("error_recovery_attempted") == 2
    assert events[-2] == usage.ErrorRecoveryFailed(duration_ms=2500)
    assert events[-1] == usage.DictationFailed(usage.Phase.FINISHING, 500, DIED)


CONFIGURED = AzureChanged(0.5, "")
LOST, REFUSED = Code("azure.lost"), Code("azure.key")


def test_a_service_that_fails_and_is_followed_by_the_local_engine_is_a_recovery() -> None:
    events = play(
        CONFIGURED,
        Start(1.0),
        MicrophoneLive(1, 1.1),
        EngineFailed(1, 2.0, "azure.lost"),
        READY,
        Final(1, 4.0, HELLO, attempt=2),
    )

    assert events == [
        usage.DictationStarted(AZURE),
        usage.BackendSelected(AZURE, usage.Why.PREFERRED),
        usage.RecognitionStarted(AZURE, 100),
        usage.RecognitionFailed(AZURE, LOST),
        usage.ErrorRecoveryAttempted(AZURE, WHISPER, LOST),
        usage.BackendSelected(WHISPER, usage.Why.FAILED),
        usage.ErrorRecoverySucceeded(2000),
    ], "and nothing was started anew"


def test_the_dictations_after_a_refusal_say_that_another_engine_stands_in() -> None:
    events = play(CONFIGURED, Start(1.0), EngineFailed(1, 2.0, "azure.key"), Cancel(3.0), Start(4.0))

    assert usage.RecognitionFailed(AZURE, REFUSED) in events
    assert events[-2:] == [
        usage.DictationStarted(WHISPER),
        usage.BackendSelected(WHISPER, usage.Why.UNAVAILABLE),
    ]


def test_an_engine_that_the_user_chooses_is_no_recovery() -> None:
    local = Settings(engine=EngineSettings(backend="local"))

    events = play(CONFIGURED, Start(1.0), local, Prefer(2.0), Prefer(3.0))

    assert events[2:] == [usage.BackendSelected(WHISPER, usage.Why.CHOSEN)]


def test_text_that_its_engine_cannot_have_heard_is_that_engines_failure() -> None:
    events = play(Start(1.0), MicrophoneLive(1, 1.1), Final(1, 2.0, AGAIN))

    assert usage.RecognitionFailed(WHISPER, DIED) in events


def test_what_the_next_dictation_begins_is_no_recovery_of_the_last() -> None:
    died = [EngineFailed(1, at, "engine.died", attempt) for attempt, at in enumerate((2.0, 3.0, 4.5), 1)]
    events = play(Start(1.0), MicrophoneLive(1, 1.1), Stop(1.5), Start(1.6), TakeClosed(1, 1.7, 0.5), *died)

    assert names(events)[-4:] == ["error_recovery_failed", "dictation_failed", "dictation_started", "backend_selected"]


def test_an_engine_that_never_answers_is_told_as_a_timeout() -> None:
    events = play(Start(1.0), MicrophoneLive(1, 1.1), Stop(1.5), TimedOut(1, 61.5, Deadline.FINISHING))

    assert events[-2] == usage.RecognitionFailed(WHISPER, Code("engine.timeout"))


def test_an_engine_that_becomes_ready_by_itself_is_nothing_new() -> None:
    assert names(play(READY, Start(1.0), READY)) == ["dictation_started", "backend_selected"]


def test_what_comes_too_late_is_not_told() -> None:
    events = play(
        Start(1.0),
        Cancel(1.5),
        EngineFailed(1, 2.0, "engine.died"),
        Start(3.0),
        MicrophoneFailed(1, 3.1, "microphone.lost"),
    )

    started = ["dictation_started", "backend_selected"]
    assert names(events) == [*started, "dictation_cancelled", *started]


def test_the_next_dictation_knows_nothing_of_the_last() -> None:
    again = (Start(20.0), MicrophoneLive(2, 20.1), Stop(21.0), TakeClosed(2, 21.1, 1.0))
    second = (*again, Final(2, 22.0, HELLO), EngineDone(2, 22.1), Inserted(2, 22.5, Delivery.INSERTED))

    events = play(*SPOKEN, Inserted(1, 13.0, Delivery.INSERTED), *second)

    last = events[-1]
    assert isinstance(last, usage.DictationCompleted)
    assert (last.word_count, last.segment_count, last.duration_ms) == (2, 1, 2500)


_sessions = st.integers(1, 3)
_times = st.floats(0, 1e6)
_codes = st.sampled_from(["engine.died", "engine.timeout", "microphone.lost", "microphone.denied", "disk.full", "odd"])
_events = st.one_of(
    st.builds(Start, _times),
    st.builds(Stop, _times),
    st.builds(Cancel, _times),
    st.builds(Prefer, _times),
    st.builds(AzureChanged, _times, st.sampled_from(["", "azure.not_configured"])),
    st.builds(MicrophoneLive, _sessions, _times),
    st.builds(MicrophoneFailed, _sessions, _times, _codes),
    st.builds(Voice, _sessions, _times, st.booleans()),
    st.builds(Silence, _sessions, _times, st.booleans()),
    st.builds(TakeClosed, _sessions, _times, st.floats(0, 100)),
    st.builds(Final, _sessions, _times, st.sampled_from([HELLO, AGAIN]), st.integers(1, 3)),
    st.builds(EngineDone, _sessions, _times, st.integers(1, 3)),
    st.builds(EngineFailed, _sessions, _times, _codes, st.integers(1, 3)),
    st.builds(Inserted, _sessions, _times, st.sampled_from(Delivery), st.just("")),
    st.builds(InsertFailed, _sessions, _times, _codes),
    st.builds(TimedOut, _sessions, _times, st.sampled_from(Deadline)),
)
ENDS = {"dictation_completed", "dictation_cancelled", "dictation_failed", "insert_noop"}


@given(st.lists(st.one_of(_events, st.just(READY)), max_size=60))
def test_whatever_happens_each_dictation_that_is_told_to_start_is_told_to_end_once(script: list[Event | str]) -> None:
    told = names(play(*script))

    open_now = 0
    for name in told:
        open_now += (name == "dictation_started") - (name in ENDS)
        assert open_now in (0, 1)
    attempts = told.count("error_recovery_attempted")
    assert told.count("engine_restarted") + told.count("error_recovery_succeeded") <= 2 * attempts
    assert told.count("recognition_failed") >= attempts


@given(st.lists(_events, max_size=40))
def test_nothing_of_what_was_said_is_in_what_is_told(script: list[Event]) -> None:
    shown = repr([usage.told(event) for event in play(*script)]).lower()

    assert not [word for word in ("hello", "there", "is me", "odd") if word in shown]
