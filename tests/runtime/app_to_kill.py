"""An app with an engine at work, that waits to be killed. Prints the engine's process id."""

from __future__ import annotations

import threading
from pathlib import Path

from lysnrai_desktop.runtime.engine_kinds import whisper
from tests.desktop.processes import eventually
from tests.hearing import HOST, SCRIPTED, Hearing, engine_pids, new_take

if __name__ == "__main__":
    it = Hearing(whisper(Path, [*HOST, "scripted", "hang"]))
    it.link.start(1, new_take(), 0, SCRIPTED)
    it.until_state("ready")
    print(*eventually(engine_pids, "the process is there"), flush=True)
    threading.Event().wait()
