"""PulseAudio without a sound card: a virtual microphone that recordings are spoken into.

    a recording ─▶ mic_sink ─▶ its monitor ─▶ virtual_mic   (the default source)
    the app's own sounds ─▶ speakers                        (the default sink)

A null sink's monitor delivers nothing until something plays, and what is played first gets lost, without `norewinds`
two seconds of it. So a quiet noise floor plays all the time, as in a real room: its level is -66 dBFS, for digital
silence would rightly be taken for a muted microphone.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.desktop.processes import DEADLINE_S, call, eventually, running

RATE_HZ = 48_000
MICROPHONE = "virtual_mic"
LABEL = "Virtual_Microphone"
_SINK = "mic_sink"
_FLOOR = 10 ** (-66 / 20)
_FLOOR_S = 30
_AHEAD_MS = 500
"""How far a recording is handed over ahead of time. With 20 ms, a busy machine tore holes of up to 50 ms into it, and
words were misheard; with 500 ms it arrived whole with six more processes than cores at full load (measured)."""


@dataclass(frozen=True, slots=True)
class PulseServer:
    """A private sound server with one microphone and one loudspeaker."""

    environment: Mapping[str, str]
    """Leads a program to this server: PULSE_SERVER and PULSE_RUNTIME_PATH beside what was given."""

    process: subprocess.Popen[bytes]
    """The server itself, for tests that stop or kill it."""

    def speak(self, recording: Path) -> None:
        """Play a WAV file into the microphone; returns when its last sample was played."""
        with self.speaking(recording):
            pass

    @contextlib.contextmanager
    def speaking(self, recording: Path) -> Iterator[None]:
        """Play a WAV file into the microphone beside the body; waits for its end.

        An exception in the body cuts the recording short.
        """
        command = ("paplay", f"--latency-msec={_AHEAD_MS}", f"--device={_SINK}", recording)
        with running(command, self.environment) as player:
            yield
            if player.wait(DEADLINE_S + 60) != 0:
                raise RuntimeError(f"paplay failed on {recording.name}")

    def control(self, *arguments: str) -> str:
        """Run pactl, e.g. ("load-module", "module-null-sink", "sink_name=second"); returns its output."""
        return call(("pactl", *arguments), self.environment).strip()

    def add_microphone(self, name: str, description: str) -> str:
        """Plug in a second microphone that hears the same; returns the module's number for `unplug`."""
        return self.control(
            "load-module",
            "module-remap-source",
            f"master={_SINK}.monitor",
            f"source_name={name}",
            _named(description),
        )

    def unplug(self, module: str = "module-remap-source") -> None:
        """Take a microphone away: by its module's number, or every one."""
        self.control("unload-module", module)

    def plug_in_again(self) -> None:
        """Bring the microphone back after `unplug`, as the default."""
        self.add_microphone(MICROPHONE, LABEL)
        self.control("set-default-source", MICROPHONE)

    def mute(self, on: bool) -> None:
        """Press the microphone's switch: it goes on delivering, zeros."""
        self.control("set-source-mute", MICROPHONE, str(int(on)))

    def suspend(self, on: bool) -> None:
        """Stop the microphone from delivering; streams on it stay open and get no word."""
        self.control("suspend-source", MICROPHONE, str(int(on)))

    @contextlib.contextmanager
    def guarded(self) -> Iterator[str]:
        """Open a second door, for those who know the cookie; yields its address."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        module = self.control("load-module", "module-native-protocol-tcp", "listen=127.0.0.1", f"port={port}")
        yield f"tcp:127.0.0.1:{port}"
        self.unplug(module)

    @contextlib.contextmanager
    def open_to_all(self) -> Iterator[str]:
        """Open a door for every user of this computer; yields its address."""
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            path = Path(name) / "native"
            module = self.control("load-module", "module-native-protocol-unix", f"socket={path}", "auth-anonymous=1")
            path.chmod(0o777)
            yield f"unix:{path}"
            self.unplug(module)

    def freeze(self) -> None:
        """Make the server hang, as a broken driver does. Thawed at the end by itself."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server as a crash does, and wait until it is gone."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def pulse_server(folder: Path, environment: Mapping[str, str]) -> Iterator[PulseServer]:
    """Run a sound server whose files lie in `folder`; ready when the microphone delivers.

    Args:
        folder: a folder that only this user can enter; the server's socket is made there.
        environment: what the server and its clients get; PULSE_* are added.
    """
    home = folder / "pulse"
    home.mkdir(mode=0o700)
    (home / "noise.raw").write_bytes(_room_noise())
    own = {
        **environment,
        "PULSE_SERVER": f"unix:{home / 'native'}",
        "PULSE_RUNTIME_PATH": str(home),
        "PULSE_STATE_PATH": str(home),
        "PULSE_COOKIE": str(home / "cookie"),
    }
    with serving(own) as server:
        yield server


@contextlib.contextmanager
def serving(own: Mapping[str, str]) -> Iterator[PulseServer]:
    """Run the sound server of this environment: again, where it was killed."""
    home = Path(own["PULSE_RUNTIME_PATH"])
    modules = (
        f"module-native-protocol-unix socket={home / 'native'} auth-anonymous=1",
        f"module-null-sink sink_name={_SINK} rate={RATE_HZ} channels=1 norewinds=1",
        f"module-null-sink sink_name=speakers rate={RATE_HZ} channels=2 norewinds=1",
        f"module-remap-source master={_SINK}.monitor source_name={MICROPHONE} {_named(LABEL)}",
    )
    command = ["pulseaudio", "-n", "--daemonize=no", "--system=false", "--exit-idle-time=-1", "--disable-shm=yes"]
    command += ["--use-pid-file=no", "--log-target=stderr"]
    command += [word for module in modules for word in ("-L", module)]
    floor = (
        f"while cat '{home / 'noise.raw'}'; do :; done | pacat --playback --raw --latency-msec=10"
        f" --rate={RATE_HZ} --channels=1 --format=s16le --device={_SINK}"
    )
    log = home.parent / "pulse.log"
    with running(command, own, log=log) as process:
        server = PulseServer(own, process)
        eventually(lambda: _answers(own), "the sound server answers")
        server.control("set-default-source", MICROPHONE)
        server.control("set-default-sink", "speakers")
        with running(("sh", "-c", floor), own, log=log):
            _await_sound(own)
            try:
                yield server
            finally:
                if process.poll() is None:
                    server.thaw()


def _answers(environment: Mapping[str, str]) -> bool:
    """The socket's file is there before anybody listens on it."""
    asked = subprocess.run(["pactl", "info"], env=dict(environment), capture_output=True, check=False)
    return asked.returncode == 0


def _named(description: str) -> str:
    return f"source_properties=device.description={description}"


def _room_noise() -> bytes:
    samples = np.random.default_rng(8).standard_normal(_FLOOR_S * RATE_HZ) * _FLOOR * 32767
    return np.rint(samples).astype("<i2").tobytes()


def _await_sound(environment: Mapping[str, str]) -> None:
    """Return when half a second has arrived without a gap: the first second after a start still stalls."""
    command = ("parec", "--raw", "--latency-msec=20", f"--rate={RATE_HZ}", "--channels=1", "--format=s16le")
    with running((*command, f"--device={MICROPHONE}"), environment, stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout
        end, heard = time.monotonic() + DEADLINE_S, 0
        while heard < RATE_HZ:  # bytes: half a second
            block = recorder.stdout.read(RATE_HZ // 50)
            heard = heard + len(block) if any(block) else 0
            if not block or time.monotonic() > end:
                raise RuntimeError("the virtual microphone does not deliver")
