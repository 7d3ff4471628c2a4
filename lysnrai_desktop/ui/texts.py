"""Words for people: what each state, outcome and fault is called, and what to do about it.

What is decided here: every English sentence the app shows by itself, looked up by a stable key (a fault's code, a
state, an outcome). What is absent: Qt, so that the command line can use it, and whatever differs from one moment to
the next: a sentence never quotes speech, a title, a path or a key.

    fault("microphone.missing") -> Advice("No microphone was found.", "Plug one in, or …")

A translation will be these tables again in another language; callers know keys and functions only.

Imports: core. May be imported by: ui, cli, app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lysnrai_desktop.core.dictation import Outcome
from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.core.insertion import Undone
from lysnrai_desktop.core.speech import Leg
from lysnrai_desktop.core.takes import TRANSCRIBED, TakeRecord

APP = "LysnrAI"


@dataclass(frozen=True, slots=True)
class Advice:
    """What went wrong and what to do about it: whole sentences, plain text without markup."""

    sentence: str
    remedy: str


BUG = "bug"
"""The code of our own mistakes."""

FAULTS: Mapping[str, Advice] = {
    "microphone.missing": Advice(
        "No microphone was found.",
        "Plug one in, or choose another under Microphone in the menu.",
    ),
    "microphone.denied": Advice(
        "The system does not let LysnrAI use the microphone.",
        "Allow it in the system's privacy settings, then try again.",
    ),
    "microphone.busy": Advice(
        "Another program is using the microphone.",
        "Close that program, or choose another microphone in the menu.",
    ),
    "microphone.no_audio": Advice(
        "The microphone is open, but no sound arrives from it.",
        "Check its plug and its switch, or choose another under Microphone in the menu.",
    ),
    "microphone.silent": Advice(
        "Only silence comes from the microphone.",
        "See whether it is muted or switched off. The recording goes on.",
    ),
    "microphone.late": Advice(
        "The key was let go before the microphone was ready.",
        "Speak when you see “Listening”. With recording.warm_s in the settings file it is ready at once.",
    ),
    "microphone.lost": Advice(
        "The microphone was disconnected while you were speaking.",
        "What you said until then is not lost. Plug it in again, or choose another in the menu.",
    ),
    "engine.start_failed": Advice(
        "Speech recognition could not start.",
        "Try again. If it keeps happening, run “lysnrai doctor” in a terminal. What you said is kept.",
    ),
    "engine.died": Advice(
        "Speech recognition stopped unexpectedly.",
        "Try again: it starts afresh. What you said is kept.",
    ),
    "engine.timeout": Advice(
        "Speech recognition took too long.",
        "Try again, or choose a smaller model in the menu. What you said is kept.",
    ),
    "engine.out_of_memory": Advice(
        "There is not enough memory for this model.",
        "Close other programs, or choose a smaller model in the menu.",
    ),
    "engine.language": Advice(
        "The chosen model does not know the chosen language.",
        "Choose a multilingual model in the menu, or change engine.language in the settings file.",
    ),
    "azure.not_configured": Advice(
        "Azure Speech has no key, or does not know its region.",
        "Run “lysnrai azure key” in a terminal, and set azure.region in the settings file.",
    ),
    "azure.sdk_missing": Advice(
        "The software for Azure Speech is not installed.",
        "Install LysnrAI with its extra “azure”. Until then this computer recognises speech by itself.",
    ),
    "azure.key": Advice(
        "Azure Speech does not accept the key.",
        "Run “lysnrai azure key” to give it another, and see whether azure.region is that of the key.",
    ),
    "azure.bad_request": Advice(
        "Azure Speech does not accept the request.",
        "Check engine.language and the section [azure] in the settings file.",
    ),
    "azure.throttled": Advice(
        "Azure Speech has too many requests just now.",
        "Nothing to do: it is tried again later.",
    ),
    "azure.quota": Advice(
        "The Azure subscription is used up.",
        "Change its plan, or wait until the month is over.",
    ),
    "azure.unavailable": Advice(
        "Azure Speech is out of order at the moment.",
        "Nothing to do: the next dictation tries it again.",
    ),
    "azure.unreachable": Advice(
        "Azure Speech cannot be reached.",
        "Check the network. “lysnrai doctor azure” in a terminal says how far it gets.",
    ),
    "azure.mute": Advice(
        "Azure Speech does not answer.",
        "Nothing to do: the next dictation tries it again.",
    ),
    "azure.lost": Advice(
        "The connection to Azure Speech broke.",
        "Check the network. The next dictation tries it again.",
    ),
    "model.unknown": Advice(
        "The settings name a model that does not exist.",
        "Choose one under Model in the menu.",
    ),
    "model.missing": Advice(
        "The chosen model is not on this computer.",
        "Choose it under Model in the menu to get it, or choose another.",
    ),
    "model.damaged": Advice(
        "A file of the model is damaged, so the model is not used.",
        "Run “lysnrai models verify” to see which, then get the model again.",
    ),
    "model.download_failed": Advice(
        "The model could not be downloaded.",
        "Check the network and the free disk space, then try again: it goes on where it stopped.",
    ),
    "insert.target_gone": Advice(
        "The window you were dictating into is gone.",
        "The text is on the clipboard: press Ctrl+V where you want it.",
    ),
    "insert.not_delivered": Advice(
        "The window did not take the text.",
        "The text is on the clipboard: press Ctrl+V where you want it.",
    ),
    "insert.unavailable": Advice(
        "Text cannot be inserted into other windows on this desktop.",
        "Use Copy last text in the menu, then paste it where you want it.",
    ),
    "insert.password": Advice(
        "The window asks for a password, so nothing was written into it.",
        "The text is on the clipboard: press Ctrl+V where you want it.",
    ),
    "insert.clipboard_lost": Advice(
        "What is on the clipboard cannot be kept.",
        "The dictation replaces it: it is too large, or its program does not answer. Copy it again when you need it.",
    ),
    "insert.nothing_to_undo": Advice(
        "There is nothing that could be taken back.",
        "The window has changed since, or has no undo. Take the text out by hand.",
    ),
    "hotkey.taken": Advice(
        "Another program already uses the hotkey.",
        "Choose a different one under [hotkey] in the settings file. Until then, click the icon to dictate.",
    ),
    "hotkey.invalid": Advice(
        "The hotkey in the settings file is not a combination of known keys.",
        "Write it like ctrl+alt+space. Until then, click the icon to dictate.",
    ),
    "hotkey.unavailable": Advice(
        "This desktop does not let programs have a global hotkey.",
        "Bind the command “lysnrai toggle” to a key in the desktop's keyboard settings.",
    ),
    "disk.full": Advice(
        "The disk is full.",
        "Free some space. What you are saying now is kept in memory and goes on.",
    ),
    "disk.read_only": Advice(
        "LysnrAI cannot write to its folder.",
        "Make the folder writable, or set LYSNRAI_HOME to one that is.",
    ),
    "playback.unavailable": Advice(
        "Sound cannot be played on this computer.",
        "Check that it has a loudspeaker, and a sound server such as PulseAudio or PipeWire.",
    ),
    "take.unknown": Advice(
        "There is no recording of that name.",
        "See which there are: in the menu, or with “lysnrai takes” in a terminal.",
    ),
    "take.busy": Advice(
        "This recording is being worked on.",
        "Try again when that is done.",
    ),
    "keyring.unavailable": Advice(
        "The system's keyring is missing, locked or does not answer.",
        "Unlock it and choose the speech engine anew, or put the key into the variable AZURE_SPEECH_KEY.",
    ),
    "settings.invalid": Advice(
        "A line in the settings file cannot be used; the default serves instead.",
        "Run “lysnrai doctor” in a terminal: it tells which line, and why.",
    ),
    "audio_file.unreadable": Advice(
        "This file cannot be read as audio.",
        "Check that it plays in another program.",
    ),
    BUG: Advice(
        "Something went wrong inside LysnrAI. That is our mistake.",
        "Try again. If it keeps happening, please report it with the log that “lysnrai doctor” names.",
    ),
}

STATES: Mapping[str, str] = {
    "idle": "Ready",
    "arming": "Starting the microphone…",
    "recording": "Listening",
    "finishing": "Finishing…",
    "inserting": "Inserting…",
}

OUTCOMES: Mapping[str, str] = {
    Outcome.INSERTED: "Inserted",
    Outcome.PROBABLY_INSERTED: "Typed",
    Outcome.ON_CLIPBOARD: "Kept on the clipboard: press Ctrl+V",
    Outcome.NOTHING_HEARD: "Nothing heard",
    Outcome.CANCELLED: "Cancelled",
    Outcome.FAILED: "Not inserted",
}

UNDONE: Mapping[str, str] = {
    Undone.SURELY: "Taken back",
    Undone.PROBABLY: "Ctrl+Z was pressed; the window does not tell what it made of it",
}

INTERRUPTED = "Interrupted"
"""In place of an outcome, where there was none."""
GIVEN = "Transcribed"

MICROPHONE_NOW = "Now listening to: {name}"
"""When the system has put another microphone in the place of the one that was recorded from."""

ENGINES: Mapping[Backend, str] = {Backend.WHISPER: "This computer", Backend.AZURE: "Azure Speech"}
"""Who recognises speech."""
SUBSTITUTE: Mapping[str, str] = {
    Backend.WHISPER: "By this computer: {reason}",
    Backend.AZURE: "By Azure Speech: {reason}",
}

ENGINE_STARTING: Mapping[str, str] = {
    f"{Backend.WHISPER}:starting": "Loading the model…",
    f"{Backend.AZURE}:starting": "Starting Azure Speech…",
}
"""In place of Finishing, while that is what takes the time; by the engine's state."""

INTERRUPTED_DICTATIONS = "Interrupted dictations"
TRANSCRIBE = "Transcribe"
DROP = "Delete"
NO_TAKES = "None"
TRANSCRIBING = "{take}: being transcribed…"

START = "Start dictation"
STOP = "Stop dictation"
CANCEL = "Cancel dictation"
MICROPHONE = "Microphone"
MODEL = "Model"
ENGINE = "Speech engine"
BACKENDS: Mapping[str, str] = {"auto": "Automatic", "azure": ENGINES[Backend.AZURE], "local": ENGINES[Backend.WHISPER]}
"""Who shall recognise speech, by the word of the setting engine.backend."""
LAST_DICTATION = "Last dictation"
COPY_LAST = "Copy last text"
SETTINGS_FILE = "Open settings file"
SHARE = "Share usage data"
SHARES: Mapping[str, str] = {"all": "Everything", "errors": "Errors only", "off": "Nothing"}
"""What can be shared, by the word of the setting telemetry.collect."""
BREAK = "Break the engine"
_BREAKS_ANY: Mapping[str, str] = {
    "crash": "Crash",
    "mute": "Go mute",
    "slow": "Answer late",
    "none": "Be well again",
}
BREAKS: Mapping[Backend, Mapping[str, str]] = {
    Backend.AZURE: {
        "refuse": "Refuse the connection",
        "drop": "Drop the connection",
        "wrong_key": "Refuse the key",
        "throttle": "Too many requests",
        **_BREAKS_ANY,
    },
    Backend.WHISPER: _BREAKS_ANY,
}
"""What testers can make go wrong, by the word of core.engine_messages.Inject."""
QUIT = "Quit"
MENU = "Menu"
LOOKING = "Looking…"
NONE_FOUND = "None found"
SYSTEM_DEFAULT = "System default"
NOT_THERE = "{name} (not found)"
TO_BE_DOWNLOADED = "{name} (download)"
HOTKEY_HINT = "Press {hotkey} in any window and speak."
FINISHING_THEN_QUIT = "Finishing, then closing…"

_KEYS: Mapping[str, str] = {"ctrl": "Ctrl", "alt": "Alt", "shift": "Shift", "super": "Super", "esc": "Esc"}


AZURE_WAY: Mapping[str, Advice] = {
    "name": Advice(
        "No address is known for {host}.",
        "Check the network, and azure.region, azure.endpoint or azure.proxy in the settings file.",
    ),
    "connection": Advice(
        "{host} cannot be reached.",
        "Check the network. Some networks let nothing out but through a proxy: set azure.proxy.",
    ),
    "proxy": Advice(
        "The proxy does not connect to {host}.",
        "Ask whoever runs the proxy. One that wants a password is not supported.",
    ),
    "TLS": Advice(
        "{host} has a certificate that is not trusted, or speaks no TLS.",
        "For a service of your own set azure.certificate to its PEM file. A clock that is wrong does this, too.",
    ),
}
"""Where the way to Azure Speech ended, by the step (adapters/azure_probe.py)."""


def fault(code: str) -> Advice:
    """Sentence and remedy for a fault's code; for one that is not known here, those of a bug."""
    return FAULTS.get(code, FAULTS[BUG])


def working(state_name: str, engine: str) -> str:
    """The word for a state, more exact where the engine's own state ("whisper:starting") tells why it takes long."""
    return ENGINE_STARTING.get(engine, STATES[state_name]) if state_name == "finishing" else STATES[state_name]


def substitute(backend: str, reason: str) -> str:
    """Who recognises speech in the place of the preferred engine, and why (a fault's code); "" where nobody has to."""
    return SUBSTITUTE[backend].format(reason=fault(reason).sentence) if backend and reason else ""


def last_dictation(legs: Sequence[Leg]) -> str:
    """Who heard the last dictation; "" where it was the preferred engine all through."""
    if not any(leg.reason for leg in legs) and len(legs) < 2:
        return ""
    heard = ", then ".join(f"{ENGINES[Backend(leg.engine)]} ({duration(leg.audio_s)})" for leg in legs)
    reason = next((fault(leg.reason).sentence for leg in reversed(legs) if leg.reason), "")
    return f"{LAST_DICTATION}: {heard}. {reason}".strip()


def outcome(name: str) -> str:
    """What became of a dictation, in a few words."""
    return OUTCOMES[name]


def take_outcome(name: str | None) -> str:
    """What became of a take. One of a later version's outcomes is called by its name."""
    if name is None:
        return INTERRUPTED
    return GIVEN if name == TRANSCRIBED else OUTCOMES.get(name, name)


def offer(lengths_s: Sequence[float], interrupted: bool) -> Advice:
    """The question whether takes shall be transcribed; `interrupted`: by the end of the app, not by a fault."""
    became = "interrupted" if interrupted else "not finished"
    if len(lengths_s) == 1:
        sentence = f"A dictation of {duration(lengths_s[0])} was {became}: transcribe it?"
        return Advice(sentence, f"It is in the menu, under {INTERRUPTED_DICTATIONS}.")
    sentence = f"{len(lengths_s)} dictations were {became}: transcribe them?"
    return Advice(sentence, f"They are in the menu, under {INTERRUPTED_DICTATIONS}.")


RECOVERED = Advice("The interrupted dictation is transcribed.", "On the clipboard: press Ctrl+V where you want it.")
NOTHING_RECOVERED = Advice(
    "Nothing was heard in the interrupted dictation.",
    "It is kept for another day: run “lysnrai takes” in a terminal to find it.",
)


def take(record: TakeRecord) -> str:
    """A take as a line in a list: when it began, in the time of this place, and its length."""
    start = datetime.fromtimestamp(record.started, UTC).astimezone()
    return f"{start:%Y-%m-%d %H:%M}, {duration(record.duration_s)}"


def duration(seconds: float) -> str:
    """A length of time as people say it: "12 s", "3 min 12 s", "1 h 5 min"."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def hotkey(combo: str) -> str:
    """A combination as keyboards print it: "ctrl+alt+space" -> "Ctrl+Alt+Space", "right_ctrl" -> "Right Ctrl"."""
    keys = combo.lower().split("+")
    return "+".join(" ".join(_KEYS.get(word, word.capitalize()) for word in key.split("_")) for key in keys)


def hotkey_taken(combo: str, free: Sequence[str]) -> Advice:
    """`free`: combinations that could be had instead, the best first."""
    advice = FAULTS["hotkey.taken"]
    if not free:
        return advice
    return Advice(
        f"The hotkey {hotkey(combo)} is already taken.",
        f"Free are {_listed([hotkey(other) for other in free[:3]])}: set one under [hotkey] in the settings file.",
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
