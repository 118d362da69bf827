"""The linear map of optical densities that a training starts from; not in the paper.

Stains obey the Beer-Lambert law: other dyes, concentrations and thicknesses turn and stretch optical
densities, and a scanner's colours bend them a little. A network that starts behind this map has only the
bending, rare colours, focus and noise left to learn.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_stainxfer.colour_map import match_colours
from napari_stainxfer.models import DensityMap, optical_density
from napari_stainxfer.training.colour_goals import pooled, to_array


def measure_start(start: DensityMap, source: Tensor, reference: Tensor) -> None:
    """Set ``start`` to the straight line (least squares in density) through a colour map of all pairs.

    The colour map follows the two distributions into every bend, the noise's and those that come from
    slightly other shares of tissue too. The line through it does not.

    Parameters
    ----------
    start
        The map to set.
    source, reference
        All pairs, (N, 3, H, W) in [0, 1] on both sides.
    """
    given, wanted = (
        _density(side) for side in match_colours(to_array(pooled(source)), to_array(pooled(reference)))
    )
    columns = np.column_stack([given, np.ones(len(given))])
    line = torch.from_numpy(np.linalg.lstsq(columns, wanted, rcond=None)[0]).float()
    start.matrix.copy_(line[:3].T)
    start.offset.copy_(line[3])


def _density(colours: np.ndarray) -> np.ndarray:
    density: np.ndarray = optical_density(torch.from_numpy(colours)).numpy()
    return density
