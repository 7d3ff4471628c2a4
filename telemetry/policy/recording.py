"""Which events the service wants to have recorded.

Imports: wire. May be imported by: the rest of policy.
"""

from __future__ import annotations

from telemetry.wire import LEVELS, Config, Level, Reason


def admit(config: Config, level: Level, module: str, name: str, share: float) -> Reason | None:
    """Why the service does not want an event, or None where it does.

    `enabled: false` stops the sending, not the recording. error and fatal are never sampled out.
    """
    if LEVELS.index(level) < LEVELS.index(config.min_level) or name in config.blocked_events:
        return "policy_blocked"
    rate = rate_of(config, level, module, name)
    return "sampled_out" if rate < 1 and share >= rate else None


def rate_of(config: Config, level: Level, module: str, name: str) -> float:
    """The share of installs whose events of this kind are kept."""
    if level in {"error", "fatal"}:
        return 1.0
    sampling = config.sampling
    return sampling.by_event.get(name, sampling.by_module.get(module, sampling.default))
