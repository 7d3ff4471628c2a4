"""What all events of an app have in common, and all of a session: encoded once, put around each event's content.

    Profile ─▶ Envelope ──body(content, id, at)──▶ the event as it stands on the wire

Absent here: what happened (the content), and where it is kept.

Imports: wire. May be imported by: client.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from telemetry.wire import (
    Content,
    Device,
    Event,
    Refused,
    encode_event,
    format_time,
    judge_privacy,
    new_id,
    parse_event,
)

_NO_INSTALL: Final = "00000000-0000-4000-8000-000000000000"
_CONTENT: Final = frozenset(field.encode_name for field in msgspec.structs.fields(Content))
_OWN: Final = frozenset({"id", "eventSeq", "occurredAt"})


class Profile(Struct, frozen=True):
    """What all events of this app have in common."""

    product_id: str
    platform: str
    channel: str
    os_family: str
    app_version: str
    release_channel: str
    os_version: str | None = None
    build_number: str | None = None
    device: Device | None = None

    def query(self) -> dict[str, str]:
        """The fields that the configuration is asked with."""
        return {
            "productId": self.product_id,
            "platform": self.platform,
            "channel": self.channel,
            "osFamily": self.os_family,
            "appVersion": self.app_version,
            "releaseChannel": self.release_channel,
        }


class Envelope:
    """Of one session. Owned by the client, under its lock."""

    def __init__(self, profile: Profile) -> None:
        """Raises ValueError for a profile that the contract does not admit."""
        self._template = _template(profile)
        self._constant = b""
        self._events = 0
        self.session_id = new_id()

    @property
    def is_numbered(self) -> bool:
        """Whether the session has its number: it gets it with its first event; one without would look like a loss."""
        return bool(self._constant)

    def number(self, session_seq: int) -> None:
        self._template = replace(self._template, session_id=self.session_id, session_seq=session_seq)
        fields = msgspec.json.decode(encode_event(self._template))
        common = {key: value for key, value in fields.items() if key not in _CONTENT | _OWN}
        self._constant = msgspec.json.encode(common)[1:-1]

    def body(self, content: bytes, event_id: str, at: float) -> bytes:
        """The event as it stands on the wire, if it is the next one to enter the queue: `entered` makes it so."""
        return b'%b,%b,"id":"%b","eventSeq":%d,"occurredAt":"%b"}' % (
            content[:-1],
            self._constant,
            event_id.encode(),
            self._events + 1,
            format_time(at).encode(),
        )

    def entered(self) -> None:
        self._events += 1

    def begin_session(self) -> None:
        self.session_id = new_id()
        self._events = 0
        self._constant = b""

    def is_of(self, install_id: str) -> bool:
        return install_id == self._template.anonymous_install_id

    def belong_to(self, install_id: str) -> None:
        """Another install is another session, so that nothing links the two."""
        if not self.is_of(_NO_INSTALL):
            self.begin_session()
        self._template = replace(self._template, anonymous_install_id=install_id)


def _template(profile: Profile) -> Event:
    """An event with all that never changes; checked as a whole."""
    made: dict[str, Any] = {name: getattr(profile, name) for name in profile.__struct_fields__}
    event = Event(
        **made,
        id=_NO_INSTALL,
        module="lifecycle",
        event_name="none",
        level="info",
        session_id=_NO_INSTALL,
        session_seq=0,
        event_seq=0,
        anonymous_install_id=_NO_INSTALL,
        occurred_at="1970-01-01T00:00:00.000Z",
        schema_version=1,
    )
    try:
        body = encode_event(event)
        parse_event(body)
        judge_privacy(msgspec.json.decode(body))
    except Refused as refused:
        raise ValueError(f"profile: {refused.reason} {refused.field}") from None
    return event
