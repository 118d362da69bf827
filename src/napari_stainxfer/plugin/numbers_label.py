"""The numbers of what is in view, measured in a thread once the view has settled."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel

from napari_stainxfer.applying.region_numbers import RegionNumbers
from napari_stainxfer.plugin.dock import Dock
from napari_stainxfer.plugin.live_preview import LivePreview
from napari_stainxfer.plugin.view_numbers import Goals, numbers_of_view
from napari_stainxfer.plugin.workers import run_function

_SETTLED_MS = 400


class NumbersLabel(QLabel):
    """Says how much tissue is in view, and how far its mean colour was and is from the goal."""

    def __init__(self, dock: Dock, live: LivePreview) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setToolTip("Of the tissue in view. ΔE is CIE delta E 2000: 1 is just visible.")
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._dock, self._live = dock, live
        self._goals: Goals = {}
        self._measuring = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLED_MS)
        self._timer.timeout.connect(self._measure)

    def schedule(self) -> None:
        """Measure soon; what is asked for in between counts as one."""
        self._timer.start()

    def stop(self) -> None:
        """Measure no more."""
        self._timer.stop()

    def _measure(self) -> None:
        preview = self._live.preview
        if preview is None or not preview.ready or self._measuring:
            return
        session = self._dock.session
        level, box = self._live.view()
        references = [entry.slide for entry in session.references]
        self._measuring = True
        task = self._dock.adopt(
            run_function(session, lambda _: numbers_of_view(preview, level, box, references, self._goals))
        )
        task.returned.connect(self._show_numbers)
        task.ended.connect(self._on_measured)

    def _on_measured(self) -> None:
        self._measuring = False

    def _show_numbers(self, found: RegionNumbers | None) -> None:
        self.setText("No tissue in view." if found is None else _in_words(found))


def _in_words(found: RegionNumbers) -> str:
    sides = []
    for name, colour, distance in (
        ("Before", found.before, found.distance_before),
        ("After", found.after, found.distance_after),
    ):
        far = "" if distance is None else f", ΔE {distance:.1f} from the reference"
        r, g, b = (round(value) for value in colour)
        swatch = f'<span style="background-color: rgb({r},{g},{b})">&nbsp;&nbsp;&nbsp;&nbsp;</span>'
        sides.append(f"{swatch} {name}: {r}, {g}, {b}{far}")
    return f"Tissue in view: {found.tissue:.0%}; its mean colour:<br>" + "<br>".join(sides)
