"""Fixtures shared by several rooms: the real slides, VGG19's shapes, the measured phantom transfer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.exposure import match_histograms
from torch import Tensor

from napari_stainxfer import fit
from napari_stainxfer.evaluation import PerceptualDistance, colour_difference, hue_error
from napari_stainxfer.patches import PatchSettings, patch_grid, read_patch
from napari_stainxfer.phantom import phantom_masks, phantom_slide
from napari_stainxfer.slides import Box

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


_PX, _JUDGED_PX, _FIELD = 6144, 3072, 512
"""Sides of the phantom slides that are trained on, and of the one that is judged, at 0.5 um/px; side of the
judged fields at 1.0 um/px."""


@pytest.fixture(scope="session")
def measure_phantom_transfer() -> Callable[..., dict[str, dict[str, float]]]:
    """Errors on nine fields of tissue kept aside: raw, after histogram matching, after a training."""
    size = (_JUDGED_PX, _JUDGED_PX)
    corners = [round(share * _JUDGED_PX) - _FIELD for share in (0.25, 0.5, 0.75)]
    boxes = [Box(y, x, 2 * _FIELD, 2 * _FIELD) for y in corners for x in corners]
    source, truth = (
        np.stack([phantom_slide(lab, seed=11, size_px=size).read_region_at(box, mpp=1.0) for box in boxes])
        for lab in ("lab2", "lab1")
    )
    red_cells = np.concatenate(
        [
            phantom_masks(
                11, Box(box.y // 2, box.x // 2, _FIELD, _FIELD), size_px=size, mpp=0.5, at_mpp=1.0
            ).red_cells
            for box in boxes
        ]
    )
    distance = PerceptualDistance()

    def errors(images: NDArray[np.uint8]) -> dict[str, float]:
        pairs = list(zip(images, truth, strict=True))
        return {
            "perceptual distance": float(np.mean([distance(*pair) for pair in pairs])),
            "delta E 2000": float(np.mean([colour_difference(*pair) for pair in pairs])),
            "red-cell hue error": hue_error(np.concatenate(images), np.concatenate(truth), red_cells),
        }

    reference = phantom_slide("lab1", seed=0, size_px=(_PX, _PX))
    small = PatchSettings(
        patch_px=256
    )  # covers the tissue and little glass: a stronger rival than larger ones
    tissue = np.concatenate([read_patch(reference, patch) for patch in patch_grid(reference, small)])
    matched = np.stack([match_histograms(image, tissue, channel_axis=-1) for image in source])

    def measure(**options: object) -> dict[str, dict[str, float]]:
        model = fit(reference, phantom_slide("lab2", seed=1, size_px=(_PX, _PX)), **options)
        return {
            "raw": errors(source),
            "histogram matching": errors(matched.astype(np.uint8)),
            "transferred": errors(np.stack([model.transform(image) for image in source])),
        }

    return measure
