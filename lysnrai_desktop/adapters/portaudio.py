"""Input streams of the sound card, by PortAudio.

Everything in here may block for ever while a sound server hangs, `Input.close` included. So adapters/microphone.py
calls it on a thread that it can leave behind. When to open and close, and what to do with what is heard, is decided
there.

Under PulseAudio and PipeWire, PortAudio sees one device, "pulse"; PULSE_SOURCE in the environment says which
microphone the next stream on it gets (its ALSA plug-in reads it while opening). Without the variable a stream follows
the system's default, also when that changes while it runs.

PortAudio lists devices once. `open_input` and `inputs` let it look again where their caller says that no stream of
this process is open (that ends all streams).

Imports: core, adapters/pulse. May be imported by: adapters/microphone.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lysnrai_desktop.adapters import pulse
from lysnrai_desktop.core.audio import Block, Device
from lysnrai_desktop.core.faults import MicrophoneBusy, MicrophoneDenied, MicrophoneFault, MicrophoneMissing

log = logging.getLogger(__name__)

BLOCK_S = 0.02
"""Short enough for a level meter that moves, long enough to cost nothing: 50 calls a second."""
DIRECT_LATENCY_S = 0.2
"""Buffer of a device without a sound server: how long this process may be held up without losing a sample.
A sound server has its own: 800 ms of standstill lost nothing with any latency asked for (measured)."""

_PULSE = "pulse"
_INVALID_SAMPLE_RATE = -9997  # portaudio.h, PaErrorCode
_INVALID_CHANNEL_COUNT = -9998
_DEVICE_UNAVAILABLE = -9985
_SOURCE = "PULSE_SOURCE"
_SOURCE_BEFORE = os.environ.get(_SOURCE)

Hear = Callable[[Block], None]


@dataclass(frozen=True, slots=True)
class Input:
    """A running stream."""

    stream: Any
    by_server: bool
    """A sound server stands between: it may move the stream to another source without a word."""
    is_monitor: bool
    """It was opened on what a loudspeaker plays, as the user wanted."""

    def close(self) -> None:
        """Stop without waiting for what is under way. Blocks for as long as the sound server hangs."""
        # abort() rather than stop(): a device that has gone will never deliver what stop() waits for.
        self.stream.abort(ignore_errors=True)
        self.stream.close(ignore_errors=True)


def load() -> None:
    """Have PortAudio look for devices; a quarter of a second the first time."""
    with contextlib.suppress(MicrophoneMissing):
        _sounddevice()


def open_input(device: str, hear: Hear, finished: Callable[[], None], may_look_again: bool) -> Input:
    """Start recording.

    Args:
        device: a name from `inputs`; "" follows the system's default.
        hear: gets each block (20 ms, mono, at the device's own rate) on PortAudio's thread.
        finished: called on PortAudio's thread when the stream has ended, by itself or by `close`.
        may_look_again: no other stream is open, so PortAudio may be started anew if this one does not open.

    Raises:
        MicrophoneMissing, MicrophoneBusy, MicrophoneDenied: why it does not open.
    """
    sound = _sounddevice()
    try:
        return _open(sound, device, hear, finished)
    except MicrophoneFault as refused:
        if not may_look_again:
            raise
        _look_again(sound)
        try:
            return _open(sound, device, hear, finished)
        except MicrophoneMissing:
            raise refused from None  # a device that another program holds is not listed


def inputs(may_look_again: bool) -> Sequence[Device]:
    """The microphones there are: the sound server's where there is one, PortAudio's otherwise."""
    with contextlib.suppress(pulse.NoServer):
        found = pulse.sources()
        return [Device(source.name, source.label, source.name == found.default) for source in found.microphones]
    try:
        sound = _sounddevice()
    except MicrophoneMissing:
        return []
    if may_look_again:
        _look_again(sound)
    default = _default(sound)
    names = dict.fromkeys(info["name"] for info in sound.query_devices() if info["max_input_channels"])
    return [Device(name, name, bool(default) and name == default["name"]) for name in names]


def mix_down(pcm: bytes, channels: int) -> bytes:
    """Average the channels of interleaved 16-bit PCM: a stereo microphone is as loud as a mono one."""
    import numpy as np

    frames = np.frombuffer(pcm, np.int16).reshape(-1, channels)
    return bytes(frames.mean(axis=1).round().astype(np.int16))


@dataclass(frozen=True, slots=True)
class _Route:
    """How PortAudio gets to a microphone."""

    index: int
    channels: int
    rate_hz: int
    """The microphone's own."""
    device_rate_hz: int
    """What PortAudio believes of its device: where the microphone's own is refused."""
    latency: float | str
    source: str = ""
    by_server: bool = False
    is_monitor: bool = False


def _open(sound: Any, device: str, hear: Hear, finished: Callable[[], None]) -> Input:
    route = _route(sound, device)
    if route.source:
        os.environ[_SOURCE] = route.source
    elif _SOURCE_BEFORE is None:
        os.environ.pop(_SOURCE, None)
    else:
        os.environ[_SOURCE] = _SOURCE_BEFORE
    return Input(_start(sound, route, hear, finished), route.by_server, route.is_monitor)


def _route(sound: Any, device: str) -> _Route:
    infos = sound.query_devices()
    bridge = next((info for info in infos if info["name"] == _PULSE and info["max_input_channels"]), None)
    if bridge:
        with contextlib.suppress(pulse.NoServer):
            return _route_by_server(bridge, device)
    if device:
        info = next((info for info in infos if info["name"] == device and info["max_input_channels"]), None)
    else:
        info = _default(sound)
    if not info:
        raise _nothing_there()
    rate_hz = round(info["default_samplerate"])
    return _Route(info["index"], info["max_input_channels"], rate_hz, rate_hz, DIRECT_LATENCY_S)


def _route_by_server(bridge: Any, device: str) -> _Route:
    found = pulse.sources()
    source = found.find(device or found.default)
    if source is None or (not device and not found.microphones):
        raise MicrophoneMissing  # a monitor as default is what is left when there is no microphone
    rate_hz = round(bridge["default_samplerate"])
    return _Route(
        bridge["index"], 1, source.rate_hz, rate_hz, "high", device, by_server=True, is_monitor=source.is_monitor
    )


def _default(sound: Any) -> Any:
    try:
        return sound.query_devices(kind="input")
    except sound.PortAudioError:  # there is none
        return None


def _start(sound: Any, route: _Route, hear: Hear, finished: Callable[[], None]) -> Any:
    stream = _stream(sound, route, hear, finished)
    try:
        stream.start()
    except sound.PortAudioError as error:
        stream.close(ignore_errors=True)
        raise fault_of(error) from error
    return stream


def _stream(sound: Any, route: _Route, hear: Hear, finished: Callable[[], None]) -> Any:
    """One channel at the microphone's own rate; what the device refuses of that is what it offers instead."""
    rate_hz, channels = route.rate_hz, 1
    while True:
        try:
            return sound.RawInputStream(
                device=route.index,
                samplerate=rate_hz,
                channels=channels,
                dtype="int16",
                blocksize=round(rate_hz * BLOCK_S),
                latency=route.latency,
                callback=_callback(hear, rate_hz, channels),
                finished_callback=finished,
            )
        except sound.PortAudioError as error:
            code = _code(error)
            if code == _INVALID_CHANNEL_COUNT and channels < route.channels:
                channels = route.channels
                import numpy as np  # noqa: F401  needed to mix down: loaded now, and not in the first callback
            elif code == _INVALID_SAMPLE_RATE and rate_hz != route.device_rate_hz:
                rate_hz = route.device_rate_hz
            else:
                raise fault_of(error) from error


def _callback(hear: Hear, rate_hz: int, channels: int) -> Callable[[Any, int, Any, Any], None]:
    begun = False

    def heard(samples: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG001  PortAudio's signature
        nonlocal begun
        pcm = bytes(samples)
        # What lay in the device's buffer before the stream began is nobody's loss.
        gap = begun and status.input_overflow
        begun = True
        hear(Block(pcm if channels == 1 else mix_down(pcm, channels), rate_hz, gap))

    return heard


def fault_of(error: Exception) -> MicrophoneFault:
    """What PortAudio's refusal is to the user. Its text is the system's, in English: there is no other sign."""
    text = str(error.args).lower()
    if _code(error) == _DEVICE_UNAVAILABLE or "busy" in text:
        return MicrophoneBusy()
    if "denied" in text or "permitted" in text:
        return MicrophoneDenied()
    return _nothing_there()


def _code(error: Exception) -> int:
    return int(error.args[1]) if len(error.args) > 1 else 0


def _nothing_there(nodes: Path = Path("/dev/snd")) -> MicrophoneFault:
    """Missing; unless there are some that we may not open, or that others have: PortAudio lists none of them."""
    try:
        pulse.sources()
    except pulse.Denied:
        return MicrophoneDenied()
    except pulse.NoServer:
        pass
    refusals = [_refusal(node) for node in nodes.glob("pcm*c")]
    if errno.EBUSY in refusals:
        return MicrophoneBusy()
    return MicrophoneDenied() if refusals and set(refusals) <= {errno.EACCES, errno.EPERM} else MicrophoneMissing()


def _refusal(node: Path) -> int:
    """Why a device cannot be opened; 0 if it can be."""
    try:
        os.close(os.open(node, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno or 0
    return 0


def _look_again(sound: Any) -> None:
    sound._terminate()  # noqa: SLF001  no public way; what sounddevice's own documentation advises
    sound._initialize()  # noqa: SLF001


@functools.cache
def _sounddevice() -> Any:
    """The library, loaded on first use. It sends what ALSA and JACK print while it looks for devices to nowhere."""
    try:
        import sounddevice
    except OSError as missing:
        log.error("PortAudio is not installed")
        raise MicrophoneMissing from missing
    # Its handler closes streams at exit and so waits for a sound server that hangs. Ours are closed by then, or lost.
    atexit.unregister(sounddevice._exit_handler)  # noqa: SLF001
    return sounddevice
