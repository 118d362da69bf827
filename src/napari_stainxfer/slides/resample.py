"""Change of resolution that does not depend on how a slide is cut into rectangles."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from PIL import Image

from napari_stainxfer.slides.box import Box
from napari_stainxfer.slides.source import RGB

_SUPPORT = 2.0
"""Radius of the widest filter used, in output pixels (in input pixels when enlarging)."""


def sampling_window(
    region: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[Box, tuple[float, float, float, float]]:
    """Which whole pixels to read so that `resample` sees all that its filter touches.

    Parameters
    ----------
    region
        (y, x, height, width) in fractional pixels of the image that is read.
    size
        Height and width of the result.

    Returns
    -------
    The rectangle to read, and the region relative to its corner.
    """
    y, x, height, width = region
    y0, y1 = _span(y, height, size[0])
    x0, x1 = _span(x, width, size[1])
    return Box(y0, x0, y1 - y0, x1 - x0), (y - y0, x - x0, height, width)


def _span(start: float, length: float, size: int) -> tuple[int, int]:
    margin = _SUPPORT * max(1.0, length / size) + 1
    return floor(start - margin), ceil(start + length + margin)


def resample(rgb: RGB, region: tuple[float, float, float, float], size: tuple[int, int]) -> RGB:
    """Scale a region of an image, fractional edges included.

    Shrinking uses Pillow's Hamming window (antialiased, no ringing, so that glass stays white);
    enlarging uses bicubic interpolation. A region of whole pixels at its own size is cut out unchanged.

    Parameters
    ----------
    rgb
        uint8 (H, W, 3).
    region
        (y, x, height, width) in fractional pixels of ``rgb``.
    size
        Height and width of the result.

    Returns
    -------
    uint8 (size[0], size[1], 3).
    """
    y, x, height, width = region
    if height == size[0] and width == size[1] and y.is_integer() and x.is_integer():
        return np.ascontiguousarray(rgb[int(y) : int(y) + size[0], int(x) : int(x) + size[1]])
    shrinks = height >= size[0] and width >= size[1]
    method = Image.Resampling.HAMMING if shrinks else Image.Resampling.BICUBIC
    # Rounding may put the far edge a hair beyond the image, which Pillow refuses.
    box = (x, y, min(x + width, rgb.shape[1]), min(y + height, rgb.shape[0]))
    return np.asarray(Image.fromarray(rgb).resize((size[1], size[0]), method, box=box))
