"""Non-overlapping patches over the tissue of one slide."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.patches.settings import PatchSettings
from napari_stainxfer.patches.tissue import Mask, SlideMasks, slide_masks
from napari_stainxfer.slides import RGB, Box, Slide

_SHIFTS = 4
"""Grid origins tried along each axis: on a small slide the luck of the origin decides over a patch or two."""


class Patch(NamedTuple):
    """A square of a slide, read at a given um/px.

    Attributes
    ----------
    box
        In level-0 pixels.
    px
        Side in pixels when read.
    tissue
        Share of it that is tissue, 0 to 1.
    slide
        Which slide of its side it lies on, from 0.
    """

    box: Box
    px: int
    tissue: float = 1.0
    slide: int = 0


def read_patch(slide: Slide, patch: Patch) -> RGB:
    """Read a patch: uint8 (px, px, 3).

    A box that is not square (moved by hand in another program) is read as the largest square inside,
    centred.

    Raises
    ------
    MissingResolutionError
        If the slide has no um/px.
    """
    y, x, height, width = patch.box
    side = min(height, width)
    box = Box(y + (height - side) // 2, x + (width - side) // 2, side, side)
    return slide.read_region_at(box, mpp=side * slide.require_mpp() / patch.px)


def patch_grid(
    slide: Slide, settings: PatchSettings | None = None, *, masks: SlideMasks | None = None, index: int = 0
) -> list[Patch]:
    """Cut the tissue of a slide into patches, row by row.

    The grid's origin is the one, out of 16, that gives the most patches. Of equals it is the one nearest
    to the corner, so that two scans of one section are cut alike.

    Parameters
    ----------
    slide
        Of known um/px.
    settings
        Size, um/px and least tissue of a patch.
    masks
        Of the slide's overview, if they are known already.
    index
        Goes into `Patch.slide`.

    Raises
    ------
    MissingResolutionError
        If the slide has no um/px.
    """
    settings = settings or PatchSettings()
    masks = masks or slide_masks(slide)
    side = round(settings.patch_px * settings.mpp / slide.require_mpp())
    tissue, ink = _Shares(masks.tissue, slide.shape), _Shares(masks.ink, slide.shape)
    best: list[Patch] = []
    for shift_y in _shifts(side, slide.shape[0]):
        for shift_x in _shifts(side, slide.shape[1]):
            patches = []
            for y in range(shift_y, slide.shape[0] - side + 1, side):
                for x in range(shift_x, slide.shape[1] - side + 1, side):
                    box = Box(y, x, side, side)
                    share = tissue.inside(box)
                    if share >= settings.min_tissue and ink.inside(box) <= settings.max_ink:
                        patches.append(Patch(box, settings.patch_px, round(share, 4), index))
            best = max(best, patches, key=len)
    return best


def _shifts(side: int, length: int) -> list[int]:
    """Origins along an axis that leave room for at least one patch."""
    shifts = {round(side * step / _SHIFTS) for step in range(_SHIFTS)}
    return sorted(shift for shift in shifts if shift + side <= length)


class _Shares:
    """Share of a box that a mask covers, by a table of sums so that any number of boxes is cheap."""

    def __init__(self, mask: Mask, shape: tuple[int, int]) -> None:
        self._scale = (mask.shape[0] / shape[0], mask.shape[1] / shape[1])
        sums: NDArray[np.int64] = np.cumsum(np.cumsum(mask, axis=0, dtype=np.int64), axis=1)
        self._sums = np.pad(sums, ((1, 0), (1, 0)))

    def inside(self, box: Box) -> float:
        rows, columns = self._sums.shape
        top = min(int(box.y * self._scale[0]), rows - 2)
        left = min(int(box.x * self._scale[1]), columns - 2)
        bottom = min(max(top + 1, round((box.y + box.height) * self._scale[0])), rows - 1)
        right = min(max(left + 1, round((box.x + box.width) * self._scale[1])), columns - 1)
        sums = self._sums
        total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return float(total / ((bottom - top) * (right - left)))
