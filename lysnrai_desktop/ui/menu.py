"""The menu: all that can be wished for, in the tray or, where there is none, in the window.

Imports: the bridge, texts; Qt. May be imported by: tray, window, app.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import SignalInstance
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from lysnrai_desktop.core.failover import Backend
from lysnrai_desktop.ui import texts
from lysnrai_desktop.ui.bridge import Bridge, Choice, Choices


class DictationMenu(QMenu):
    def __init__(self, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        wishes = bridge.wishes

        self.toggle = self.addAction(texts.START, bridge.toggle)
        self.cancel = self.addAction(texts.CANCEL, wishes.cancel)
        self.addSeparator()
        self.microphones = ChoiceMenu(
            texts.MICROPHONE, bridge.list_microphones, bridge.microphones_listed, wishes.choose_microphone, self
        )
        self.microphones.first = Choice("", texts.SYSTEM_DEFAULT)
        self.addMenu(self.microphones)
        self.models = ChoiceMenu(texts.MODEL, bridge.list_models, bridge.models_listed, wishes.choose_model, self)
        self.addMenu(self.models)
        self.engines = EngineMenu(bridge, self)
        self.addMenu(self.engines)
        self.addSeparator()
        self.takes = TakesMenu(bridge, self)
        self.addMenu(self.takes)
        self.copy_last = self.addAction(texts.COPY_LAST, wishes.copy_last)
        self.share = SettingMenu(texts.SHARE, texts.SHARES, wishes.shared, wishes.share, self)
        self.addMenu(self.share)
        self.settings_file = self.addAction(texts.SETTINGS_FILE, wishes.open_settings)
        if wishes.inject is not None:
            self.addSeparator()
            self.breaks = BreakMenu(wishes.inject, self)
            self.addMenu(self.breaks)
        self.addSeparator()
        self.quit = self.addAction(texts.QUIT, wishes.quit)
        self.quit.setMenuRole(QAction.MenuRole.QuitRole)

        self.aboutToShow.connect(self._refresh)
        bridge.status_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        label = texts.STOP if self._bridge.listening else texts.START
        # Part of the label: a real shortcut would also be bound inside our own windows, and D-Bus menus drop it.
        hotkey = f" ({texts.hotkey(self._bridge.hotkey)})" if self._bridge.hotkey else ""
        self.toggle.setText(label + hotkey)
        self.toggle.setIconText(label)  # what a button shows
        self.cancel.setEnabled(self._bridge.can_cancel)


class ChoiceMenu(QMenu):
    """One of several, marked. Asks anew whenever it opens, and shows the last answer until the next is there."""

    def __init__(
        self,
        title: str,
        request: Callable[[], None],
        answered: SignalInstance,
        choose: Callable[[str], None],
        parent: QWidget,
    ) -> None:
        super().__init__(title, parent)
        self.first: Choice | None = None
        """What can be chosen whatever there is."""
        self._choose = choose
        self._group = QActionGroup(self)
        self._shown: Choices | None = None
        self.addAction(texts.LOOKING).setEnabled(False)
        self.aboutToShow.connect(request)
        answered.connect(self.fill)

    def fill(self, choices: Choices) -> None:
        if choices == self._shown:
            return  # rebuilding an open menu takes the pointer's place from it
        self._shown = choices
        self.clear()
        if self.first is not None:
            self._add(self.first, choices.chosen)
            self.addSeparator()
        for choice in choices.items:
            self._add(choice, choices.chosen)
        names = {choice.name for choice in choices.items}
        if choices.chosen not in names and (self.first is None or choices.chosen != self.first.name):
            gone = self._add(Choice(choices.chosen, texts.NOT_THERE.format(name=choices.chosen)), choices.chosen)
            gone.setEnabled(False)
        elif not names:
            self.addAction(texts.NONE_FOUND).setEnabled(False)

    def _add(self, choice: Choice, chosen: str) -> QAction:
        label = choice.label if choice.ready else texts.TO_BE_DOWNLOADED.format(name=choice.label)
        action = self.addAction(label.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(choice.name == chosen)
        action.setActionGroup(self._group)
        action.triggered.connect(lambda: self._chosen(choice.name))
        return action

    def _chosen(self, name: str) -> None:
        self._shown = None  # the mark has moved by itself; the next answer is shown, whatever it is
        self._choose(name)


class TakesMenu(QMenu):
    """The takes that are offered, each with what can be done. Asks anew whenever it opens."""

    def __init__(self, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(texts.INTERRUPTED_DICTATIONS, parent)
        self._wishes = bridge.wishes
        self._shown: Choices | None = None
        self.addAction(texts.LOOKING).setEnabled(False)
        self.aboutToShow.connect(bridge.list_takes)
        bridge.takes_listed.connect(self.fill)

    def fill(self, choices: Choices) -> None:
        if choices == self._shown:
            return  # rebuilding an open menu takes the pointer's place from it
        self._shown = choices
        self.clear()
        for take in choices.items:
            if take.ready:
                actions = self.addMenu(take.label)
                actions.addAction(texts.TRANSCRIBE, partial(self._wishes.transcribe_take, take.name))
                actions.addAction(texts.DROP, partial(self._wishes.drop_take, take.name))
            else:
                self.addAction(texts.TRANSCRIBING.format(take=take.label)).setEnabled(False)
        if not choices.items:
            self.addAction(texts.NO_TAKES).setEnabled(False)


class SettingMenu(QMenu):
    """A setting with a few values. Nothing is marked while it has none of them."""

    def __init__(
        self,
        title: str,
        labels: Mapping[str, str],
        chosen: Callable[[], str],
        choose: Callable[[str], None],
        parent: QWidget,
    ) -> None:
        """`labels`: for people, by what the settings hold."""
        super().__init__(title, parent)
        self._chosen = chosen
        self._choose = choose
        group = QActionGroup(self)
        group.setExclusionPolicy(QActionGroup.ExclusionPolicy.ExclusiveOptional)
        self._actions = {name: self.addAction(label) for name, label in labels.items()}
        for name, action in self._actions.items():
            action.setCheckable(True)
            action.setActionGroup(group)
            action.triggered.connect(partial(self._take, name))
        self.aboutToShow.connect(self._refresh)

    def _refresh(self) -> None:
        for name, action in self._actions.items():
            action.setChecked(name == self._chosen())

    def _take(self, name: str) -> None:
        self._actions[name].setChecked(True)  # a second click on it takes nothing back
        self._choose(name)


class EngineMenu(SettingMenu):
    """Who recognises speech; below it who does so now and why, where that is not who should, or who last did."""

    def __init__(self, bridge: Bridge, parent: QWidget) -> None:
        wishes = bridge.wishes
        super().__init__(texts.ENGINE, texts.BACKENDS, wishes.backend, wishes.choose_backend, parent)
        self._bridge = bridge
        self._line = self.addSeparator()
        self.note = self.addAction("")
        self.note.setEnabled(False)
        self.aboutToShow.connect(self._say)
        bridge.status_changed.connect(self._say)
        self._say()

    def _say(self) -> None:
        status = self._bridge.status
        idle = status.state == "idle"
        note = texts.last_dictation(status.legs) if idle else texts.substitute(status.backend, status.backend_reason)
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self._line.setVisible(bool(note))


class BreakMenu(QMenu):
    """For testers: makes something go wrong in an engine."""

    def __init__(self, inject: Callable[[Backend, str], None], parent: QWidget) -> None:
        super().__init__(texts.BREAK, parent)
        for backend, faults in texts.BREAKS.items():
            menu = self.addMenu(texts.ENGINES[backend])
            for fault, label in faults.items():
                menu.addAction(label, partial(inject, backend, fault))
