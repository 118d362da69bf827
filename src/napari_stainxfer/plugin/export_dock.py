"""Dock 5, Export: slides in the reference's stain as pyramids that any viewer opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QSpinBox,
)

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.plugin.buttons import make_button, make_row
from napari_stainxfer.plugin.dock import Dock
from napari_stainxfer.plugin.duration import duration
from napari_stainxfer.plugin.entries import SlideEntry
from napari_stainxfer.plugin.export_run import ExportStep, plan_exports, run_exports
from napari_stainxfer.plugin.workers import Task, run_function
from napari_stainxfer.slides import SUFFIXES, Box

_REGION_LAYER = "Export region"
_SOURCE = Qt.ItemDataRole.UserRole


class ExportDock(Dock):
    """Exports with the session's current model."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.task: Task | None = None
        self._build()
        self.listen(self.session.slides_changed, self._on_slides)
        self.listen(self.session.models_changed, self._update)
        self.listen(self.session.job_changed, self._update)
        self._on_slides()

    def _build(self) -> None:
        self.model_name = QLabel()
        self.model_name.setWordWrap(True)
        self.list = QListWidget()
        self.list.setToolTip("Every ticked slide is exported, one after the other")
        self.list.setMaximumHeight(120)
        self.add_button = make_button("Add files…", "Add slides that are not open", self._choose_files)
        self.area = QComboBox()
        self.area.addItems(["Whole slide", "Drawn region"])
        self.area.setToolTip("Drawn region: a rectangle on the first ticked slide")
        self.area.currentIndexChanged.connect(self._on_area)
        self.folder = QLineEdit()
        self.folder.setPlaceholderText("beside the slide")
        self.folder.setToolTip("Where the files go; empty for the folder of the first ticked slide")
        browse = make_button("…", "Choose a folder", self._choose_folder)
        browse.setMaximumWidth(32)
        where = QHBoxLayout()
        where.addWidget(self.folder)
        where.addWidget(browse)
        self.compression, self.quality = QComboBox(), QSpinBox()
        self.compression.addItems(["jpeg", "lossless"])
        self.compression.setToolTip("How tiles are stored; lossless takes some five times the room")
        self.quality.setRange(1, 100)
        self.quality.setValue(90)
        self.quality.setToolTip("Of JPEG")
        self.compression.currentTextChanged.connect(lambda kind: self.quality.setEnabled(kind == "jpeg"))
        stored = QHBoxLayout()
        stored.addWidget(self.compression)
        stored.addWidget(self.quality)
        self.overwrite, self.open_result = QCheckBox("Overwrite"), QCheckBox("Open the result")
        self.overwrite.setToolTip("Replace files of the same name")
        self.open_result.setToolTip("Show what was written as a layer")
        self.open_result.setChecked(True)
        ticks = QHBoxLayout()
        ticks.addWidget(self.overwrite)
        ticks.addWidget(self.open_result)
        form = QFormLayout()
        form.addRow("Model", self.model_name)
        form.addRow("Area", self.area)
        form.addRow("Folder", where)
        form.addRow("Stored as", stored)
        self.start_button = make_button("Export", "Write the ticked slides", self._start)
        self.pause_button = make_button("Pause", "Wait after this tile, and go on", self._pause)
        self.pause_button.setCheckable(True)
        self.cancel_button = make_button(
            "Cancel", "Stop; of an unfinished file nothing is left", self._cancel
        )
        buttons = make_row(self.start_button, self.pause_button, self.cancel_button)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.body.addWidget(self.list)
        self.body.addWidget(self.add_button)
        self.body.addLayout(form)
        self.body.addLayout(ticks)
        self.body.addLayout(buttons)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.status)
        self.body.addStretch(1)

    def add_files(self, paths: list[str]) -> None:
        """Add slides that are not open, ticked."""
        for path in paths:
            self._add_item(Path(path).name, Path(path), ticked=True)

    def _choose_files(self) -> None:
        endings = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
        paths, _ = QFileDialog.getOpenFileNames(self, "Add slides", "", f"Slides ({endings});;All files (*)")
        self.add_files(paths)

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export into", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _add_item(self, name: str, source: SlideEntry | Path, *, ticked: bool) -> None:
        item = QListWidgetItem(name)
        item.setData(_SOURCE, source)
        item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        self.list.addItem(item)

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(row) for row in range(self.list.count())]

    def _on_slides(self) -> None:
        ticks = {id(item.data(_SOURCE)): item.checkState() for item in self._items()}
        files = [item.data(_SOURCE) for item in self._items() if isinstance(item.data(_SOURCE), Path)]
        self.list.clear()
        for entry in self.session.slides:
            before = ticks.get(id(entry), Qt.CheckState.Checked if entry.role == "source" else None)
            self._add_item(entry.name, entry, ticked=before == Qt.CheckState.Checked)
        self.add_files([str(path) for path in files])
        self._update()

    def _ticked(self) -> list[SlideEntry | Path]:
        return [item.data(_SOURCE) for item in self._items() if item.checkState() == Qt.CheckState.Checked]

    def _update(self) -> None:
        name = self.session.current_model_name
        self.model_name.setText(name or "none: train one, or load one in Preview")
        busy = self.task is not None
        self.start_button.setEnabled(name is not None and self.session.job is None)
        for button in (self.pause_button, self.cancel_button):
            button.setEnabled(busy)
        if not busy:
            self.pause_button.setChecked(False)
            self.pause_button.setText("Pause")

    # The region

    def _on_area(self) -> None:
        """Bring a layer to draw the rectangle in."""
        if self.area.currentIndex() != 1 or _REGION_LAYER in self.session.viewer.layers:
            return
        entry = next((one for one in self._ticked() if isinstance(one, SlideEntry)), None)
        if entry is None:
            return
        viewer = self.session.viewer
        zoom = (getattr(viewer, "scene", None) or viewer).camera.zoom
        layer = viewer.add_shapes(
            ndim=2,
            name=_REGION_LAYER,
            edge_color="#00e0ff",
            face_color="transparent",
            edge_width=3 / zoom,
            units=entry.layer.units,
        )
        layer.mode = "add_rectangle"
        self.message.tell("Draw a rectangle on the slide, then Export.")

    def region_of(self, entry: SlideEntry) -> Box:
        """The last rectangle drawn, in level-0 pixels of a slide, as far as it lies on it.

        Raises
        ------
        StainTransferError
            When there is none.
        """
        layers = self.session.viewer.layers
        if _REGION_LAYER not in layers or not len(layers[_REGION_LAYER].data):
            raise StainTransferError("Draw a rectangle on the slide first.")
        layer = layers[_REGION_LAYER]
        world = np.array([layer.data_to_world(corner) for corner in layer.data[-1]])
        pixels = np.array([entry.layer.world_to_data(corner) for corner in world])
        low = np.maximum(np.floor(pixels.min(axis=0)), 0).astype(int)
        high = np.minimum(np.ceil(pixels.max(axis=0)), entry.slide.shape).astype(int)
        if (high <= low).any():
            raise StainTransferError(f"The rectangle lies beside {entry.name}; draw it on the slide.")
        return Box(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))

    # The export

    def _start(self) -> None:
        self.message.tell("")
        model = self.session.current_model
        if model is None:
            return
        try:
            chosen = self._ticked()
            region = None
            if self.area.currentIndex() == 1:
                if len(chosen) != 1 or not isinstance(chosen[0], SlideEntry):
                    raise StainTransferError("Tick the one slide that the region is drawn on.")
                region = self.region_of(chosen[0])
            sources = [one.slide if isinstance(one, SlideEntry) else one for one in chosen]
            jobs = plan_exports(sources, self._folder(), region, overwrite=self.overwrite.isChecked())
            how: dict[str, Any] = {
                "compression": self.compression.currentText(),
                "quality": self.quality.value(),
                "device": "auto",
            }
            task = run_function(
                self.session, lambda report: run_exports(model, jobs, report, **how), job="Export"
            )
        except StainTransferError as error:
            self.message.warn(str(error))
            return
        self.task = self.adopt(task)
        task.yielded.connect(self._on_step)
        task.returned.connect(self._on_written)
        task.failed.connect(self._on_failed)
        task.cancelled.connect(self._on_cancelled)
        task.ended.connect(self._on_ended)
        self.bar.setValue(0)
        self.status.setText("Preparing…")
        self._update()

    def _folder(self) -> Path:
        if self.folder.text():
            return Path(self.folder.text()).expanduser()
        for one in self._ticked():
            path = one if isinstance(one, Path) else one.slide.path
            if path is not None:
                return path.parent
        raise StainTransferError("Choose a folder to export into.")

    def _pause(self) -> None:
        if self.task is None:
            return
        if self.pause_button.isChecked():
            self.task.pause()
            self.pause_button.setText("Go on")
            self.status.setText("Paused.")
        else:
            self.task.resume()
            self.pause_button.setText("Pause")

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self.status.setText("Stopping after this tile…")

    def _on_step(self, step: ExportStep) -> None:
        done = step.progress
        self.bar.setValue(round(1000 * (step.number - 1 + done.done_tiles / done.total_tiles) / step.total))
        if not self.pause_button.isChecked():
            which = f"{step.name} ({step.number} of {step.total})" if step.total > 1 else step.name
            self.status.setText(
                f"{which}: tile {done.done_tiles} of {done.total_tiles}, {done.mpx_per_second:.2f} Mpx/s, "
                f"{duration(done.seconds_left)} left"
            )

    def _on_written(self, paths: list[Path]) -> None:
        self.bar.setValue(1000)
        self.status.setText("Written: " + ", ".join(path.name for path in paths))
        if self.open_result.isChecked():
            self.open_files([str(path) for path in paths])

    def _on_failed(self, sentence: str) -> None:
        self.message.warn(sentence)
        self.status.setText("")

    def _on_cancelled(self) -> None:
        self.bar.setValue(0)
        self.status.setText("Cancelled; nothing is left of the unfinished file.")

    def _on_ended(self) -> None:
        self.task = None
        self._update()
