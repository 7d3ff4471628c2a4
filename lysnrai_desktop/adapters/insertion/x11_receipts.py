"""Receipts: the target has fetched the text, and is done fetching.

A receipt is a request for the text, from the target's own program, made after the keys. Programs that fetch at every
change (clipboard managers) are served and do not count.

For the thread of the connection.

Imports: core, python-xlib. May be imported by: adapters.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lysnrai_desktop.adapters.insertion.x11_selections import NOT_TO_BE_KEPT, Fetch, Offer, Selections
from lysnrai_desktop.adapters.insertion.x11_windows import Windows, X11Target
from lysnrai_desktop.adapters.x11 import XConnection

RECEIPT_S = 3.0
"""Longest wait for the target to fetch the text, and between two signs of its fetching it."""
QUIET_S = 1.0
"""The target is done when it has fetched nothing for so long."""
LONGEST_QUIET_S = 2.5
"""A program that never stops fetching does not keep the former content from coming back.

So long is also waited for a second look of one that names no time with its first. Chromium is one: it looks at the
text when the keys come, and fetches it once or twice more to paste it. On a busy machine there was more than a second
between the two: nothing was pasted, and we had a receipt.
"""
LONGEST_S = 10.0
"""Longest transfer. All bounds of an insertion together stay below INSERTING_S (core/machine.py)."""
GLANCE_S = 0.25
"""How often is looked whether a target that does not fetch is still there."""


class Receipts:
    """Of what is offered on some selections."""

    def __init__(
        self, connection: XConnection, windows: Windows, selections: Selections, stopping: Callable[[], bool]
    ) -> None:
        self._x = connection
        self._windows = windows
        self._selections = selections
        self._stopping = stopping
        self._hints = {connection.display.intern_atom(name) for name in NOT_TO_BE_KEPT}

    def arrive(self, offer: Offer, names: tuple[str, ...], target: X11Target, since: int) -> bool:
        """Wait until the target has fetched the text; False if it does not, or nobody can have it from us any more.

        Args:
            offer: what it is to fetch.
            names: of the selections that hold it.
            target: whose program counts.
            since: the server's time before the keys.
        """
        known: dict[int, bool] = {}

        def counts(fetch: Fetch) -> bool:
            if fetch.requestor not in known:
                known[fetch.requestor] = self._windows.same_program(fetch.requestor, target.id)
            # CurrentTime, or not before the keys; stamps begin anew after 49.7 days
            in_time = not fetch.stamp or (fetch.stamp - since) % 2**32 < 2**31
            return known[fetch.requestor] and in_time and fetch.target not in self._hints

        def settled() -> bool:
            receipts = [fetch for fetch in offer.fetches if counts(fetch)]
            nobody = not receipts and not any(self._selections.holds(name, offer) for name in names)
            return nobody or any(fetch.complete for fetch in receipts)

        begun = now = time.monotonic()
        end = begun + RECEIPT_S
        while not self._x.pump(settled, min(end, now + GLANCE_S)):
            now = time.monotonic()
            if any(counts(fetch) for fetch in offer.fetches):  # it is coming, piece by piece
                end = min(offer.busy_at + RECEIPT_S, begun + LONGEST_S)
            if self._stopping() or now >= end or not self._windows.exists(target):
                return False
        return any(fetch.complete and counts(fetch) for fetch in offer.fetches)

    def cease(self, offer: Offer, target: X11Target, took_s: float) -> None:
        """Wait until the target fetches no more.

        `took_s`: until the receipt; who is slow is slow the next time, too.
        """
        end = time.monotonic() + LONGEST_QUIET_S
        while not self._stopping():
            seen = offer.busy_at
            due = end if self._has_only_looked(offer, target) else min(end, seen + QUIET_S + took_s)
            if time.monotonic() >= due:
                return
            self._x.pump(lambda seen=seen: offer.busy_at != seen, due)  # type: ignore[misc]

    def _has_only_looked(self, offer: Offer, target: X11Target) -> bool:
        fetches = [fetch for fetch in offer.fetches if fetch.complete and fetch.target not in self._hints]
        own = [fetch for fetch in fetches if self._windows.same_program(fetch.requestor, target.id)]
        return len(own) == 1 and not own[0].stamp
