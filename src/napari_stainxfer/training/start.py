"""What a training starts from: measured on all pairs, before the first step; not in the paper."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_stainxfer.models import Start
from napari_stainxfer.training.colour_start import measure_colours
from napari_stainxfer.training.sharpness_start import measure_sharpness

_AT_ONCE = 4


@torch.no_grad()
def measure_start(start: Start, source: Tensor, reference: Tensor) -> None:
    """Set both parts of ``start``.

    How sharp each side is can only be told in alike colours; and the colours are measured again once both
    sides are alike sharp, for a sharper picture has more of the darkest and of the brightest.

    Parameters
    ----------
    start
        The start to set.
    source, reference
        All pairs, (N, 3, H, W) in [0, 1] on both sides.
    """
    measure_colours(start.colours, source, reference)
    measure_sharpness(start.sharpness, _in_parts(start.recolour, source), reference)
    measure_colours(start.colours, _in_parts(start.sharpen, source), reference)


def _in_parts(change: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.cat([change(some) for some in torch.split(images, _AT_ONCE)])
