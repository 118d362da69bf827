"""Settings in, events out: training a generator on patch pairs."""

from napari_stainxfer.training.checkpoint import checkpoint_settings, load_checkpoint, save_checkpoint
from napari_stainxfer.training.cycle import CycleTrainer
from napari_stainxfer.training.cycle_settings import CYCLE_PRESETS, CycleSettings
from napari_stainxfer.training.devices import autocast, resolve_device
from napari_stainxfer.training.events import (
    DoneEvent,
    EpochEvent,
    Event,
    MeasureEvent,
    NoticeEvent,
    StepEvent,
)
from napari_stainxfer.training.mixture import MixtureSettings, MixtureTrainer, StainedPatches
from napari_stainxfer.training.patches import TrainingPatches
from napari_stainxfer.training.settings import PRESETS, RECIPES, Recipe, TrainingSettings
from napari_stainxfer.training.trainer import Trainer

__all__ = [
    "CYCLE_PRESETS",
    "PRESETS",
    "RECIPES",
    "CycleSettings",
    "CycleTrainer",
    "DoneEvent",
    "EpochEvent",
    "Event",
    "MeasureEvent",
    "MixtureSettings",
    "MixtureTrainer",
    "NoticeEvent",
    "Recipe",
    "StainedPatches",
    "StepEvent",
    "Trainer",
    "TrainingPatches",
    "TrainingSettings",
    "autocast",
    "checkpoint_settings",
    "load_checkpoint",
    "resolve_device",
    "save_checkpoint",
]
