"""What the client does next, and what an answer means.

    Situation ──next_task──▶ Register │ Erase │ FetchConfig │ Upload(n) │ Sleep(s) │ Rest              tasks
    Answer ──judge_…──▶ what to do with the rows, and the Connection as it is now                      answers

    connection      what is remembered across restarts        configuration   the service's wishes, clamped
    recording       which events it wants                     numbers         every number, with its reason

Rule 1. Nothing here performs anything: time and chance are passed in, the worker obeys.
Rule 2. Only a verdict ends an event. Whatever is no verdict leaves it pending.
Rule 3. What must survive a restart is in Connection, which is stored whole.

Imports: wire. May be imported by: store (limits), sender (Answer), worker, client, inspect.
"""

from telemetry.policy.answers import (
    Answer,
    Configured,
    Erasure,
    Judgement,
    Registration,
    Sent,
    Settled,
    backoff_s,
    judge_config,
    judge_erasure,
    judge_events,
    judge_registration,
)
from telemetry.policy.configuration import (
    read_config,
)
from telemetry.policy.connection import (
    Connection,
    Wait,
    anchored,
    reconnected,
    restarted,
)
from telemetry.policy.numbers import (
    ANSWER_BYTES,
    BACKOFF_FIRST_S,
    BACKOFF_MOST_S,
    BATCH_BYTES,
    CONFIG_AGE_S,
    CONNECT_S,
    DISK_S,
    EXCHANGE_S,
    EXIT_S,
    HELD_EVENTS,
    HISTORY_EVENTS,
    HISTORY_S,
    LEASE_S,
    LEDGER_DAYS,
    LONE_REFUSALS,
    LOOK_S,
    METERED_INTERVAL_S,
    ORDERED_MOST_S,
    PAUSE_S,
    QUIET_S,
    READ_S,
    SOONEST_S,
    TOKEN_BYTES,
)
from telemetry.policy.recording import (
    admit,
    rate_of,
)
from telemetry.policy.tasks import (
    Consent,
    Erase,
    FetchConfig,
    Register,
    Rest,
    Situation,
    Sleep,
    Task,
    Upload,
    next_task,
)

__all__ = [
    "ANSWER_BYTES",
    "BACKOFF_FIRST_S",
    "BACKOFF_MOST_S",
    "BATCH_BYTES",
    "CONFIG_AGE_S",
    "CONNECT_S",
    "DISK_S",
    "EXCHANGE_S",
    "EXIT_S",
    "HELD_EVENTS",
    "HISTORY_EVENTS",
    "HISTORY_S",
    "LEASE_S",
    "LEDGER_DAYS",
    "LONE_REFUSALS",
    "LOOK_S",
    "METERED_INTERVAL_S",
    "ORDERED_MOST_S",
    "PAUSE_S",
    "QUIET_S",
    "READ_S",
    "SOONEST_S",
    "TOKEN_BYTES",
    "Answer",
    "Configured",
    "Connection",
    "Consent",
    "Erase",
    "Erasure",
    "FetchConfig",
    "Judgement",
    "Register",
    "Registration",
    "Rest",
    "Sent",
    "Settled",
    "Situation",
    "Sleep",
    "Task",
    "Upload",
    "Wait",
    "admit",
    "anchored",
    "backoff_s",
    "judge_config",
    "judge_erasure",
    "judge_events",
    "judge_registration",
    "next_task",
    "rate_of",
    "read_config",
    "reconnected",
    "restarted",
]
