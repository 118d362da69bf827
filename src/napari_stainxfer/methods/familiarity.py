"""Whether a slide looks like those that a model learned from, by the mean colour of its tissue.

A model changes what it never saw in a way that nobody trained. Mean colour cannot tell another organ in a
known stain; it does tell many other labs, another stain, and a faded or very dark slide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_stainxfer.methods.background import STAINED, Glass, slide_glass
from napari_stainxfer.slides import RGB, Box, Slide

Colour = tuple[float, float, float]
"""Red, green, blue; 0 to 255."""

FAR = 10.0
"""CIE delta E 2000 above which a slide counts as unlike. Slides of one synthetic lab are at most 1.1 apart,
and 23 of the 28 pairs of labs more than 10. Of small real fields (five centres of CAMELYON17, three learned
from) 1 % of the same centre's are told as unlike, and 49 % of those of another: silence proves nothing."""

_MPP = 4.0
"""Um/px at which tissue is looked at, wherever the slide is not coarser: seen closer, the gaps between cells
are no tissue any more, and what is left is darker in any stain; from afar, all of it is mixed with glass.
A slide's own mean colour moves by several delta E from one to the other."""

_BLOCK_PX, _MOST_BLOCKS = 256, 24


def stained_mask(rgb: RGB, glass: Glass) -> NDArray[np.bool_]:
    """Pixels (H, W) that are stained in every channel, relative to the slide's empty glass."""
    density = -np.log10((rgb.astype(np.float32) + 1) / (np.asarray(glass, np.float32) + 1))
    mask: NDArray[np.bool_] = density.min(axis=2) > STAINED
    return mask


def mean_colour(rgb: RGB, mask: NDArray[np.bool_]) -> Colour:
    """Mean colour of pixels (..., 3) under a mask (...) that is not empty."""
    red, green, blue = rgb[mask].mean(axis=0)
    return float(red), float(green), float(blue)


def tissue_colour(slide: Slide) -> Colour | None:
    """Mean colour of a slide's tissue at 4 um/px, or None where it has none.

    A slide of unknown um/px is looked at on its overview.
    """
    glass = slide_glass(slide)
    looks = [slide.overview()] if slide.mpp is None else _blocks(slide, slide.mpp, glass)
    colours = [look[stained_mask(look, glass)] for look in looks]
    stained = np.concatenate([np.empty((0, 3), np.uint8), *colours])
    return mean_colour(stained, np.ones(len(stained), bool)) if len(stained) else None


def _blocks(slide: Slide, mpp: float, glass: Glass) -> Iterator[RGB]:
    """Read what is not empty of a slide block by block, evenly spread where it is large."""
    anything = stained_mask(slide.overview(), glass)
    scale = anything.shape[0] / slide.shape[0], anything.shape[1] / slide.shape[1]
    side = max(1, round(_BLOCK_PX * max(_MPP, mpp) / mpp))
    boxes = []
    for y in range(0, slide.shape[0], side):
        for x in range(0, slide.shape[1], side):
            box = Box(y, x, min(side, slide.shape[0] - y), min(side, slide.shape[1] - x))
            rows, columns = (
                slice(int(start * by), int(np.ceil((start + length) * by)))
                for start, length, by in zip(box[:2], box[2:], scale, strict=True)
            )
            if anything[rows, columns].any():
                boxes.append(box)
    for place in np.linspace(0, len(boxes) - 1, min(len(boxes), _MOST_BLOCKS)).astype(int):
        yield slide.read_region_at(boxes[place], mpp=max(_MPP, mpp))


def colour_mpp(slide: Slide) -> float | None:
    """Um/px at which `tissue_colour` looks at a slide, or None where its own is unknown."""
    return None if slide.mpp is None else max(_MPP, slide.mpp)


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
