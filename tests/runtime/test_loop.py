"""The dictation thread performs what the machine decides, in time, and survives what goes wrong."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import pytest

from lysnrai_desktop.core import usage
from lysnrai_desktop.core.audio import Block, Device
from lysnrai_desktop.core.combo import Combo
from lysnrai_desktop.core.dictation import (
    AzureChanged,
    Cancel,
    Delivery,
    EngineDone,
    EngineFailed,
    Final,
    MicrophoneFailed,
    MicrophoneLive,
    Outcome,
    Silence,
    Sound,
    Start,
    Stop,
    TakeClosed,
)
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.faults import EngineStartFailed, Fault, MicrophoneMissing, NothingToUndo, TargetGone
from lysnrai_desktop.core.hotkey import GRACE_S, MAIN, Edge
from lysnrai_desktop.core.insertion import Undone
from lysnrai_desktop.core.settings import HotkeySettings, RecordingSettings, Settings
from lysnrai_desktop.core.speech import Segment, SpokenText
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.ports import BlockSink, Delivered, Target
from lysnrai_desktop.runtime.items import EngineState, Item, Partial, RecordsFrom, Toggle, Trouble
from lysnrai_desktop.runtime.loop import DictationLoop, Ports
from tests.fakes.engine import FakeEngine
from tests.fakes.screen import FakeScreen
from tests.fakes.usage import FakeUsage

WHISPER, AZURE = Backend.WHISPER, Backend.AZURE
HELLO = Segment(0, 48000, SpokenText("hello there."))


@dataclass
class SpyTake:
    id: str
    rate_hz: int = 48000
    erased: bool = False
    kept: tuple[Outcome, str] | None = None

    def block(self, block: Block) -> None:
        pass

    def end(self) -> None:
        pass

    def wait(self, beyond: int, timeout_s: float) -> tuple[int, bool]:
        return beyond, bool(timeout_s)

    def read(self, start: int, limit: int) -> bytes:
        return b"" * (start + limit)

    def erase(self) -> None:
        self.erased = True

    def keep(self, outcome: Outcome, code: str) -> None:
        self.kept = (outcome, code)


@dataclass
class SpyJournal:
    takes: list[SpyTake] = field(default_factory=list)
    dropped_blocks: int = 0

    def open(self, session: int) -> SpyTake:
        self.takes.append(SpyTake(f"take-{session}"))
        return self.takes[-1]

    def shut_down(self) -> None:
        pass


@dataclass
class SpyMicrophone:
    calls: list[str] = field(default_factory=list)
    refusal: Fault | Exception | None = None

    def open(self, session: int, device: str, sink: BlockSink) -> None:
        assert sink is not None
        self.calls.append(f"open {session} {device}".strip())
        if self.refusal is not None:
            raise self.refusal

    def close(self, session: int) -> None:
        self.calls.append(f"close {session}")

    def devices(self) -> Sequence[Device]:
        return ()

    def shut_down(self) -> None:
        pass


@dataclass
class SpyInserter:
    answer: Delivered | Fault = Delivered(Delivery.INSERTED)
    inserted: list[tuple[str, Target | None]] = field(default_factory=list)
    window: str = "editor"
    nothing_to_undo: bool = False

    def capture(self) -> Target | None:
        return self.window

    def insert(
        self, text: SpokenText, target: Target | None, done: Callable[[Delivered | Fault], None], *, fit: bool = False
    ) -> None:
        assert fit, "what is dictated goes on from what stands there"
        self.inserted.append((text.reveal(), target))
        done(self.answer)

    def copy(self, text: SpokenText) -> None:
        pass

    def undo(self, done: Callable[[Undone | Fault], None]) -> None:
        done(NothingToUndo() if self.nothing_to_undo else Undone.SURELY)

    def shut_down(self) -> None:
        pass


@dataclass
class SpyHotkeys:
    watching: list[bool] = field(default_factory=list)

    def bind(self, combo: str, name: str = MAIN) -> None:
        pass

    def release(self, name: str = MAIN) -> None:
        pass

    def free(self, wanted: Iterable[Combo]) -> Sequence[Combo]:
        return list(wanted)

    def watch_cancel(self, on: bool) -> None:
        self.watching.append(on)

    def shut_down(self) -> None:
        pass


class Bench:
    """A loop without its thread: the test is the queue and the clock."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.now = 100.0
        self.settings = settings or Settings()
        self.microphone, self.journal = SpyMicrophone(), SpyJournal()
        self.engine, self.azure = FakeEngine(), FakeEngine()
        self.inserter, self.hotkeys, self.screen = SpyInserter(), SpyHotkeys(), FakeScreen()
        self.inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.usage = FakeUsage()
        engines = {WHISPER: self.engine, AZURE: self.azure}
        ports = Ports(self.microphone, self.journal, engines, self.inserter, self.hotkeys, self.screen, self.usage)
        self.loop = DictationLoop(
            ports, lambda: self.settings, self.inbox, now=lambda: self.now, wall=lambda: self.now + 1e9
        )

    def feed(self, *items: Item) -> None:
        for item in items:
            self._drain()
            self.loop.handle(item)
        self._drain()

    def _drain(self) -> None:
        while not self.inbox.empty():
            self.loop.handle(self.inbox.get())

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.loop.wake()

    @property
    def state(self) -> str:
        return self.loop.status.state


@pytest.fixture
def bench() -> Bench:
    return Bench()


def dictate(bench: Bench, session: int = 1, attempt: int = 1) -> None:
    bench.feed(
        Start(100.0),
        MicrophoneLive(session, 100.1),
        Final(session, 102.0, HELLO, attempt),
        Stop(103.0),
        TakeClosed(session, 103.2, 3.0),
        EngineDone(session, 103.5, attempt),
    )


def test_a_dictation_goes_into_the_window_that_had_the_focus_when_it_began(bench: Bench) -> None:
    bench.feed(Start(100.0))
    bench.inserter.window = "another"
    bench.feed(MicrophoneLive(1, 100.1), Final(1, 102.0, HELLO), Stop(103.0), TakeClosed(1, 103.2, 3.0))
    bench.feed(EngineDone(1, 103.5))

    assert bench.inserter.inserted == [("Hello there.", "editor")]
    assert bench.journal.takes[0].erased
    assert bench.state == "idle"
    assert bench.loop.status.outcome == "inserted"


def test_the_screen_sees_every_state_in_turn(bench: Bench) -> None:
    dictate(bench)

    states = list(dict.fromkeys(status.state for status in bench.screen.statuses))
    assert states == ["arming", "recording", "finishing", "inserting", "idle"]


def test_the_status_tells_since_when_and_which_take(bench: Bench) -> None:
    bench.feed(Start(100.0))
    bench.now = 101.0
    bench.feed(MicrophoneLive(1, 101.0))

    assert (bench.loop.status.since, bench.loop.status.take) == (1e9 + 101.0, "take-1")


def test_the_overlay_gets_finals_and_partials_joined(bench: Bench) -> None:
    partial = Partial(1, SpokenText("and"), SpokenText("so"))

    bench.feed(Start(100.0), MicrophoneLive(1, 100.1), Final(1, 102.0, HELLO), partial)

    assert bench.loop.status.text == SpokenText("hello there. and")
    assert bench.loop.status.tentative == SpokenText("so")


def test_a_partial_of_an_earlier_dictation_is_not_shown(bench: Bench) -> None:
    dictate(bench)
    bench.feed(Start(110.0), MicrophoneLive(2, 110.1), Partial(1, SpokenText("old"), SpokenText("words")))

    assert bench.loop.status.shown == SpokenText()


def test_a_final_takes_the_place_of_what_was_shown_before_it(bench: Bench) -> None:
    partial = Partial(1, SpokenText("hello"), SpokenText("their"))

    bench.feed(Start(100.0), MicrophoneLive(1, 100.1), partial, Final(1, 102.0, HELLO))

    assert bench.loop.status.shown == SpokenText("hello there.")


def test_cancel_takes_the_key_only_while_it_is_recording(bench: Bench) -> None:
    bench.feed(Start(100.0), MicrophoneLive(1, 100.1))
    assert bench.hotkeys.watching == [True]

    bench.feed(Cancel(101.0))

    assert bench.hotkeys.watching == [True, False]
    assert bench.journal.takes[0].erased
    assert bench.inserter.inserted == []


def test_a_release_stops_when_its_grace_is_over() -> None:
    bench = Bench(Settings(hotkey=HotkeySettings(mode="hold")))
    bench.feed(Edge(True, 100.0), MicrophoneLive(1, 100.1), Edge(False, 103.0))
    assert bench.state == "recording"

    bench.now = 103.0
    bench.pass_time(GRACE_S)

    assert bench.state == "finishing"


def test_each_hotkey_has_its_own_mode_and_language() -> None:
    wanted = HotkeySettings(hold="f8", languages={"de": "f7"})
    bench = Bench(Settings(hotkey=wanted))

    bench.feed(Edge(True, 100.0, "hold"), MicrophoneLive(1, 100.1), Edge(False, 100.2, "hold"))
    bench.now = 100.2
    bench.pass_time(GRACE_S)
    bench.feed(TakeClosed(1, 103.2, 3.0), EngineDone(1, 103.5))
    bench.feed(Edge(True, 104.0, "languages.de"), Edge(True, 105.0, "undone"))

    assert bench.state == "arming"
    assert bench.engine.languages == ["auto", "de"]


def test_the_language_of_a_hotkey_holds_for_the_dictation_that_waits_and_no_other() -> None:
    bench = Bench(Settings(hotkey=HotkeySettings(mode="toggle", languages={"de": "f7"})))
    bench.feed(Start(100.0), MicrophoneLive(1, 100.1), Final(1, 102.0, HELLO), Stop(103.0))
    bench.feed(Edge(True, 103.1, "languages.de"), Edge(False, 103.2, "languages.de"))
    bench.feed(TakeClosed(1, 103.2, 3.0), EngineDone(1, 103.5))
    bench.feed(Cancel(104.0), Start(105.0))

    assert bench.engine.languages == ["auto", "de", "auto"]


def test_the_cancel_hotkey_cancels_once_however_long_it_is_held(bench: Bench) -> None:
    bench.settings = Settings(hotkey=HotkeySettings(cancel="f8"))
    bench.feed(Start(100.0), MicrophoneLive(1, 100.1), Edge(True, 101.0, "cancel"), Edge(True, 101.7, "cancel"))

    assert bench.state == "idle"
    assert bench.loop.status.outcome == Outcome.CANCELLED


def test_the_last_text_is_pasted_where_the_focus_is_now(bench: Bench) -> None:
    bench.settings = Settings(hotkey=HotkeySettings(paste_last="f8"))
    bench.feed(Edge(True, 99.0, "paste_last"), Edge(False, 99.1, "paste_last"))
    assert bench.inserter.inserted == []
    dictate(bench)
    bench.inserter.window = "another"

    bench.feed(Edge(True, 110.0, "paste_last"))

    assert bench.inserter.inserted[1:] == [("Hello there.", "another")]
    assert bench.state == "idle"


def test_an_undo_that_cannot_be_is_told(bench: Bench) -> None:
    bench.settings = Settings(hotkey=HotkeySettings(undo="f8"))
    bench.feed(Edge(True, 110.0, "undo"), Edge(False, 110.1, "undo"))
    assert bench.screen.told == []
    bench.inserter.nothing_to_undo = True

    bench.feed(Edge(True, 111.0, "undo"))

    assert bench.screen.told == ["insert.nothing_to_undo"]


def test_the_maximum_length_is_kept() -> None:
    bench = Bench(Settings(recording=RecordingSettings(max_s=10)))
    bench.feed(Start(100.0), MicrophoneLive(1, 100.1))

    bench.pass_time(10.0)
    assert bench.state == "recording"
    bench.pass_time(0.2)

    assert bench.state == "finishing"


def test_toggle_starts_and_stops(bench: Bench) -> None:
    bench.feed(Toggle(100.0), MicrophoneLive(1, 100.1))
    assert bench.state == "recording"

    bench.feed(Toggle(103.0))

    assert bench.state == "finishing"


def test_a_press_after_one_that_was_too_short_goes_on_recording(bench: Bench) -> None:
    bench.feed(Start(100.0), Stop(100.2), Toggle(100.3), MicrophoneLive(1, 100.4))

    assert bench.state == "recording"


def test_a_press_while_the_next_dictation_waits_takes_it_back(bench: Bench) -> None:
    bench.feed(
        Start(100.0), MicrophoneLive(1, 100.1), Final(1, 102.0, HELLO), Stop(103.0), Toggle(103.1), Toggle(103.2)
    )
    bench.feed(TakeClosed(1, 103.2, 3.0), EngineDone(1, 103.5))

    assert bench.state == "idle"


def test_a_microphone_that_is_refused_is_told_with_a_cue(bench: Bench) -> None:
    bench.microphone.refusal = MicrophoneMissing()

    bench.feed(Start(100.0))

    assert bench.state == "idle"
    assert bench.screen.told == ["microphone.missing"]
    assert bench.screen.cues == [Sound.FAILED]
    assert bench.loop.status.fault == "microphone.missing"


def test_a_fault_stays_in_the_status_until_the_next_dictation(bench: Bench) -> None:
    bench.microphone.refusal = MicrophoneMissing()
    bench.feed(Start(100.0))
    bench.microphone.refusal = None

    bench.feed(Start(110.0))

    assert bench.loop.status.fault is None


def test_an_engine_that_is_refused_is_started_again(bench: Bench) -> None:
    bench.engine.refusal = EngineStartFailed()

    dictate(bench, attempt=2)

    assert [call for call, _ in bench.engine.calls[:2]] == ["start base from 0", "start base from 0"]
    assert bench.inserter.inserted == [("Hello there.", "editor")]


def test_text_kept_on_the_clipboard_is_told_once_with_its_reason(bench: Bench) -> None:
    bench.inserter.answer = Delivered(Delivery.ON_CLIPBOARD, TargetGone.code)

    dictate(bench)

    assert bench.screen.told == ["insert.target_gone"]
    assert bench.journal.takes[0].kept == (Outcome.ON_CLIPBOARD, "insert.target_gone")


def test_text_that_is_nowhere_keeps_its_take(bench: Bench) -> None:
    bench.inserter.answer = TargetGone()

    dictate(bench)

    assert bench.journal.takes[0].kept == (Outcome.FAILED, "insert.target_gone")
    assert bench.loop.last_text == SpokenText("Hello there.")


def test_a_vanished_microphone_is_told_once_and_what_was_heard_is_inserted(bench: Bench) -> None:
    bench.feed(Start(100.0), MicrophoneLive(1, 100.1), Final(1, 102.0, HELLO))
    bench.feed(MicrophoneFailed(1, 103.0, "microphone.lost"), TakeClosed(1, 103.1, 3.0), EngineDone(1, 103.5))

    assert bench.screen.told == ["microphone.lost"]
    assert bench.inserter.inserted == [("Hello there.", "editor")]


def test_an_end_is_never_shown_without_its_outcome(bench: Bench) -> None:
    bench.inserter.answer = TargetGone()

    dictate(bench)

    ends = [(status.outcome, status.fault) for status in bench.screen.statuses if status.state == "idle"]
    assert set(ends) == {("failed", "insert.target_gone")}


def test_a_new_dictation_never_shows_the_take_of_the_last(bench: Bench) -> None:
    dictate(bench)
    bench.screen.statuses.clear()

    bench.feed(Start(110.0), MicrophoneLive(2, 110.1))

    assert {status.take for status in bench.screen.statuses} == {None, "take-2"}


def test_without_an_inserter_the_take_is_kept() -> None:
    bench = Bench()
    ports = Ports(bench.microphone, bench.journal, {WHISPER: bench.engine}, None, None, bench.screen)
    bench.loop = DictationLoop(ports, lambda: bench.settings, bench.inbox, now=lambda: bench.now)

    dictate(bench)

    assert bench.journal.takes[0].kept == (Outcome.FAILED, "insert.unavailable")


@pytest.mark.logs("a bug ended dictation 1 at Start")
def test_a_bug_ends_the_dictation_and_not_the_app(bench: Bench) -> None:
    bench.microphone.refusal = ZeroDivisionError()

    bench.feed(Start(100.0))

    assert bench.state == "idle"
    assert bench.journal.takes[0].kept == (Outcome.FAILED, "bug")
    assert bench.screen.told == ["bug"]
    assert bench.usage.events[-1] == usage.DictationFailed(usage.Phase.ARMING, 0, usage.Code("bug"))
    assert bench.hotkeys.watching[-1:] == [False]
    bench.microphone.refusal = None
    dictate(bench, session=2)
    assert bench.inserter.inserted == [("Hello there.", "editor")]


def broken(*_: object) -> NoReturn:
    raise ZeroDivisionError


@pytest.mark.logs("a bug ended dictation 1 at Final")
def test_a_bug_in_the_machine_keeps_the_take_and_leaves_it_idle(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.feed(Start(100.0), MicrophoneLive(1, 100.1))
    with monkeypatch.context() as patch:
        patch.setattr("lysnrai_desktop.runtime.loop.step", broken)
        bench.feed(Final(1, 102.0, HELLO))

    assert bench.state == "idle"
    assert bench.journal.takes[0].kept == (Outcome.FAILED, "bug")
    assert bench.microphone.calls[-1] == "close 1"
    assert bench.screen.told == ["bug"]
    dictate(bench, session=2)
    assert bench.inserter.inserted == [("Hello there.", "editor")]


@pytest.mark.logs("a bug ended dictation 1 at a deadline")
def test_a_bug_when_a_time_has_come_keeps_the_take_and_is_not_met_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.feed(Edge(True, 100.0), MicrophoneLive(1, 100.1), Edge(False, 103.0))
    monkeypatch.setattr("lysnrai_desktop.runtime.loop.tick", broken)

    bench.now = 103.0
    bench.pass_time(GRACE_S)
    bench.pass_time(GRACE_S)

    assert bench.state == "idle"
    assert bench.journal.takes[0].kept == (Outcome.FAILED, "bug")
    assert bench.loop._patience_s() is None


@pytest.mark.logs("a bug in who watches the status")
def test_who_watches_cannot_end_a_dictation(bench: Bench) -> None:
    seen: list[Status] = []
    bench.loop.watch(broken)
    bench.loop.watch(seen.append)

    dictate(bench)

    assert bench.inserter.inserted == [("Hello there.", "editor")]
    assert seen[-1].outcome == "inserted"
    assert bench.screen.told == []


@pytest.mark.logs("a bug in what is counted")
def test_who_counts_cannot_end_a_dictation(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.usage, "record", broken)

    dictate(bench)

    assert bench.inserter.inserted == [("Hello there.", "editor")]
    assert bench.journal.takes[0].erased


@pytest.mark.logs("a bug ended dictation 1 at Trouble", "a bug in Report after a bug")
def test_a_bug_after_a_dictation_does_not_touch_its_take(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    dictate(bench)
    with monkeypatch.context() as patch:
        patch.setattr(bench.screen, "tell", broken)
        bench.feed(Trouble("disk.full"))

    assert bench.journal.takes[0].kept is None
    assert bench.state == "idle"


@pytest.mark.logs("a bug ended dictation 0 at Stop")
def test_the_thread_outlives_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    monkeypatch.setattr("lysnrai_desktop.runtime.loop.step", broken)
    bench.loop.start()
    bench.loop.post(Stop(100.0))
    alive = threading.Event()

    bench.loop.watch(lambda _: alive.set())

    assert alive.wait(10.0)
    bench.loop.shut_down()


def test_a_muted_microphone_is_shown_until_sound_comes(bench: Bench) -> None:
    bench.feed(Start(0.0), MicrophoneLive(1, 0.1), Silence(1, 1.6, on=True), Silence(1, 2.0, on=False))

    assert [status.fault for status in bench.screen.statuses][-2:] == ["microphone.silent", None]
    assert bench.screen.told == ["microphone.silent"]


def test_the_status_names_the_microphone(bench: Bench) -> None:
    bench.feed(RecordsFrom("Webcam"))

    assert bench.loop.status.as_dict()["microphone"] == "Webcam"


def test_trouble_outside_a_dictation_is_told_and_shown(bench: Bench) -> None:
    bench.feed(Trouble("hotkey.taken"), EngineState(WHISPER, "ready", "base"))

    assert bench.screen.told == ["hotkey.taken"]
    assert (bench.loop.status.fault, bench.loop.status.engine) == ("hotkey.taken", "whisper:ready")


def test_the_status_is_that_of_the_engine_that_is_asked(bench: Bench) -> None:
    bench.feed(EngineState(WHISPER, "ready", "base"), EngineState(AZURE, "starting", ""))
    assert (bench.loop.status.engine, bench.loop.status.model) == ("whisper:ready", "base")
    bench.feed(AzureChanged(99.0, ""))
    assert (bench.loop.status.engine, bench.loop.status.model) == ("azure:starting", "")

    bench.feed(Start(100.0), MicrophoneLive(1, 100.1))
    assert (bench.loop.status.backend, bench.loop.status.backend_reason) == ("azure", "")
    bench.feed(EngineFailed(1, 101.0, "azure.lost"))

    shown = bench.loop.status.as_dict()
    assert (shown["engine"], shown["backend"], shown["backend_reason"]) == ("whisper:ready", "whisper", "azure.lost")
    bench.feed(Cancel(102.0))
    assert (bench.loop.status.engine, bench.loop.status.backend) == ("azure:starting", "")


def test_who_heard_the_last_dictation_is_known_until_the_next_begins(bench: Bench) -> None:
    bench.feed(AzureChanged(99.0, ""), Start(100.0), MicrophoneLive(1, 100.1), Final(1, 101.0, HELLO))
    assert bench.loop.status.as_dict()["legs"] == [], "told once it is over"
    after = Segment(48000, 72000, SpokenText("you"))
    bench.feed(EngineFailed(1, 101.5, "azure.lost"), Final(1, 102.0, after, attempt=2), Cancel(103.0))

    assert bench.loop.status.as_dict()["legs"] == [
        {"engine": "azure", "audio_s": 1.0, "reason": ""},
        {"engine": "whisper", "audio_s": 0.5, "reason": "azure.lost"},
    ]
    bench.feed(Start(104.0))
    assert bench.loop.status.legs == ()


def test_whoever_follows_hears_the_same_take_in_the_language_of_the_hotkey() -> None:
    bench = Bench(Settings(hotkey=HotkeySettings(mode="toggle", languages={"de": "f7"})))
    bench.feed(AzureChanged(99.0, ""), Edge(True, 100.0, "languages.de"), MicrophoneLive(1, 100.1))
    bench.feed(Final(1, 102.0, HELLO), EngineFailed(1, 103.0, "azure.lost"))

    assert bench.azure.calls == [("start base from 0", 1), ("cancel", 1)]
    assert bench.engine.calls == [("warm base", 0), ("start base from 48000", 1)]
    assert bench.engine.takes[1] is bench.azure.takes[1]
    assert (bench.azure.languages, bench.engine.languages) == (["de"], ["de"])
    assert (bench.azure.attempts, bench.engine.attempts) == ([1], [2])


@pytest.mark.logs("a bug ended dictation 1 at Start")
def test_a_bug_lets_go_of_every_engine_and_forgets_nothing_about_the_service(bench: Bench) -> None:
    bench.microphone.refusal = ZeroDivisionError()
    bench.feed(AzureChanged(99.0, ""), Start(100.0))
    assert [engine.calls[-1] for engine in (bench.engine, bench.azure)] == [("cancel", 1)] * 2
    bench.microphone.refusal = None

    bench.feed(Start(110.0))

    assert bench.loop.status.backend == "azure"


def test_watchers_get_the_present_status_and_every_change(bench: Bench) -> None:
    seen: list[Status] = []
    unwatch = bench.loop.watch(seen.append)
    bench.feed(Start(100.0), Cancel(101.0))
    unwatch()
    bench.feed(Start(110.0))

    states = [status.state for status in seen]
    assert states[0] == "idle"
    assert "arming" in states
    assert seen[-1].outcome == "cancelled"


def test_the_log_never_has_what_was_said(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    dictate(bench)

    assert "inserted" in caplog.text
    assert "hello" not in caplog.text.lower()


@pytest.fixture
def running(bench: Bench) -> Iterator[Bench]:
    bench.now = 0.0
    bench.loop.start()
    yield bench
    bench.loop.shut_down()


def test_the_end_of_the_app_leaves_the_take_and_inserts_nothing(running: Bench) -> None:
    live = threading.Event()
    running.loop.watch(lambda status: live.set() if status.state == "recording" else None)
    running.loop.post(Start(0.0))
    running.loop.post(MicrophoneLive(1, 0.1))
    running.loop.post(Final(1, 0.2, HELLO))
    assert live.wait(10.0)

    running.loop.shut_down()

    assert running.microphone.calls == ["open 1", "close 1"]
    assert not running.journal.takes[0].erased
    assert running.journal.takes[0].kept is None
    assert running.inserter.inserted == []


def test_an_engine_fault_in_mid_dictation_is_no_end(running: Bench) -> None:
    done = threading.Event()
    running.loop.watch(lambda status: done.set() if status.outcome == "inserted" else None)
    for item in (
        Start(0.0),
        MicrophoneLive(1, 0.1),
        EngineFailed(1, 0.2, "engine.died"),
        Final(1, 0.3, HELLO, attempt=2),
        Stop(0.4),
        TakeClosed(1, 0.5, 0.4),
        EngineDone(1, 0.6, attempt=2),
    ):
        running.loop.post(item)

    assert done.wait(10.0)


def test_each_dictation_is_counted_and_nothing_of_its_text(bench: Bench) -> None:
    dictate(bench)
    bench.feed(Start(200.0), Cancel(201.0))

    assert bench.usage.names == [
        "dictation_started",
        "backend_selected",
        "recognition_started",
        "dictation_completed",
        "dictation_started",
        "backend_selected",
        "dictation_cancelled",
    ]
    assert "hello" not in repr(bench.usage.events)


def test_an_engine_that_is_ready_again_after_a_failure_was_restarted(bench: Bench) -> None:
    bench.feed(EngineState(WHISPER, "ready", "base"), Start(100.0), MicrophoneLive(1, 100.1))
    bench.feed(EngineState(WHISPER, "off", "base"), EngineFailed(1, 101.0, "engine.died"))
    bench.feed(EngineState(WHISPER, "starting", "base"), EngineState(WHISPER, "ready", "base"))

    assert bench.usage.names[3:] == ["recognition_failed", "error_recovery_attempted", "engine_restarted"]
