"""Numbers for what is in view: its mean tissue colour before and after, and how far each is from the goal."""

from __future__ import annotations

from typing import NamedTuple

from napari_stainxfer.methods import Glass
from napari_stainxfer.methods.familiarity import Colour, colour_distance, mean_colour, stained_mask
from napari_stainxfer.slides import RGB


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
        The reference's mean tissue colour.
    """
    mask = stained_mask(before, glass)
    if not mask.any():
        return None
    was, became = mean_colour(before, mask), mean_colour(after, mask)
    if goal is None:
        return RegionNumbers(float(mask.mean()), was, became, None, None)
    distances = colour_distance(was, goal), colour_distance(became, goal)
    return RegionNumbers(float(mask.mean()), was, became, *distances)
