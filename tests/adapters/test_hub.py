"""The process that downloads says in one line why a file did not come, and does not outlive whoever wants it.

What it fetches, goes on with and leaves is tested where it is used: tests/runtime/test_model_sources.py.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lysnrai_desktop.runtime.model_sources import DOWNLOAD_COMMAND
from tests.runtime.hub_server import HubServer, hub_server
from tests.runtime.made_models import CONTENT, ON_HUB, REVISION


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with hub_server(dict(ON_HUB)) as server:
        yield server


def download(hub: HubServer, folder: Path, *names: str) -> subprocess.Popen[str]:
    command = [*DOWNLOAD_COMMAND, hub.address, "owner/made", REVISION, str(folder), *names]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def outcome(process: subprocess.Popen[str]) -> tuple[str, int]:
    with process:
        assert process.stdout is not None
        reason = process.stdout.read()
    return reason, process.returncode


def test_files_that_came_are_private_and_nothing_is_said(hub: HubServer, tmp_path: Path) -> None:
    assert outcome(download(hub, tmp_path, *CONTENT)) == ("", 0)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == CONTENT
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_full_disk_is_told_from_a_failed_download(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "model.bin").symlink_to("/dev/full")

    assert outcome(download(hub, tmp_path, "model.bin")) == ("disk full", 1)


def test_a_folder_that_is_gone_is_a_reason_without_a_path(hub: HubServer, tmp_path: Path) -> None:
    assert outcome(download(hub, tmp_path / "gone", "model.bin")) == ("FileNotFoundError", 1)


def test_it_ends_in_the_middle_of_a_download_when_its_input_is_closed(hub: HubServer, tmp_path: Path) -> None:
    hub.hang_after_bytes = 0
    process = download(hub, tmp_path, "model.bin")
    assert process.stdin is not None
    assert hub.hanging.wait(20)

    process.stdin.close()

    assert process.wait(20) == 1
    assert outcome(process) == ("", 1)
