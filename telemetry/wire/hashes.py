"""What is decided by a hash: which failures are of one kind, and which installs are chosen.

Imports: values. May be imported by: the rest of wire.
"""

from __future__ import annotations

import json
import unicodedata

from telemetry.wire.values import Event


def fingerprint_text(parts: list[str | None]) -> str:
    """The JSON that a fingerprint is the hash of: each part lower-cased, then NFC, a missing one null."""
    folded = [None if part is None else unicodedata.normalize("NFC", part.lower()) for part in parts]
    return json.dumps(folded, ensure_ascii=False, separators=(",", ":"))


def fingerprint(event: Event) -> str | None:
    """Which kind of failure this is; None for debug and info, which do not cluster."""
    if event.level in {"debug", "info"}:
        return None
    return fingerprint_of(
        [event.platform, event.channel, event.module, event.event_name, event.error_domain, event.error_code]
    )


def fingerprint_of(parts: list[str | None]) -> str:
    import hashlib

    return "v1:" + hashlib.sha256(fingerprint_text(parts).encode()).hexdigest()[:16]


def share_of_percentage(install_id: str) -> float:
    """Where an install stands in [0, 1) for `percentage`: it is in when this is below percentage / 100."""
    return _share(install_id.lower())


def share_of_sampling(install_id: str) -> float:
    """Where an install stands in [0, 1) for sampling: its events are kept when this is below the rate."""
    return _share("sampling:" + install_id.lower())


def share_hash(text: str) -> bytes:
    import hashlib

    return hashlib.sha256(text.encode()).digest()[:8]


def _share(text: str) -> float:
    return int.from_bytes(share_hash(text)) / 2**64
