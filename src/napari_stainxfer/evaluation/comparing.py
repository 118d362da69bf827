"""Two images of a user, compared by every measure that applies, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_stainxfer.errors import SlideError
from napari_stainxfer.evaluation.masks import read_mask
from napari_stainxfer.evaluation.registry import Compared, measure_all
from napari_stainxfer.evaluation.shapes import RGB
from napari_stainxfer.slides import open_slide

MOST_PX = 2048
"""Longer sides are averaged down to this, so that a whole slide can be compared as well."""

IN_MASK = {"delta_e_in_mask": "delta_e", "hue_error_in_mask": "red_cell_hue"}
"""Values under the mask, and the measures that they are of."""


class Comparison(NamedTuple):
    """What came of comparing.

    Attributes
    ----------
    first, second
        The images as they were compared, uint8 (H, W, 3).
    difference
        CIE delta E 2000 of every pixel, (H, W).
    values
        By the name of the measure.
    """

    first: RGB
    second: RGB
    difference: NDArray[np.float64]
    values: dict[str, float]


def compare(first: Path, second: Path, mask: Path | None = None, *, lpips: Sequence[str] = ()) -> Comparison:
    """Compare two registered images or slides.

    Parameters
    ----------
    first, second
        Files that :func:`open_slide` opens, of the same size in pixels; the second is the truth.
    mask
        An image of the same size; where it is not 0, colour and hue are compared as well by themselves.
    lpips
        Those of ``LPIPS_METRICS`` to take as well.

    Raises
    ------
    SlideError
        When one of them cannot be read, or their sizes differ.
    """
    images = []
    with open_slide(first) as one, open_slide(second) as other:
        if one.shape != other.shape:
            raise SlideError(
                f"{first} is {one.shape[0]} x {one.shape[1]} px and {second} {other.shape[0]} x "
                f"{other.shape[1]} px; only images of the same field and size can be compared."
            )
        for slide in (one, other):
            slide.require_brightfield()
            images.append(slide.overview(MOST_PX))
        full = one.shape
    there = None if mask is None else _shrunk_mask(mask, full, images[0].shape[:2])
    compared = Compared(images[0], truth=images[1], source=images[1], red_cells=there)
    values = measure_all(compared, lpips=lpips)
    difference = deltaE_ciede2000(rgb2lab(images[0]), rgb2lab(images[1]))
    if there is not None:
        hue = values.pop("red_cell_hue", None)
        values |= {"delta_e_in_mask": float(difference[there].mean()), "mask_share": float(there.mean())}
        values |= {} if hue is None else {"hue_error_in_mask": hue}
    return Comparison(images[0], images[1], difference, values)


def _shrunk_mask(path: Path, full: tuple[int, int], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    marked = read_mask(path)
    if marked.shape != full:
        raise SlideError(
            f"The mask {path} is {marked.shape[0]} x {marked.shape[1]} px, the images are "
            f"{full[0]} x {full[1]} px; they must agree."
        )
    grey = Image.fromarray(marked.astype(np.uint8) * 255)
    small = grey.resize((shape[1], shape[0]), Image.Resampling.BOX)
    mask: NDArray[np.bool_] = np.asarray(small) > 127
    if not mask.any():
        raise SlideError(f"Nothing is marked in the mask {path}; mark what is to be compared.")
    return mask
