"""The table of pairs: number, two thumbnails, score."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_stainxfer.pairing import Pair, Pairs
from napari_stainxfer.plugin.pair_colours import pair_colour
from napari_stainxfer.plugin.pair_work import THUMBNAIL_PX, Thumbnails
from napari_stainxfer.plugin.pictures import pixmap

_NUMBER, _SOURCE, _REFERENCE, _SCORE = range(4)


class PairsTable(QTableWidget):
    """Shows pairs; `thumbnails_wanted` gives those that have no pictures yet.

    Signals
    -------
    chosen
        (number of the pair from 0, whether its reference is meant): the current cell changed or was clicked.
    """

    chosen = Signal(int, bool)

    def __init__(self) -> None:
        super().__init__(0, 4)
        self._pairs: tuple[Pair, ...] = ()
        self._icons: dict[tuple[object, object], tuple[QIcon, QIcon]] = {}
        self.setHorizontalHeaderLabels(["#", "Source", "Reference", "Alike"])
        self.horizontalHeaderItem(_SCORE).setToolTip("How alike the two patches are, from 0 to 1")
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(THUMBNAIL_PX + 6)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_NUMBER, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(_NUMBER, 40)
        self.setIconSize(QSize(THUMBNAIL_PX, THUMBNAIL_PX))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(150)
        self.setToolTip("Click a source or a reference to go there; Delete removes the pair")
        self.currentCellChanged.connect(self._on_cell)
        self.cellClicked.connect(self._tell)

    @property
    def row(self) -> int | None:
        """Number of the selected pair, from 0, or None."""
        rows = self.selectionModel().selectedRows()
        return int(rows[0].row()) if rows else None

    def show_pairs(self, pairs: Pairs | None) -> None:
        """Show these pairs; the selected row stays where it can."""
        before = self.row
        self._pairs = pairs.pairs if pairs else ()
        self.blockSignals(True)
        self.setRowCount(len(self._pairs))
        for row, pair in enumerate(self._pairs):
            self._fill(row, pair)
        if before is not None and self._pairs:
            self.selectRow(min(before, len(self._pairs) - 1))
        else:
            self.clearSelection()
            self.setCurrentCell(-1, -1)
        self.blockSignals(False)

    def thumbnails_wanted(self) -> list[Pair]:
        """Pairs in the table whose patches have not been read yet."""
        return [pair for pair in self._pairs if _boxes(pair) not in self._icons]

    def take_thumbnails(self, read: Thumbnails) -> None:
        """Show the patches of a pair."""
        self._icons[_boxes(read.pair)] = (
            QIcon(pixmap(read.source)),
            QIcon(pixmap(read.reference)),
        )
        for row, pair in enumerate(self._pairs):
            if _boxes(pair) == _boxes(read.pair):
                self._fill(row, pair)

    def forget_thumbnails(self) -> None:
        """Drop the pictures: other slides stand behind the same boxes."""
        self._icons.clear()

    def has_thumbnails(self) -> bool:
        """Whether every row shows its patches."""
        return not self.thumbnails_wanted()

    def _fill(self, row: int, pair: Pair) -> None:
        number = QTableWidgetItem(str(row + 1))
        number.setBackground(QColor(pair_colour(row + 1)))
        number.setForeground(QColor("white"))
        source, reference = self._icons.get(_boxes(pair), (QIcon(), QIcon()))
        cells = {
            _NUMBER: number,
            _SOURCE: QTableWidgetItem(source, ""),
            _REFERENCE: QTableWidgetItem(reference, ""),
            _SCORE: QTableWidgetItem(f"{pair.score:.2f}"),
        }
        for column, item in cells.items():
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            self.setItem(row, column, item)

    def _on_cell(self, row: int, column: int, old_row: int, old_column: int) -> None:
        if (row, column) != (old_row, old_column):
            self._tell(row, column)

    def _tell(self, row: int, column: int) -> None:
        if row >= 0:
            self.chosen.emit(row, column == _REFERENCE)


def _boxes(pair: Pair) -> tuple[object, object]:
    return pair.source[::3], pair.reference[::3]
