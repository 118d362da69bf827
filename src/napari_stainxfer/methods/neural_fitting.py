"""Fitting the paper's methods: patches, pairs, training, model."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from napari_stainxfer.errors import DivergedError, TrainingError
from napari_stainxfer.features import EXTRACTORS, FeatureExtractor, make_extractor
from napari_stainxfer.files import make_folder
from napari_stainxfer.methods.card import ModelCard
from napari_stainxfer.methods.model import Model, load
from napari_stainxfer.methods.neural import NeuralStyle
from napari_stainxfer.pairing import Pairs, load_pairs, suggest_pairs
from napari_stainxfer.patches import read_patch
from napari_stainxfer.slides import Slide
from napari_stainxfer.training import (
    EpochEvent,
    Event,
    NoticeEvent,
    Trainer,
    TrainingPatches,
    TrainingSettings,
    load_checkpoint,
    save_checkpoint,
)


class NeuralOptions(NamedTuple):
    """What a training is asked for; the names are those of :func:`fit_stream`."""

    method: str
    preset: str
    backbone: str | None
    epochs: int | None
    seed: int
    settings: TrainingSettings | None
    init: Model | str | Path | None
    checkpoint: str | Path | None
    resume: bool

    def checked(self) -> ReadyTraining:
        """Load what has to be loaded, and refuse what can be refused before the slow part."""
        chosen = self.settings or _settings(self.method, self.preset, self.backbone, self.epochs, self.seed)
        extractor = make_extractor(chosen.extractor)
        kept = Path(self.checkpoint) if self.checkpoint is not None else None
        if kept is not None:
            make_folder(kept.parent)
        if self.resume and (kept is None or not kept.exists()):
            raise TrainingError(f"There is no checkpoint {kept} to resume from; train without --resume.")
        start = load(self.init) if isinstance(self.init, (str, Path)) else self.init
        return ReadyTraining(chosen, extractor, start, kept, self.resume)


class ReadyTraining(NamedTuple):
    """Settings and everything loaded that a training needs besides its slides."""

    settings: TrainingSettings
    extractor: FeatureExtractor
    start: Model | None
    checkpoint: Path | None
    resume: bool


def fit_on_pairs(
    references: Sequence[Slide],
    sources: Sequence[Slide],
    pairs: Pairs | str | Path | None,
    ready: ReadyTraining,
    device: str,
) -> Generator[Event, None, Model]:
    """Train step by step: yields training events, returns the model; see :func:`fit_stream`."""
    pairs = yield from find_pairs(references, sources, pairs)
    patches = read_patches(pairs, references, sources)
    trainer = Trainer(patches, ready.settings, device=device, extractor=ready.extractor)
    if ready.start is not None:
        _start_from(trainer, ready.start)
    if ready.resume and ready.checkpoint is not None:
        load_checkpoint(trainer, ready.checkpoint)
    try:
        yield from _train(trainer, ready.checkpoint)
    except DivergedError as error:
        if trainer.history:
            trainer.settle_for_use()
            card = _card(trainer, pairs, references, sources)
            error.model = Model(NeuralStyle.from_trainer(trainer), card)
        raise
    return Model(NeuralStyle.from_trainer(trainer), _card(trainer, pairs, references, sources))


def find_pairs(
    references: Sequence[Slide], sources: Sequence[Slide], pairs: Pairs | str | Path | None
) -> Generator[Event, None, Pairs]:
    """Suggest pairs, or read them from their file: yields what the user should know, returns them."""
    if pairs is None:
        pairs = suggest_pairs(references, sources)
        if pairs.notice:
            yield NoticeEvent(pairs.notice)
    elif not isinstance(pairs, Pairs):
        pairs = load_pairs(Path(pairs), references, sources)
    return pairs


def _settings(
    method: str, preset: str, backbone: str | None, epochs: int | None, seed: int
) -> TrainingSettings:
    if backbone is not None and backbone not in EXTRACTORS:
        raise TrainingError(
            f"No feature extractor is called {backbone!r}; there are {', '.join(EXTRACTORS)}."
        )
    return TrainingSettings.preset(preset, method=method, extractor=backbone, epochs=epochs, seed=seed)


def read_patches(pairs: Pairs, references: Sequence[Slide], sources: Sequence[Slide]) -> TrainingPatches:
    """Read the pixels of both sides of every pair.

    Raises
    ------
    TrainingError
        When there are no pairs.
    """
    if not len(pairs.pairs):
        raise TrainingError("There are no pairs to train on; suggest or draw some first.")
    return TrainingPatches(
        np.stack([read_patch(sources[pair.source.slide], pair.source) for pair in pairs.pairs]),
        np.stack([read_patch(references[pair.reference.slide], pair.reference) for pair in pairs.pairs]),
    )


def _start_from(trainer: Trainer, start: Model) -> None:
    if not isinstance(start.method, NeuralStyle):
        raise TrainingError(f"A {start.card.method} model has no weights to start a training from.")
    try:
        trainer.generator.load_state_dict(dict(start.method.weights))
    except RuntimeError:
        raise TrainingError(
            f"The model to start from was trained with {start.card.method}, and another preset or width than "
            "asked for; use the same method, preset and width, or start without it."
        ) from None
    trainer.keep_weights()


def _train(trainer: Trainer, checkpoint: Path | None) -> Generator[Event, None, None]:
    """The trainer's events; the checkpoint is written after every epoch and where the stream is closed.

    Both are between two steps. What ends a training within a step (Ctrl-C at any moment, a divergence)
    leaves the checkpoint of the last epoch, because the networks are then halfway to the next step.
    """
    try:
        for event in trainer.run():
            if checkpoint is not None and isinstance(event, EpochEvent):
                save_checkpoint(trainer, checkpoint)
            yield event
    except GeneratorExit:
        if checkpoint is not None and trainer.step:
            save_checkpoint(trainer, checkpoint)
        raise


def _card(trainer: Trainer, pairs: Pairs, references: Sequence[Slide], sources: Sequence[Slide]) -> ModelCard:
    return ModelCard.of(
        trainer.settings.method,
        references,
        sources,
        mpp=pairs.mpp,
        patch_px=pairs.patch_px,
        pairs=len(pairs.pairs),
        settings=trainer.settings.model_dump(mode="json"),
        history=tuple(trainer.history),
        metrics={f"{name}_at_end": value for name, value in trainer.history[-1].items()},
    )
