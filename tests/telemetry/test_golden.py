"""The checked-in golden files are what the code says."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from telemetry import admin, golden, wire
from telemetry.examples import examples

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "contracts" / "golden"


def test_every_golden_file_is_what_the_code_generates() -> None:
    generated = golden.files()

    checked_in = {str(file.relative_to(FOLDER).as_posix()): file.read_text("utf-8") for file in FOLDER.rglob("*.json")}

    assert checked_in == generated


def test_the_command_writes_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "telemetry", "schema", str(tmp_path)], check=True, cwd=ROOT)

    written = {str(file.relative_to(tmp_path).as_posix()): file.read_text("utf-8") for file in tmp_path.rglob("*.json")}
    assert written == golden.files()


def test_the_examples_of_the_contract_page_have_the_hashes_it_names() -> None:
    shares = golden.files()["shares.json"]
    fingerprints = golden.files()["fingerprints.json"]

    assert "8cbff0b44995010b" in shares
    assert "7b93e2dd996ac8f2" in shares
    assert "v1:51d8bcbf44968c3b" in fingerprints


BODIES: dict[str, tuple[Any, dict[int, Any]]] = {
    "post-installs": (wire.Install, {201: wire.InstallAnswer}),
    "post-events": (wire.Batch, {200: wire.Verdicts}),
    "get-config": (None, {200: wire.Config}),
    "get-clusters-id": (None, {200: admin.Cluster}),
    "post-policies": (admin.PolicyBody, {201: admin.Policy}),
    "get-policies-id": (None, {200: admin.Policy}),
    "put-policies-id": (admin.PolicyBody, {200: admin.Policy}),
    "post-policies-preview": (admin.Preview, {}),
    "get-ledger": (None, {200: admin.LedgerPage}),
    "get-geo": (None, {200: admin.GeoPage}),
    "get-metrics": (None, {200: admin.Metrics}),
    "get-audit": (None, {200: admin.AuditPage}),
    "delete-user-userId": (None, {200: admin.AdminReceipt}),
}


@pytest.mark.parametrize("name", BODIES)
def test_every_example_is_read_by_the_type_that_it_is_an_example_of(name: str) -> None:
    request, answers = BODIES[name]

    for case in examples()[name]:
        if request is not None:
            msgspec.json.decode(msgspec.json.encode(case["request"]["body"]), type=request)
        kind = answers.get(case["status"], wire.Problem)
        if case["answer"] is not None and (case["status"] in answers or case["status"] >= 400):
            msgspec.json.decode(msgspec.json.encode(case["answer"]), type=kind)


def test_every_patch_in_the_examples_is_of_one_form_and_others_are_of_none() -> None:
    def forms(body: object) -> int:
        fits = 0
        for kind in admin.CLUSTER_PATCHES:
            try:
                msgspec.convert(body, kind)
                fits += 1
            except msgspec.ValidationError:
                continue
        return fits

    good = [case["request"]["body"] for case in examples()["patch-clusters-id"] if case["status"] == 200]
    assert [forms(body) for body in good] == [1] * 5
    bad: list[dict[str, Any]] = [
        {}, {"split": []}, {"status": "open", "until": None}, {"status": "closed"}, {"mergeInto": 7}, {"more": 1},
    ]  # fmt: skip
    assert [forms(body) for body in bad] == [0] * 6


def test_a_range_of_versions_is_sound_or_not() -> None:
    assert admin.VersionRange(min="1.0", max="1").is_sound
    assert not admin.VersionRange(min="2", max="1").is_sound
    assert not admin.VersionRange(min="soon").is_sound
    assert admin.VersionRange(min="1", max="2").holds("nightly")
