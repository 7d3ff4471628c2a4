"""Azure Speech: audio out while it is spoken, text back in phrases, and a fault as soon as the service owes an answer.

    Begin Audio Finish (the host) ─▶ ┌──────────┐ ─▶ ear ─▶ Voice, and when to expect an answer
                                     │ sessions │ ─▶ recognition (azure_sdk.py) ─▶ the service
    what happened (the SDK) ───────▶ └──────────┘ ─▶ Started, Partial, Final, Done │ Failed

One thread owns everything; the host's and the SDK's put items into its queue. It has one recognition per session, and
while there is no session one that is connected ahead of need, if the user allows that. What an earlier recognition
still says is not heard.

What is decided here: nothing but the order of things. How long to wait is in core/failover.py, where finals end in
core/phrases.py, how the SDK is asked in azure_sdk.py.

Imports: core. May be imported by: host.
"""

from __future__ import annotations

import contextlib
import locale
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from lysnrai_desktop.core import engine_messages as wire, locales
from lysnrai_desktop.core.audio import SAMPLE_BYTES
from lysnrai_desktop.core.failover import Watch
from lysnrai_desktop.core.faults import AzureMute, Fault
from lysnrai_desktop.core.phrases import Understood
from lysnrai_desktop.core.speech import Segment, SpokenText
from lysnrai_desktop.engines import azure_sdk as sdk
from lysnrai_desktop.engines.azure_sdk import RATE_HZ, Recognition
from lysnrai_desktop.engines.engine import Hearing, Say, Wanted
from lysnrai_desktop.engines.voiced import Ear, Sound

TICK_S = 0.1
"""How often a session is looked at when nothing happens."""
LASTING_S = 10.0
"""A connection ahead of need that lasted so long is worth another; a shorter one would be made over and over."""


@dataclass(frozen=True, slots=True)
class _Begin:
    start: wire.Start
    locales: tuple[str, ...]
    wanted: Wanted


_Item = _Begin | wire.Audio | wire.Finish | sdk.Event


class AzureEngine:
    def __init__(self, say: Say) -> None:
        self._say = say
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()

    def load(self, load: wire.Prepare) -> wire.Ready:
        assert isinstance(load, wire.Connect)
        sessions = _Sessions(load, self._say, self._items)
        threading.Thread(target=sessions.run, name="sessions", daemon=True).start()
        return wire.Ready("azure", "")

    def is_at_work(self) -> bool:
        return False  # it is the service that works

    def start(self, start: wire.Start, wanted: Wanted) -> Hearing:
        asked = locales.locales(start.language, locale.getlocale()[0] or "")
        self._items.put(_Begin(start, asked, wanted))
        return _Hearing(start.session, self._items.put)


@dataclass(frozen=True, slots=True)
class _Hearing:
    session: int
    put: Callable[[_Item], None]

    def audio(self, audio: wire.Audio) -> None:
        self.put(audio)

    def finish(self) -> None:
        self.put(wire.Finish(self.session))


@dataclass(slots=True)
class _Session:
    number: int
    from_sample: int
    wanted: Wanted
    recognition: Recognition
    watch: Watch
    understood: Understood | None = None
    """None before the first audio."""
    ear: Ear = field(default_factory=Ear)

    def at(self, position: int) -> int:
        """In samples of the take, what the service counts in its own."""
        assert self.understood is not None
        return self.from_sample + round(position * self.understood.rate_hz / RATE_HZ)

    @property
    def open_s(self) -> float:
        """Audio behind the last final."""
        assert self.understood is not None
        return (self.understood.heard - self.understood.final) / self.understood.rate_hz


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a recognition is made for."""

    locales: tuple[str, ...]
    vocabulary: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A recognition that is connected while nobody dictates."""

    recognition: Recognition
    wish: _Wish
    opened_at: float


class _Sessions:
    """One after the other, on a thread of its own."""

    def __init__(self, connect: wire.Connect, say: Say, items: queue.SimpleQueue[_Item]) -> None:
        self._connect, self._say, self._items = connect, say, items
        self._session: _Session | None = None
        self._ahead: _Ahead | None = None
        self._wish = _Wish((), ())
        """The last session's: the next will hardly have another."""

    def run(self) -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                self._handle(self._items.get(timeout=TICK_S if self._session else None))
            self._look()

    def _handle(self, item: _Item) -> None:
        session = self._session
        match item:
            case _Begin():
                self._begin(item)
            case wire.Audio(session=number) if session and number == session.number:
                self._hear(session, item)
            case wire.Finish(session=number) if session and number == session.number:
                self._finish(session)
            case sdk.Event(recognition=recognition) if session and recognition is session.recognition:
                self._happened(session, item.read())
            case sdk.Event(recognition=recognition) if self._ahead and recognition is self._ahead.recognition:
                self._happened_ahead(self._ahead, item.read())
            case wire.Audio() | wire.Finish() | sdk.Event():
                pass  # of a session that is over, of a recognition that was given up
            case _:
                assert_never(item)

    def _look(self) -> None:
        session = self._session
        if session is None:
            return
        if not session.wanted():
            self._end()
        elif self._items.empty() and (code := session.watch.overdue(time.monotonic())):
            self._fail(session, code)  # else: the answer may be among what nobody has looked at yet

    # --- a session

    def _begin(self, begin: _Begin) -> None:
        self._give_up()
        start = begin.start
        self._wish = _Wish(begin.locales, start.vocabulary)
        try:
            recognition = self._take_ahead() or self._recognition()
        except Fault as fault:
            self._say(wire.Failed(start.session, fault.code))
            return
        watch = Watch(None if recognition.was_connected else time.monotonic())
        self._session = _Session(start.session, start.from_sample, begin.wanted, recognition, watch)
        recognition.start()
        self._say(wire.Started(start.session))

    def _recognition(self) -> Recognition:
        """Raises AzureBadRequest."""
        return Recognition(self._connect, self._wish.locales, self._wish.vocabulary, self._items.put)

    def _hear(self, session: _Session, audio: wire.Audio) -> None:
        if session.understood is None:
            session.understood = Understood(audio.rate_hz, session.from_sample, session.from_sample)
        session.understood = session.understood.hear(len(audio.pcm) // SAMPLE_BYTES)
        self._hand_over(session, session.ear.hear(audio))
        self._advance(session, session.understood.silence())

    def _hand_over(self, session: _Session, sound: Sound) -> None:
        assert session.understood is not None
        if sound.pcm:
            session.recognition.write(sound.pcm)
        for speaking in sound.edges:
            self._say(wire.Voice(session.number, speaking))
        for start, end in sound.voiced:
            session.understood = session.understood.voice(session.at(start), session.at(end))
            session.watch = session.watch.voiced((end - start) / RATE_HZ, time.monotonic())

    def _finish(self, session: _Session) -> None:
        if session.understood is None:  # a take without a sample
            self._done(session)
            return
        self._hand_over(session, session.ear.finish())
        session.recognition.finish()
        session.watch = session.watch.ended(time.monotonic())

    def _happened(self, session: _Session, happening: sdk.Happening | None) -> None:
        now = time.monotonic()
        match happening:
            case sdk.Connected():
                session.watch = session.watch.connected(now)
            case sdk.Disconnected():
                session.watch = session.watch.disconnected(now)
            case sdk.Broken(code=code):
                self._fail(session, code)
            case sdk.Over():
                self._over(session)
            case sdk.Noticed() | sdk.Hypothesis() | sdk.Phrase() | sdk.NoMatch():
                session.watch = session.watch.answered(now)
                self._understand(session, happening)
            case None:
                pass
            case _:
                assert_never(happening)

    def _understand(
        self, session: _Session, happening: sdk.Noticed | sdk.Hypothesis | sdk.Phrase | sdk.NoMatch
    ) -> None:
        understood = session.understood
        if understood is None:
            return  # it speaks before it was given anything
        match happening:
            case sdk.Hypothesis(text=text):
                session.understood = understood.hypothesis()
                self._say(wire.Partial(session.number, SpokenText(), text))
            case sdk.Phrase(end=end, text=text, locale=spoken):
                self._advance(session, understood.phrase(session.at(end), text, locales.of_locale(spoken)))
            case sdk.NoMatch(end=end):
                session.understood = understood.no_match(session.at(end))
            case sdk.Noticed():
                pass
            case _:
                assert_never(happening)

    def _over(self, session: _Session) -> None:
        if session.understood is None or session.watch.ended_at is None or session.understood.owes:
            self._fail(session, AzureMute.code)
        else:
            self._advance(session, session.understood.rest())
            self._done(session)

    def _advance(self, session: _Session, said: tuple[Understood, Segment] | None) -> None:
        if said is not None:
            session.understood, final = said
            self._say(wire.Final(session.number, final.start, final.end, final.text, final.language))
        session.watch = session.watch.open(session.open_s, time.monotonic())

    def _done(self, session: _Session) -> None:
        self._say(wire.Done(session.number))
        self._end()

    def _fail(self, session: _Session, code: str) -> None:
        self._say(wire.Failed(session.number, code))
        self._end()

    def _end(self) -> None:
        self._give_up()
        if self._connect.preconnect:
            self._open_ahead()

    def _give_up(self) -> None:
        if self._session is not None:
            self._session.recognition.dispose()
            self._session = None

    # --- ahead of need

    def _open_ahead(self) -> None:
        recognition = self._recognition()  # what was good for the last session
        recognition.open()
        self._ahead = _Ahead(recognition, self._wish, time.monotonic())

    def _take_ahead(self) -> Recognition | None:
        """The one there is, if it will do."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return None
        if ahead.wish == self._wish:
            return ahead.recognition
        ahead.recognition.dispose()
        return None

    def _happened_ahead(self, ahead: _Ahead, happening: sdk.Happening | None) -> None:
        if isinstance(happening, sdk.Disconnected | sdk.Broken):  # of no use any more
            self._ahead = None
            ahead.recognition.dispose()
            if time.monotonic() - ahead.opened_at >= LASTING_S:
                self._open_ahead()
