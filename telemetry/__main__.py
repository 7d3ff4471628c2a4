"""`python -m telemetry schema FOLDER`: write the golden files, what clients in other languages are tested against.

Imports: golden. May be imported by: nobody.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from telemetry import golden

parser = argparse.ArgumentParser(prog="python -m telemetry", description="The wire contract, as files.")
verbs = parser.add_subparsers(required=True, metavar="VERB")
schema = verbs.add_parser("schema", help="write the golden files: schemas, examples, cases with their answers")
schema.add_argument("folder", type=Path, metavar="FOLDER", help="such as tests/contracts/golden")
schema.set_defaults(run=lambda options: golden.write(options.folder))

options = parser.parse_args()
options.run(options)
