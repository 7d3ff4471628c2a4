"""Whatever breaks in mid-dictation, the words arrive or are kept, and the user is told the truth at once.

Real microphone stream, real engine, real disk. LYSNRAI_TEST_EFFORT=full kills and stops the engine at 40 random
moments.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lysnrai_desktop.ui import texts
from tests import speech
from tests.desktop.editors import QtEditor, await_text
from tests.desktop.machine import VirtualDesktop
from tests.desktop.processes import NotInTime, eventually, running
from tests.desktop.sound import LABEL, RATE_HZ, serving
from tests.e2e.app import HOTKEY, App, Status, running_app, setting
from tests.e2e.conftest import SETTINGS
from tests.e2e.test_dictation import Spoken, arrived, hold, said
from tests.e2e.test_ends import engines, takes

FULL = os.environ.get("LYSNRAI_TEST_EFFORT") == "full"
TOLD_S = 10.0
"""The promise is two to five seconds, on a machine that is less busy than one that runs tests: see `make bench`."""


def fault(code: str | None) -> Callable[[Status], bool]:
    return lambda status: status["fault"] == code


def told(desktop: VirtualDesktop, app: App, code: str) -> None:
    """Wait until the user has been told, the same in status, notification and log."""
    app.until(fault(code), TOLD_S)
    words = texts.fault(code)
    assert words.sentence != texts.fault("").sentence
    eventually(lambda: words.sentence in [n.summary for n in desktop.notifications.shown()], "a notification", TOLD_S)
    eventually(lambda: f": {code}\n" in logged(desktop, app), "a line in the log", TOLD_S)


def logged(desktop: VirtualDesktop, app: App) -> str:
    """All of the app's log: what cannot be written to its file goes to standard error."""
    logs = (app_home(app) / "log" / "lysnrai.log", desktop.folder / "app.log")
    return "\n".join(log.read_text() for log in logs if log.exists())


def app_home(app: App) -> Path:
    return Path(app.environment["LYSNRAI_HOME"])


def start(app: App) -> None:
    app.ask("start")
    app.until("recording")


def stop(app: App) -> None:
    app.ask("stop")


# -- the microphone


def test_where_there_is_no_microphone_it_says_so_and_finds_the_one_plugged_in_then(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    desktop.sound.unplug()
    try:
        app.ask("start")
        told(desktop, app, "microphone.missing")
        assert app.status()["state"] == "idle"
    finally:
        desktop.sound.plug_in_again()

    hold(desktop, app, short[1])
    arrived(app, editor, short[0])


def test_a_sound_server_that_does_not_let_the_app_in_denies_the_microphone(
    desktop: VirtualDesktop, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "cookie").write_bytes(bytes(256))
    with desktop.sound.guarded() as address:
        refused = {"PULSE_SERVER": address, "PULSE_COOKIE": str(tmp_path / "cookie")}
        shut_out = dataclasses.replace(desktop, environment={**desktop.environment, **refused})
        with running_app(shut_out, SETTINGS, home=tmp_path / "home", models=models) as app:
            app.ask("start")

            told(desktop, app, "microphone.denied")
            assert app.status()["state"] == "idle"


def test_a_muted_microphone_is_told_at_once_and_recording_goes_on(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    desktop.sound.mute(on=True)
    try:
        start(app)
        told(desktop, app, "microphone.silent")
    finally:
        desktop.sound.mute(on=False)
    app.until(fault(None))

    desktop.sound.speak(short[1])
    stop(app)
    arrived(app, editor, short[0])


def vanish(desktop: VirtualDesktop) -> Callable[[], None]:
    desktop.sound.unplug()
    return desktop.sound.plug_in_again


def hang(desktop: VirtualDesktop) -> Callable[[], None]:
    desktop.sound.freeze()
    return desktop.sound.thaw


def suspend(desktop: VirtualDesktop) -> Callable[[], None]:
    desktop.sound.suspend(on=True)
    return lambda: desktop.sound.suspend(on=False)


@pytest.mark.parametrize("happen", [vanish, hang, suspend])
def test_a_microphone_that_stops_in_mid_dictation_is_told_and_what_was_heard_is_written(
    desktop: VirtualDesktop,
    app: App,
    editor: QtEditor,
    short: Spoken,
    happen: Callable[[VirtualDesktop], Callable[[], None]],
) -> None:
    start(app)
    desktop.sound.speak(short[1])

    undo = happen(desktop)

    try:
        told(desktop, app, "microphone.lost")
        arrived(app, editor, short[0])
    finally:
        undo()


def test_another_default_microphone_goes_on_recording_and_is_named(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    module = desktop.sound.add_microphone("second", "Second")
    desktop.sound.control("set-default-source", "second")
    start(app)
    app.until(lambda status: status["microphone"] == "Second")
    desktop.sound.speak(short[1])

    desktop.sound.unplug(module)

    app.until(lambda status: status["microphone"] == LABEL, TOLD_S)
    desktop.sound.speak(short[1])
    stop(app)
    arrived(app, editor, f"{short[0]} {short[0]}")


def test_a_microphone_plugged_in_and_chosen_while_the_app_runs_records_at_its_own_rate(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    module = desktop.sound.add_microphone("slow", "Slow rate=16000")
    with setting(app, f'{SETTINGS}[recording]\ndevice = "slow"\n'):
        start(app)
        app.until(lambda status: str(status["microphone"]).startswith("Slow"))
        (recording,) = (app_home(app) / "takes").glob(f"{app.status()['take']}.wav")
        with wave.open(str(recording)) as file:
            assert file.getframerate() == 16_000
        desktop.sound.speak(short[1])
        stop(app)
        arrived(app, editor, short[0])
    desktop.sound.unplug(module)


# -- the first word


def test_the_sound_of_readiness_comes_when_sound_arrives_and_not_before(desktop: VirtualDesktop, app: App) -> None:
    inputs = ("list", "short", "sink-inputs")
    eventually(lambda: len(desktop.sound.control(*inputs).splitlines()) == 1, "only the room is to be heard")
    heard = desktop.folder / "speakers.raw"
    command = ("parec", "--raw", "--latency-msec=20", "--device=speakers.monitor")
    with heard.open("wb") as file, running(command, desktop.sound.environment, stdout=file.fileno()):
        desktop.sound.suspend(on=True)
        try:
            app.ask("start")
            app.until("arming")
            with pytest.raises(NotInTime):
                eventually(lambda: any(heard.read_bytes()), "a cue too early", 1.5)
            assert app.status()["state"] == "arming"
        finally:
            desktop.sound.suspend(on=False)

        app.until("recording")
        eventually(lambda: any(heard.read_bytes()), "the cue")
    app.ask("cancel")


def test_a_key_let_go_before_the_microphone_was_ready_records_what_comes_and_says_so(
    desktop: VirtualDesktop, app: App
) -> None:
    desktop.sound.suspend(on=True)
    try:
        app.ask("start")
        app.ask("stop")
        assert app.status()["state"] == "arming"
    finally:
        desktop.sound.suspend(on=False)

    told(desktop, app, "microphone.late")
    newest = takes(app)[-1]
    assert (newest["outcome"], newest["length_s"] > 0) == ("nothing_heard", True)


def test_a_warm_microphone_has_what_was_said_just_before_the_key(desktop: VirtualDesktop, app: App) -> None:
    hum = 0.5 * np.sin(np.arange(2 * RATE_HZ) * 2 * np.pi * 200 / RATE_HZ)
    speech.write_wav(desktop.folder / "hum.wav", hum, RATE_HZ)
    listen = ("parec", "--raw", "--latency-msec=10", f"--rate={RATE_HZ}", "--channels=1", "--format=s16le")

    def heard_before_the_key() -> bool:
        with (
            running(listen, desktop.sound.environment, stdout=subprocess.PIPE) as listener,
            desktop.sound.speaking(desktop.folder / "hum.wav"),
        ):
            assert listener.stdout
            while np.abs(np.frombuffer(listener.stdout.read(960), "<i2")).max() < 9_000:
                pass
            listener.stdout.read(RATE_HZ * 2 // 2)  # half a second of it, more than is kept
            before = desktop.screen.press(HOTKEY)
            app.until("recording")
            take = app_home(app) / "takes" / f"{app.status()['take']}.wav"
            with wave.open(str(take)) as file:
                frames = file.getnframes()
                begins_loud = np.abs(np.frombuffer(file.readframes(RATE_HZ // 10), "<i2")).max() > 9_000
            since_s = time.time() - before
        app.ask("cancel")
        app.until("idle")
        return bool(begins_loud) and frames / RATE_HZ > since_s + 0.1

    with setting(app, SETTINGS + "[recording]\nwarm_s = 60.0\ncues = false\n"):
        start(app)
        app.ask("cancel")
        app.until("idle")

        eventually(heard_before_the_key, "sound from before the key")


# -- the engine


def listening(desktop: VirtualDesktop, app: App, spoken: Path, hit: Callable[[], None]) -> None:
    with desktop.sound.speaking(spoken):
        hit()
    stop(app)


def finishing(desktop: VirtualDesktop, app: App, spoken: Path, hit: Callable[[], None]) -> None:
    """The engine stands still before it can be done."""
    desktop.sound.speak(spoken)
    (engine,) = engines(app)
    os.kill(engine, signal.SIGSTOP)
    stop(app)
    app.until("finishing")
    hit()


def loading(desktop: VirtualDesktop, app: App, spoken: Path, hit: Callable[[], None]) -> None:
    """The first engine is gone, and the next one is hit before it has its model."""
    (first,) = engines(app)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: set(engines(app)) - {first}, "another is started")
    hit()
    desktop.sound.speak(spoken)
    stop(app)


def kill(engine: int) -> None:
    os.kill(engine, signal.SIGKILL)


def stand_still(engine: int) -> None:
    os.kill(engine, signal.SIGSTOP)


def starve(engine: int) -> None:
    """Not one more byte of memory."""
    resource.prlimit(engine, resource.RLIMIT_DATA, (1 << 20, 1 << 20))


Hit = Callable[[int], None]
Phase = Callable[[VirtualDesktop, App, Path, Callable[[], None]], None]
HITS: list[tuple[Phase, Hit, int]] = [
    (listening, kill, 0),
    (finishing, kill, 0),
    (listening, stand_still, 0),
    (finishing, stand_still, 0),
    (loading, stand_still, 0),
    (listening, starve, 0),
]
if FULL:
    HITS = [
        (phase, hit, chance)
        for phase in (listening, finishing, loading)
        for hit in (kill, stand_still)
        for chance in range(10)
    ]


@pytest.mark.parametrize(("phase", "hit", "chance"), HITS)
def test_an_engine_that_breaks_is_replaced_and_each_word_is_written_once(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken, phase: Phase, hit: Hit, chance: int
) -> None:
    start(app)
    broken: list[int] = []

    def happen() -> None:
        time.sleep(random.Random(chance).uniform(0.0, 1.5) if FULL else 0.0)
        broken.extend(engines(app))
        for engine in broken:
            with contextlib.suppress(ProcessLookupError):
                hit(engine)

    phase(desktop, app, short[1], happen)

    assert app.until("idle")["outcome"] in ("inserted", "probably_inserted")
    await_text(editor, said(short[0]), "what was said, once")
    if not FULL:
        assert not set(engines(app)) & set(broken)


@pytest.mark.parametrize("code", ["model.missing", "model.damaged"])
def test_an_engine_that_cannot_start_keeps_the_take_and_says_why(
    desktop: VirtualDesktop, app: App, short: Spoken, models: Path, tmp_path: Path, code: str
) -> None:
    model = "small.en"
    if code == "model.damaged":
        model = str(shutil.copytree(models / "tiny.en", tmp_path / "own"))
        (tmp_path / "own" / "model.bin").unlink()
        (tmp_path / "own" / "model.bin").write_bytes(b"not a model")
    with setting(app, f'[engine]\nmodel = "{model}"\n'):
        app.ask("start")
        told(desktop, app, code)
        app.until("recording") if app.status()["state"] == "arming" else None
        desktop.sound.speak(short[1])
        stop(app)
        ended = app.until("idle")

    assert (ended["outcome"], ended["fault"]) == ("failed", code)
    newest = takes(app)[-1]
    assert (newest["outcome"], newest["code"], newest["offered"]) == ("failed", code, True)
    assert newest["length_s"] > 1.5
    assert said(short[0])(app.lysnrai("takes", "transcribe", newest["id"]).stdout)
    app.lysnrai("takes", "drop", newest["id"])


# -- the disk


def test_a_takes_folder_removed_in_mid_dictation_is_made_again(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    start(app)
    desktop.sound.speak(short[1])
    folder = app_home(app) / "takes"

    shutil.rmtree(folder)

    eventually(lambda: list(folder.glob("*.wav")), "the take is on the disk again")
    stop(app)
    arrived(app, editor, short[0])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_full_and_then_on_a_read_only_disk_it_says_so_and_the_words_arrive_from_memory(
    desktop: VirtualDesktop, editor: QtEditor, short: Spoken, models: Path, disk: Path
) -> None:
    with running_app(desktop, SETTINGS, home=disk, models=models) as app:
        start(app)
        fill(disk, leave_bytes=100_000)  # a second of sound
        desktop.sound.speak(short[1])
        told(desktop, app, "disk.full")
        stop(app)
        arrived(app, editor, short[0])
        assert app.status()["dropped_blocks"] == 0
        assert takes(app) == []

    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    before = len(desktop.notifications.shown())
    desktop.screen.press("enter")
    with running_app(desktop, home=disk, models=models) as app:
        sentence = texts.fault("disk.read_only").sentence
        eventually(lambda: sentence in [n.summary for n in desktop.notifications.shown()[before:]], "it says so")
        start(app)
        desktop.sound.speak(short[1])
        stop(app)
        assert app.until("idle")["outcome"] in ("inserted", "probably_inserted")
        await_text(editor, lambda text: said(short[0])(text.splitlines()[-1]), "what was said")
        runtime = Path(app.environment["XDG_RUNTIME_DIR"])
        assert list(runtime.glob("lysnrai-*/control.sock"))


def fill(disk: Path, leave_bytes: int) -> None:
    free = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - leave_bytes)))


# -- load


def test_under_load_no_block_is_dropped_and_every_word_arrives(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    busy = (sys.executable, "-c", "while True: pass")
    with running(busy, desktop.environment), running(busy, desktop.environment):
        hold(desktop, app, short[1])
        arrived(app, editor, short[0])

    assert app.status()["dropped_blocks"] == 0


# -- what nobody else may learn


def test_nothing_spoken_is_in_log_status_notifications_or_sidecars_whatever_went_wrong(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    start(app)
    desktop.sound.speak(short[1])
    for engine in engines(app):
        os.kill(engine, signal.SIGKILL)
    desktop.sound.unplug()
    try:
        told(desktop, app, "microphone.lost")
    finally:
        desktop.sound.plug_in_again()
    arrived(app, editor, short[0])
    sidecars = [path for path in (app_home(app) / "takes").glob("*") if path.suffix != ".wav"]
    logs = [app_home(app) / "log" / "lysnrai.log", *desktop.folder.glob("*.log")]
    told_all = "\n".join(f"{n.summary} {n.body}" for n in desktop.notifications.shown())
    everything = "\n".join(
        [told_all, str(app.status()), *(path.read_text(errors="replace") for path in sidecars + logs)]
    )

    words = [word for word in speech.normalise(short[0]).split() if len(word) > 4]
    assert words
    assert not [word for word in words if re.search(rf"\b{word}\b", everything, re.IGNORECASE)]


# -- the sound server itself; last, for it does not come back to the others


def test_a_sound_server_that_dies_is_told_and_the_next_one_is_found(
    desktop: VirtualDesktop, app: App, editor: QtEditor, short: Spoken
) -> None:
    start(app)
    desktop.sound.speak(short[1])

    desktop.sound.kill()

    told(desktop, app, "microphone.lost")
    arrived(app, editor, short[0])
    desktop.screen.press("enter")
    with serving(desktop.sound.environment) as reborn:
        start(app)
        reborn.speak(short[1])
        stop(app)
        assert app.until("idle")["outcome"] in ("inserted", "probably_inserted")
        await_text(editor, lambda text: said(short[0])(text.splitlines()[-1]), "what was said")
