"""A key that is given to the running app is used from then on, and can be read nowhere."""

from __future__ import annotations

from pathlib import Path

from tests.azure.service import service
from tests.desktop.keyring import gnome_keyring
from tests.desktop.machine import VirtualDesktop
from tests.e2e.app import running_app
from tests.e2e.test_ends import engines

KEY = "0123456789abcdef0123456789abcdef"


def test_a_key_is_used_as_soon_as_it_is_in_the_keyring_and_stands_nowhere_else(
    desktop: VirtualDesktop, models: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with service() as azure, gnome_keyring(tmp_path, desktop.environment):
        settings = f'[engine]\nmodel = "tiny.en"\n\n[azure]\nendpoint = "{azure.endpoint}"\n'
        with running_app(desktop, settings, home=home, models=models) as app:
            assert app.status()["engine"] == "whisper:ready"

            given = app.lysnrai("azure", "key", stdin=f"{KEY}\n")

            app.until(lambda status: status["engine"] == "azure:ready")
            processes = [Path(f"/proc/{pid}") for pid in (app.process.pid, *engines(app))]
            seen = [(process / file).read_bytes() for process in processes for file in ("cmdline", "environ")]

        assert KEY not in given.stdout + given.stderr
        assert not any(KEY.encode() in each for each in seen)
        files = [file for file in home.rglob("*") if file.is_file() and "models" not in file.parts]
        assert not any(KEY.encode() in file.read_bytes() for file in (*files, desktop.folder / "app.log"))
