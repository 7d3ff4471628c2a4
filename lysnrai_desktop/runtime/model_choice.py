"""The model that was chosen in the menu: brought here if it must be, and counted if that was a download.

Imports: core, ports, models. May be imported by: app.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lysnrai_desktop.core import usage
from lysnrai_desktop.core.faults import Fault
from lysnrai_desktop.ports import Usage
from lysnrai_desktop.runtime.models import Models, Presence


def bring(models: Models, name: str, counted: Usage, now: Callable[[], float] = time.monotonic) -> None:
    """Have it here and whole. Choosing a model that the menu marks as a download is the consent to fetch it.

    Blocks for as long as that takes. Raises as `Models.ready` does.
    """
    absent = {row.model.name for row in models.list() if row.presence is not Presence.READY and not row.packaged}
    if name not in absent:
        models.ready(name, consent=lambda _: True)  # of its packages one may be damaged
        return
    model, began = usage.model(name), now()
    counted.record(usage.ModelDownloadStarted(model))
    try:
        models.ready(name, consent=lambda _: True)
    except Fault as fault:
        counted.record(usage.ModelDownloadFailed(model, usage.code(fault.code)))
        raise
    counted.record(usage.ModelDownloadCompleted(model, usage.ms(now() - began)))
