"""The numbers of what is in view, computed from a small picture of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_stainxfer.applying import Preview
from napari_stainxfer.applying.region_numbers import RegionNumbers, measure_region
from napari_stainxfer.methods import slide_glass
from napari_stainxfer.methods.familiarity import Colour, colour_mpp, tissue_colour
from napari_stainxfer.slides import Box, Slide
from napari_stainxfer.slides.resample import resample

_LEAST_PX, _MOST_PX = 16, 512
"""Bounds of the shorter and the longer side of the picture of a view that is measured."""

Goals = dict[str, Colour | None]
"""Tissue colours of references by fingerprint, so that each is measured once."""


def numbers_of_view(
    preview: Preview, level: int, box: Box, references: Sequence[Slide], goals: Goals
) -> RegionNumbers | None:
    """Measure a box of a level of a preview, as far as it is computed; slow, for a thread.

    The view is measured at the um/px at which the references were: seen closer, the gaps between cells
    are no tissue any more, and what is left is darker in any stain.

    Parameters
    ----------
    preview, level, box
        What is in view, in pixels of that level.
    references
        Slides whose mean tissue colour is the goal.
    goals
        What was found out before; added to.
    """
    slide = preview.slide
    height, width = slide.levels[level].shape
    y, x = max(0, box.y), max(0, box.x)
    inside = Box(y, x, min(box.height, height - y), min(box.width, width - x))
    if inside.height <= 0 or inside.width <= 0:
        return None
    for reference in references:
        if reference.fingerprint() not in goals:
            goals[reference.fingerprint()] = tissue_colour(reference)
    known = [colour for one in references if (colour := goals[one.fingerprint()]) is not None]
    goal = None
    if known:
        red, green, blue = np.mean(known, axis=0)
        goal = (float(red), float(green), float(blue))
    seen = slide.read_level(inside, level), preview.levels[level][_slices(inside)]
    size = _measured_px(inside, slide, level, references)
    whole = (0.0, 0.0, float(inside.height), float(inside.width))
    before, after = (resample(pixels, whole, size) for pixels in seen)
    return measure_region(before, after, slide_glass(slide), goal)


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box.y, box.y + box.height), slice(box.x, box.x + box.width)


def _measured_px(box: Box, slide: Slide, level: int, references: Sequence[Slide]) -> tuple[int, int]:
    """Height and width of the picture that is measured: as coarse as the references were seen."""
    longer, shorter = max(box.height, box.width), min(box.height, box.width)
    known = [mpp for one in references if (mpp := colour_mpp(one)) is not None]
    coarser = 1.0
    if known and slide.mpp is not None:
        coarser = float(np.mean(known)) / (slide.mpp * slide.levels[level].downsample)
    coarser = max(1.0, longer / _MOST_PX, min(coarser, shorter / _LEAST_PX))
    return max(1, round(box.height / coarser)), max(1, round(box.width / coarser))
