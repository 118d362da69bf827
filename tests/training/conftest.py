"""Tiny pairs and a tiny frozen network, so that a training takes a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from napari_stainxfer.features import FeatureExtractor
from napari_stainxfer.training import TrainingPatches


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other over 32 px patches take ten times as long on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_pairs(count: int, size: int = 32, seed: int = 0) -> TrainingPatches:
    """Smooth colour fields, the reference a fixed colour change of another field."""
    random = np.random.default_rng(seed)
    coarse = random.integers(60, 250, (2 * count, size // 8, size // 8, 3)).repeat(8, 1).repeat(8, 2)
    fields = np.clip(coarse + random.normal(0, 8, coarse.shape), 0, 255)
    source, reference = fields[:count], fields[count:] * (0.9, 0.6, 0.8) + (10, 5, 40)
    return TrainingPatches(source.astype(np.uint8), reference.astype(np.uint8))


@pytest.fixture
def pairs() -> TrainingPatches:
    return make_pairs(5)


@pytest.fixture(scope="session")
def tiny_extractor() -> FeatureExtractor:
    """A real extractor of two layers with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stages = {
            "shallow": nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()),
            "deep": nn.Sequential(nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU()),
        }
    return FeatureExtractor(
        "tiny",
        stages,
        content_layers=("shallow",),
        style_layers=("shallow", "deep"),
        mean=[0.5] * 3,
        std=[0.25] * 3,
    )
