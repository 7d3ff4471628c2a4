"""Cues are heard on the loudspeaker, and never matter more than the dictation."""

from __future__ import annotations

import array
import os
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from lysnrai_desktop.adapters import cues, playback
from lysnrai_desktop.core.dictation import Sound
from tests.desktop.processes import eventually, running
from tests.desktop.sound import PulseServer

ASSETS = Path(__file__).parents[2] / "assets" / "sounds"


@pytest.fixture
def server(sound: PulseServer, monkeypatch: pytest.MonkeyPatch) -> PulseServer:
    """A sound server that this process, too, finds."""
    for name in ("PULSE_SERVER", "PULSE_RUNTIME_PATH"):
        monkeypatch.setitem(os.environ, name, sound.environment[name])
    return sound


@pytest.fixture
def player() -> Iterator[cues.Cues]:
    made = cues.Cues()
    yield made
    made.shut_down()


def test_a_cue_is_heard(server: PulseServer, player: cues.Cues) -> None:
    command = ("parec", "--raw", "--latency-msec=20", "--rate=24000", "--channels=1", "--device=speakers.monitor")
    with running(command, server.environment, stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout
        player.play(Sound.LIVE)
        loudest = 0
        while loudest < 3000:  # ends by the test's own time limit if nothing is ever heard
            loudest = max(abs(sample) for sample in array.array("h", recorder.stdout.read(4800)))

    eventually(lambda: player.played == 1, "it ended")


@pytest.mark.parametrize("sound", Sound)
def test_every_cue_has_a_short_small_file(sound: Sound) -> None:
    file = ASSETS / f"{sound}.wav"

    with wave.open(str(file)) as opened:
        assert (opened.getsampwidth(), opened.getnchannels()) == (2, 1)
        assert opened.getnframes() / opened.getframerate() <= 0.25
    assert file.stat().st_size < 20_000


def test_without_a_sound_server_it_is_only_counted(player: cues.Cues) -> None:
    player.play(Sound.LIVE)

    eventually(lambda: player.failures == 1, "counted")


def test_without_the_library_it_is_only_counted(player: cues.Cues, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise OSError("libpulse-simple.so.0: cannot open shared object file")

    monkeypatch.setattr(playback, "_library", missing)

    player.play(Sound.LIVE)

    eventually(lambda: player.failures == 1, "counted")


@pytest.mark.usefixtures("server")
def test_a_cue_that_would_come_late_is_left_out(player: cues.Cues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cues, "LATE_S", -1.0)

    player.play(Sound.LIVE)

    eventually(lambda: player.failures == 1, "left out")
    assert player.played == 0


def test_a_sound_server_that_hangs_holds_up_nobody(
    server: PulseServer, player: cues.Cues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cues, "CLOSING_S", 0.01)
    server.freeze()

    player.play(Sound.LIVE)
    player.play(Sound.STOPPED)
    player.shut_down()

    server.thaw()
    eventually(lambda: player.played + player.failures == 2, "the thread went on")
