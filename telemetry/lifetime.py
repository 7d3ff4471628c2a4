"""What happens to every client of this process when it forks, and when it ends.

Absent here: what a client does then (client).

Imports: the standard library. May be imported by: client.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable
from typing import Protocol


class Mortal(Protocol):
    def close(self) -> None: ...

    def after_fork(self) -> None:
        """In the child."""


_living: weakref.WeakSet[Mortal] = weakref.WeakSet()


def began(client: Mortal) -> None:
    _living.add(client)


def ended(client: Mortal) -> None:
    _living.discard(client)


def _each(act: Callable[[Mortal], None]) -> Callable[[], None]:
    def act_on_all() -> None:
        for client in list(_living):
            act(client)

    return act_on_all


atexit.register(_each(lambda client: client.close()))
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_each(lambda client: client.after_fork()))
