"""Wishes that are written down instead of granted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lysnrai_desktop.core.dictation import Sound
from lysnrai_desktop.ui.bridge import Bridge, Choice, Choices, Deliver, Wishes

MICROPHONES = Choices((Choice("usb", "Desk microphone"), Choice("webcam", "Webcam")), chosen="usb")
MODELS = Choices((Choice("base", "base"), Choice("small", "small", ready=False)), chosen="base")


@dataclass
class WishList:
    """What was wished for, in order; a choice with its name."""

    wished: list[str] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    played: list[Sound] = field(default_factory=list)
    asked: list[Deliver] = field(default_factory=list)
    """Questions for microphones or models that nobody has answered."""

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
        )
        return Bridge(wishes, lambda *told: self.told.append(told), self.played.append, hotkey)
