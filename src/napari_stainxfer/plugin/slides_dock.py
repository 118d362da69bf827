"""Dock 1, Slides: which slide is the reference and which the source."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.plugin.dock import Dock, Message
from napari_stainxfer.plugin.entries import SlideEntry
from napari_stainxfer.plugin.examining import Examination, examine
from napari_stainxfer.plugin.slide_row import SlideRow
from napari_stainxfer.plugin.workers import run_function
from napari_stainxfer.slides import SUFFIXES


class SlidesDock(Dock):
    """Lists the slides of the viewer; files can be dropped on it."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.rows: dict[SlideEntry, SlideRow] = {}
        self._seen: dict[SlideEntry, Examination] = {}
        self.hint = QLabel(
            "Drop slides here or on the canvas: first one of your reference lab, then the others."
        )
        self.hint.setWordWrap(True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.open_button = QPushButton("Open slides…")
        self.open_button.setToolTip("Choose slide files; a DICOM slide in a folder is dropped as its folder")
        self.open_button.clicked.connect(self._choose_files)
        self.swap_button = QPushButton("Swap roles")
        self.swap_button.setToolTip("Make every reference a source and the other way round")
        self.swap_button.clicked.connect(self.session.swap_roles)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open_button)
        buttons.addWidget(self.swap_button)
        self.list = QVBoxLayout()
        self.next_step = Message()
        self.body.addWidget(self.hint)
        self.body.addLayout(buttons)
        self.body.addLayout(self.list)
        self.body.addWidget(self.next_step)
        self.body.addStretch(1)
        self.listen(self.session.slides_changed, self._update)
        self.listen(self.session.job_changed, self._update)
        self._update()

    def _choose_files(self) -> None:
        endings = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
        paths, _ = QFileDialog.getOpenFileNames(self, "Open slides", "", f"Slides ({endings});;All files (*)")
        if paths:
            self.open_files(paths)

    def _update(self) -> None:
        entries = self.session.slides
        for gone in [entry for entry in self.rows if entry not in entries]:
            self._seen.pop(gone, None)
            row = self.rows.pop(gone)
            self.list.removeWidget(row)
            row.deleteLater()
        for entry in entries:
            if entry not in self.rows:
                self._add_row(entry)
            self.rows[entry].update_from(entry)
            self.rows[entry].setEnabled(self.session.job is None)
        self.swap_button.setEnabled(bool(entries) and self.session.job is None)
        self.hint.setVisible(len(entries) < 2)
        if entries:
            self.next_step.tell(self.session.why_not_ready() or "Ready: suggest pairs, or train at once.")
        else:
            self.next_step.tell("")
        self._show_warnings()

    def _add_row(self, entry: SlideEntry) -> None:
        row = SlideRow(entry)
        row.role_asked.connect(lambda role: self.session.set_role(entry, role))
        row.mpp_asked.connect(lambda mpp: self._set_mpp(entry, mpp))
        self.rows[entry] = row
        self.list.addWidget(row)
        slide = entry.slide
        look = self.adopt(run_function(self.session, lambda _: examine(slide)))
        look.returned.connect(lambda seen: self._take_look(entry, seen))
        look.failed.connect(row.warning.warn)

    def _take_look(self, entry: SlideEntry, seen: Examination) -> None:
        if entry in self.rows:
            self._seen[entry] = seen
            self._show_warnings()

    def _show_warnings(self) -> None:
        for entry, seen in self._seen.items():
            twins = [
                other.name
                for other, look in self._seen.items()
                if other is not entry and look.fingerprint == seen.fingerprint
            ]
            more = f"It is the same slide as {twins[0]}." if twins else ""
            self.rows[entry].show_examination(seen, more)

    def _set_mpp(self, entry: SlideEntry, mpp: float) -> None:
        self.message.tell("")
        try:
            self.session.set_mpp(entry, mpp)
        except StainTransferError as error:
            self.message.warn(str(error))
