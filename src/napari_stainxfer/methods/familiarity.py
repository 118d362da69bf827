"""Whether a slide looks like those that a model learned from, by the mean colour of its tissue.

A model changes what it never saw in a way that nobody trained. Mean colour cannot tell another organ in a
known stain; it does tell many other labs, another stain, and a faded or very dark slide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_stainxfer.methods.background import STAINED, Glass, slide_glass
from napari_stainxfer.slides import RGB, Slide

Colour = tuple[float, float, float]
"""Red, green, blue; 0 to 255."""

FAR = 10.0
"""CIE delta E 2000 above which a slide counts as unlike. Slides of one synthetic lab are at most 1.4 apart,
and 23 of the 28 pairs of labs more than 10. Of small real fields (five centres of CAMELYON17, three learned
from) none of the same centre is told as unlike, and 43 % of those of another: silence proves nothing."""

_OVERVIEW_PX = 512


def stained_mask(rgb: RGB, glass: Glass) -> NDArray[np.bool_]:
    """Pixels (H, W) that are stained in every channel, relative to the slide's empty glass."""
    density = -np.log10((rgb.astype(np.float32) + 1) / (np.asarray(glass, np.float32) + 1))
    mask: NDArray[np.bool_] = density.min(axis=2) > STAINED
    return mask


def mean_colour(rgb: RGB, mask: NDArray[np.bool_]) -> Colour:
    """Mean colour under a mask (H, W) that is not empty."""
    red, green, blue = rgb[mask].mean(axis=0)
    return float(red), float(green), float(blue)


def tissue_colour(slide: Slide) -> Colour | None:
    """Mean colour of a slide's tissue on its overview, or None where it has none."""
    overview = slide.overview(_OVERVIEW_PX)
    mask = stained_mask(overview, slide_glass(slide))
    return mean_colour(overview, mask) if mask.any() else None


def colour_mpp(slide: Slide) -> float | None:
    """Um/px at which `tissue_colour` looks at a slide, or None where its own is unknown."""
    return None if slide.mpp is None else slide.mpp * max(1.0, max(slide.shape) / _OVERVIEW_PX)


def colour_distance(one: Colour, other: Colour) -> float:
    """CIE delta E 2000 of two sRGB colours."""
    lab = rgb2lab(np.array([[one, other]]) / 255)[0]
    return float(deltaE_ciede2000(lab[0], lab[1]))


def distance_to(known: Sequence[Colour | None], colour: Colour | None) -> float | None:
    """Distance to the nearest of the known colours, or None where there is nothing to compare."""
    if colour is None:
        return None
    return min((colour_distance(one, colour) for one in known if one is not None), default=None)


def caution(name: str, distance: float | None) -> str:
    """What to tell the user of a slide so far from those that a model learned from; empty if it is near."""
    if distance is None or distance <= FAR:
        return ""
    return (
        f"The tissue of {name} is unlike what this model learned from (mean colour, delta E {distance:.0f}): "
        "do not trust the result before you have compared it with the slide, or train on a slide of its lab."
    )
