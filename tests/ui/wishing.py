"""Wishes that are written down instead of granted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lysnrai_desktop.core.dictation import Sound
from lysnrai_desktop.ui.bridge import Bridge, Choice, Choices, Deliver, Wishes

Button = tuple[str, Callable[[], None]]

MICROPHONES = Choices((Choice("usb", "Desk microphone"), Choice("webcam", "Webcam")), chosen="usb")
MODELS = Choices((Choice("base", "base"), Choice("small", "small", ready=False)), chosen="base")


@dataclass
class WishList:
    """What was wished for, in order; a choice with its name."""

    wished: list[str] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    played: list[Sound] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)
    asked: list[Deliver] = field(default_factory=list)
    """Questions for microphones, models or takes that nobody has answered."""
    shared: str = "ask"
    backend: str = "auto"

    tester: bool = False

    def bridge(self, hotkey: str = "ctrl+alt+space") -> Bridge:
        def wish(name: str) -> Callable[[], None]:
            return lambda: self.wished.append(name)

        wishes = Wishes(
            start=wish("start"),
            stop=wish("stop"),
            cancel=wish("cancel"),
            copy_last=wish("copy_last"),
            open_settings=wish("open_settings"),
            quit=wish("quit"),
            list_microphones=self.asked.append,
            choose_microphone=lambda name: self.wished.append(f"microphone {name}"),
            list_models=self.asked.append,
            choose_model=lambda name: self.wished.append(f"model {name}"),
            list_takes=self.asked.append,
            transcribe_take=lambda name: self.wished.append(f"transcribe {name}"),
            drop_take=lambda name: self.wished.append(f"drop {name}"),
            shared=lambda: self.shared,
            share=lambda name: self.wished.append(f"share {name}"),
            backend=lambda: self.backend,
            choose_backend=lambda name: self.wished.append(f"backend {name}"),
            inject=(lambda backend, fault: self.wished.append(f"break {backend} {fault}")) if self.tester else None,
        )
        return Bridge(wishes, self._notify, self.played.append, hotkey)

    def _notify(self, kind: str, summary: str, body: str, buttons: Sequence[Button] = (), /) -> None:
        self.told.append((kind, summary, body))
        self.buttons += buttons
