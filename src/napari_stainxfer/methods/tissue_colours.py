"""The colours of a side's tissue: what the classical methods measure, once, and in bounded memory."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from napari_stainxfer.methods.background import STAINED, Glass, slide_glass, stained
from napari_stainxfer.patches import Patch, PatchSettings, patch_grid, read_patch, slide_masks
from napari_stainxfer.slides import RGB, Slide
from napari_stainxfer.training import MeasureEvent

Colours = NDArray[np.uint8]

MPP = 1.0
"""um/px at which tissue is measured, and so at which the model is applied; the neural methods' own."""

_SIDES_PX = (256, 128, 64, 32)
_MIN_TISSUE = 0.25
_FEW_PATCHES = 8
_MOST_PATCHES = 64
_PIXELS_A_PATCH = 2048
_ENOUGH_PIXELS = 2000
_MPP_TOLERANCE = 1.02


class TissueColours(NamedTuple):
    """Pixels of tissue: what is stained, and the lumens and edges around it that a transfer changes as well.

    Attributes
    ----------
    colours
        uint8 (n, 3), at most about 131 000 of them, spread evenly over the tissue of all slides of the side.
    glass
        Colour of the empty glass, float (3,), 0 to 255; of several slides the mean.
    """

    colours: Colours
    glass: NDArray[np.float64]

    @property
    def stained(self) -> Colours:
        """Those that are themselves stained, (m, 3)."""
        density = np.log10((self.glass + 1.0) / (self.colours + 1.0))
        chosen: Colours = self.colours[density.max(axis=1) > STAINED]
        return chosen

    @property
    def trust(self) -> float:
        """How far statistics of these pixels are to be believed, 0 to 1: 1 from 2000 stained ones on."""
        return min(1.0, len(self.stained) / _ENOUGH_PIXELS)


def shared_mpp(slides: Sequence[Slide]) -> float:
    """1.0 um/px, or that of the coarsest slide where nothing so fine can be read from it."""
    coarsest = max(slide.require_mpp() for slide in slides)
    return MPP if coarsest <= MPP * _MPP_TOLERANCE else coarsest


def measure_tissue(
    slides: Sequence[Slide], mpp: float, *, part: int = 0, parts: int = 1
) -> Generator[MeasureEvent, None, TissueColours]:
    """Sample the stained pixels of all slides of a side: yields progress, returns the pixels.

    Nothing is random: of the patches that hold tissue evenly many are read in each slide, and of their
    stained pixels every so many-th is taken. A slide too small for a patch gives the tissue of its overview.

    Parameters
    ----------
    slides
        Of known um/px.
    mpp
        At which they are read.
    part, parts
        Where this side stands among those whose progress is shown as one.
    """
    found: list[Colours] = []
    glasses = [slide_glass(slide) for slide in slides]
    total = 2 * _MOST_PATCHES * parts
    for index, (slide, glass) in enumerate(zip(slides, glasses, strict=True)):
        there = _patches(slide, mpp)
        patches = [there[place] for place in _spread(len(there), -(-_MOST_PATCHES // len(slides)))]
        for number, patch in enumerate(patches):
            tissue = _tissue(read_patch(slide, patch), glass)
            found.append(tissue[_spread(len(tissue), _PIXELS_A_PATCH)])
            share = (part + (index + (number + 1) / len(patches)) / len(slides)) / parts
            yield MeasureEvent(round(share * total), total, slide.name)
        if not patches:
            tissue = _tissue(slide.overview(), glass)
            found.append(tissue[_spread(len(tissue), _PIXELS_A_PATCH)])
    return TissueColours(np.concatenate(found), np.mean(glasses, axis=0))


def _patches(slide: Slide, mpp: float) -> list[Patch]:
    """The largest patches of which there are a few; else the smallest, which leave the least tissue out."""
    masks = slide_masks(slide)
    found: list[Patch] = []
    for side in _SIDES_PX:
        settings = PatchSettings(patch_px=side, mpp=mpp, min_tissue=_MIN_TISSUE)
        patches = patch_grid(slide, settings, masks=masks)
        found = patches or found
        if len(patches) >= _FEW_PATCHES:
            break
    return found


def _tissue(image: RGB, glass: Glass) -> Colours:
    """The pixels (n, 3) of an image that a method's change is applied to, mostly or wholly."""
    tensor = torch.from_numpy(np.require(image, requirements=["C", "W"])).permute(2, 0, 1)[None].float() / 255
    chosen: Colours = image[stained(tensor, glass)[0, 0].numpy() > 0.5]
    return chosen


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """At most ``most`` indices below ``count``, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.intp)
