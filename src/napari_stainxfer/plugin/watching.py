"""What happens to the window that a dock sits in: files dropped on its canvas, and its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

from napari_stainxfer.plugin.opening import may_be_ours
from napari_stainxfer.plugin.session import Session

_NAME = "stainxfer watcher"


def watch_window(widget: QWidget, session: Session, on_drop: Callable[[Sequence[str]], None]) -> None:
    """Watch the window of a dock, once for all docks of a session.

    Parameters
    ----------
    widget
        A dock that is in its place.
    session
        Is told when the window closes.
    on_drop
        Called with the files that were dropped on the canvas, if every one of them may be a slide or a
        model. (napari itself would ask which of its readers to take, because its own claims slides too.)
    """
    window = widget.window()
    if window.findChild(QObject, _NAME) is None:
        _Watcher(window, session, on_drop)


def dropped_files(event: Any) -> list[str]:
    """Files of a drag or drop, if every one may be a slide or a model, else nothing."""
    if not event.mimeData().hasUrls():
        return []
    paths = [str(Path(url.toLocalFile())) for url in event.mimeData().urls() if url.isLocalFile()]
    if len(paths) < len(event.mimeData().urls()) or not all(may_be_ours(Path(path)) for path in paths):
        return []
    return paths


class _Watcher(QObject):
    def __init__(self, window: QWidget, session: Session, on_drop: Callable[[Sequence[str]], None]) -> None:
        super().__init__(window)
        self.setObjectName(_NAME)
        self._session = session
        self._on_drop = on_drop
        self._asked_to_close = False
        self._window = window
        self._canvases = _canvases(window)
        window.installEventFilter(self)
        for canvas in self._canvases:
            canvas.installEventFilter(self)
        window.destroyed.connect(session.close)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  # Qt's name
        if not hasattr(self, "_window"):
            return False  # Python has taken this object down already, and Qt not yet
        kind = event.type()
        if kind == QEvent.Type.Drop and watched in self._canvases:
            paths = dropped_files(event)
            if paths:
                event.acceptProposedAction()
                self._on_drop(paths)
                return True
        elif watched is self._window:
            # A close that the user takes back in napari's dialog is not followed by the window's hiding.
            if kind == QEvent.Type.Close:
                self._asked_to_close = True
            elif kind == QEvent.Type.Hide and self._asked_to_close:
                self._session.close()
            elif kind == QEvent.Type.Show:
                self._asked_to_close = False
        return False


def _canvases(window: QWidget) -> list[QWidget]:
    from napari.qt import QtViewer

    return list(window.findChildren(QtViewer))
