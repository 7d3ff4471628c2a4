"""The doctor finds what is missing, says what to do, and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lysnrai_desktop.adapters.hotkeys.x11 import X11Hotkeys
from tests.desktop.machine import VirtualDesktop

PARTS = ("settings", "disk", "screen", "tray", "notifications", "hotkey", "microphone", "model", "insertion")


def doctor(environment: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "lysnrai_desktop", "doctor", "--json"],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    findings = json.loads(done.stdout)
    assert tuple(finding["part"] for finding in findings) == PARTS
    return done.returncode, {finding["part"]: finding for finding in findings}


def test_on_a_whole_desktop_all_is_well(desktop: VirtualDesktop, models_environment: dict[str, str]) -> None:
    status, findings = doctor({**desktop.environment, **models_environment})

    assert {part: finding["sentence"] for part, finding in findings.items() if finding["grade"] != "ok"} == {}
    assert status == 0


def test_a_muted_microphone_is_told_from_a_quiet_one(
    desktop: VirtualDesktop, models_environment: dict[str, str]
) -> None:
    desktop.sound.control("set-source-mute", "virtual_mic", "1")
    try:
        _, findings = doctor({**desktop.environment, **models_environment})
    finally:
        desktop.sound.control("set-source-mute", "virtual_mic", "0")

    assert findings["microphone"]["grade"] == "warning"
    assert "silence" in findings["microphone"]["sentence"]


def test_of_a_hotkey_that_is_taken_it_says_which_are_free(
    desktop: VirtualDesktop, models_environment: dict[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text('[hotkey]\nundo = "ctrl+alt+z"\n')
    other = X11Hotkeys(lambda _: None, lambda _: None, lambda _: None, desktop.environment["DISPLAY"])
    other.bind("ctrl+alt+z")
    try:
        _, findings = doctor({**desktop.environment, **models_environment, "LYSNRAI_HOME": str(home)})
    finally:
        other.shut_down()

    assert findings["hotkey"]["code"] == "hotkey.taken"
    assert "Ctrl+Alt+Z" in findings["hotkey"]["sentence"]
    assert "Super+Z" in findings["hotkey"]["remedy"]


def test_without_anything_each_part_says_what_to_do(tmp_path: Path, models_environment: dict[str, str]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text('[hotkey]\nmode = "often"\n')
    environment = {**os.environ, **models_environment, "LYSNRAI_HOME": str(home)}

    status, findings = doctor(environment)

    bad = {part for part, finding in findings.items() if finding["grade"] == "bad"}
    assert bad == {"screen", "hotkey", "microphone", "insertion"}
    assert all(findings[part]["remedy"] for part in bad)
    assert "line 2: hotkey.mode" in findings["settings"]["sentence"]
    assert findings["hotkey"]["code"] == "hotkey.unavailable"
    assert findings["microphone"]["code"] == "microphone.missing"
    assert status == 1
