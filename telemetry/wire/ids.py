"""Random ids, made ahead.

Imports: the standard library. May be imported by: the rest of wire.
"""

from __future__ import annotations

import os
from typing import Final

_ids: Final[list[str]] = []
"""Random ids made ahead: one call for randomness can cost more than all the rest of an event."""


def new_id() -> str:
    """A random UUID of version 4 (RFC 9562, 5.4). Safe from any thread and after a fork."""
    try:
        return _ids.pop()
    except IndexError:
        made = os.urandom(16 * 64)
        _ids.extend(_uuid4(made[start : start + 16]) for start in range(16, len(made), 16))
        return _uuid4(made[:16])


def _uuid4(random: bytes) -> str:
    number = int.from_bytes(random) & ~(0xF << 76) & ~(0x3 << 62) | 4 << 76 | 2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ids.clear)
