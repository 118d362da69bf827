"""Histogram matching: each channel's values are those of the same quantile in the reference.

As scikit-image's ``match_histograms`` (Gonzalez and Woods, Digital Image Processing, 4th edition, 3.3),
with two differences that tiles need: the histograms are those of the tissue of the slides and not of one
image, and the map they give is kept as a table of 256 values a channel. A value that the source's tissue
does not show is mapped like the next lower one that it does, and one below all of them to the reference's
lowest.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.methods.shrinking import shrunk
from napari_stainxfer.methods.tissue_colours import TissueColours

SHAPES = {"table": (3, 256)}
_LEVELS = np.arange(256)


def measure(source: TissueColours, reference: TissueColours) -> dict[str, NDArray[np.float64]]:
    """Table (3, 256) of the values, 0 to 255, that the source's values become."""
    found, wanted = shrunk(_histograms(source), _histograms(reference), source.trust, reference.trust)
    return {"table": np.stack([_match(*sides) for sides in zip(found, wanted, strict=True)])}


def _histograms(tissue: TissueColours) -> NDArray[np.float64] | None:
    if not len(tissue.colours):
        return None
    counts = [np.bincount(channel, minlength=256) for channel in tissue.colours.T]
    return np.stack(counts) / len(tissue.colours)


def _match(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    shown = wanted > 0
    return np.interp(np.cumsum(found), np.cumsum(wanted)[shown], _LEVELS[shown])


def apply(image: Tensor, numbers: Mapping[str, Tensor]) -> Tensor:
    """Look each value of (N, 3, H, W) in [0, 1] up."""
    levels = image.mul(255).round().clamp(0, 255).long()
    mapped = [numbers["table"][channel][levels[:, channel]] for channel in range(3)]
    return torch.stack(mapped, dim=1) / 255
