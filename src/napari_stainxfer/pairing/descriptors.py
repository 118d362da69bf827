"""Describe what a patch shows, blind to how it is stained."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.features import FeatureExtractor, make_extractor
from napari_stainxfer.pairing.density import stain_density
from napari_stainxfer.patches import Patch, glass_colour, read_patch
from napari_stainxfer.slides import Slide

FloatArray = NDArray[np.float32]

# From texture to tissue architecture.
_LAYERS = ("block4", "block7", "block10", "block13")
# Architecture shows at 2 um/px, and focus and sharpness of the scanner, which differ, do not.
_MPP = 2.0
_PX_RANGE = (128, 256)
_BATCH = 8


def describe(
    slides: Sequence[Slide],
    patches: Sequence[Patch],
    *,
    extractor: FeatureExtractor | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> FloatArray:
    """Descriptors of patches of one side.

    The stain density of each patch, measured and scaled per slide (see `stain_density`), is shown to
    EfficientNet-Lite0 as a grey picture; the descriptor is the mean and the standard deviation of every
    channel of four of its blocks, so that it does not depend on where in the patch things lie.

    Parameters
    ----------
    slides
        The slides of this side.
    patches
        On these slides.
    extractor
        EfficientNet-Lite0, if it is loaded already.
    on_progress
        Called with the share that is done, 0 to 1.

    Returns
    -------
    float32 (N, D), comparable between slides after `standardise`.
    """
    extractor = extractor or make_extractor()
    described = np.empty((len(patches), 0), np.float32)
    done = 0
    for number, slide in enumerate(slides):
        mine = [index for index, patch in enumerate(patches) if patch.slide == number]
        if not mine:
            continue
        pixels = [read_patch(slide, as_described(slide, patches[index])) for index in mine]
        densities = stain_density(pixels, glass_colour(slide.overview()))
        for first in range(0, len(mine), _BATCH):
            features = _pooled(extractor, torch.from_numpy(densities[first : first + _BATCH]))
            if described.shape[1] == 0:
                described = np.empty((len(patches), features.shape[1]), np.float32)
            described[mine[first : first + _BATCH]] = features
            done += len(features)
            if on_progress is not None:
                on_progress(done / len(patches))
    return described


def standardise(*sides: FloatArray) -> tuple[FloatArray, ...]:
    """Bring descriptors of all sides together to mean 0 and deviation 1, and each to length 1.

    The products of the results are cosines, 1 for alike patches and about 0 for unrelated ones.
    """
    together = np.concatenate(sides)
    mean, deviation = together.mean(axis=0), together.std(axis=0) + 1e-6
    results = []
    for side in sides:
        standard = (side - mean) / deviation
        length = np.linalg.norm(standard, axis=1, keepdims=True)
        results.append((standard / np.maximum(length, 1e-6)).astype(np.float32))
    return tuple(results)


def as_described(slide: Slide, patch: Patch) -> Patch:
    """The patch with the number of pixels in which it is described: 2 um/px, 128 to 256 px."""
    side_um = min(patch.box.height, patch.box.width) * slide.require_mpp()
    # Whole multiples of 8 keep two slides of slightly different um/px at the same size.
    px = 8 * round(side_um / _MPP / 8)
    return patch._replace(px=min(max(px, _PX_RANGE[0]), _PX_RANGE[1]))


@torch.no_grad()
def _pooled(extractor: FeatureExtractor, densities: Tensor) -> FloatArray:
    # Dense is dark, as in the photographs that the network knows.
    grey = (1 - densities)[:, None].expand(-1, 3, -1, -1)
    features = extractor(grey, _LAYERS)
    parts = [part for value in features.values() for part in (value.mean((2, 3)), value.std((2, 3)))]
    pooled: FloatArray = torch.cat(parts, dim=1).numpy()
    return pooled
