"""What a training starts from: measured on all pairs, before the first step; not in the paper."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_stainxfer.models import Start
from napari_stainxfer.training.colour_start import measure_colours
from napari_stainxfer.training.sharpness_start import measure_sharpness

_AT_ONCE = 4


@torch.no_grad()
def measure_start(start: Start, source: Tensor, reference: Tensor) -> None:
    """Set both parts of ``start``: the colours first, and then the sharpness of what they give.

    Parameters
    ----------
    start
        The start to set.
    source, reference
        All pairs, (N, 3, H, W) in [0, 1] on both sides.
    """
    measure_colours(start.colours, source, reference)
    coloured = torch.cat([start.recolour(some) for some in torch.split(source, _AT_ONCE)])
    measure_sharpness(start.sharpness, coloured, reference)
