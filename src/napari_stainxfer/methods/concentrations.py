"""Optical density, and how much of each stain it takes."""

from __future__ import annotations

import torch
from torch import Tensor


def density_over_glass(light: Tensor, glass: Tensor) -> Tensor:
    """Natural logarithm of glass over light; both 0 to 255, one added so that black is finite."""
    density: Tensor = ((glass + 1) / (light + 1)).log()
    return density


def transmitted(density: Tensor, glass: Tensor) -> Tensor:
    """The other way: light 0 to 255, not clipped."""
    light: Tensor = (glass + 1) * (-density).exp() - 1
    return light


def inverse(density: Tensor, stains: Tensor) -> Tensor:
    """Least squares: (n, k) concentrations, of either sign, from (n, 3) densities and (k, 3) stains."""
    amounts: Tensor = density @ torch.linalg.pinv(stains)
    return amounts


def sparse(density: Tensor, stains: Tensor, penalty: float) -> Tensor:
    """Concentrations of two stains that are not negative, (n, 2), each paying ``penalty``.

    Minimises ``|density - c stains|^2 / 2 + penalty (c1 + c2)`` for stains (2, 3) of unit length. With two
    stains it needs no iteration: where the free minimum has a negative part, the minimum lies on that axis.
    """
    along = density @ stains.T - penalty
    overlap = (stains[0] * stains[1]).sum()
    first, second = along.unbind(1)
    scale = (1 - overlap**2).clamp_min(1e-6)
    free = torch.stack([first - overlap * second, second - overlap * first], dim=1) / scale
    alone = along.clamp_min(0)
    # the other stain alone, wherever one of them came out negative
    return torch.where(free.flip(1) < 0, alone, torch.where(free < 0, torch.zeros_like(free), free))
