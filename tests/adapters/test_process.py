"""How long this process and this computer have been running."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lysnrai_desktop.adapters import process


def test_a_process_that_has_just_been_made_is_young_and_this_one_is_older() -> None:
    code = "from lysnrai_desktop.adapters import process; print(process.age_s())"

    young = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    assert 0 <= young < 60
    assert process.age_s() > young - 60
    assert process.age_s() > 0


def test_a_file_of_today_is_since_the_start_of_the_computer_and_one_of_2001_is_not(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.touch()
    assert process.since_boot(file)
    os.utime(file, (10**9, 10**9))
    assert not process.since_boot(file)
    assert not process.since_boot(tmp_path / "never")
