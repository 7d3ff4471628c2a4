"""Whatever becomes of an engine process, the app hears about it at once and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import EngineDone, EngineFailed, Final, Voice
from lysnrai_desktop.core.faults import DiskReadOnly, ModelMissing
from lysnrai_desktop.runtime.engine_process import AHEAD_S
from tests.desktop.processes import DEADLINE_S, eventually
from tests.fakes.journal import FakeTake
from tests.hearing import (
    HOST,
    SCRIPTED,
    Hearing,
    engine_pids,
    hearing,
    new_take,
    noise,
    pcm,
    settings_for,
    take_of,
    text_of,
)

RATE_HZ = 16_000


def scripted(*events: str) -> list[str]:
    return [*HOST, "scripted", *events]


def failure(link: Hearing, session: int = 1) -> str:
    while not isinstance(event := link.events.get(timeout=DEADLINE_S), EngineFailed):
        assert not isinstance(event, EngineDone)
    assert event.session == session
    return event.code


# --- it does not come up


@pytest.mark.logs("the engine process did not come up")
def test_a_process_that_does_not_become_ready_is_given_up() -> None:
    with hearing(scripted("deaf"), start_s=0.5) as link:
        link.link.start(1, take_of(noise(1)), 0, SCRIPTED)

        assert failure(link) == "engine.start_failed"
        assert not engine_pids()


@pytest.mark.logs("does nothing, and has no model yet")
def test_a_process_that_hangs_while_it_loads_is_noticed_without_a_deadline() -> None:
    with hearing(scripted("deaf")) as link:
        link.link.start(1, take_of(noise(1)), 0, SCRIPTED)

        assert failure(link) == "engine.start_failed"
        assert not engine_pids()


@pytest.mark.logs("does nothing, and has no model yet")
def test_so_is_one_that_nobody_waits_for_yet() -> None:
    with hearing(scripted("deaf")) as link:
        link.link.warm(SCRIPTED)
        link.until_state("off")

        assert link.events.empty()
        assert not engine_pids()


def test_a_process_that_works_for_long_to_load_is_waited_for() -> None:
    with hearing(scripted("toil@2.5")) as link:
        assert text_of(link.hear(1, take_of(noise(3)), SCRIPTED)) == "0 1 2"


@pytest.mark.logs("the engine process ended")
@pytest.mark.parametrize("command", [[sys.executable, "-c", ""], [*HOST, "nonesuch"]])
def test_a_process_that_ends_before_it_is_ready_has_not_started(command: list[str]) -> None:
    with hearing(command) as link:
        link.link.start(1, take_of(noise(1)), 0, SCRIPTED)

        assert failure(link) == "engine.start_failed"


def test_a_command_that_is_not_there_is_a_failed_start() -> None:
    with hearing(["/nonexistent/engine"]) as link:
        link.link.start(1, take_of(noise(1)), 0, SCRIPTED)

        assert failure(link) == "engine.start_failed"


@pytest.mark.logs("speaks version 4, not 3")
def test_a_process_of_another_version_is_not_talked_to() -> None:
    with hearing(scripted("stranger")) as link:
        link.link.start(1, take_of(noise(1)), 0, SCRIPTED)

        assert failure(link) == "engine.start_failed"


def test_why_a_model_cannot_be_loaded_is_passed_on() -> None:
    with hearing(scripted("refuse")) as link:
        link.link.start(1, take_of(noise(1)), 0, SCRIPTED)

        assert failure(link) == "engine.start_failed"


def test_a_missing_model_has_its_own_code_and_costs_no_process() -> None:
    def missing(model: str) -> Path:
        raise ModelMissing(model)

    with hearing(scripted(), locate=missing) as link:
        link.link.start(1, take_of(noise(1)), 0, SCRIPTED)

        assert failure(link) == "model.missing"
        assert not engine_pids()


@pytest.mark.logs("the engine cannot be warmed: engine.start_failed")
def test_a_failed_warming_is_no_dictations_failure() -> None:
    with hearing(["/nonexistent/engine"]) as link:
        link.link.warm(SCRIPTED)
        link.until_state("off")

        assert link.events.empty()


# --- it breaks down


@pytest.mark.logs("the engine process is garbled")
def test_a_process_that_says_what_is_no_message_is_given_up() -> None:
    with hearing(scripted("garbage@1")) as link:
        link.link.start(1, take_of(noise(3)), 0, SCRIPTED)

        assert failure(link) == "engine.died"
        assert not engine_pids()


@pytest.mark.logs("a final for audio it was not given")
def test_text_for_audio_that_was_never_there_is_not_believed() -> None:
    with hearing(scripted("lie@1")) as link:
        link.link.start(1, take_of(noise(3)), 0, SCRIPTED)

        assert failure(link) == "engine.died"


def test_what_a_library_prints_does_no_harm() -> None:
    with hearing(scripted("chatter!@0.5", "chatter!@1.5")) as link:
        assert text_of(link.hear(1, take_of(noise(3)), SCRIPTED)) == "0 1 2"


def test_a_session_that_fails_does_not_cost_the_process() -> None:
    with hearing(scripted("fail@1")) as link:
        link.link.start(1, take_of(noise(3)), 0, SCRIPTED)
        assert failure(link) == "engine.language"
        (pid,) = engine_pids()

        finals = link.hear(1, take_of(noise(3)), SCRIPTED, from_sample=RATE_HZ)

        assert text_of(finals) == "1 2"
        assert engine_pids() == {pid}


def test_a_session_that_lacks_memory_gets_a_fresh_process_for_its_next_try() -> None:
    with hearing(scripted("starve@1")) as link:
        link.link.start(1, take_of(noise(3)), 0, SCRIPTED)
        assert failure(link) == "engine.out_of_memory"

        assert not engine_pids()


@pytest.mark.logs("the engine process ended")
@pytest.mark.parametrize("at_s", [0, 0.5, 1, 2, 2.9])
def test_whenever_it_dies_the_text_is_whole_after_another_try(at_s: float) -> None:
    take, finals = take_of(noise(3)), []
    with hearing(scripted(f"die@{at_s}")) as link:
        link.link.start(1, take, 0, SCRIPTED)
        link.link.finish(1)
        while not isinstance(event := link.events.get(timeout=DEADLINE_S), EngineFailed):
            finals += [event.segment] if isinstance(event, Final) else []
        # so that the script is followed once, a try that begins at 0 comes without it
        link.link.start(1, take, finals[-1].end if finals else 1, SCRIPTED)
        link.link.finish(1)

        finals += link.finals(1)

    assert text_of(finals) == "0 1 2"


def test_a_session_that_hangs_and_is_started_again_gets_a_fresh_process() -> None:
    take = take_of(noise(3))
    with hearing(scripted("hang@2")) as link:
        link.link.start(1, take, 0, SCRIPTED)
        heard = [link.next(Final).segment]
        (pid,) = engine_pids()

        heard += link.hear(1, take, SCRIPTED, from_sample=heard[-1].end)

        assert text_of(heard) == "0 1 2"
        assert pid not in engine_pids()


@pytest.mark.logs("the engine process does not answer")
def test_a_process_that_stands_still_while_audio_flows_is_noticed_and_each_second_is_heard_once() -> None:
    take = new_take()
    with hearing(scripted()) as link:
        link.link.start(1, take, 0, SCRIPTED)
        take.block(Block(pcm(noise(2)), RATE_HZ))
        heard = [link.next(Final).segment, link.next(Final).segment]
        (pid,) = engine_pids()
        os.kill(pid, signal.SIGSTOP)
        take.block(Block(pcm(noise(200)), RATE_HZ))  # more than a pipe takes: the writer stands too
        take.end()

        assert failure(link) == "engine.timeout"
        assert pid not in engine_pids()

        heard += link.hear(1, take, SCRIPTED, from_sample=heard[-1].end)
        assert text_of(heard) == " ".join(map(str, range(202)))


@pytest.mark.logs("the engine process does nothing")
def test_a_process_that_answers_but_does_no_work_while_text_is_due_is_noticed() -> None:
    with hearing(scripted("hang@1")) as link:
        link.link.start(1, take_of(noise(3)), 0, SCRIPTED)
        link.link.finish(1)

        assert failure(link) == "engine.timeout"
        assert not engine_pids()


@pytest.mark.logs("the engine process does nothing")
def test_one_that_hangs_while_somebody_still_speaks_is_noticed_and_each_second_is_heard_once() -> None:
    take = new_take()
    with hearing(scripted("hang@2")) as link:
        link.link.start(1, take, 0, SCRIPTED)
        take.block(Block(pcm(noise(3)), RATE_HZ))
        heard = [link.next(Final).segment]

        assert failure(link) == "engine.timeout"

        take.end()
        heard += link.hear(1, take, SCRIPTED, from_sample=heard[-1].end)
        assert text_of(heard) == "0 1 2"


def test_a_take_that_the_disk_will_not_give_back_fails_the_session_and_not_the_process() -> None:
    class Lost(FakeTake):
        def read(self, start: int, limit: int) -> bytes:  # noqa: ARG002  FakeTake's signature
            raise DiskReadOnly

    take = Lost("take", 1, lambda _: None, lambda: 0.0)
    take.block(Block(pcm(noise(1)), RATE_HZ))
    with hearing(scripted()) as link:
        link.link.start(1, take, 0, SCRIPTED)

        assert failure(link) == "disk.read_only"

        (pid,) = engine_pids()
        assert text_of(link.hear(2, take_of(noise(2)), SCRIPTED)) == "0 1"
        assert engine_pids() == {pid}


@pytest.mark.logs("the engine process does nothing")
def test_a_process_that_does_not_take_up_a_session_because_it_hangs_in_another_is_noticed_without_a_deadline() -> None:
    with hearing(scripted("hang@0.1")) as link:
        link.link.start(1, take_of(noise(3)), 0, SCRIPTED)
        link.next(Voice)
        link.link.cancel(1)
        link.link.start(2, take_of(noise(3)), 1, SCRIPTED)

        assert failure(link, 2) == "engine.timeout"


@pytest.mark.logs("did not take up a session")
def test_a_process_that_hangs_in_a_cancelled_session_is_noticed_by_the_next() -> None:
    with hearing(scripted("hang@0.1"), take_up_s=0.5) as link:
        link.link.start(1, take_of(noise(3)), 0, SCRIPTED)
        link.next(Voice)  # said for the audio that it then hangs in
        link.link.cancel(1)
        link.link.start(2, take_of(noise(3)), 1, SCRIPTED)
        assert failure(link, 2) == "engine.timeout"

        assert text_of(link.hear(2, take_of(noise(3)), SCRIPTED, from_sample=RATE_HZ)) == "1 2"


def test_a_process_that_hangs_is_gone_after_shutting_down() -> None:
    with hearing(scripted("hang@1")) as link:
        link.link.start(1, take_of(noise(3)), 0, SCRIPTED)
        eventually(engine_pids, "the process is there")

    assert not engine_pids()


@pytest.mark.logs("did not end by itself")
def test_a_process_that_is_stopped_is_gone_after_shutting_down() -> None:
    with hearing(scripted()) as link:
        link.hear(1, take_of(noise(1)), SCRIPTED)
        (pid,) = engine_pids()
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: set(_states(pid)) == {"T"}, "all its threads stand still")

    assert not engine_pids()


def test_an_engine_does_not_outlive_an_app_that_is_killed() -> None:
    app = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.app_to_kill"], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    with app:
        assert app.stdout is not None
        pid = int(app.stdout.readline())
        assert Path(f"/proc/{pid}").exists()

        app.kill()

    eventually(lambda: not _runs(pid), "the engine process is gone")


def _runs(pid: int) -> bool:
    return bool(set(_states(pid)) - {"Z", "X"})


def _states(pid: int) -> list[str]:
    """The letter for what each thread does: T stopped, Z ended but not waited for."""
    try:
        threads = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        return []
    return [text.rsplit(")", 1)[1].split()[0] for text in threads]


def test_a_late_word_about_a_failed_try_is_not_taken_for_one_about_the_next() -> None:
    take = take_of(noise(60))
    with hearing(scripted("fail@1")) as link:  # and goes on talking about it
        link.link.start(1, take, 0, SCRIPTED)
        failure(link)

        finals = link.hear(1, take, SCRIPTED, from_sample=RATE_HZ)

    assert text_of(finals) == " ".join(map(str, range(1, 60)))


# --- its life


def test_it_is_warmed_ahead_of_need_and_then_used() -> None:
    with hearing(scripted()) as link:
        link.link.warm(SCRIPTED)
        assert [link.states.get(timeout=DEADLINE_S) for _ in range(2)] == [
            ("starting", "scripted"),
            ("ready", "scripted"),
        ]
        warmed = engine_pids()

        link.hear(1, take_of(noise(1)), SCRIPTED)

        assert engine_pids() == warmed
        assert link.states.empty()


def test_it_ends_when_nobody_dictates_and_comes_back_when_somebody_does() -> None:
    impatient = settings_for(model="scripted", idle_s=0.05)
    with hearing(scripted()) as link:
        link.hear(1, take_of(noise(1)), impatient)
        link.until_state("off")
        assert not engine_pids()

        assert text_of(link.hear(2, take_of(noise(2)), impatient)) == "0 1"


def test_it_does_not_end_while_somebody_dictates() -> None:
    impatient = settings_for(model="scripted", idle_s=0.05)
    with hearing(scripted()) as link:
        link.link.warm(settings_for(model="scripted", idle_s=0.0))
        link.until_state("ready")
        (pid,) = engine_pids()
        take = new_take()

        link.link.start(1, take, 0, impatient)
        take.wait(0, 0.3)  # six times as long as it would wait when idle

        assert engine_pids() == {pid}


@pytest.mark.parametrize("change", [{"model": "another"}, {"threads": 3}, {"compute_type": "int8"}, {"device": "cpu"}])
def test_settings_that_need_another_process_get_one(change: dict[str, object]) -> None:
    with hearing(scripted()) as link:
        link.hear(1, take_of(noise(1)), SCRIPTED)
        before = engine_pids()

        link.hear(2, take_of(noise(1)), settings_for(**{"model": "scripted", **change}))

        assert len(engine_pids()) == 1
        assert engine_pids() != before


@pytest.mark.parametrize("change", [{"language": "de"}, {"vocabulary": ("Kubernetes",)}, {"idle_s": 60.0}])
def test_settings_that_do_not_need_another_process_keep_it(change: dict[str, object]) -> None:
    with hearing(scripted()) as link:
        link.hear(1, take_of(noise(1)), SCRIPTED)
        before = engine_pids()

        link.hear(2, take_of(noise(1)), settings_for(**{"model": "scripted", **change}))

        assert engine_pids() == before


# --- the audio's way


class Counted(FakeTake):
    """Remembers how far it was read."""

    read_s = 0.0

    def read(self, start: int, limit: int) -> bytes:
        found = super().read(start, limit)
        self.read_s = max(self.read_s, (start + len(found) / 2) / RATE_HZ)
        return found


def test_a_long_file_is_not_read_into_memory_ahead_of_the_engine() -> None:
    take = Counted("take", 1, lambda _: None, lambda: 0.0)
    take.block(Block(bytes(2 * RATE_HZ * 1200), RATE_HZ))
    take.end()
    with hearing(scripted("hang@1")) as link:
        link.link.start(1, take, 0, SCRIPTED)
        eventually(lambda: take.read_s >= AHEAD_S, "it is read ahead")

        link.link.cancel(1)

    assert take.read_s < AHEAD_S + 5


def test_a_long_file_comes_out_whole() -> None:
    with hearing(scripted()) as link:
        finals = link.hear(1, take_of(noise(400)), SCRIPTED)

    assert text_of(finals) == " ".join(map(str, range(400)))


def test_a_take_that_is_erased_ends_its_feeding() -> None:
    take = new_take()
    with hearing(scripted()) as link:
        link.link.start(1, take, 0, SCRIPTED)
        take.erase()
        link.link.cancel(1)

        assert text_of(link.hear(2, take_of(noise(2)), SCRIPTED)) == "0 1"


def test_partial_text_is_told_with_its_session() -> None:
    with hearing(scripted()) as link:
        link.hear(4, take_of(noise(2)), SCRIPTED)

        assert {session for session, *_ in link.partials} == {4}


def test_wishes_about_a_session_that_is_over_are_ignored() -> None:
    with hearing(scripted()) as link:
        link.hear(1, take_of(noise(1)), SCRIPTED)

        link.link.finish(1)
        link.link.cancel(1)
        link.link.cancel(7)

        assert text_of(link.hear(2, take_of(noise(2)), SCRIPTED)) == "0 1"


def test_the_app_loads_no_model_library() -> None:
    look = (
        "import sys, lysnrai_desktop.runtime.engine_link as _;"
        "print(sys.modules.keys() & {'faster_whisper', 'ctranslate2', 'onnxruntime', 'numpy', 'soxr'})"
    )

    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "set()"
