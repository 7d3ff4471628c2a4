"""Sound out, by libpulse-simple (PulseAudio and PipeWire).

Not through PortAudio: that is one for the whole process, and a microphone must never wait for a loudspeaker.

Imports: nothing of this project. May be imported by: adapters/cues, cli.
"""

from __future__ import annotations

import ctypes
from functools import cache
from types import TracebackType
from typing import Self


class _SampleSpec(ctypes.Structure):
    _fields_ = (("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8))


class _BufferAttr(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize"))


_S16LE = 3
_PLAYBACK = 1
SERVER_DECIDES = 0xFFFFFFFF


class Playback:
    """A stream of 16-bit PCM to the default loudspeaker. Every call may block for as long as the server does."""

    def __init__(self, rate_hz: int, channels: int, name: str, buffer_bytes: int = SERVER_DECIDES) -> None:
        """`name`: what the system's mixer shows. `buffer_bytes`: what lies ahead of the loudspeaker.

        Raises:
            OSError: no libpulse-simple, or no sound server.
        """
        self._library = _library()
        self._code = ctypes.c_int(0)
        spec = _SampleSpec(_S16LE, rate_hz, channels)
        attributes = _BufferAttr(SERVER_DECIDES, buffer_bytes, SERVER_DECIDES, SERVER_DECIDES, SERVER_DECIDES)
        self._stream = self._library.pa_simple_new(
            None,
            b"LysnrAI",
            _PLAYBACK,
            None,
            name.encode(),
            ctypes.byref(spec),
            None,
            ctypes.byref(attributes),
            ctypes.byref(self._code),
        )
        if not self._stream:
            raise OSError(f"sound server: {self._code.value}")

    def write(self, pcm: bytes) -> None:
        """Returns when there is room for it. Raises OSError when the server went away."""
        self._check(self._library.pa_simple_write(self._stream, pcm, len(pcm), ctypes.byref(self._code)))

    def drain(self) -> None:
        """Returns when all of it was heard. Raises OSError when the server went away."""
        self._check(self._library.pa_simple_drain(self._stream, ctypes.byref(self._code)))

    def _check(self, result: int) -> None:
        if result < 0:
            raise OSError(f"sound server: {self._code.value}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._library.pa_simple_free(self._stream)


@cache
def _library() -> ctypes.CDLL:
    """PulseAudio's simple API (pulse/simple.h).

    Raises:
        OSError: this system has none.
    """
    library = ctypes.CDLL("libpulse-simple.so.0")
    pointer, error = ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
    library.pa_simple_new.restype = pointer
    library.pa_simple_new.argtypes = (
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.POINTER(_SampleSpec),
        pointer,
        ctypes.POINTER(_BufferAttr),
        error,
    )
    library.pa_simple_write.argtypes = (pointer, ctypes.c_char_p, ctypes.c_size_t, error)
    library.pa_simple_drain.argtypes = (pointer, error)
    library.pa_simple_free.argtypes = (pointer,)
    library.pa_simple_free.restype = None
    return library
