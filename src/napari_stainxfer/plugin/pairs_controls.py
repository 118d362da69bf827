"""The buttons of the Pairs dock, and when each can be pressed."""

from __future__ import annotations

from qtpy.QtWidgets import QGridLayout, QLabel, QProgressBar, QSpinBox, QWidget

from napari_stainxfer.plugin.buttons import make_button
from napari_stainxfer.plugin.session import Session


class PairsControls(QWidget):
    """Holds the buttons; the dock connects them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = QSpinBox()
        self.count.setRange(1, 200)
        self.count.setValue(20)
        self.count.setToolTip("How many pairs to suggest")
        self.suggest = make_button("Suggest 20 pairs", "Find patches of alike tissue on both sides")
        self.count.valueChanged.connect(lambda count: self.suggest.setText(f"Suggest {count} pairs"))
        self.cancel = make_button("Cancel", "Stop looking for pairs")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.click = make_button("Add by clicking", "Click the source slide, then the partner")
        self.move = make_button("Move boxes", "Drag boxes with the mouse; the size stays")
        for toggle in (self.click, self.move):
            toggle.setCheckable(True)
        self.click.setChecked(True)
        self.delete = make_button("Delete", "Delete the selected pair (Delete key in the table)")
        self.undo = make_button("Undo", "Take the last change back (Ctrl+Z in this dock)")
        self.redo = make_button("Redo", "Make it again (Ctrl+Shift+Z in this dock)")
        self.save = make_button("Save…", "Write the pairs as GeoJSON, which QuPath opens too")
        self.load = make_button("Load…", "Read pairs of these slides from GeoJSON")
        self.status = QLabel()
        self.status.setWordWrap(True)
        self._lay_out()

    def show_state(self, session: Session, *, working: bool) -> None:
        """Enable what can be done now, and say how things stand.

        Parameters
        ----------
        session
            Whose pairs these are.
        working
            Whether the dock has a task running.
        """
        missing, pairs = session.why_not_ready(), session.pairs
        idle = session.job is None and not working
        for widget in (self.suggest, self.count, self.load, self.click):
            widget.setEnabled(idle and not missing)
        self.save.setEnabled(pairs is not None and not working)
        for widget in (self.delete, self.move):
            widget.setEnabled(pairs is not None and idle)
        self.undo.setEnabled(session.document.can_undo and idle)
        self.redo.setEnabled(session.document.can_redo and idle)
        self.cancel.setEnabled(working)
        self.bar.setVisible(working)
        if missing:
            self.status.setText(missing)
        elif pairs is None:
            self.status.setText("No pairs yet: suggest some, or click the source slide.")
        else:
            size = f"{pairs.patch_px} px at {pairs.mpp:.3g} µm/px"
            number = len(pairs.pairs)
            self.status.setText(f"{number} pair{'s' * (number > 1)} of {size}, kept automatically.")

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        rows = (
            ((self.suggest, 3), (self.count, 1), (self.cancel, 2)),
            ((self.bar, 6),),
            ((self.click, 3), (self.move, 3)),
            ((self.undo, 2), (self.redo, 2), (self.delete, 2)),
            ((self.save, 3), (self.load, 3)),
            ((self.status, 6),),
        )
        for column in range(6):
            grid.setColumnStretch(column, 1)
        for row, widgets in enumerate(rows):
            column = 0
            for widget, width in widgets:
                grid.addWidget(widget, row, column, 1, width)
                column += width
