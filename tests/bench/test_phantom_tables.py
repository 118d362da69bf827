"""From lab 2 to lab 1 of the phantom, tissue kept aside: the tables of docs/method.md and docs/methods.md."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_stainxfer.methods import METHODS
from napari_stainxfer.pairing import Pairs, suggest_pairs
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.training import TrainingSettings

Measure = Callable[..., dict[str, dict[str, float]]]

TUNED_ON, FRESH = 11, 12
"""Seeds of tissue: the settings were chosen on the first, nothing on the second."""
SEEDS = (0, 1, 2)
"""Of trainings whose spread is told."""


@pytest.fixture(autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(2)


def row(name: str, errors: dict[str, float]) -> None:
    print(f"\n{name} | " + " | ".join(f"{value:.3f}" for value in errors.values()), end="", flush=True)


@pytest.mark.parametrize("method", METHODS)
def test_every_method(measure_phantom_transfer: Measure, method: str) -> None:
    started = time.perf_counter()
    measured = measure_phantom_transfer(method=method, device="cpu")
    for name, errors in measured.items():
        row(method if name == "transferred" else name, errors)
    print(f"\n{method}: {time.perf_counter() - started:.0f} s with pairing and judging")
    if method == TrainingSettings().method:
        for measure, value in measured["transferred"].items():
            assert value < measured["raw"][measure], measure


@pytest.mark.parametrize("tissue", [TUNED_ON, FRESH])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_default_with_other_seeds_and_fresh_tissue(
    measure_phantom_transfer: Measure, seed: int, tissue: int
) -> None:
    measured = measure_phantom_transfer(tissue=tissue, seed=seed, device="cpu")
    row(f"raw, tissue {tissue}", measured["raw"])
    row(f"seed {seed}, tissue {tissue}", measured["transferred"])
    for measure, value in measured["transferred"].items():
        assert value <= 0.5 * measured["raw"][measure], measure


def test_the_default_on_pixels_finer_than_it_was_trained_on(measure_phantom_transfer: Measure) -> None:
    measured = measure_phantom_transfer(mpp=0.5, seed=0, device="cpu")
    for name, errors in measured.items():
        row(f"{name}, 0.5 um/px", errors)
    for measure, value in measured["transferred"].items():
        assert value < measured["raw"][measure], measure


@pytest.fixture(scope="module")
def suggested() -> Pairs:
    slides = [
        phantom_slide(lab, seed=seed, size_px=(6144, 6144)) for seed, lab in enumerate(("lab1", "lab2"))
    ]
    return suggest_pairs(slides[:1], slides[1:])


@pytest.mark.parametrize("losses", ["quick", "paper's losses"])
@pytest.mark.parametrize("paired", ["by content", "by chance"])
def test_pairing_by_content_beside_the_same_patches_paired_by_chance(
    measure_phantom_transfer: Measure, suggested: Pairs, losses: str, paired: str
) -> None:
    """``quick`` learns most from all pairs together; the paper's losses compare each with its partner."""
    plain = {} if losses == "quick" else {"colour_weight": 0, "shared_style": 0, "start": "input"}
    found = []
    for seed in SEEDS:
        pairs = suggested if paired == "by content" else shuffled(suggested, seed)
        settings = TrainingSettings(seed=seed, **plain)
        measured = measure_phantom_transfer(settings=settings, pairs=pairs, device="cpu")
        row(f"{losses}, paired {paired}, seed {seed}", measured["transferred"])
        found.append(list(measured["transferred"].values()))
        assert measured["transferred"]["delta E 2000"] < measured["raw"]["delta E 2000"]
    mean, deviation = np.mean(found, axis=0), np.std(found, axis=0)
    cells = [f"{middle:.3f} ± {spread:.3f}" for middle, spread in zip(mean, deviation, strict=True)]
    print(f"\n{losses}, paired {paired}, {len(SEEDS)} seeds | " + " | ".join(cells), flush=True)


def shuffled(pairs: Pairs, seed: int) -> Pairs:
    """The same patches of both sides, paired by chance."""
    partners = [pair.reference for pair in pairs.pairs]
    random.Random(seed).shuffle(partners)
    mixed = (pair._replace(reference=other) for pair, other in zip(pairs.pairs, partners, strict=True))
    return replace(pairs, pairs=tuple(mixed))
