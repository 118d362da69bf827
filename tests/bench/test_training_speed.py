"""Seconds a training step, with and without targets computed once; what turning patches buys instead."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_stainxfer.evaluation import PerceptualDistance, colour_difference
from napari_stainxfer.features import make_extractor
from napari_stainxfer.methods import Model, ModelCard
from napari_stainxfer.methods.neural import NeuralStyle
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box
from napari_stainxfer.training import StepEvent, Trainer, TrainingPatches, TrainingSettings

PATCH_PX = 256


def _patches(lab: str, seed: int, count: int) -> np.ndarray:
    slide = phantom_slide(lab, seed=seed, size_px=(4096, 4096))
    boxes = [Box(768 + 512 * i, 768 + 512 * j, 512, 512) for i in range(5) for j in range(5)]
    return np.stack([slide.read_region_at(box, mpp=1.0) for box in boxes[:count]])


@pytest.fixture(scope="module")
def pairs() -> TrainingPatches:
    return TrainingPatches(_patches("lab3", 2, 20), _patches("lab1", 1, 20))


def _seconds_a_step(trainers: dict[str, Trainer], steps: int) -> dict[str, float]:
    """Median of each, the steps taken in turns, so that both meet the same machine."""
    runs = {name: trainer.run() for name, trainer in trainers.items()}
    for run in runs.values():
        next(run)  # computes the targets, where they are computed once
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(steps):
        for name, run in runs.items():
            started = time.perf_counter()
            next(event for event in run if isinstance(event, StepEvent))
            seconds[name].append(time.perf_counter() - started)
    return {name: float(np.median(values)) for name, values in seconds.items()}


@pytest.mark.parametrize(("name", "steps"), [("efficientnet_lite0", 60), ("vgg19", 10)])
def test_step_with_and_without_cached_targets(
    name: str, steps: int, pairs: TrainingPatches, vgg_file: Path
) -> None:
    torch.set_num_threads(2)
    extractor = make_extractor(name, weights=vgg_file if name == "vgg19" else None)
    trainers = {
        how: Trainer(
            pairs, TrainingSettings(extractor=name, augment=augment), device="cpu", extractor=extractor
        )
        for how, augment in (("computed once", False), ("computed every step", True))
    }
    seconds = _seconds_a_step(trainers, steps)
    ratio = seconds["computed every step"] / seconds["computed once"]
    print(f"\n{name}: {seconds}, ratio {ratio:.2f}")
    assert ratio > 1


def test_what_turning_patches_buys(pairs: TrainingPatches) -> None:
    torch.set_num_threads(2)
    distance = PerceptualDistance()
    held_out, truth = _patches("lab3", 5, 8), _patches("lab1", 5, 8)
    raw = np.mean([distance(a, b) for a, b in zip(held_out, truth, strict=True)])
    print(f"\nraw: perceptual distance {raw:.3f}")
    for augment in (False, True):
        settings = TrainingSettings(augment=augment)
        trainer = Trainer(pairs, settings, device="cpu")
        started = time.perf_counter()
        for _ in trainer.run():
            pass
        card = ModelCard(method=settings.method, package_version="0", mpp=1, patch_px=PATCH_PX, pairs=20)
        model = Model(NeuralStyle.from_trainer(trainer), card)
        outputs = [model.transform(image) for image in held_out]
        perceptual = np.mean([distance(a, b) for a, b in zip(outputs, truth, strict=True)])
        colour = np.mean([colour_difference(a, b) for a, b in zip(outputs, truth, strict=True)])
        print(
            f"\naugment={augment}: perceptual distance {perceptual:.3f}, delta E {colour:.2f}, "
            f"{time.perf_counter() - started:.0f} s"
        )
        assert perceptual < raw
