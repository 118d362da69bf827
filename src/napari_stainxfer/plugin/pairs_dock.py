"""Dock 2, Pairs: patches of both slides that show the same kind of tissue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QFileDialog

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.pairing import Pair, Pairs, load_pairs, save_pairs
from napari_stainxfer.plugin.dock import Dock
from napari_stainxfer.plugin.entries import SlideEntry
from napari_stainxfer.plugin.pair_adding import PairAdding
from napari_stainxfer.plugin.pair_canvas import PairCanvas
from napari_stainxfer.plugin.pair_keeping import PairKeeping
from napari_stainxfer.plugin.pair_work import Share, thumbnails
from napari_stainxfer.plugin.pairs_controls import PairsControls
from napari_stainxfer.plugin.pairs_document import box_at, with_changed, without
from napari_stainxfer.plugin.pairs_table import PairsTable
from napari_stainxfer.plugin.partner_row import PartnerRow
from napari_stainxfer.plugin.workers import Task, run_function, run_stream

_FILES = "Pairs (*.geojson *.json)"


class PairsDock(Dock):
    """Suggests, shows and edits the session's pairs."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.task: Task | None = None
        self._reading: Task | None = None
        self._sides: object = None
        self.controls, self.partners, self.table = PairsControls(), PartnerRow(), PairsTable()
        self.body.addWidget(self.controls)
        self.body.addWidget(self.partners)
        self.body.addWidget(self.table, stretch=1)
        self.canvas = PairCanvas(self.session)
        self.adding = PairAdding(self.session, self.partners, self.adopt)
        self.keeping = PairKeeping(self.session, self.adopt)
        self.last_words.extend((self.canvas.close, self.keeping.flush))
        self._connect()
        self._on_slides()

    def _connect(self) -> None:
        self.listen(self.session.slides_changed, self._on_slides)
        self.listen(self.session.pairs_changed, self._on_pairs)
        self.listen(self.session.job_changed, self._update)
        self.controls.suggest.clicked.connect(self._suggest)
        self.controls.cancel.clicked.connect(self._cancel)
        self.controls.click.toggled.connect(self._on_click_toggled)
        self.controls.move.toggled.connect(self._on_move_toggled)
        self.controls.delete.clicked.connect(self._delete_selected)
        self.controls.undo.clicked.connect(self.session.undo)
        self.controls.redo.clicked.connect(self.session.redo)
        self.controls.save.clicked.connect(self._ask_save)
        self.controls.load.clicked.connect(self._ask_load)
        self.table.chosen.connect(self._fly)
        self.canvas.clicked.connect(self._on_canvas_clicked)
        # napari is in the middle of its own handling of the mouse when these come.
        self.canvas.moved.connect(lambda *move: QTimer.singleShot(0, lambda: self._move(*move)))
        self.canvas.removed.connect(lambda gone: QTimer.singleShot(0, lambda: self._delete(*gone)))
        self.adding.changed.connect(self._draw)
        self.adding.told.connect(self.message.tell)
        self.adding.failed.connect(self.message.warn)
        self.keeping.told.connect(self.message.tell)

    def showEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Clicks on the canvas add pairs while the dock is in view."""
        super().showEvent(event)
        self.canvas.picks = self.controls.click.isChecked()

    def hideEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """They belong to another dock when it is not."""
        super().hideEvent(event)
        self.canvas.picks = False
        self.controls.move.setChecked(False)

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Delete, undo and redo, wherever in the dock the keyboard is."""
        for key, button in (
            (QKeySequence.StandardKey.Delete, self.controls.delete),
            (QKeySequence.StandardKey.Undo, self.controls.undo),
            (QKeySequence.StandardKey.Redo, self.controls.redo),
        ):
            if event.matches(key):
                button.click()
                return
        super().keyPressEvent(event)

    # What the session says

    def _on_slides(self) -> None:
        sides = [
            [(entry, entry.mpp) for entry in side] for side in (self.session.references, self.session.sources)
        ]
        if sides != self._sides:
            self._sides = sides
            self.table.forget_thumbnails()
            self.adding.forget()
            self.keeping.look(ready=not self.session.why_not_ready())
        self._on_pairs()

    def _on_pairs(self) -> None:
        self.adding.pairs_changed()
        self.table.show_pairs(self.session.pairs)
        self._draw()
        self._read_thumbnails()
        self.keeping.keep()
        self._update()

    def _draw(self) -> None:
        self.canvas.show(self.session.pairs, self.adding.pending)
        self.canvas.select(self.table.row)
        self.canvas.let_move(self.controls.move.isChecked())

    def _update(self) -> None:
        self.controls.show_state(self.session, working=self.task is not None)
        self.table.setEnabled(self.session.job in (None, "Training"))

    # Commands

    def _suggest(self) -> None:
        from napari_stainxfer.pairing import PairingSettings, suggest_pairs

        references, sources = ([entry.slide for entry in side] for side in self._entries())
        settings = PairingSettings(count=self.controls.count.value())

        def work(report: Callable[[Any], None]) -> Pairs:
            return suggest_pairs(
                references, sources, settings=settings, on_progress=lambda share: report(Share(share))
            )

        self._run(lambda: run_function(self.session, work, job="Pairing"), self._take_suggested)

    def _take_suggested(self, pairs: Pairs) -> None:
        self.session.set_pairs(pairs)
        self.message.tell(pairs.notice or "")

    def _run(self, start: Callable[[], Task], take: Callable[[Any], None]) -> None:
        self.message.tell("")
        try:
            self.task = self.adopt(start())
        except StainTransferError as error:
            self.message.warn(str(error))
            return
        self.controls.bar.setValue(0)
        self.task.yielded.connect(lambda event: self.controls.bar.setValue(round(1000 * event.share)))
        self.task.returned.connect(take)
        self.task.failed.connect(self.message.warn)
        self.task.cancelled.connect(lambda: self.message.tell("Stopped; the pairs are as they were."))
        self.task.ended.connect(self._on_ended)
        self._update()

    def _on_ended(self) -> None:
        self.task = None
        self._update()

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def _delete_selected(self) -> None:
        if self.table.row is None:
            self.message.tell("Select a pair in the table first.")
        else:
            self._delete(self.table.row)

    def _delete(self, *indices: int) -> None:
        pairs = self.session.pairs
        for index in sorted(indices, reverse=True):
            if pairs is not None and index < len(pairs.pairs):
                pairs = without(pairs, index)
        self.session.set_pairs(pairs)

    def _move(self, index: int, of_source: bool, centre: tuple[float, float]) -> None:
        pairs = self.session.pairs
        if pairs is None or index >= len(pairs.pairs):
            return
        pair = pairs.pairs[index]
        patch = pair.source if of_source else pair.reference
        slide = (self.session.sources if of_source else self.session.references)[patch.slide].slide
        try:
            patch = patch._replace(box=box_at(slide, centre, pairs.patch_px, pairs.mpp))
        except StainTransferError as error:
            self.message.warn(str(error))
            return
        moved = pair._replace(source=patch) if of_source else pair._replace(reference=patch)
        self.session.set_pairs(with_changed(pairs, index, moved))
        self.adding.score(moved)

    def _on_canvas_clicked(self, entry: SlideEntry, point: tuple[float, float]) -> None:
        if self.session.why_not_ready() or self.session.job is not None:
            return
        self.message.tell("")
        self.adding.click(entry, point)

    def _fly(self, index: int, reference: bool) -> None:
        pairs = self.session.pairs
        if pairs is not None and index < len(pairs.pairs):
            self.canvas.select(index)
            self.canvas.fly_to(pairs.pairs[index], reference=reference)

    def _on_click_toggled(self, on: bool) -> None:
        self.canvas.picks = on and self.isVisible()
        if on:
            self.controls.move.setChecked(False)
        else:
            self.adding.drop()

    def _on_move_toggled(self, on: bool) -> None:
        if on:
            self.controls.click.setChecked(False)
        self.canvas.let_move(on)

    # Files

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save pairs", "pairs.geojson", _FILES)
        if path:
            self.save_to(path)

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load pairs", "", _FILES)
        if path:
            self.load_from(path)

    def save_to(self, path: str) -> None:
        """Write the pairs."""
        pairs = self.session.pairs
        if pairs is not None:
            self._run(
                lambda: run_function(self.session, lambda _: save_pairs(path, pairs)),
                lambda _: self.message.tell(f"Saved to {path}."),
            )

    def load_from(self, path: str) -> None:
        """Read pairs, as a step that can be undone."""
        references, sources = ([entry.slide for entry in side] for side in self._entries())
        self._run(
            lambda: run_function(self.session, lambda _: load_pairs(path, references, sources)),
            self.session.set_pairs,
        )

    # Small things

    def _entries(self) -> tuple[tuple[SlideEntry, ...], tuple[SlideEntry, ...]]:
        return self.session.references, self.session.sources

    def _read_thumbnails(self) -> None:
        """Read what the table lacks, in a thread; a task that reads what is gone by now is dropped."""
        if self._reading is not None:
            self._reading.abandon()
            self._reading = None
        wanted = self.table.thumbnails_wanted()
        if wanted:
            references, sources = ([entry.slide for entry in side] for side in self._entries())
            self._reading = self.adopt(run_stream(self.session, lambda: _stream(wanted, references, sources)))
            self._reading.yielded.connect(self.table.take_thumbnails)
            self._reading.failed.connect(self.message.warn)


def _stream(pairs: list[Pair], references: Any, sources: Any) -> Any:
    yield from thumbnails(pairs, references, sources)
