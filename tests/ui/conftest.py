"""Overlay and window in a program of their own, on a real screen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.desktop.processes import running
from tests.desktop.screen import Screen


class Program:
    """tests/ui/program.py, told what to show."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._stdin, self._stdout = stdin, stdout
        self.heard()

    def show(self, state: str) -> list[int]:
        """Returns where it is: x, y, width, height; nothing if it is hidden."""
        self._stdin.write(state.encode() + b"\n")
        self._stdin.flush()
        return self.heard()

    def heard(self) -> list[int]:
        line = self._stdout.readline()
        assert line, "the program has ended"
        return [int(word) for word in line.split()]


@pytest.fixture
def program(screen: Screen, home_environment: tuple[Path, dict[str, str]]) -> Iterator[Program]:
    command = (sys.executable, "-m", "tests.ui.program")
    with running(
        command,
        screen.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        log=home_environment[0] / "program.log",
    ) as process:
        assert process.stdin
        assert process.stdout
        yield Program(process.stdin, process.stdout)
