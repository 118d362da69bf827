"""Models that change a picture violently, so that nothing that should stay does so by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from napari_stainxfer.methods import Model, ModelCard, SlideFacts
from napari_stainxfer.methods.neural import NeuralStyle
from napari_stainxfer.models import batch_norms, make_generator

GLASS = (243.0, 240.0, 245.0)
METHOD_OF = {"hrnet": "nst-ad-hrnet", "johnson": "nst-ad"}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _model(name: str = "hrnet", *, width: int | None = 4, seed: int = 0, **card: object) -> Model:
    """A model with random weights and random batch norm statistics."""
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = make_generator(name, width=width)
    for parameter in generator.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=random)
    for norm in batch_norms(generator):
        norm.running_mean += 0.1 * torch.randn(norm.num_features, generator=random)
        norm.running_var += 0.5 * torch.rand(norm.num_features, generator=random)
    last = list(generator.parameters())[-2]
    last.data *= 8 / last.abs().sum() * len(last)  # far sights must show
    facts = {
        "method": METHOD_OF[name],
        "package_version": "0.0.1",
        "mpp": 1.0,
        "patch_px": 256,
        "pairs": 20,
        "references": (SlideFacts(name="a.svs", fingerprint="01", mpp=0.5),),
        "sources": (SlideFacts(name="b.svs", fingerprint="02", mpp=0.25),),
        "glass": GLASS,
        "settings": {"epochs": 3, "seed": 0},
        "history": ({"generator": 1.5}, {"generator": 0.1 + 0.2}),
        "metrics": {"lpips_before": 0.3},
    }
    return Model(NeuralStyle(generator.eval(), name=name, width=width), ModelCard(**(facts | card)))


def _tissue(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Strongly stained noise, uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(20, 200, (height, width, 3)).astype(np.uint8)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Model]:
    return _model


@pytest.fixture(scope="session")
def tissue() -> Callable[..., np.ndarray]:
    return _tissue
