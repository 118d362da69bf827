"""Rectangles cut along a grid of blocks, and assembled from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_stainxfer.slides.source import RGB


def read_from_blocks(
    box: tuple[int, int, int, int],
    block_shape: tuple[int, int],
    block: Callable[[int, int], RGB],
) -> RGB:
    """Assemble a rectangle from the blocks it touches.

    Parameters
    ----------
    box
        (y, x, height, width) in pixels, inside the image.
    block_shape
        Height and width of a block; the last ones of a row or column may be smaller or larger.
    block
        Gives the block of a row and a column of the grid, uint8 (h, w, 3).

    Returns
    -------
    uint8 (height, width, 3), an array of its own.
    """
    y, x, height, width = box
    block_height, block_width = block_shape
    out = np.empty((height, width, 3), np.uint8)
    for row in range(y // block_height, -(-(y + height) // block_height)):
        top = row * block_height
        y0, y1 = max(y, top), min(y + height, top + block_height)
        for column in range(x // block_width, -(-(x + width) // block_width)):
            left = column * block_width
            x0, x1 = max(x, left), min(x + width, left + block_width)
            pixels = block(row, column)
            out[y0 - y : y1 - y, x0 - x : x1 - x] = pixels[y0 - top : y1 - top, x0 - left : x1 - left]
    return out
