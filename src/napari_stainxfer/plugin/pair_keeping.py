"""Pairs are kept after every change, and are back when the same slides are opened again."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer, Signal

from napari_stainxfer.pairing import Pairs
from napari_stainxfer.plugin.pairs_store import autosave, restore
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.workers import Task, run_function
from napari_stainxfer.slides import Slide

_WAIT_MS = 400


class PairKeeping(QObject):
    """Autosaves the session's pairs a moment after the last change.

    Signals
    -------
    told
        A sentence for the user.
    """

    told = Signal(str)

    def __init__(self, session: Session, adopt: Callable[[Task], Task]) -> None:
        super().__init__()
        self._session, self._adopt = session, adopt
        self._kept: Pairs | None = None
        self._due: tuple[Pairs | None, list[Slide], list[Slide]] | None = None
        self._looking = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._save)
        session.closing.connect(self.flush)

    def look(self, *, ready: bool) -> None:
        """Bring back what was kept for the slides as they are now, unless there are pairs."""
        if not ready or self._session.pairs is not None:
            return
        references, sources = self._slides()
        task = self._adopt(run_function(self._session, lambda _: restore(references, sources)))
        self._looking = True
        task.returned.connect(self._take)
        task.ended.connect(self._on_looked)

    def keep(self) -> None:
        """Save what there is, soon."""
        if not self._looking and self._session.pairs != self._kept and not self._session.why_not_ready():
            self._due = (self._session.pairs, *self._slides())
            self._timer.start()

    def flush(self) -> None:
        """Save at once what is due: the dock or the viewer is going, and the timer may have gone before."""
        if self._due is not None:
            autosave(*self._due)
            self._due = None

    def _take(self, pairs: Pairs | None) -> None:
        self._looking = False
        if pairs is not None and self._session.pairs is None:
            self._kept = pairs
            self._session.set_pairs(pairs)
            self.told.emit(f"{len(pairs.pairs)} pairs of these slides are back from the last time.")

    def _on_looked(self) -> None:
        self._looking = False
        self.keep()

    def _save(self) -> None:
        if self._due is not None:
            due, self._due = self._due, None
            self._kept = due[0]
            task = self._adopt(run_function(self._session, lambda _: autosave(*due)))
            task.failed.connect(self.told)

    def _slides(self) -> tuple[list[Slide], list[Slide]]:
        sides = self._session.references, self._session.sources
        references, sources = ([entry.slide for entry in side] for side in sides)
        return references, sources
