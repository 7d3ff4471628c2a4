"""Microphone and journal as in the app, without the rest, waiting to be killed.

Obeys lines: "start", "stop" (which also marks the take as failed). Writes a record for each block that reached the
callback, before it goes any further; 0, 0 when it is ready.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from pathlib import Path

from lysnrai_desktop.adapters.journal import Journal
from lysnrai_desktop.adapters.microphone import PortAudioMicrophone
from lysnrai_desktop.core.audio import Block
from lysnrai_desktop.core.dictation import Event, Outcome, TakeClosed
from lysnrai_desktop.ports import Take

RECORD = struct.Struct("<Ih")
"""Samples in the block, and the last of them."""


class Noted:
    """A take that tells the outside what it gets."""

    def __init__(self, take: Take) -> None:
        self._take = take

    def block(self, block: Block) -> None:
        (last,) = struct.unpack("<h", block.pcm[-2:])
        os.write(1, RECORD.pack(block.samples, last))
        self._take.block(block)

    def end(self) -> None:
        self._take.end()


def main() -> None:
    closed = threading.Event()

    def post(event: Event) -> None:
        if isinstance(event, TakeClosed):
            closed.set()

    journal = Journal(Path(sys.argv[1]), post, lambda _: None, sys.exit)
    microphone = PortAudioMicrophone(post, warm_s=lambda: 0.0)
    microphone.devices()
    os.write(1, RECORD.pack(0, 0))
    take = journal.open(1)
    for line in sys.stdin:
        if line == "start\n":
            microphone.open(1, "", Noted(take))
        else:
            microphone.close(1)
            closed.wait()
            take.keep(Outcome.FAILED, "engine.died")


if __name__ == "__main__":
    main()
