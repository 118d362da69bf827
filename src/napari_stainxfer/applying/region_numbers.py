"""Numbers for what is in view: its mean tissue colour before and after, and how far each is from the goal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_stainxfer.methods import Glass, slide_glass
from napari_stainxfer.slides import RGB, Slide

_STAINED_OD = 0.08
"""Optical density above which a pixel shows tissue, as in methods.background."""

Colour = tuple[float, float, float]


class RegionNumbers(NamedTuple):
    """What a region shows.

    Attributes
    ----------
    tissue
        Share of it that is tissue, 0 to 1.
    before, after
        Mean colour (R, G, B) of the tissue, 0 to 255.
    distance_before, distance_after
        CIE delta E 2000 from these to the reference's mean tissue colour; None without a reference.
    """

    tissue: float
    before: Colour
    after: Colour
    distance_before: float | None
    distance_after: float | None


def measure_region(before: RGB, after: RGB, glass: Glass, goal: Colour | None) -> RegionNumbers | None:
    """Compare a region with what was made of it; None where it shows no tissue.

    Parameters
    ----------
    before, after
        The same region, uint8 (H, W, 3).
    glass
        The slide's empty glass.
    goal
        See `tissue_colour`.
    """
    mask = _stained(before, glass)
    if not mask.any():
        return None
    was, became = _mean(before, mask), _mean(after, mask)
    if goal is None:
        return RegionNumbers(float(mask.mean()), was, became, None, None)
    return RegionNumbers(float(mask.mean()), was, became, _distance(was, goal), _distance(became, goal))


def tissue_colour(slide: Slide) -> Colour | None:
    """Mean colour (R, G, B) of a slide's tissue on its overview, or None where it has none."""
    overview = slide.overview(512)
    mask = _stained(overview, slide_glass(slide))
    return _mean(overview, mask) if mask.any() else None


def _stained(rgb: RGB, glass: Glass) -> NDArray[np.bool_]:
    density = -np.log10((rgb.astype(np.float32) + 1) / (np.asarray(glass, np.float32) + 1))
    mask: NDArray[np.bool_] = density.min(axis=2) > _STAINED_OD
    return mask


def _mean(rgb: RGB, mask: NDArray[np.bool_]) -> Colour:
    red, green, blue = rgb[mask].mean(axis=0)
    return float(red), float(green), float(blue)


def _distance(one: Colour, other: Colour) -> float:
    lab = rgb2lab(np.array([[one, other]]) / 255)[0]
    return float(deltaE_ciede2000(lab[0], lab[1]))
