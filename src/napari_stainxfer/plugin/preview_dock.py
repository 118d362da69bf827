"""Dock 4, Preview: the source slide in the reference's stain, beside and over what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QLabel, QSlider

from napari_stainxfer.applying import Preview, TileCache
from napari_stainxfer.applying.preview import CACHE_BYTES
from napari_stainxfer.methods import Model
from napari_stainxfer.methods.familiarity import caution
from napari_stainxfer.plugin.buttons import make_button, make_row
from napari_stainxfer.plugin.curtain import Curtain
from napari_stainxfer.plugin.dock import Dock
from napari_stainxfer.plugin.entries import SlideEntry
from napari_stainxfer.plugin.live_preview import LivePreview
from napari_stainxfer.plugin.numbers_label import NumbersLabel
from napari_stainxfer.plugin.side_view import SideView
from napari_stainxfer.plugin.workers import run_function

KEY = "B"


class PreviewDock(Dock):
    """Chooses slide and model, and how before and after are compared."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._previews: dict[tuple[SlideEntry, Model], Preview] = {}
        self._cache = TileCache(CACHE_BYTES)
        self._side: SideView | None = None
        self.live = LivePreview(self.session, self)
        self.curtain = Curtain(self.session.viewer, self._on_curtain_moved)
        self._build()
        self.live.progressed.connect(self._on_progress)
        self.live.shown.connect(self._on_shown)
        self.live.failed.connect(self.message.warn)
        self.listen(self.session.slides_changed, self._on_slides)
        self.listen(self.session.models_changed, self._on_models)
        self.listen(self.session.closing, self._on_closing)
        self.listen(self.session.layer_removed, self._on_layer_removed)
        self.session.viewer.bind_key(KEY, lambda _: self.toggle.click(), overwrite=True)
        self._on_slides()
        self._on_models()

    def _build(self) -> None:
        self.slide_box, self.model_box = QComboBox(), QComboBox()
        self.slide_box.setToolTip("The slide that is shown in the reference's stain")
        self.model_box.setToolTip("The model; what was computed with another one is kept")
        for box in (self.slide_box, self.model_box):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.activated.connect(self._show)
        form = QFormLayout()
        form.addRow("Slide", self.slide_box)
        form.addRow("Model", self.model_box)
        self.body.addLayout(form)
        self.load_button = make_button(
            "Load models…",
            "Add model files to the list; or drop them on the window",
            self._choose_models,
        )
        self.save_button = make_button("Save model…", "Write the chosen model to a file", self._save_model)
        self.body.addLayout(make_row(self.load_button, self.save_button))
        self.toggle = make_button(
            f"Before / after ({KEY})", f"Switch at once; or press {KEY} on the canvas", self._switch
        )
        self.toggle.setCheckable(True)
        self.toggle.setChecked(True)
        self.toggle.setMinimumHeight(36)
        self.body.addWidget(self.toggle)
        self.side_button = make_button(
            "Side by side", "Before and after in two linked canvases", self._set_side
        )
        self.curtain_button = make_button(
            "Curtain", "Before left and after right of a line; drag the line", self._set_curtain
        )
        for button in (self.side_button, self.curtain_button):
            button.setCheckable(True)
        self.body.addLayout(make_row(self.side_button, self.curtain_button))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 1000)
        self.slider.setToolTip("Where the curtain hangs")
        self.slider.setVisible(False)
        self.slider.valueChanged.connect(self._on_slider)
        self.body.addWidget(self.slider)
        self.progress = QLabel()
        self.progress.setWordWrap(True)
        self.numbers = NumbersLabel(self, self.live)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.numbers)
        self.body.addStretch(1)

    # What is shown

    def _choose_models(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Load models", "", "Models (*.safetensors)")
        if paths:
            self.open_files(paths)

    def _save_model(self) -> None:
        model, name = self.session.current_model, self.session.current_model_name
        if model is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self, "Save model", f"{name}.safetensors", "Models (*.safetensors)"
        )
        if path:
            task = self.adopt(run_function(self.session, lambda _: model.save(path)))
            task.returned.connect(lambda _: self.message.tell(f"Saved {Path(path).name}."))
            task.failed.connect(self.message.warn)

    def _on_slides(self) -> None:
        entries = self.session.sources or self.session.slides
        chosen = self.slide_box.currentData()
        self.slide_box.clear()
        for entry in entries:
            self.slide_box.addItem(entry.name, entry)
        if chosen in entries:
            self.slide_box.setCurrentIndex(entries.index(chosen))
        self._previews = {key: one for key, one in self._previews.items() if key[0] in self.session.slides}
        if self.live.entry is not None and self.live.entry not in self.session.slides:
            self._end_comparisons()
            self.live.clear()
        elif self.live.layer is not None and self.live.entry is not None:
            below = self.live.entry.layer  # it may have been moved, or given another um/px
            self.live.layer.scale, self.live.layer.translate = below.scale, below.translate
        self._update()

    def _on_models(self) -> None:
        self.model_box.clear()
        self.model_box.addItems(list(self.session.models))
        if self.session.current_model_name is not None:
            self.model_box.setCurrentText(self.session.current_model_name)
        self._update()
        self._show()

    def _show(self) -> None:
        entry, name = self.slide_box.currentData(), self.model_box.currentText()
        if entry is None or not name:
            return
        self.session.choose_model(name)
        model = self.session.models[name]
        if (entry, model) not in self._previews:
            self._previews[entry, model] = Preview(model, entry.slide, self._cache)
        if self.live.entry is not entry:
            self._end_comparisons()
        self.message.tell("")
        if not self._previews[entry, model].ready:
            self.progress.setText("Measuring the model's colours on this slide…")
        self.live.show(entry, self._previews[entry, model])

    def _on_shown(self) -> None:
        self._switch()
        self._update()
        self._warn_of_the_unlike()

    def _warn_of_the_unlike(self) -> None:
        """Say so where the slide does not look like what the model learned from."""
        preview, entry = self.live.preview, self.live.entry
        if preview is None or entry is None:
            return
        card, slide = preview.model.card, entry.slide
        task = self.adopt(run_function(self.session, lambda _: caution(slide.name, card.distance_of(slide))))
        task.returned.connect(self.message.warn)

    def _update(self) -> None:
        there = self.live.layer is not None
        for button in (self.toggle, self.side_button, self.curtain_button):
            button.setEnabled(there)
        self.save_button.setEnabled(self.session.current_model is not None)
        if not there and self.session.current_model is None:
            self.progress.setText("Train a model, or load one, to see the slide in the reference's stain.")

    def _on_progress(self, pending: int) -> None:
        self.progress.setText(f"Computing {pending} tiles in view…" if pending else "The view is complete.")
        self.numbers.schedule()

    def _on_layer_removed(self, layer: Any) -> None:
        if layer is self.live.layer:
            self._end_comparisons()
            self.live.forget_layer()
            self._update()

    # How it is compared

    def _switch(self) -> None:
        layer, visible = self.live.layer, self.toggle.isChecked()
        if layer is not None and self._side is None and layer.visible != visible:
            layer.visible = visible  # napari slices the layer again, whatever it was

    def _set_side(self) -> None:
        if not self.side_button.isChecked():
            self._close_side()
        elif self.live.layer is not None and self.live.entry is not None:
            self.curtain_button.setChecked(False)
            self._set_curtain()
            self.toggle.setChecked(True)
            self._switch()
            self._side = SideView(self.session.viewer, self, self._end_comparisons)
            before = self.live.entry.layer
            self._side.show(before.data, {**self.live.options(), "name": before.name})
            self.toggle.setEnabled(False)

    def _close_side(self) -> None:
        if self._side is not None:
            side, self._side = self._side, None
            side.close()
        self._update()
        self._switch()

    def _set_curtain(self) -> None:
        if not self.curtain_button.isChecked():
            self.curtain.close()
            self.slider.setVisible(False)
        elif self.live.layer is not None:
            self.side_button.setChecked(False)
            self._close_side()
            self.toggle.setChecked(True)
            self._switch()
            if self.curtain.open(self.live.layer):
                self.slider.setVisible(True)
            else:
                self.curtain_button.setChecked(False)
                self.message.warn(f"This napari cannot draw a curtain; press {KEY} to compare instead.")

    def _on_slider(self, value: int) -> None:
        if self.curtain.is_open:
            self.curtain.move_to(value / self.slider.maximum())

    def _on_curtain_moved(self, share: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(share * self.slider.maximum()))
        self.slider.blockSignals(False)

    def _end_comparisons(self) -> None:
        self.curtain_button.setChecked(False)
        self.curtain.close()
        self.slider.setVisible(False)
        self.side_button.setChecked(False)
        self._close_side()

    def _on_closing(self) -> None:
        self.numbers.stop()
        if self._side is not None:
            side, self._side = self._side, None
            side.close()
