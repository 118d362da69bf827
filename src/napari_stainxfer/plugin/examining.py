"""Look at a slide before it is worked on: a thumbnail, and what a person should be warned of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_stainxfer.errors import SlideError
from napari_stainxfer.patches import find_tissue, glass_colour
from napari_stainxfer.slides import RGB, Slide

THUMBNAIL_PX = 96
_LOOK_PX = 512
_STAINED_OD = 0.1
# H&E absorbs green most. Shares of stained pixels that do not: at most 0.01 and 0.12 in sixty H&E images of
# eleven labs, and 0.9 of brown in one with DAB. PAS cannot be told from H&E like this, and is not.
_BROWN_SHARE = 0.1
_BLUE_SHARE = 0.4


@dataclass(frozen=True)
class Examination:
    """What a look at a slide shows.

    Attributes
    ----------
    thumbnail
        uint8 (h, w, 3), no side over 96 px.
    warnings
        Sentences, the gravest first.
    fingerprint
        Of the slide.
    """

    thumbnail: RGB
    warnings: tuple[str, ...]
    fingerprint: str


def examine(slide: Slide) -> Examination:
    """Look at a slide's overview. Slow where the file has no small level: call it in a thread.

    Raises
    ------
    SlideError
        If it cannot be read.
    """
    overview = slide.overview(_LOOK_PX)
    thumbnail = slide.overview(THUMBNAIL_PX)
    try:
        slide.require_brightfield()
    except SlideError as error:
        warnings: tuple[str, ...] = (f"{error}.",)
    else:
        warnings = tuple(_stain_warnings(overview))
    return Examination(thumbnail, warnings, slide.fingerprint())


def _stain_warnings(overview: RGB) -> list[str]:
    tissue = find_tissue(overview).tissue
    if not tissue.any():
        return ["No tissue was found: is this a stained slide?"]
    density = -np.log10((overview[tissue].astype(np.float32) + 1) / (glass_colour(overview) + 1))
    red, green, blue = density[density.mean(axis=1) > _STAINED_OD].T
    if not len(red):
        return []
    if np.mean(blue > 1.05 * green) > _BROWN_SHARE:
        return ["Much of it is brown, as in immunohistochemistry: the transfer is made for H&E."]
    if np.mean(red > 1.05 * green) > _BLUE_SHARE:
        return ["Most of it is blue or green: the transfer is made for H&E."]
    return []
