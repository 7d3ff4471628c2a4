"""Faults: what can go wrong that is not our mistake.

    Fault                        the world said no; the user is told, with a remedy
    ├── MicrophoneFault
    │   ├── MicrophoneMissing    microphone.missing       no input device, or not the chosen one
    │   ├── MicrophoneDenied     microphone.denied        the system refuses access
    │   ├── MicrophoneBusy       microphone.busy          another program holds it
    │   ├── MicrophoneStuck      microphone.no_audio      opened, and no block came in time
    │   ├── MicrophoneSilent     microphone.silent        nothing but zeros: muted, or switched off
    │   ├── MicrophoneLate       microphone.late          the key was let go before the first block
    │   └── MicrophoneLost       microphone.lost          vanished while recording
    ├── EngineFault
    │   ├── EngineStartFailed    engine.start_failed      the process did not come up
    │   ├── EngineDied           engine.died              ended without being asked
    │   ├── EngineTimeout        engine.timeout           did not answer in time
    │   ├── EngineOutOfMemory    engine.out_of_memory
    │   ├── LanguageUnsupported  engine.language          the model cannot do the chosen language
    │   └── AzureFault
    │       ├── AzureNotConfigured   azure.not_configured no key, or neither region nor endpoint
    │       ├── AzureSdkMissing      azure.sdk_missing    the Speech SDK is not installed, or cannot be loaded
    │       ├── AzureKeyRefused      azure.key            401 or 403; or a key that cannot be one
    │       ├── AzureBadRequest      azure.bad_request    400: language, endpoint or an option is not accepted
    │       ├── AzureThrottled       azure.throttled      429: too many requests at once
    │       ├── AzureQuota           azure.quota          the subscription is used up
    │       ├── AzureUnavailable     azure.unavailable    5xx, or the service says it failed
    │       ├── AzureUnreachable     azure.unreachable    network, name, TLS or proxy; or no answer in time
    │       ├── AzureMute            azure.mute           connected, and no answer to speech
    │       └── AzureLost            azure.lost           the connection broke and did not come back
    ├── ModelFault
    │   ├── ModelUnknown         model.unknown            no such name in the catalogue, no such folder
    │   ├── ModelMissing         model.missing            not on this disk, no source has it
    │   ├── ModelDamaged         model.damaged            a file is not the published one
    │   └── ModelDownloadFailed  model.download_failed    network, server or disk; retryable
    ├── InsertFault
    │   ├── TargetGone           insert.target_gone       the window was closed; text is on the clipboard
    │   ├── TargetRefused        insert.not_delivered     no receipt; text is on the clipboard
    │   ├── InsertUnavailable    insert.unavailable       no screen, or one this build cannot drive
    │   ├── PasswordPrompt       insert.password          the window asks for a password; text is on the clipboard
    │   ├── ClipboardLost        insert.clipboard_lost    what is on the clipboard cannot be kept; told beforehand
    │   └── NothingToUndo        insert.nothing_to_undo   no last insertion, or the window has changed since
    ├── HotkeyFault
    │   ├── HotkeyTaken          hotkey.taken             another program owns the combination
    │   ├── HotkeyInvalid        hotkey.invalid           not a combination of known keys
    │   └── HotkeyUnavailable    hotkey.unavailable       no screen, or one without global keys
    ├── DiskFault
    │   ├── DiskFull             disk.full
    │   └── DiskReadOnly         disk.read_only
    ├── PlaybackUnavailable      playback.unavailable     no loudspeaker, or no sound server
    ├── TakeFault
    │   ├── TakeUnknown          take.unknown             no take of that name
    │   └── TakeBusy             take.busy                being recorded, or another process is working on it
    ├── KeyringUnavailable       keyring.unavailable      there is none, it is locked, or it does not answer
    ├── SettingsInvalid          settings.invalid         a value in settings.toml cannot be used
    └── AudioFileUnreadable      audio_file.unreadable    `transcribe` was given what is not audio

Bugs have no type. Whatever is raised and is not a Fault is a bug: the runtime logs it with its traceback,
reports code "bug" and returns to Idle. So `except Fault` is always right, and `except Exception` appears
in one place, runtime/loop.py.

A fault's arguments are for the local log only and never carry speech, clipboard, window titles, keys or paths.
A released code is never changed or reused (docs/fault-codes.txt); sentences and remedies are in ui/texts.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class Fault(Exception):
    """Base of all faults. Never raised itself."""

    code: ClassVar[str]
    """The fault's name outside this process: texts, telemetry and support look it up by this."""
    retryable: ClassVar[bool] = False
    """True where the same call may succeed later without the user changing anything."""


class MicrophoneFault(Fault):
    pass


class MicrophoneMissing(MicrophoneFault):
    code = "microphone.missing"


class MicrophoneDenied(MicrophoneFault):
    code = "microphone.denied"


class MicrophoneBusy(MicrophoneFault):
    code = "microphone.busy"
    retryable = True


class MicrophoneStuck(MicrophoneFault):
    code = "microphone.no_audio"
    retryable = True


class MicrophoneSilent(MicrophoneFault):
    code = "microphone.silent"


class MicrophoneLate(MicrophoneFault):
    code = "microphone.late"
    retryable = True


class MicrophoneLost(MicrophoneFault):
    code = "microphone.lost"


class EngineFault(Fault):
    pass


class EngineStartFailed(EngineFault):
    code = "engine.start_failed"
    retryable = True


class EngineDied(EngineFault):
    code = "engine.died"
    retryable = True


class EngineTimeout(EngineFault):
    code = "engine.timeout"
    retryable = True


class EngineOutOfMemory(EngineFault):
    code = "engine.out_of_memory"


class LanguageUnsupported(EngineFault):
    code = "engine.language"


class AzureFault(EngineFault):
    pass


class AzureNotConfigured(AzureFault):
    code = "azure.not_configured"


class AzureSdkMissing(AzureFault):
    code = "azure.sdk_missing"


class AzureKeyRefused(AzureFault):
    code = "azure.key"


class AzureBadRequest(AzureFault):
    code = "azure.bad_request"


class AzureThrottled(AzureFault):
    code = "azure.throttled"
    retryable = True


class AzureQuota(AzureFault):
    code = "azure.quota"


class AzureUnavailable(AzureFault):
    code = "azure.unavailable"
    retryable = True


class AzureUnreachable(AzureFault):
    code = "azure.unreachable"
    retryable = True


class AzureMute(AzureFault):
    code = "azure.mute"
    retryable = True


class AzureLost(AzureFault):
    code = "azure.lost"
    retryable = True


class ModelFault(Fault):
    pass


class ModelUnknown(ModelFault):
    code = "model.unknown"


class ModelMissing(ModelFault):
    code = "model.missing"


class ModelDamaged(ModelFault):
    """`file` is a name inside the model's folder, as in the catalogue; never a path."""

    code = "model.damaged"

    def __init__(self, model: str, file: str) -> None:
        super().__init__(f"{model}: {file} is not the published file")
        self.model = model
        self.file = file


class ModelDownloadFailed(ModelFault):
    code = "model.download_failed"
    retryable = True


class InsertFault(Fault):
    pass


class TargetGone(InsertFault):
    code = "insert.target_gone"


class TargetRefused(InsertFault):
    code = "insert.not_delivered"


class InsertUnavailable(InsertFault):
    code = "insert.unavailable"


class PasswordPrompt(InsertFault):
    code = "insert.password"


class ClipboardLost(InsertFault):
    code = "insert.clipboard_lost"


class NothingToUndo(InsertFault):
    code = "insert.nothing_to_undo"


class HotkeyFault(Fault):
    pass


class HotkeyTaken(HotkeyFault):
    code = "hotkey.taken"


class HotkeyInvalid(HotkeyFault):
    code = "hotkey.invalid"


class HotkeyUnavailable(HotkeyFault):
    code = "hotkey.unavailable"


class DiskFault(Fault):
    pass


class DiskFull(DiskFault):
    code = "disk.full"


class DiskReadOnly(DiskFault):
    code = "disk.read_only"


class PlaybackUnavailable(Fault):
    code = "playback.unavailable"


class TakeFault(Fault):
    pass


class TakeUnknown(TakeFault):
    code = "take.unknown"


class TakeBusy(TakeFault):
    code = "take.busy"
    retryable = True


class KeyringUnavailable(Fault):
    code = "keyring.unavailable"


class SettingsInvalid(Fault):
    code = "settings.invalid"


class AudioFileUnreadable(Fault):
    code = "audio_file.unreadable"


def leaves(base: type[Fault] = Fault) -> Iterator[type[Fault]]:
    """Every fault that can be raised: the classes below `base` that have no subclass of their own."""
    for child in base.__subclasses__():
        if child.__subclasses__():
            yield from leaves(child)
        else:
            yield child
