"""Microsoft's Speech SDK in our words: one recognition, and what happens to it. Only this module imports the SDK.

What is decided here: how the SDK is set up, and which fault each of its errors is. What is absent: when to give up
(core/failover.py), what becomes of the text (azure.py).

What is known of the SDK, and is not in its documentation, was measured with 1.53; for each undocumented property there
is a test (tests/engines/test_azure_sdk.py). What the reader of this file should know:

    stop() throws away what was not yet sent: whoever wants to be heard to the end closes the stream and waits for Over
    after an error a recognition is dead, and late events still come: it is used once, and answers for itself
    stop() can block for 10 s, and so does the destructor: both happen on a thread that nobody waits for
    what a callback raises is swallowed: it does nothing but pass the event on, which is read elsewhere

Imports: core. May be imported by: azure.py.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import azure.cognitiveservices.speech as sdk

from lysnrai_desktop.core import engine_messages as wire
from lysnrai_desktop.core.faults import (
    AzureBadRequest,
    AzureKeyRefused,
    AzureLost,
    AzureMute,
    AzureQuota,
    AzureSdkMissing,
    AzureThrottled,
    AzureUnavailable,
    AzureUnreachable,
    Fault,
)
from lysnrai_desktop.core.speech import SpokenText

RATE_HZ = 16_000
"""What the service recommends; more is no better heard."""
_TICKS_PER_SAMPLE = 625

UNDOCUMENTED = {
    "SPEECH-Error-MaxRetryCount": "2",  # not 4: then another engine goes on, half a second sooner
    "SPEECH-StopRecognitionTimeoutInSeconds": "1",  # not 10: so long a mute service would keep the reaper's thread
    "SPEECH-TransmitLengthBeforThrottleMs": "60000",  # replayed audio is sent at once, not at twice its speed
    "SPEECH-MaxBufferSizeMs": "300000",  # more than that, with room
    "SPEECH-TelemetryDataEnabled": "false",
}

_FAULTS: dict[sdk.CancellationErrorCode, type[Fault]] = {
    sdk.CancellationErrorCode.AuthenticationFailure: AzureKeyRefused,
    sdk.CancellationErrorCode.BadRequest: AzureBadRequest,
    sdk.CancellationErrorCode.TooManyRequests: AzureThrottled,
    sdk.CancellationErrorCode.Forbidden: AzureQuota,
    sdk.CancellationErrorCode.ServiceTimeout: AzureMute,
    sdk.CancellationErrorCode.ServiceError: AzureUnavailable,
    sdk.CancellationErrorCode.ServiceUnavailable: AzureUnavailable,
}
_PROFANITY = {
    "masked": sdk.ProfanityOption.Masked,
    "raw": sdk.ProfanityOption.Raw,
    "removed": sdk.ProfanityOption.Removed,
}


# --- what happens to a recognition --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    pass


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The SDK tries to connect again; it need not say that it has given up."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """The service has noticed that somebody speaks, or no longer does."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    text: SpokenText


@dataclass(frozen=True, slots=True)
class Phrase:
    end: int
    """Here and below in samples of RATE_HZ since the first."""
    text: SpokenText
    locale: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    end: int


@dataclass(frozen=True, slots=True)
class Broken:
    code: str
    """Of a fault."""


@dataclass(frozen=True, slots=True)
class Over:
    """The service has said all it has to say; or the recognition was Broken."""


Happening = Connected | Disconnected | Noticed | Hypothesis | Phrase | NoMatch | Broken | Over


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened. `read` says what; it may raise, so not in the SDK's callback."""

    recognition: Recognition
    read: Callable[[], Happening | None]


# --- the recognition ------------------------------------------------------------------------------------------


class Recognition:
    """From one stream of audio, in order; every call but `dispose` from one thread."""

    def __init__(
        self, connect: wire.Connect, locales: Sequence[str], vocabulary: Sequence[str], post: Callable[[Event], None]
    ) -> None:
        """Connects nothing yet.

        Args:
            locales: the language ("de-DE"), or at most four to detect it among.
            post: hears of events, from threads of the SDK.

        Raises:
            AzureBadRequest: endpoint, proxy or language are not what the SDK takes.
        """
        self._locales = tuple(locales)
        self._post = post
        self.was_connected = False
        """As far as its events have been read."""
        self._started = False
        try:
            form = sdk.audio.AudioStreamFormat(samples_per_second=RATE_HZ, bits_per_sample=16, channels=1)
            self._stream = sdk.audio.PushAudioInputStream(form)
            self._recognizer = _recognizer(_config(connect), sdk.audio.AudioConfig(stream=self._stream), self._locales)
            if vocabulary:
                phrases = sdk.PhraseListGrammar.from_recognizer(self._recognizer)
                for phrase in vocabulary:
                    phrases.addPhrase(phrase)
            self._connection = sdk.Connection.from_recognizer(self._recognizer)
        except (RuntimeError, ValueError) as error:
            raise AzureBadRequest(type(error).__name__) from None
        self._listen_to_events()

    def open(self) -> None:
        """Connect ahead of need."""
        self._connection.open(True)

    def start(self) -> None:
        """Connect, if that is not done, and hear. May take 100 ms."""
        self._started = True
        self._recognizer.start_continuous_recognition_async().get()

    def write(self, pcm: bytes) -> None:
        """16-bit, mono, RATE_HZ. Never waits for the network."""
        self._stream.write(pcm)

    def finish(self) -> None:
        """No audio follows, and none may be written (the SDK would take it, and never be Over)."""
        self._stream.close()

    def dispose(self) -> None:
        """Nothing more is wanted of it. Returns at once."""
        threading.Thread(target=self._end, name="azure-reaper", daemon=True).start()

    def _end(self) -> None:
        for signal, _ in self._signals:
            signal.disconnect_all()
        self._stream.close()
        if self._started:
            with contextlib.suppress(RuntimeError):  # it is dead already
                self._recognizer.stop_continuous_recognition_async().get()
        del self._connection, self._signals, self._recognizer  # here, on this thread

    def _listen_to_events(self) -> None:
        recognizer, connection = self._recognizer, self._connection
        self._signals: list[tuple[Any, Callable[[Any], Happening | None]]] = [
            (connection.connected, self._connected),
            (connection.disconnected, lambda _: Disconnected()),
            (recognizer.speech_start_detected, lambda _: Noticed()),
            (recognizer.speech_end_detected, lambda _: Noticed()),
            (recognizer.recognizing, lambda event: Hypothesis(SpokenText(event.result.text))),
            (recognizer.recognized, self._recognized),
            (recognizer.canceled, self._canceled),
            (recognizer.session_stopped, lambda _: Over()),
        ]
        for signal, read in self._signals:
            signal.connect(partial(self._pass_on, read))

    def _pass_on(self, read: Callable[[Any], Happening | None], event: Any) -> None:
        self._post(Event(self, partial(read, event)))

    def _connected(self, _: Any) -> Happening:
        self.was_connected = True
        return Connected()

    def _recognized(self, event: Any) -> Happening:
        result = event.result
        end = (result.offset + result.duration) // _TICKS_PER_SAMPLE
        if result.reason is not sdk.ResultReason.RecognizedSpeech:
            return NoMatch(end)
        detected = sdk.AutoDetectSourceLanguageResult(result).language
        return Phrase(end, SpokenText(result.text), detected or (self._locales[0] if len(self._locales) == 1 else ""))

    def _canceled(self, event: Any) -> Happening | None:
        details = event.cancellation_details
        if details.reason is not sdk.CancellationReason.Error:
            return None  # the end of the stream
        if details.error_details.startswith("Runtime error"):  # OpenSSL is not there, says the SDK
            return Broken(AzureSdkMissing.code)
        lost = AzureLost if self.was_connected else AzureUnreachable
        return Broken(_FAULTS.get(details.code, lost).code)


_BEARER = "Bearer "
"""Before what is no key but a token; those of the service itself are good for ten minutes."""


def _config(connect: wire.Connect) -> sdk.SpeechConfig:
    place = {"endpoint": connect.endpoint} if connect.endpoint else {"region": connect.region}
    key = connect.key.reveal()
    if not key.startswith(_BEARER):
        config = sdk.SpeechConfig(subscription=key, **place)
    else:
        token = key.removeprefix(_BEARER)
        config = sdk.SpeechConfig(**place) if connect.endpoint else sdk.SpeechConfig(auth_token=token, **place)
        config.authorization_token = token  # beside an endpoint the constructor sends none (1.53)
    for name, value in UNDOCUMENTED.items():
        config.set_property_by_name(name, value)
    if connect.certificate_pem:
        config.set_property_by_name("OPENSSL_SINGLE_TRUSTED_CERT", connect.certificate_pem)
    if connect.proxy:
        host, _, port = connect.proxy.rpartition(":")
        config.set_proxy(host, int(port))
    config.set_profanity(_PROFANITY[connect.profanity])
    if connect.segmentation_silence_ms:
        silence_ms = str(connect.segmentation_silence_ms)
        config.set_property(sdk.PropertyId.Speech_SegmentationSilenceTimeoutMs, silence_ms)
    if connect.dictation:
        config.enable_dictation()
    return config


def _recognizer(config: sdk.SpeechConfig, audio: sdk.audio.AudioConfig, locales: Sequence[str]) -> sdk.SpeechRecognizer:
    if len(locales) == 1:
        return sdk.SpeechRecognizer(config, audio, language=locales[0])
    detect = sdk.languageconfig.AutoDetectSourceLanguageConfig(languages=list(locales))
    return sdk.SpeechRecognizer(config, audio, auto_detect_source_language_config=detect)
