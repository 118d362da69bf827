"""Reinhard's colour transfer: mean and standard deviation of three nearly independent channels.

Reinhard, Adhikhmin, Gooch and Shirley, Color transfer between images, IEEE Computer Graphics and
Applications 21(5), 2001. The paper works in l-alpha-beta, a logarithmic cone space; histology has used CIE
Lab since Magee et al. (2009), as do StainTools, torchstain and this module, so that results can be
compared. Statistics are those of tissue with its lumens and edges, and leave empty glass out, whose share
would move the mean with every field of view. Of stained pixels alone the deviation would be so small that
what is pale would be stretched beyond white.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.methods.lab import lab_to_rgb, rgb_to_lab
from napari_stainxfer.methods.shrinking import shrunk
from napari_stainxfer.methods.tissue_colours import TissueColours

SHAPES = {"mean": (2, 3), "deviation": (2, 3)}

_LEAST_DEVIATION = 0.5
"""Of a channel of Lab: less is a single colour with rounding, and would be blown up to noise."""


def measure(source: TissueColours, reference: TissueColours) -> dict[str, NDArray[np.float64]]:
    """Means and standard deviations (2, 3) in Lab: of the source, of the reference."""
    sides = shrunk(_moments(source), _moments(reference), source.trust, reference.trust)
    mean, deviation = np.stack(sides, axis=1)
    return {"mean": mean, "deviation": np.maximum(deviation, _LEAST_DEVIATION)}


def _moments(tissue: TissueColours) -> NDArray[np.float64] | None:
    if not len(tissue.colours):
        return None
    rgb = torch.from_numpy(tissue.colours.T[None, :, :, None] / 255)
    lab = rgb_to_lab(rgb)[0, :, :, 0].numpy()
    return np.stack([lab.mean(axis=1), lab.std(axis=1)])


def apply(image: Tensor, numbers: Mapping[str, Tensor]) -> Tensor:
    """Shift and stretch (N, 3, H, W) in [0, 1]."""
    (from_mean, to_mean), (from_deviation, to_deviation) = numbers["mean"], numbers["deviation"]
    stretch = (to_deviation / from_deviation)[:, None, None]
    return lab_to_rgb((rgb_to_lab(image) - from_mean[:, None, None]) * stretch + to_mean[:, None, None])
