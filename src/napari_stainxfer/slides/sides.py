"""The two sides of a transfer as callers give them: slides, paths, arrays, or lists of these."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.slides.opening import SUFFIXES, is_one_slide, open_slide
from napari_stainxfer.slides.slide import Slide

SlideLike = Slide | str | Path | NDArray[np.uint8]
SlidesLike = SlideLike | Sequence[SlideLike]

MASK_ENDING = re.compile(r"_mask(_[^.]*)?$")
"""How the names of masks end that lie beside their images; see docs/eight-labs.md."""


def as_slides(given: SlidesLike, mpp: float | None = None, option: str = "--mpp") -> list[Slide]:
    """Open what was given, and check that each can be worked on.

    Parameters
    ----------
    given
        A slide, the path of one or of a folder of slides, a uint8 (H, W, 3) array, or a list of these.
    mpp
        um/px, for those that do not know their own.
    option
        What to tell the user to set where the um/px is missing, such as ``--source-mpp``.

    Raises
    ------
    SlideError, MissingResolutionError
        When one of them is not a brightfield slide, or its um/px is unknown.
    """
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else _expanded(given)
    if not several:
        raise StainTransferError("The list of slides is empty; give at least one on each side.")
    slides = [_as_slide(one).with_missing_mpp(mpp) for one in several]
    for slide in slides:
        slide.require_brightfield()
        slide.require_mpp(option)
    return slides


def slides_in(folder: Path) -> list[Path]:
    """Slides that lie in a folder, by name; a folder of DICOM files counts as the one slide that it is.

    Hidden files are no slides, nor are masks, whose names end in ``_mask``.

    Raises
    ------
    StainTransferError
        When there are none.
    """
    found = [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
        and (is_one_slide(path) if path.is_dir() else _is_named_like_a_slide(path))
    ]
    if not found:
        raise StainTransferError(
            f"{folder} is a folder without slides; give a slide, or a folder that they lie in."
        )
    return found


def _is_named_like_a_slide(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not MASK_ENDING.search(path.stem)


def _expanded(given: SlideLike) -> Sequence[SlideLike]:
    """The slides of a folder, or what was given."""
    if isinstance(given, str | Path) and Path(given).is_dir() and not is_one_slide(Path(given)):
        return slides_in(Path(given))
    return [given]


def _as_slide(given: SlideLike) -> Slide:
    if isinstance(given, Slide):
        return given
    if isinstance(given, np.ndarray):
        return Slide.from_array(given)
    return open_slide(given)
