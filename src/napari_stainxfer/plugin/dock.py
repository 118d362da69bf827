"""What all docks have in common: the session, a line for messages, a body that scrolls on small screens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_stainxfer.plugin.opening import open_files
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.warming import warm_up
from napari_stainxfer.plugin.watching import dropped_files, watch_window
from napari_stainxfer.plugin.workers import Task, run_function

WIDTH_PX = 380
"""What a dock asks for: beside it, a laptop's screen of 1366 px keeps room for layer list and canvas."""


class Message(QLabel):
    """A sentence for the user, under the buttons that it is about; hidden while there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setVisible(False)

    def tell(self, text: str) -> None:
        """Show a remark."""
        self._show(text, "")

    def warn(self, text: str) -> None:
        """Show what the user has to do something about."""
        # An orange that reads on napari's light and dark background alike.
        self._show(text, "color: #d9730d;")

    def _show(self, text: str, style: str) -> None:
        self.setStyleSheet(style)
        self.setText(text)
        self.setVisible(bool(text))


class Dock(QWidget):
    """A dock of one session; put widgets into `body`.

    The session outlives a dock that the user closes: connect to its signals with `listen`, and hand tasks to
    `adopt`, so that neither reaches for widgets that are gone.

    Attributes
    ----------
    session
        Shared by the docks of the viewer.
    body
        Layout that scrolls.
    message
        Stands below it, always in view.
    last_words
        Called, the first one first, when the dock goes; by then its widgets are gone.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.session = Session.of(viewer)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(6, 6, 6, 6)
        self.message = Message()
        inside = QWidget()
        inside.setLayout(self.body)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 6)
        layout.addWidget(scroll, stretch=1)
        layout.addWidget(self.message)
        last_words: list[Callable[[], None]] = []
        self.last_words = last_words
        self.destroyed.connect(lambda: _say_all(last_words))
        self.adopt(run_function(self.session, lambda _: warm_up()))

    def listen(self, signal: Any, slot: Callable[..., None]) -> None:
        """Connect to a signal of the session for as long as this dock lives."""
        signal.connect(slot)
        self.last_words.append(lambda: signal.disconnect(slot))

    def adopt(self, task: Task) -> Task:
        """Stop this task, and hear no more of it, when this dock goes. Returns the task."""
        self.last_words.append(task.abandon)
        return task

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Room for the body, and not more than a laptop has."""
        return QSize(WIDTH_PX, 520)

    def showEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Once the dock is in its window, watch that window."""
        super().showEvent(event)
        watch_window(self, self.session, self.open_files)

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Take what may be slides and models."""
        if dropped_files(event):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Open what was dropped."""
        paths = dropped_files(event)
        if paths:
            event.acceptProposedAction()
            self.open_files(paths)

    def open_files(self, paths: Any) -> None:
        """Open slides as layers and models into the session, without holding the window."""
        self.message.tell("")
        self.adopt(open_files(self.session, list(paths), self.message.warn))


def _say_all(last_words: list[Callable[[], None]]) -> None:
    for word in last_words:
        word()
    last_words.clear()
