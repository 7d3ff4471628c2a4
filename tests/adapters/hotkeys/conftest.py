"""Fixtures of the hotkeys' tests."""

from __future__ import annotations

import pytest

from tests.desktop.screen import Screen


@pytest.fixture
def screen(reused_screen: Screen) -> Screen:
    return reused_screen
