"""The queue on disk and its ledger: one SQLite file that several processes may use at once.

    queue       events in, batches out, what became of them; the user's choice as a gate; what is remembered by name
    ledger      the books: reading them, proving them, adding up old days
    database    the file: opening, versions, transactions, which errors mean what
    salvage     setting a damaged file aside

The tables, and the triggers by which the database keeps its own books, are in telemetry/schema.py.

Absent here: what to send when (policy), what the user chose (identity).

Imports: policy, schema, wire. May be imported by: worker, client, inspect.
"""

from telemetry.store.database import FILE, Database, StoreDamaged, StoreUnavailable, file_identity, reading
from telemetry.store.ledger import discrepancies, read_ledger
from telemetry.store.queue import Backlog, Leased, NewEvent, PurgeReason, Row, Store
from telemetry.store.salvage import set_aside

__all__ = [
    "FILE",
    "Backlog",
    "Database",
    "Leased",
    "NewEvent",
    "PurgeReason",
    "Row",
    "Store",
    "StoreDamaged",
    "StoreUnavailable",
    "discrepancies",
    "file_identity",
    "read_ledger",
    "reading",
    "set_aside",
]
