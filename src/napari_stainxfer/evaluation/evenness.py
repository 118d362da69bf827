"""How even a set of images is, and whether its background was left alone: lower is better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.evaluation.shapes import RGB, same_shape


class Spread(NamedTuple):
    """Standard deviation of a number over a set, and the same by its mean."""

    deviation: float
    variation: float


def normalised_median_intensity(image: RGB, tissue: NDArray[np.bool_] | None = None) -> float:
    """Median of the pixels' mean intensity by its 95th percentile, 0 to 1, over tissue (H, W) if given.

    Basavanhally and Madabhushi, SPIE Medical Imaging 2013.

    Raises
    ------
    ValueError
        When the mask is empty.
    """
    intensity = image.mean(axis=-1)
    values = intensity.ravel() if tissue is None else intensity[tissue]
    if not values.size:
        raise ValueError("the mask is empty: there is no intensity to measure")
    top = float(np.percentile(values, 95))
    return float(np.median(values)) / top if top else 1.0


def intensity_spread(images: Sequence[RGB], tissue: Sequence[NDArray[np.bool_]] | None = None) -> Spread:
    """Spread of `normalised_median_intensity` over a set of images: how unlike each other they look.

    As Zanjani et al., ISBI 2018, compare methods. It says nothing about whether the images are right: a set
    made grey all over has no spread.

    Raises
    ------
    ValueError
        When there are fewer than two images.
    """
    if len(images) < 2:
        raise ValueError("a spread needs at least two images")
    masks = tissue if tissue is not None else [None] * len(images)
    values = [normalised_median_intensity(*pair) for pair in zip(images, masks, strict=True)]
    deviation = float(np.std(values, ddof=1))
    return Spread(deviation, deviation / float(np.mean(values)))


def background_change(image: RGB, source: RGB, background: NDArray[np.bool_]) -> float:
    """Mean absolute difference from the source under a mask of empty glass, in grey levels, 0 to 255.

    Raises
    ------
    ValueError
        When the mask is empty.
    """
    same_shape(image, source)
    if not background.any():
        raise ValueError("the mask is empty: there is no background to compare")
    return float(np.abs(image[background].astype(int) - source[background]).mean())
