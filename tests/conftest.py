"""Fixtures shared by several rooms: the real slides, VGG19's shapes, the measured phantom transfer."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

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


class Judged(NamedTuple):
    """Nine fields of one tissue in lab 2 and, pixel for pixel, in lab 1; red cells over all of them."""

    source: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    red_cells: NDArray[np.bool_]

    @classmethod
    def of(cls, tissue: int, mpp: float) -> Judged:
        """Rendered from a seed, in pixels of ``mpp`` um."""
        size = (_JUDGED_PX, _JUDGED_PX)
        corners = [round(share * _JUDGED_PX) - _FIELD for share in (0.25, 0.5, 0.75)]
        boxes = [Box(y, x, 2 * _FIELD, 2 * _FIELD) for y in corners for x in corners]
        slides = [phantom_slide(lab, seed=tissue, size_px=size) for lab in ("lab2", "lab1")]
        scaled = [Box(*(round(side * 0.5 / mpp) for side in box)) for box in boxes]
        masks = [phantom_masks(tissue, box, size_px=size, mpp=0.5, at_mpp=mpp).red_cells for box in scaled]
        source, truth = (np.stack([slide.read_region_at(box, mpp=mpp) for box in boxes]) for slide in slides)
        return cls(source, truth, np.concatenate(masks))

    def errors(self, images: NDArray[np.uint8], distance: PerceptualDistance) -> dict[str, float]:
        """What is left to the truth."""
        pairs = list(zip(images, self.truth, strict=True))
        whole = np.concatenate(images), np.concatenate(self.truth)
        return {
            "perceptual distance": float(np.mean([distance(*pair) for pair in pairs])),
            "delta E 2000": float(np.mean([colour_difference(*pair) for pair in pairs])),
            "red-cell hue error": hue_error(*whole, self.red_cells),
        }


@pytest.fixture(scope="session")
def measure_phantom_transfer() -> Callable[..., dict[str, dict[str, float]]]:
    """Errors on tissue kept aside: raw, after histogram matching, after a method fitted with the options.

    ``tissue`` is the seed of the judged tissue, ``mpp`` its um/px. The same options are fitted once.
    """
    distance = PerceptualDistance()
    reference, source = (
        phantom_slide(lab, seed=seed, size_px=(_PX, _PX)) for seed, lab in enumerate(("lab1", "lab2"))
    )
    # covers the tissue and little glass: a stronger rival than larger ones
    patches = patch_grid(reference, PatchSettings(patch_px=256))
    colours = np.concatenate([read_patch(reference, patch) for patch in patches])
    judged, fitted = cache(Judged.of), cache(lambda **options: fit(reference, source, **options))

    def measure(*, tissue: int = 11, mpp: float = 1.0, **options: object) -> dict[str, dict[str, float]]:
        fields, model = judged(tissue, mpp), fitted(**options)
        matched = [match_histograms(image, colours, channel_axis=-1) for image in fields.source]
        images = {
            "raw": fields.source,
            "histogram matching": np.stack(matched).astype(np.uint8),
            "transferred": np.stack([model.transform(image, mpp=mpp) for image in fields.source]),
        }
        return {name: fields.errors(side, distance) for name, side in images.items()}

    return measure
