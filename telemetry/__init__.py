"""An offline-first event client that accounts for every event. README.md beside this file tells how to use it."""

from telemetry.client import Recorded, Telemetry
from telemetry.crash import Crash
from telemetry.envelope import Profile
from telemetry.policy import Consent
from telemetry.wire import Device, Dictation, Level

__all__ = ["Consent", "Crash", "Device", "Dictation", "Level", "Profile", "Recorded", "Telemetry"]
