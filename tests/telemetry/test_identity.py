"""Who this install is survives everything but the user's wish."""

import stat
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from telemetry.identity import Identity, Install

ROOT = Path(__file__).parents[2]
MAKER = """
import pathlib, sys
from telemetry.identity import Identity
sys.stdin.read()
made = Identity(pathlib.Path(sys.argv[1])).ensure_install()
print(made.id, made.secret)
"""


def test_an_install_is_made_once_with_a_private_secret(tmp_path: Path) -> None:
    made = Identity(tmp_path).ensure_install()

    assert Identity(tmp_path).ensure_install() == made
    assert str(uuid.UUID(made.id)) == made.id
    assert len(made.secret) == 43
    assert made.token is None
    for name in ("install_id", "install_secret"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert made.secret not in repr(made)


def test_processes_that_make_it_at_once_get_the_same_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKER, str(tmp_path)]
    makers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(4)
    ]
    for maker in makers:  # all at the starting line, then go
        assert maker.stdin is not None
        maker.stdin.close()
    told = []
    for maker in makers:
        assert maker.stdout is not None
        told.append(maker.stdout.read())
        maker.stdout.close()
        assert maker.wait() == 0

    assert len(set(told)) == 1


@pytest.mark.parametrize("damage", ["", "nonsense", "\x00", "7F9C24E8"])
def test_a_damaged_id_is_replaced_with_another_secret_and_no_token(tmp_path: Path, damage: str) -> None:
    identity = Identity(tmp_path)
    before = identity.ensure_install()
    identity.keep_token(before, "token")
    (tmp_path / "install_id").write_text(damage)

    after = identity.ensure_install()

    assert after.id != before.id
    assert after.secret != before.secret
    assert after.token is None


def test_a_token_is_kept_for_the_install_it_was_given_to_alone(tmp_path: Path) -> None:
    identity = Identity(tmp_path)
    install = identity.ensure_install()

    identity.keep_token(Install(str(uuid.uuid4()), install.secret), "another's")
    assert identity.install == install
    identity.keep_token(install, "ours")
    assert identity.install == Install(install.id, install.secret, "ours")


def test_an_erasure_is_written_down_until_it_is_confirmed(tmp_path: Path) -> None:
    identity = Identity(tmp_path)
    install = identity.ensure_install()
    assert not identity.ask_erasure(), "the service never heard of it"
    identity.keep_token(install, "token")

    assert identity.ask_erasure()
    identity.discard()

    (waiting,) = identity.erasures()
    assert (waiting.id, waiting.secret, waiting.token) == (install.id, install.secret, "token")
    identity.keep_token(waiting, "renewed")
    assert identity.erasures()[0].token == "renewed"
    identity.end_erasure(waiting)
    assert identity.erasures() == []


def test_an_unreadable_choice_is_none(tmp_path: Path) -> None:
    identity = Identity(tmp_path)
    for text in ("", "ALL", "yes", "all all"):
        (tmp_path / "telemetry_consent").write_text(text)
        assert identity.consent == "unset"
    identity.choose("errors")
    assert identity.consent == "errors"


def test_the_mark_changes_with_the_choice(tmp_path: Path) -> None:
    identity = Identity(tmp_path)
    before = identity.mark

    identity.choose("off")

    assert identity.mark != before
    assert [file.name for file in tmp_path.iterdir()] == ["telemetry_consent"], "no temporary file is left"
