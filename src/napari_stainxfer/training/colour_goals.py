"""Which colours the transformed patches should have, and how much each counts; not in the paper.

Gram matrices of a network's features see colour only through its filters: they leave a cast that the eye
sees at once, and turn rare colours into common ones. A colour map of all pairs together knows where each
colour belongs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_stainxfer.colour_map import ColourMap, rarity

_POOLED_PX = 2
_EVENNESS = 0.6


class ColourGoals(NamedTuple):
    """What a colour map of all pairs makes of the source patches.

    Attributes
    ----------
    colours
        What `pooled` outputs should look like, (N, 3, H / 2, W / 2).
    weights
        Of the pixels of ``colours``, (N, 1, H / 2, W / 2), 1 in the mean: by the power 0.6 of their
        :func:`rarity`, for one in a hundred pixels is a red cell, and a plain mean would not miss it.
        Stronger weights (power 0.7, at most 30 times the mean) bring the phantom's red cells nearer still,
        and turned the epithelium of a real slide brown.
    """

    colours: Tensor
    weights: Tensor

    def take(self, index: Tensor) -> ColourGoals:
        """The goals of some patches."""
        return ColourGoals(*(side[index] for side in self))


def colour_goals(source: Tensor, reference: Tensor) -> ColourGoals:
    """Measure the goals on all pairs, (N, 3, H, W) in [0, 1] on both sides."""
    colours = to_array(pooled(source))
    colour_map = ColourMap(colours, to_array(pooled(reference)))
    goals = colour_map(colours)
    weights = rarity(goals, _EVENNESS)[..., None]
    return ColourGoals(*(_to_tensor(side, source.device) for side in (goals, weights)))


def pooled(images: Tensor) -> Tensor:
    """Average of 2 x 2 px, (N, 3, H, W) to (N, 3, H / 2, W / 2).

    Noise would widen the source's colours, and a map that narrows them again draws rare colours to common
    ones.
    """
    return F.avg_pool2d(images.float(), _POOLED_PX)


def to_array(images: Tensor) -> NDArray[np.float64]:
    """(N, 3, H, W) on any device to (N, H, W, 3)."""
    array: NDArray[np.float64] = images.permute(0, 2, 3, 1).cpu().double().numpy()
    return array


def _to_tensor(images: NDArray[np.floating], device: torch.device) -> Tensor:
    return torch.from_numpy(images).float().permute(0, 3, 1, 2).to(device)
