"""Docks that take long to import: their place appears at once, the dock in it when a thread has imported it.

The manifest names the places, so that a click in the menu does not hold the window for the seconds that the
first import takes. This module imports nothing of ours but what is as light as itself.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, ClassVar

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget
from superqt.utils import create_worker

from napari_stainxfer.plugin.dock_size import DOCK_SIZE
from napari_stainxfer.plugin.warming import is_warm, warm_up


class Loading(QWidget):
    """Says so while a thread imports modules; then `on_loaded` is called, in the GUI thread."""

    modules: ClassVar[tuple[str, ...]]
    """Names within this package."""

    def __init__(self) -> None:
        super().__init__()
        self._body = QVBoxLayout(self)
        self._body.setContentsMargins(0, 0, 0, 0)
        self._words = QLabel("Loading…")
        self._words.setWordWrap(True)
        self._words.setContentsMargins(6, 6, 6, 6)
        self._body.addWidget(self._words)
        self._body.addStretch(1)
        gone: list[None] = []
        self._gone = gone
        self.destroyed.connect(lambda: gone.append(None))

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """That of the dock which is to come."""
        return DOCK_SIZE

    def is_loaded(self) -> bool:
        """Whether there is nothing to wait for."""
        return is_warm() and all(f"{__package__}.{name}" in sys.modules for name in self.modules)

    def load(self) -> None:
        """Import in a thread."""
        create_worker(
            self._load,
            _start_thread=True,
            _connect={"returned": lambda _: self._end(None), "errored": self._end},
        )

    def on_loaded(self) -> None:
        """Go on, now that everything is imported."""
        raise NotImplementedError

    def _load(self) -> None:
        warm_up()
        for name in self.modules:
            import_module(f"{__package__}.{name}")

    def _end(self, error: Exception | None) -> None:
        if self._gone:
            return
        if error is None:
            self.on_loaded()
        else:
            self._words.setText(f"This dock could not be loaded ({error}); install the package again.")


class LateDock(Loading):
    """The place of a dock.

    Attributes
    ----------
    dock
        The dock itself; None while it is being loaded.
    """

    kind: ClassVar[str]
    """Class of the dock, in the one module."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.dock: Any = None
        self._viewer = napari_viewer
        if self.is_loaded():
            self.on_loaded()
        else:
            self.load()

    def on_loaded(self) -> None:
        """Put the dock into its place."""
        make = getattr(import_module(f"{__package__}.{self.modules[0]}"), self.kind)
        self.dock = make(self._viewer)
        del self._viewer
        self._words.deleteLater()
        self._body.takeAt(1)  # what kept the words at the top
        self._body.addWidget(self.dock)


class LateSlides(LateDock):
    """Place of the Slides dock."""

    modules, kind = ("slides_dock",), "SlidesDock"


class LatePairs(LateDock):
    """Place of the Pairs dock."""

    modules, kind = ("pairs_dock",), "PairsDock"


class LateTrain(LateDock):
    """Place of the Train dock."""

    modules, kind = ("train_dock",), "TrainDock"


class LatePreview(LateDock):
    """Place of the Preview dock."""

    modules, kind = ("preview_dock",), "PreviewDock"


class LateExport(LateDock):
    """Place of the Export dock."""

    modules, kind = ("export_dock",), "ExportDock"
