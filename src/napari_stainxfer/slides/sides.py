"""The two sides of a transfer as callers give them: slides, paths, arrays, or lists of these."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.slides.opening import open_slide
from napari_stainxfer.slides.slide import Slide

SlideLike = Slide | str | Path | NDArray[np.uint8]
SlidesLike = SlideLike | Sequence[SlideLike]


def as_slides(given: SlidesLike, mpp: float | None = None, option: str = "--mpp") -> list[Slide]:
    """Open what was given, and check that each can be worked on.

    Parameters
    ----------
    given
        A slide, a path, a uint8 (H, W, 3) array, or a list of these.
    mpp
        um/px, for those that do not know their own.
    option
        What to tell the user to set where the um/px is missing, such as ``--source-mpp``.

    Raises
    ------
    SlideError, MissingResolutionError
        When one of them is not a brightfield slide, or its um/px is unknown.
    """
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not several:
        raise StainTransferError("The list of slides is empty; give at least one on each side.")
    slides = [_as_slide(one).with_missing_mpp(mpp) for one in several]
    for slide in slides:
        slide.require_brightfield()
        slide.require_mpp(option)
    return slides


def _as_slide(given: SlideLike) -> Slide:
    if isinstance(given, Slide):
        return given
    if isinstance(given, np.ndarray):
        return Slide.from_array(given)
    return open_slide(given)
