"""Distances between two registered images; lower is better for all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import Tensor

from napari_stainxfer.evaluation.shapes import RGB, same_shape
from napari_stainxfer.features import make_extractor


class PerceptualDistance:
    """LPIPS's distance (Zhang et al., CVPR 2018), unweighted, on the style layers of an extractor.

    At every layer and location the features are scaled to unit length over the channels; the squared
    difference is summed over channels, averaged over locations, and summed over layers. 0 for equal
    images, at most 4 a layer (2 where features are not negative).

    Parameters
    ----------
    extractor
        Name of the feature extractor.
    weights
        Its weights, when not in the default place.
    """

    def __init__(self, extractor: str = "efficientnet_lite0", *, weights: Path | None = None) -> None:
        self._extractor = make_extractor(extractor, weights=weights)

    @torch.inference_mode()
    def __call__(self, image: RGB, truth: RGB) -> float:
        """Distance of two uint8 (H, W, 3) images of the same size."""
        same_shape(image, truth)
        pair = torch.from_numpy(np.stack([image, truth]))  # a copy: what is read-only stays so
        features = self._extractor(pair.permute(0, 3, 1, 2).float() / 255, self._extractor.style_layers)
        return float(sum(_unit_difference(layer) for layer in features.values()))


def _unit_difference(features: Tensor) -> float:
    unit = features / (features.norm(dim=1, keepdim=True) + 1e-10)
    return float((unit[0] - unit[1]).square().sum(dim=0).mean())


def colour_difference(image: RGB, truth: RGB, mask: NDArray[np.bool_] | None = None) -> float:
    """Mean CIE delta E 2000 of two uint8 (H, W, 3) sRGB images, over a mask (H, W) if given.

    About 1 is just visible, 100 is black against white. Sharma et al., Color Research & Application 30,
    2005, as implemented in scikit-image.

    Raises
    ------
    ValueError
        When the mask is empty.
    """
    same_shape(image, truth)
    if mask is not None and not mask.any():
        raise ValueError("the mask is empty: there is no colour to compare")
    difference = deltaE_ciede2000(rgb2lab(image), rgb2lab(truth))
    return float(difference.mean() if mask is None else difference[mask].mean())


def hue_error(image: RGB, truth: RGB, mask: NDArray[np.bool_]) -> float:
    """Angle between the mean colours under a mask in the a*b* plane, in degrees, 0 to 180.

    With a mask of red cells it tells whether they are still as red as in the reference lab: stain
    separation into two stains tends to turn them pink.

    Raises
    ------
    ValueError
        When the mask is empty.
    """
    same_shape(image, truth)
    if not mask.any():
        raise ValueError("the mask is empty: there is no hue to compare")
    hues = [np.arctan2(*rgb2lab(side)[mask].mean(axis=0)[:0:-1]) for side in (image, truth)]
    turn = np.abs(hues[0] - hues[1])
    return float(np.degrees(min(turn, 2 * np.pi - turn)))
