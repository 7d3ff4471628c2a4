"""settings.toml is the user's: mistakes are named by line, comments stay, and nothing in it stops the app."""

from __future__ import annotations

from pathlib import Path

import pytest

from lysnrai_desktop.adapters.settings_file import SettingsFile, overrides_from
from lysnrai_desktop.core.faults import DiskReadOnly, SettingsInvalid
from lysnrai_desktop.core.settings import Settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def test_no_file_means_the_defaults(path: Path) -> None:
    file = SettingsFile(path)

    assert file.current() == Settings()
    assert file.complaints == ()


def test_a_change_is_seen_at_the_next_look(path: Path) -> None:
    write(path, '[engine]\nmodel = "base"\n')
    file = SettingsFile(path)
    assert file.current().engine.model == "base"

    write(path, '[engine]\nmodel = "tiny.en"\n')

    assert file.current().engine.model == "tiny.en"


@pytest.mark.logs("settings.toml, line")
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            '# mine\n[hotkey]\n\nmode = "often"\n',
            "settings.toml, line 4: hotkey.mode must be one of hold, toggle, hybrid",
        ),
        ("[engine]\nthreads = 2\n\n[recording]\nmax_s = -1\n", "settings.toml, line 5: recording.max_s must be"),
        ("\n[hotkeys]\nmode = 'hold'\n", "settings.toml, line 2: hotkeys is not a known section"),
        ("[hotkey]\nmode = hold\n", "settings.toml, line 2: the file is not valid TOML here"),
        ('hotkey = { mode = "often" }\n', "settings.toml, line 1: hotkey.mode"),
    ],
)
def test_a_mistake_is_reported_by_its_line_and_the_default_serves(path: Path, text: str, complaint: str) -> None:
    write(path, text)
    file = SettingsFile(path)

    settings = file.current()

    assert str(file.complaints[0]).startswith(complaint)
    assert settings.hotkey.mode == "hybrid"
    assert settings.recording.max_s == 1800


@pytest.mark.logs("line 2: the file is not UTF-8 here")
def test_a_file_that_is_no_text_is_reported_and_left_alone(path: Path) -> None:
    path.write_bytes(b"[engine]\nmodel = '\xff'\n")
    file = SettingsFile(path)

    assert file.current() == Settings()
    assert path.read_bytes() == b"[engine]\nmodel = '\xff'\n"


@pytest.mark.logs("not valid TOML")
def test_a_file_broken_while_being_edited_leaves_the_last_good_settings(path: Path) -> None:
    write(path, '[engine]\nmodel = "tiny.en"\n')
    file = SettingsFile(path)
    file.current()

    write(path, '[engine]\nmodel = "tin')

    assert file.current().engine.model == "tiny.en"


@pytest.mark.logs("mode")
def test_a_complaint_never_repeats_the_value(path: Path) -> None:
    write(path, '[hotkey]\nmode = "my secret"\n')
    file = SettingsFile(path)
    file.current()

    assert "secret" not in " ".join(map(str, file.complaints))


def test_writing_one_setting_keeps_every_comment(path: Path) -> None:
    write(path, '# mine\n[engine]  # engine room\nmodel = "base" # good enough\n\n[polish]\ncapitalise = false\n')
    file = SettingsFile(path)

    file.set("engine.model", "tiny.en")
    file.set("recording.device", "usb")

    text = path.read_text("utf-8")
    assert text.startswith('# mine\n[engine]  # engine room\nmodel = "tiny.en" # good enough\n')
    assert file.current().recording.device == "usb"
    assert file.current().polish.capitalise is False
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_to_the_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "dotfiles.toml"
    write(elsewhere, "# mine\n")
    path.symlink_to(elsewhere)

    SettingsFile(path).set("engine.model", "tiny.en")

    assert path.is_symlink()
    assert 'model = "tiny.en"' in elsewhere.read_text("utf-8")


def test_a_file_that_cannot_be_understood_is_not_overwritten(path: Path) -> None:
    write(path, "[engine\n")

    with pytest.raises(SettingsInvalid, match="left alone"):
        SettingsFile(path).set("engine.model", "tiny.en")

    assert path.read_text("utf-8") == "[engine\n"


def test_something_else_in_the_place_of_a_section_is_left_alone_too(path: Path) -> None:
    write(path, "engine = 3\n")

    with pytest.raises(SettingsInvalid):
        SettingsFile(path).set("engine.model", "tiny.en")


def test_a_disk_that_refuses_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")

    with pytest.raises(DiskReadOnly):
        SettingsFile(tmp_path / "home" / "settings.toml").create("# first\n")


def test_others_lose_their_view_of_it(path: Path) -> None:
    write(path, "")
    path.chmod(0o644)

    SettingsFile(path).current()

    assert path.stat().st_mode & 0o777 == 0o600


def test_flags_and_variables_win_over_the_file(path: Path) -> None:
    write(path, '[engine]\nmodel = "base"\nlanguage = "de"\n')
    environ = {"LYSNRAI_ENGINE_MODEL": "tiny.en", "LYSNRAI_HOME": "/x", "LYSNRAI_MODELS": "/y", "PATH": "/bin"}

    settings = SettingsFile(path, overrides_from(environ)).current()

    assert settings.engine.model == "tiny.en"
    assert settings.engine.language == "de"


def test_the_platforms_own_variables_name_its_service_and_ours_win(path: Path) -> None:
    environ = {"PLATFORM_SERVICE_URL": "https://a.example", "PLATFORM_PRODUCT_KEY": "pk"}
    ours = environ | {"LYSNRAI_TELEMETRY_URL": "https://b.example"}

    telemetry = SettingsFile(path, overrides_from(environ)).current().telemetry

    assert (telemetry.url, telemetry.product_key) == ("https://a.example", "pk")
    assert SettingsFile(path, overrides_from(ours)).current().telemetry.url == "https://b.example"


@pytest.mark.logs("engine.threads must be")
def test_a_bad_variable_is_reported_without_a_line(path: Path) -> None:
    file = SettingsFile(path, overrides_from({"LYSNRAI_ENGINE_THREADS": "many"}))

    assert file.current() == Settings()
    assert str(file.complaints[0]) == "engine.threads must be a whole number from 0 to 64"


def test_a_first_file_never_replaces_one_that_is_there(path: Path) -> None:
    file = SettingsFile(path)

    file.create("# first\n")
    file.create("# second\n")

    assert path.read_text("utf-8") == "# first\n"
