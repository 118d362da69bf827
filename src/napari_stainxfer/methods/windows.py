"""Exact tiling: a tile computed alone equals the same part of the whole.

Three things make it exact. Every tile is computed with a halo at least as wide as the method looks;
its corner lies on the method's own grid (a network that halves resolution twice has a grid of 4 px);
and past the edge of the slide pixels are mirrored, by the slide's coordinates and not the tile's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.slides import Box


class Window(NamedTuple):
    """What to read for one tile, and how to shape it.

    Attributes
    ----------
    read
        The part of the slide to read, inside the slide.
    rows, columns
        Indices into what was read, mirrored at the slide's edge: ``pixels[rows][:, columns]``.
    keep
        Where the tile lies in the result.
    """

    read: Box
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    keep: tuple[slice, slice]


def tile_boxes(shape: tuple[int, int], tile_px: int) -> Iterator[Box]:
    """Cover a slide of (height, width) by tiles in row-major order; those at the far edges are smaller."""
    if tile_px < 1:
        raise ValueError(f"tile_px must be at least 1, not {tile_px}")
    height, width = shape
    for y in range(0, height, tile_px):
        for x in range(0, width, tile_px):
            yield Box(y, x, min(tile_px, height - y), min(tile_px, width - x))


def window(box: Box, shape: tuple[int, int], *, halo_px: int, align_px: int) -> Window:
    """The window that computes ``box`` of a slide of (height, width) exactly."""
    y, rows, keep_rows = _axis(box.y, box.height, shape[0], halo_px, align_px)
    x, columns, keep_columns = _axis(box.x, box.width, shape[1], halo_px, align_px)
    read = Box(y, x, int(rows.max()) + 1, int(columns.max()) + 1)
    return Window(read, rows, columns, (keep_rows, keep_columns))


def _axis(start: int, length: int, size: int, halo: int, align: int) -> tuple[int, NDArray[np.intp], slice]:
    first = (start - halo) // align * align
    last = -(-(start + length + halo) // align) * align
    mirrored = _mirror(np.arange(first, last), size)
    origin = int(mirrored.min())
    return origin, mirrored - origin, slice(start - first, start - first + length)


def _mirror(index: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Reflect positions into [0, size), the edge pixel not repeated, as often as needed."""
    if size == 1:
        return np.zeros_like(index)
    period = 2 * (size - 1)
    folded = np.abs(index) % period
    mirrored: NDArray[np.intp] = np.minimum(folded, period - folded)
    return mirrored
