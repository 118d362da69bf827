"""The numbers of what is in view, computed from a small picture of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_stainxfer.applying import Preview
from napari_stainxfer.applying.region_numbers import RegionNumbers, measure_region
from napari_stainxfer.methods import slide_glass
from napari_stainxfer.methods.familiarity import Colour, tissue_colour
from napari_stainxfer.slides import Box, Slide

_MAX_PX = 512
"""Of the side of a view that is measured pixel by pixel; of larger ones, every second or third pixel."""

Goals = dict[str, Colour | None]
"""Tissue colours of references by fingerprint, so that each is measured once."""


def numbers_of_view(
    preview: Preview, level: int, box: Box, references: Sequence[Slide], goals: Goals
) -> RegionNumbers | None:
    """Measure a box of a level of a preview, as far as it is computed; slow, for a thread.

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
    step = max(1, max(inside.height, inside.width) // _MAX_PX)
    before = slide.read_level(inside, level)[::step, ::step]
    after = preview.levels[level][y : y + inside.height : step, x : x + inside.width : step]
    for reference in references:
        if reference.fingerprint() not in goals:
            goals[reference.fingerprint()] = tissue_colour(reference)
    known = [colour for one in references if (colour := goals[one.fingerprint()]) is not None]
    goal = None
    if known:
        red, green, blue = np.mean(known, axis=0)
        goal = (float(red), float(green), float(blue))
    return measure_region(before, after, slide_glass(slide), goal)
