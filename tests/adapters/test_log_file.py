"""The log keeps within its bounds, and what the disk refuses is not lost."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from lysnrai_desktop.adapters.log_file import MOST_BYTES, LogFile


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("somewhere", logging.INFO, "", 0, text, (), None)


def test_it_never_takes_more_than_twice_its_bound(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log")
    for _ in range(30):
        log.handle(record("x" * (MOST_BYTES // 10)))
    log.close()

    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= MOST_BYTES


def test_what_a_full_disk_refuses_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    log = LogFile(Path("/dev/full"))
    log.maxBytes = 0  # a device cannot be exchanged for another
    log.handle(record("it happened"))
    with pytest.raises(OSError, match="No space"):
        log.close()

    assert capsys.readouterr().err == "it happened\n"


@pytest.mark.parametrize("file", [True, False])
def test_the_programs_log_goes_into_the_file_or_to_standard_error(tmp_path: Path, file: bool) -> None:
    path = tmp_path / "log"
    program = "import logging; from lysnrai_desktop.adapters.log_file import log_to; from pathlib import Path;"
    program += f"log_to(Path({str(path)!r}) if {file} else None); logging.getLogger('part').info('it happened')"

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    written = path.read_text("utf-8") if file else ran.stderr
    assert written.endswith(" INFO MainThread part: it happened\n")
