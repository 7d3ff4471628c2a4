"""Every number of the client, with its reason. Limits of the contract itself stand in wire.

Imports: nothing. May be imported by: the rest of policy.
"""

from typing import Final

BACKOFF_FIRST_S: Final = 1.0
"""A service that restarts is back within seconds; the contract's lower end."""
BACKOFF_MOST_S: Final = 900.0
"""A quarter of an hour: 96 attempts a day from a client that never gets through; the contract's upper end."""
ORDERED_MOST_S: Final = 86_400.0
"""A longer wait ordered by the service is a mistake of its own; the contract's bound."""
PAUSE_S: Final = 3600.0
"""Something is wrong that time alone will not mend: one more look an hour; the contract's number."""
CONFIG_AGE_S: Final = 3600.0
"""The configuration is asked for again after this time; the contract's number."""
METERED_INTERVAL_S: Final = 900.0
"""On a connection that costs money: a quarter of an hour, since each exchange wakes a radio."""
LONE_REFUSALS: Final = 3
"""So many single events refused in a row without a 200 between: something on the way refuses everything."""
BATCH_BYTES: Final = 500 * 1024
"""Plain bytes of a batch's events. Below the limit of a compressed body, so that no compression can exceed it."""
SOONEST_S: Final = 0.05
"""The shortest sleep; what is left of a longer one after rounding is no reason to spin."""
LEASE_S: Final = 60.0
"""Twice the longest exchange: a lease that has run out belongs to a process that died."""
CONNECT_S: Final = 3.05
READ_S: Final = 10.0
EXCHANGE_S: Final = 30.0
"""The whole of one call, however slowly its bytes come."""
ANSWER_BYTES: Final = 1024 * 1024
"""Of an answer, inflated; verdicts on 100 events are 20 KiB."""
TOKEN_BYTES: Final = 4096
EXIT_S: Final = 0.3
"""What the end of the app may cost. The queue is on disk, so nothing depends on it."""
LOOK_S: Final = 0.05
"""How soon a process in mid-call notices that another has said "off": as good as at once, for a file's date."""
QUIET_S: Final = 1.0
"""How long "off" waits for other processes' calls to end: twenty looks. Who has not ended one by then hangs, and sends
nothing."""
DISK_S: Final = 0.05
"""How long record() waits for another writer before the event is held in memory: three frames of a screen."""
HELD_EVENTS: Final = 1000
"""Events held in memory while the disk refuses them: a day of dictation, 1 MB."""
HISTORY_EVENTS: Final = 500
"""Delivered and rejected events kept for people to look at."""
HISTORY_S: Final = 7 * 86_400.0
LEDGER_DAYS: Final = 400
"""Daily counts are kept as long as the service keeps its own."""
