"""Dock 3, Train: settings, start, stop and resume, and what the training shows while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QProgressBar, QSizePolicy
from superqt import QCollapsible

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.methods import METHODS, Model
from napari_stainxfer.pairing import Pairs
from napari_stainxfer.plugin.buttons import make_button, make_row
from napari_stainxfer.plugin.dock import Dock
from napari_stainxfer.plugin.duration import duration
from napari_stainxfer.plugin.loss_curves import LossCurves
from napari_stainxfer.plugin.pictures import pixmap
from napari_stainxfer.plugin.settings_form import SettingsForm
from napari_stainxfer.plugin.state import state_folder
from napari_stainxfer.plugin.training_run import (
    PairingShare,
    PairsFound,
    TrainingPlan,
    devices,
    run_training,
)
from napari_stainxfer.plugin.workers import Task, run_function
from napari_stainxfer.slides import RGB
from napari_stainxfer.training import (
    PRESETS,
    EpochEvent,
    MeasureEvent,
    NoticeEvent,
    StepEvent,
    TrainingSettings,
    checkpoint_settings,
)

_MAIN = ["method", "extractor", "epochs"]
_MORE = [name for name in TrainingSettings.model_fields if name not in _MAIN]
_NOTHING = "Nothing"


class TrainDock(Dock):
    """Trains a model on the session's slides and pairs."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.task: Task | None = None
        self._plan: TrainingPlan | None = None
        self._resumable: TrainingPlan | None = None
        self._build()
        self.listen(self.session.slides_changed, self._update)
        self.listen(self.session.pairs_changed, self._update)
        self.listen(self.session.job_changed, self._update)
        self.listen(self.session.models_changed, self._on_models)
        found = self.adopt(run_function(self.session, lambda _: devices()))
        found.returned.connect(self._take_devices)
        self._on_models()
        self._update()

    def _build(self) -> None:
        self.preset = QComboBox()
        self.preset.addItems(list(PRESETS))
        self.preset.setToolTip("quick: minutes on a laptop; paper: as published, for a GPU")
        self.device, self.start_from = QComboBox(), QComboBox()
        self.device.addItem("Automatic", "auto")
        self.device.setToolTip("Where to compute")
        self.start_from.setToolTip("Warm start: a model of the same method, to go on from")
        for box in (self.device, self.start_from):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        top = QFormLayout()
        top.addRow("preset", self.preset)
        self.form, self.more = SettingsForm(_MAIN), SettingsForm(_MORE)
        self.method = self.form.fields["method"]
        self.method.choices = list(METHODS)
        self.method.native.setToolTip(
            "nst to nst-ad-hrnet are trained on pairs; dcgmm and staingan on their patches, with settings "
            "of their own; the others measure the slides' tissue in seconds"
        )
        below = QFormLayout()
        below.addRow("device", self.device)
        below.addRow("start from", self.start_from)
        folded = QCollapsible("All settings")
        folded.addWidget(self.more)
        self.start_button = make_button("Start", "Train on the pairs, or on suggested ones", self._start)
        self.stop_button = make_button(
            "Stop", "Stop between two steps; Resume goes on from there", self._stop
        )
        self.resume_button = make_button("Resume", "Go on with the training that was stopped", self._resume)
        buttons = make_row(self.start_button, self.stop_button, self.resume_button)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.curves = LossCurves()
        self.strip = QLabel()
        self.strip.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.strip.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.strip_names = QLabel("before   |   after   |   reference")
        self.strip_names.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.strip_names.setVisible(False)
        self.body.addLayout(top)
        self.body.addWidget(self.form)
        self.body.addLayout(below)
        self.body.addWidget(folded)
        self.body.addLayout(buttons)
        for widget in (self.bar, self.status, self.curves, self.strip_names, self.strip):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        self.preset.currentTextChanged.connect(self._take_preset)
        self.method.changed.connect(lambda _: self._update())

    def settings(self) -> TrainingSettings:
        """What the form says about a training; of a method that is not trained, the defaults."""
        if not self._trained():
            return TrainingSettings.preset(self.preset.currentText())
        return TrainingSettings.model_validate({**self.form.values(), **self.more.values()})

    def _trained(self) -> bool:
        return METHODS[self.method.value].fitted_on == "pairs"

    def _take_preset(self, name: str) -> None:
        method = self.method.value
        settings = TrainingSettings.preset(name)
        self.form.show_settings(settings)
        self.more.show_settings(settings)
        self.method.value = method

    def _take_devices(self, found: list[tuple[str, str]]) -> None:
        self.device.setItemText(0, f"Automatic ({found[0][1]})")
        for name, words in found:
            self.device.addItem(words, name)

    def _on_models(self) -> None:
        chosen = self.start_from.currentText()
        self.start_from.clear()
        self.start_from.addItem(_NOTHING, None)
        for name, model in self.session.models.items():
            self.start_from.addItem(name, model)
        self.start_from.setCurrentIndex(max(0, self.start_from.findText(chosen)))

    def _update(self) -> None:
        missing, job = self.session.why_not_ready(), self.session.job
        self.start_button.setEnabled(not missing and job is None)
        there = self._resumable is not None or (not missing and _checkpoint().exists())
        self.resume_button.setEnabled(there and job is None)
        self.stop_button.setEnabled(self.task is not None)
        for widget in (self.form, self.preset, self.device):
            widget.setEnabled(self.task is None)
        for widget in (self.more, self.start_from):
            widget.setEnabled(self.task is None and self._trained())
        for name in ("extractor", "epochs"):  # of the other methods they would say what is not so
            self.form.fields[name].enabled = self._trained()
        if missing and self.task is None:
            self.status.setText(missing)
        elif self.status.text() and self.task is None and not self.curves.curves:
            self.status.setText("")

    # A training

    def _start(self) -> None:
        try:
            settings = self.settings()
        except ValueError as error:
            self.message.warn(f"A setting is out of its range: {str(error).splitlines()[-2].strip()}")
            return
        self.curves.clear()
        self._run(self._plan_of(self.method.value, settings, resume=False))

    def _resume(self) -> None:
        """Go on with what was stopped here, or else when another napari was closed."""
        try:
            plan = self._resumable or self._resumed()
        except StainTransferError as error:
            self.message.warn(str(error))
        else:
            self._run(plan)

    def _resumed(self) -> TrainingPlan:
        settings = checkpoint_settings(_checkpoint())
        return self._plan_of(settings.method, settings, resume=True)

    def _plan_of(self, method: str, settings: TrainingSettings, *, resume: bool) -> TrainingPlan:
        return TrainingPlan(
            method=method,
            references=[entry.slide for entry in self.session.references],
            sources=[entry.slide for entry in self.session.sources],
            pairs=self.session.pairs,
            preset=self.preset.currentText(),
            settings=settings,
            device=self.device.currentData(),
            checkpoint=_checkpoint(),
            resume=resume,
            init=None if resume else self.start_from.currentData(),
        )

    def _run(self, plan: TrainingPlan) -> None:
        self.message.tell("")
        try:
            task = run_function(self.session, lambda report: run_training(plan, report), job="Training")
        except StainTransferError as error:
            self.message.warn(str(error))
            return
        self.task = self.adopt(task)
        self._plan, self._resumable = plan, None
        task.yielded.connect(self._on_event)
        task.returned.connect(self._on_model)
        task.failed.connect(self._on_failed)
        task.cancelled.connect(self._on_stopped)
        task.ended.connect(self._on_ended)
        self.bar.setValue(0)
        self.status.setText("Preparing…")
        self._update()

    def _stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self.stop_button.setEnabled(False)
            self.status.setText("Stopping after this step…")

    def _on_event(self, event: Any) -> None:
        if isinstance(event, StepEvent):
            self.bar.setValue(round(1000 * event.step / event.total_steps))
            self.status.setText(
                f"Step {event.step} of {event.total_steps}, {duration(event.seconds_left)} left"
            )
            self.curves.add(event.step, event.total_steps, event.losses)
        elif isinstance(event, EpochEvent):
            self._show_strip(event.preview)
        elif isinstance(event, MeasureEvent):
            self.bar.setValue(round(1000 * event.done / event.total))
            self.status.setText(f"Measuring {event.slide}")
        elif isinstance(event, NoticeEvent):
            self.message.tell(event.message)
        elif isinstance(event, PairingShare):
            self.status.setText(f"Suggesting pairs: {event.share:.0%}")
        elif isinstance(event, PairsFound):
            self._take_pairs(event.pairs)

    def _take_pairs(self, pairs: Pairs) -> None:
        if pairs.notice:
            self.message.tell(pairs.notice)
        self.session.set_pairs(pairs)

    def _show_strip(self, preview: RGB) -> None:
        width = max(240, self.strip.width())
        picture = pixmap(preview).scaledToWidth(width, Qt.TransformationMode.SmoothTransformation)
        self.strip.setPixmap(picture)
        self.strip_names.setVisible(True)

    def _on_model(self, model: Model) -> None:
        name = f"{model.card.method}: {model.card.sources[0].name} → {model.card.references[0].name}"
        self.bar.setValue(1000)
        self.status.setText("Trained; see it in Preview, and save it there.")
        self.session.add_model(name, model)

    def _on_failed(self, sentence: str) -> None:
        self.message.warn(sentence)
        self.status.setText("")
        self._offer_resume()

    def _on_stopped(self) -> None:
        self._offer_resume()
        self.status.setText(
            "Stopped; Resume goes on from here." if self._resumable else "Stopped before the first step."
        )

    def _offer_resume(self) -> None:
        """Where there is a checkpoint: the same training, on the pairs that it had."""
        plan = self._plan
        if plan is not None and plan.checkpoint.exists():
            pairs = plan.pairs or self.session.pairs
            self._resumable = TrainingPlan(**{**vars(plan), "pairs": pairs, "resume": True, "init": None})

    def _on_ended(self) -> None:
        self.task = self._plan = None
        self._update()


def _checkpoint() -> Path:
    return state_folder() / "training.checkpoint"
