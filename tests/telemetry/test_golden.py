"""The checked-in golden files are what the code says."""

from pathlib import Path

from telemetry import golden

FOLDER = Path(__file__).parents[1] / "contracts" / "golden"


def test_every_golden_file_is_what_the_code_generates() -> None:
    generated = golden.files()

    checked_in = {str(file.relative_to(FOLDER).as_posix()): file.read_text("utf-8") for file in FOLDER.rglob("*.json")}

    assert checked_in == generated


def test_the_examples_of_the_contract_page_have_the_hashes_it_names() -> None:
    shares = golden.files()["shares.json"]
    fingerprints = golden.files()["fingerprints.json"]

    assert "8cbff0b44995010b" in shares
    assert "7b93e2dd996ac8f2" in shares
    assert "v1:51d8bcbf44968c3b" in fingerprints
