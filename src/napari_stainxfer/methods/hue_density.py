"""Hue, saturation and density: colour apart from how much stain there is."""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST = 1e-3  # of density; where there is no stain, there is no hue
_ROOT3 = 3**0.5


def to_hue_density(density: Tensor) -> Tensor:
    """HSD of van der Laak et al. (Cytometry 39, 2000), eqs. 3 to 8.

    Parameters
    ----------
    density
        Optical densities (..., 3) of red, green and blue, to any base.

    Returns
    -------
    Tensor
        (..., 3): overall density, the mean of the three; then the two chromatic coordinates, which do not
        change when there is more of the same stain.
    """
    red, green, blue = density.unbind(-1)
    overall = density.mean(-1)
    divisor = overall.clamp(min=_LEAST)
    return torch.stack([overall, red / divisor - 1, (green - blue) / (_ROOT3 * divisor)], dim=-1)


def from_hue_density(values: Tensor) -> Tensor:
    """The other way: optical densities (..., 3) of red, green and blue."""
    overall, across, along = values.unbind(-1)
    red = overall * (across + 1)
    rest = 3 * overall - red
    gap = _ROOT3 * overall * along
    return torch.stack([red, (rest + gap) / 2, (rest - gap) / 2], dim=-1)
