"""From images and masks to a segmenter."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_stainxfer.errors import TrainingError
from napari_stainxfer.segmentation.crops import Crops, Example
from napari_stainxfer.segmentation.events import SegmenterDone, SegmenterEvent, SegmenterStep
from napari_stainxfer.segmentation.network import ResNet50FCN
from napari_stainxfer.segmentation.segmenter import Segmenter, SegmenterCard
from napari_stainxfer.segmentation.settings import SegmenterSettings
from napari_stainxfer.segmentation.weights import load_backbone
from napari_stainxfer.training import resolve_device

_WARM_UP = 0.1
"""Share of the training in which the learning rate rises."""
_KEPT_LOSSES = 100


def train_segmenter(
    examples: Sequence[Example],
    settings: SegmenterSettings | None = None,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    on_event: Callable[[SegmenterEvent], None] | None = None,
) -> Segmenter:
    """Train a segmenter; see :func:`train_segmenter_stream`.

    ``on_event`` is called with every event. An exception from it stops the training between two steps.
    """
    stream = train_segmenter_stream(examples, settings, weights=weights, device=device)
    while True:
        try:
            event = next(stream)
        except StopIteration as end:
            segmenter: Segmenter = end.value
            return segmenter
        if on_event is not None:
            on_event(event)


def train_segmenter_stream(
    examples: Sequence[Example],
    settings: SegmenterSettings | None = None,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
) -> Generator[SegmenterEvent, None, Segmenter]:
    """Train step by step: yields events, returns the segmenter; close it to cancel.

    Parameters
    ----------
    examples
        Images at ``settings.mpp`` with their masks.
    settings
        By default those of `SegmenterSettings`.
    weights
        File of torchvision's ResNet50 weights, or ``imagenet`` to have them downloaded; without it the
        network starts from random numbers.

    Raises
    ------
    TrainingError
        When there is nothing to learn from, or the loss is no longer a number.
    MissingWeightsError
        When the weights are not there.
    """
    settings = settings or SegmenterSettings()
    _refuse(examples, settings)
    place = resolve_device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = ResNet50FCN(settings.width)
    origin = load_backbone(network.backbone, weights) if weights is not None else "random"
    network.to(place).train()
    crops = Crops(examples, settings)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    started, losses = time.perf_counter(), []
    for step in range(settings.steps):
        optimiser.param_groups[0]["lr"] = settings.learning_rate * _share(step, settings.steps)
        losses.append(_step(network, optimiser, *crops.batch()))
        if not math.isfinite(losses[-1]):
            raise TrainingError(
                f"The segmenter's training diverged at step {step + 1}; try another seed, or from Python a "
                f"learning_rate below {settings.learning_rate:g}."
            )
        spent = time.perf_counter() - started
        left = spent / (step + 1) * (settings.steps - step - 1)
        yield SegmenterStep(step + 1, settings.steps, losses[-1], left)
    network.eval()
    yield SegmenterDone(settings.steps, time.perf_counter() - started)
    return Segmenter(network, SegmenterCard.of(settings, origin, _thinned(losses), len(examples)))


def _refuse(examples: Sequence[Example], settings: SegmenterSettings) -> None:
    if not examples or not any(example.mask.any() for example in examples):
        raise TrainingError("No glomerulus is marked in the images; a segmenter needs masks to learn from.")
    for example in examples:
        if example.image.shape != (*example.mask.shape, 3):
            raise TrainingError(
                f"An image of {example.image.shape} has a mask of {example.mask.shape}; they must agree."
            )
        if min(example.mask.shape) < settings.crop_px:
            raise TrainingError(
                f"An image of {example.mask.shape[0]} x {example.mask.shape[1]} px at {settings.mpp:g} um/px "
                f"is smaller than a crop of {settings.crop_px} px; give images of at least "
                f"{settings.crop_px * settings.mpp:g} um a side, or leave this one out."
            )


def _step(network: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, truth: Tensor) -> float:
    place = next(network.parameters()).device
    optimiser.zero_grad()
    loss = segmentation_loss(network(images.to(place)), truth.to(place))
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.item()


def segmentation_loss(scores: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy, and one minus the soft Dice of the batch: many small and few large errors both count."""
    found = scores.sigmoid()
    overlap = 2 * (found * truth).sum() / (found.sum() + truth.sum()).clamp_min(1)
    return F.binary_cross_entropy_with_logits(scores, truth) + 1 - overlap


def _share(step: int, steps: int) -> float:
    """Of the learning rate: up a ramp, down a cosine."""
    ramp = max(1, round(_WARM_UP * steps))
    if step < ramp:
        return (step + 1) / ramp
    return 0.5 * (1 + math.cos(math.pi * (step - ramp) / max(1, steps - ramp)))


def _thinned(losses: list[float]) -> tuple[float, ...]:
    """At most so many means in a row, for the card."""
    every = -(-len(losses) // _KEPT_LOSSES)
    return tuple(
        sum(losses[i : i + every]) / len(losses[i : i + every]) for i in range(0, len(losses), every)
    )
