"""Ports: what the world must offer. Each is small, has a fake for tests and at least one adapter.

Calls return at once unless the docstring says otherwise; work happens on the adapter's own thread, and results come
back as events (core/dictation.py) through the `post` function an adapter was built with. What the world
refuses is raised as a Fault (core/faults.py) by a call, or posted as the matching `…Failed` event afterwards.

Imports: core. May be imported by: adapters, engines, runtime, ui, app.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lysnrai_desktop.core.audio import Block, Device
from lysnrai_desktop.core.combo import Combo
from lysnrai_desktop.core.dictation import Delivery, Event, Outcome, Sound
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.core.hotkey import MAIN, Edge
from lysnrai_desktop.core.insertion import Undone
from lysnrai_desktop.core.settings import Settings
from lysnrai_desktop.core.speech import SpokenText
from lysnrai_desktop.core.status import Status
from lysnrai_desktop.core.takes import TakeRecord
from lysnrai_desktop.core.usage import UsageEvent

Post = Callable[[Event], None]
"""Hands an event to the dictation thread. Safe from any thread, never blocks."""


class BlockSink(Protocol):
    """Where a microphone puts what it hears. Both calls are safe in an audio callback."""

    def block(self, block: Block) -> None: ...

    def end(self) -> None:
        """No block will follow."""


class Microphone(Protocol):
    """Posts MicrophoneFailed(session); never calls PortAudio on the caller's thread."""

    def open(self, session: int, device: str, sink: BlockSink) -> None:
        """Record from the named device ("" follows the system's default) into `sink`, at the device's own rate."""

    def close(self, session: int) -> None:
        """Let the audio still under way arrive, then `sink.end()`; a device that hangs does not delay that."""

    def devices(self) -> Sequence[Device]:
        """The microphones there are now. May take 100 ms; not for the GUI or dictation thread."""

    def shut_down(self) -> None: ...


class Audio(Protocol):
    """What an engine hears: samples that may still be growing in number."""

    @property
    def rate_hz(self) -> int:
        """0 until the first block has arrived."""

    def wait(self, beyond: int, timeout_s: float) -> tuple[int, bool]:
        """Block until more than `beyond` samples can be read, the take has ended, or the time is up.

        Returns the samples readable now, and whether that is all there will ever be.
        """

    def read(self, start: int, limit: int) -> bytes:
        """At most `limit` samples from `start` on, as 16-bit PCM; shorter only at the readable end."""


class Take(BlockSink, Audio, Protocol):
    """The audio of one dictation: written by the microphone, on disk before anybody reads it.

    The take posts MicrophoneLive(session) when its first block is on disk, TakeClosed(session) after its last, and in
    between Silence(session) when nothing but zeros comes, and when that is over.
    """

    @property
    def id(self) -> str:
        """Names the take outside this process: time and number, no content."""

    def erase(self) -> None:
        """Remove every trace from the disk; later blocks are thrown away, waiters are let go."""

    def keep(self, outcome: Outcome, code: str) -> None:
        """Leave it on the disk, marked with what became of it."""


class Journal(Protocol):
    dropped_blocks: int
    """Blocks that came and were not kept, and gaps in what came. Zero, or we have a bug, or too slow a computer."""

    def open(self, session: int) -> Take: ...

    def shut_down(self) -> None:
        """Blocks until all that was recorded is on disk (2 s at most)."""


class StoredTake(Audio, Protocol):
    """A take that an earlier dictation left, nobody else's until it is closed. Its calls block for the disk."""

    @property
    def record(self) -> TakeRecord: ...

    def mark(self, outcome: str, now: float) -> None:
        """Write down what became of it at last. `now`: seconds since 1970. Raises DiskFault."""

    def drop(self) -> None:
        """Remove every trace from the disk. Raises DiskFault."""

    def close(self) -> None: ...


class TakeStore(Protocol):
    """The takes on the disk that nobody is working on. Its calls block for the disk."""

    def records(self) -> Sequence[TakeRecord]:
        """Oldest first."""

    def open(self, take_id: str) -> StoredTake:
        """Raises TakeUnknown, TakeBusy, DiskFault."""


class Engine(Protocol):
    """Hears audio and posts Voice, Final, EngineDone, EngineFailed; partial text goes to `on_partial`."""

    def warm(self, settings: Settings) -> None:
        """Start ahead of need, as these settings will want it."""

    def start(self, session: int, take: Audio, from_sample: int, settings: Settings, attempt: int = 1) -> None:
        """Hear the take from a sample on, while it grows. A session under way is given up for the new one.

        `attempt` stands in each Voice, Final, EngineDone and EngineFailed of this start.
        """

    def finish(self, session: int) -> None:
        """The take is complete: EngineDone follows when all of it has its finals."""

    def cancel(self, session: int) -> None:
        """Nothing more is wanted of this session."""

    def shut_down(self) -> None:
        """Blocks until the engine process is gone (killed after 2 s)."""


class Target(Protocol):
    """A window that had the focus; opaque to everybody but the inserter that captured it."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where the text is now, and why it was not simply inserted (a fault code; "" when it was)."""

    delivery: Delivery
    code: str = ""


class Inserter(Protocol):
    def capture(self) -> Target | None:
        """The window that has the focus now, None if there is none. Blocks for a round trip (about 1 ms)."""

    def insert(
        self, text: SpokenText, target: Target | None, done: Callable[[Delivered | Fault], None], *, fit: bool = False
    ) -> None:
        """Bring the text into the target; `done` is called once, on another thread, with where it is now.

        Without a target it goes where the focus is. A Fault means that it is nowhere, not even on the clipboard.
        With `fit` it goes on from what stands before the cursor (core/context.py), as far as that can be known.
        """

    def copy(self, text: SpokenText) -> None:
        """Put the text on the clipboard and leave it there."""

    def undo(self, done: Callable[[Undone | Fault], None]) -> None:
        """Take the last insertion back; `done` is called once, on another thread, with how sure that is.

        NothingToUndo: there was none, the window or its text has changed since as far as can be known, or it has no
        undo and says so.
        """

    def shut_down(self) -> None: ...


class Hotkeys(Protocol):
    """Calls `on_edge` for bound combinations and `on_cancel` for the cancel key, from a thread of its own."""

    def bind(self, combo: str, name: str = MAIN) -> None:
        """Take the combination ("ctrl+alt+space") from the desktop, releasing the one that had this name.

        Raises HotkeyTaken, HotkeyInvalid; the old binding then stays. Blocks for a round trip.
        """

    def release(self, name: str = MAIN) -> None:
        """Give the combination of this name back, if there is one. Blocks for a round trip."""

    def free(self, wanted: Iterable[Combo]) -> Sequence[Combo]:
        """Return those of the combinations that nobody has taken. Blocks for a round trip each."""

    def watch_cancel(self, on: bool) -> None:
        """Take Esc from the desktop, or give it back."""

    def shut_down(self) -> None: ...


OnEdge = Callable[[Edge], None]


class Screen(Protocol):
    """What the user sees. Calls are safe from any thread."""

    def show(self, status: Status) -> None: ...

    def level(self, peak: float) -> None:
        """Loudest sample of the last block, 0 to 1. Comes for every block: implementations thin it out."""

    def tell(self, code: str) -> None:
        """Tell the user what went wrong and what to do about it (sentences: ui/texts.py)."""

    def cue(self, sound: Sound) -> None: ...


class Usage(Protocol):
    """Where usage events go. What the user has not agreed to goes nowhere."""

    def record(self, event: UsageEvent) -> None:
        """Hand an event over. Never raises, never blocks; safe from any thread."""
