"""Fitting the methods that learn from patches of both sides without knowing which belong together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel

from napari_stainxfer.methods.background import Glass, slide_glass
from napari_stainxfer.methods.card import ModelCard
from napari_stainxfer.methods.dcgmm import DCGMM, stained_patches
from napari_stainxfer.methods.model import Model
from napari_stainxfer.methods.neural_fitting import find_pairs, read_patches
from napari_stainxfer.methods.protocol import StainMethod
from napari_stainxfer.methods.staingan import StainGAN
from napari_stainxfer.pairing import Pairs
from napari_stainxfer.slides import Slide
from napari_stainxfer.training import (
    CycleSettings,
    CycleTrainer,
    EpochEvent,
    Event,
    MixtureSettings,
    MixtureTrainer,
    TrainingPatches,
)

IDENTITY_WEIGHT = 5.0
"""Half the cycle's weight, as CycleGAN has it where it asks for the identity."""


Glasses = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Colour (N, 3) of the empty glass of each patch's slide, of the source and of the reference."""


class PatchOptions(NamedTuple):
    """What a training is asked for; the names are those of :func:`fit_stream`."""

    method: str
    preset: str
    epochs: int | None
    seed: int


class _Training(NamedTuple):
    """A training that is ready to run, and what it will have made."""

    settings: BaseModel
    run: Callable[[], Generator[Event, None, StainMethod]]


def fit_on_patches(
    references: Sequence[Slide],
    sources: Sequence[Slide],
    pairs: Pairs | str | Path | None,
    options: PatchOptions,
    device: str,
) -> Generator[Event, None, Model]:
    """Train step by step: yields training events, returns the model; see :func:`fit_stream`.

    It sees the patches that a training on pairs would see, so that the two can be compared.
    """
    pairs = yield from find_pairs(references, sources, pairs)
    patches = read_patches(pairs, references, sources)
    own, wanted = ([slide_glass(slide) for slide in side] for side in (sources, references))
    glasses = (
        np.array([own[pair.source.slide] for pair in pairs.pairs], np.float32),
        np.array([wanted[pair.reference.slide] for pair in pairs.pairs], np.float32),
    )
    training = _TRAININGS[options.method](patches, options, glasses, device)
    history: list[dict[str, float]] = []
    stream = training.run()
    try:
        while True:
            try:
                event = next(stream)
            except StopIteration as end:
                method: StainMethod = end.value
                break
            if isinstance(event, EpochEvent):
                history.append(event.losses)
            yield event
    finally:
        stream.close()
    card = ModelCard.of(
        options.method,
        references,
        sources,
        mpp=pairs.mpp,
        patch_px=pairs.patch_px,
        pairs=len(pairs.pairs),
        settings=training.settings.model_dump(mode="json"),
        history=tuple(history),
        metrics={f"{name}_at_end": value for name, value in history[-1].items()},
    )
    return Model(method, card)


def _dcgmm(patches: TrainingPatches, options: PatchOptions, glasses: Glasses, device: str) -> _Training:
    given = {"epochs": options.epochs} if options.epochs is not None else {}
    settings = MixtureSettings.model_validate({"seed": options.seed} | given)
    source = stained_patches(patches.source, glasses[0])
    reference = stained_patches(patches.reference, glasses[1])
    trainer = MixtureTrainer(source, reference, settings, device=device)
    usual = _mean(glasses[0]), _mean(glasses[1])

    def run() -> Generator[Event, None, StainMethod]:
        for event in trainer.run():
            if isinstance(event, EpochEvent):
                method = DCGMM.from_trainer(trainer, usual)
                yield replace(event, preview=_strip(method, patches))
            else:
                yield event
        return DCGMM.from_trainer(trainer, usual)

    return _Training(settings, run)


def _mean(glass: NDArray[np.float32]) -> Glass:
    red, green, blue = glass.mean(axis=0, dtype=np.float64)
    return float(red), float(green), float(blue)


def _strip(method: StainMethod, patches: TrainingPatches) -> NDArray[np.uint8]:
    """Source | transformed | reference of the first pair."""
    source, reference = patches.source[0], patches.reference[0]
    shown = method.transform(torch.from_numpy(source).permute(2, 0, 1)[None].float() / 255)[0]
    after = shown.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    return np.concatenate([source, after, reference], axis=1)


def _staingan(patches: TrainingPatches, options: PatchOptions, _glasses: Glasses, device: str) -> _Training:
    settings = CycleSettings.preset(
        options.preset,
        epochs=options.epochs,
        seed=options.seed,
        identity_weight=IDENTITY_WEIGHT if options.method == "staingan-identity" else None,
    )
    trainer = CycleTrainer(patches, settings, device=device)

    def run() -> Generator[Event, None, StainMethod]:
        yield from trainer.run()
        return StainGAN(trainer.generator, width=settings.width, blocks=settings.blocks)

    return _Training(settings, run)


_TRAININGS: dict[str, Callable[[TrainingPatches, PatchOptions, Glasses, str], _Training]] = {
    "dcgmm": _dcgmm,
    "staingan": _staingan,
    "staingan-identity": _staingan,
}
