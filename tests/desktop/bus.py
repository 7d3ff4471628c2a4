"""A private session bus, and the notification service on it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.desktop.processes import call, eventually, running

# No service folders: a program on this bus can start nothing that the desktop did not start itself.
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""

_DUNST = """[global]
    font = DejaVu Sans 10
    width = 360
    origin = top-right
    offset = 16x16
    frame_width = 1
    always_run_script = true
[every]
    script = {script}
"""

# Fields are closed by NUL, for they may contain anything else; one record is one write.
_RECORD = """#!/bin/sh
printf '%s\\0%s\\0%s\\0' "$DUNST_APP_NAME" "$DUNST_SUMMARY" "$DUNST_BODY" >> '{record}'
"""


@dataclass(frozen=True, slots=True)
class Notification:
    """What the user was told."""

    app: str
    summary: str
    body: str


@contextlib.contextmanager
def session_bus(folder: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run a session bus; yields the variable that leads programs to it."""
    path = folder / "bus"
    configuration = folder / "bus.conf"
    configuration.write_text(_BUS.format(socket=path), encoding="utf-8")
    command = ("dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile", "--nosyslog")
    with running(command, environment, log=folder / "bus.log"):
        eventually(lambda: _answers(path), "session bus listens")
        yield {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={path}"}


def _answers(path: Path) -> bool:
    """The socket's file is there before anybody listens on it."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


class NotificationService:
    """dunst, which shows notifications on the screen, and a record of all that were shown."""

    def __init__(self, record: Path) -> None:
        self._record = record

    def shown(self) -> list[Notification]:
        """Return all notifications so far, oldest first."""
        fields = self._record.read_text(encoding="utf-8").split("\0")[:-1]
        return [Notification(*fields[i : i + 3]) for i in range(0, len(fields) - 2, 3)]


@contextlib.contextmanager
def notification_service(folder: Path, environment: Mapping[str, str]) -> Iterator[NotificationService]:
    """Run a notification service; `environment` must lead to a screen and a session bus."""
    record, script, configuration = folder / "notifications", folder / "record-notification", folder / "dunstrc"
    record.touch()
    script.write_text(_RECORD.format(record=record), encoding="utf-8")
    script.chmod(0o700)
    configuration.write_text(_DUNST.format(script=script), encoding="utf-8")

    def offered() -> bool:
        names = call(
            (
                *("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"),
                *("org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.Notifications"),
            ),
            environment,
        )
        return "true" in names

    with running(("dunst", "-config", configuration), environment, log=folder / "dunst.log"):
        eventually(offered, "notification service answers")
        yield NotificationService(record)
