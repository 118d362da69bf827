"""Fixtures shared by every test: where the real slides are, and one thread count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

_DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real slides (``STAINXFER_TEST_DATA``, or ``../shared/data``); skips without it."""
    folder = Path(os.environ.get("STAINXFER_TEST_DATA", _DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"real slides not found at {folder}; set STAINXFER_TEST_DATA to their folder")
    return folder


_VGG_CONVS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256)}
_VGG_CONVS |= {12: (256, 256), 14: (256, 256), 16: (256, 256), 19: (256, 512)}
_VGG_CONVS |= {21: (512, 512), 23: (512, 512), 25: (512, 512), 28: (512, 512)}


@pytest.fixture(scope="session")
def vgg_state() -> dict[str, Tensor]:
    """Random weights of VGG19's shapes, under the names of the published file."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for position, (inside, outside) in _VGG_CONVS.items():
        weight = torch.randn(outside, inside, 3, 3, generator=generator) * (2 / (9 * inside)) ** 0.5
        state[f"features.{position}.weight"] = weight
        state[f"features.{position}.bias"] = torch.randn(outside, generator=generator) * 0.1
    return state


@pytest.fixture(scope="session")
def vgg_file(vgg_state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of these weights."""
    path = tmp_path_factory.mktemp("served") / "vgg19-local.pth"
    torch.save(vgg_state, path)
    return path
