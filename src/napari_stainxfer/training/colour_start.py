"""The colour map that a training starts from; not in the paper."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_stainxfer.colour_map import match_colours, rarity
from napari_stainxfer.models import CubicColourMap, cubic_terms, optical_density
from napari_stainxfer.training.colour_goals import pooled, to_array

_ANCHORS = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 3), axis=-1).reshape(-1, 3)
_ANCHORS_SHARE = 0.01
_EVENNESS = 0.3


def measure_colours(colours: CubicColourMap, source: Tensor, reference: Tensor) -> None:
    """Set ``colours`` to the cubic (least squares in sRGB) through a map of all pairs' colours.

    The map between the two distributions follows every bend, the noise's and those that come from slightly
    other shares of tissue too; the cubic does not. Rare colours, red cells among them, count for more than
    their share. Where the tissue has no colours a cubic may go anywhere, so a grid of all colours counts for
    a hundredth: those are to lie on the straight line through the map in optical density, as the
    Beer-Lambert law has it for other dyes and thicknesses.

    Parameters
    ----------
    colours
        The map to set.
    source, reference
        All pairs, (N, 3, H, W) in [0, 1] on both sides.
    """
    given, wanted = match_colours(to_array(pooled(source)), to_array(pooled(reference)))
    columns = np.column_stack([_density(given), np.ones(len(given))])
    line = np.linalg.lstsq(columns, _density(wanted), rcond=None)[0]
    on_line = np.exp(-(np.column_stack([_density(_ANCHORS), np.ones(len(_ANCHORS))]) @ line).clip(0))
    anchored = np.full(len(_ANCHORS), _ANCHORS_SHARE * len(given) / len(_ANCHORS))
    weights = np.sqrt(np.concatenate([rarity(wanted, _EVENNESS), anchored]))[:, None]
    terms, goals = _terms(np.concatenate([given, _ANCHORS])), np.concatenate([wanted, on_line])
    cubic = np.linalg.lstsq(weights * terms, weights * goals, rcond=None)[0]
    colours.coefficients.copy_(torch.from_numpy(cubic.T))


def _terms(colours: np.ndarray) -> np.ndarray:
    pixels = torch.from_numpy(colours)[:, :, None, None]
    return np.column_stack([term.flatten().numpy() for term in cubic_terms(pixels)])


def _density(colours: np.ndarray) -> np.ndarray:
    density: np.ndarray = optical_density(torch.from_numpy(colours)).numpy()
    return density
