"""Audio files of any kind that PyAV can read, as blocks of mono 16-bit PCM at the file's own rate.

Nothing is kept: a block is decoded when it is asked for. Video files give their first sound track. What a file points
to (playlists, streams) is not followed, so reading one never touches the network.

Imports: core. May be imported by: cli, app.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lysnrai_desktop.core.audio import SAMPLE_BYTES, Block
from lysnrai_desktop.core.faults import AudioFileUnreadable

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.container import InputContainer


@dataclass(frozen=True, slots=True)
class AudioFile:
    """An open file."""

    duration_s: float
    """As the file says; 0.0 where it does not."""
    rate_hz: int
    _container: InputContainer = field(repr=False)

    def blocks(self) -> Iterator[Block]:
        """Decode the file, once. What is damaged is left out, as players do.

        Raises:
            AudioFileUnreadable: nothing in it could be decoded.
        """
        decoded = False
        mono = _Mono(self.rate_hz)
        for frame in _frames(self._container):
            if pcm := mono.convert(frame):
                decoded = True
                yield Block(pcm, self.rate_hz)
        if pcm := mono.rest():
            yield Block(pcm, self.rate_hz)
        elif not decoded:
            raise AudioFileUnreadable("nothing could be decoded")


@contextlib.contextmanager
def audio_file(path: Path) -> Iterator[AudioFile]:
    """Open a file for as long as the context lasts.

    Raises:
        AudioFileUnreadable: it is not there, may not be read, or holds no sound that is known here.
    """
    import av

    with contextlib.ExitStack() as stack:
        try:
            # A file object, for FFmpeg would take some names for addresses or devices.
            content = stack.enter_context(path.open("rb"))
            container = stack.enter_context(av.open(content, mode="r", io_open=_refuse))
        except (OSError, av.FFmpegError) as error:
            raise AudioFileUnreadable(type(error).__name__) from None  # its text has the path
        if not container.streams.audio:
            raise AudioFileUnreadable("no sound track")
        stream = container.streams.audio[0]
        if stream.duration is not None and stream.time_base is not None:
            duration_s = float(stream.duration * stream.time_base)
        else:
            duration_s = (container.duration or 0) / av.time_base
        yield AudioFile(max(0.0, duration_s), stream.rate, container)


def _frames(container: InputContainer) -> Iterator[AudioFrame]:
    import av

    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            return
        except av.EOFError:
            return
        except av.FFmpegError:
            continue  # a damaged packet
        yield from frames


class _Mono:
    """From frames of any format to mono 16-bit PCM. The format may change within a file."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None

    def convert(self, frame: AudioFrame) -> bytes:
        import av

        before = b""
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or form != self._format:
            before = self.rest()
            self._resampler = av.AudioResampler("s16", "mono", self._rate_hz)
            self._format = form
        return before + _pcm(self._resampler.resample(frame))

    def rest(self) -> bytes:
        """What is still held back."""
        return _pcm(self._resampler.resample(None)) if self._resampler else b""


def _pcm(frames: list[AudioFrame]) -> bytes:
    # A plane is longer than its samples: FFmpeg aligns it.
    return b"".join(bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES] for frame in frames)


def _refuse(*_: object) -> IO[bytes]:
    raise PermissionError("files named by a file are not opened")
