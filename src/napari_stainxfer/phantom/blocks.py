"""Regions of a phantom, cut from a fixed grid of blocks so that every window equals the whole exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.phantom.labs import Lab
from napari_stainxfer.phantom.noise import Floats
from napari_stainxfer.phantom.render import expose, halo_px
from napari_stainxfer.phantom.tissue import Masks, Tissue
from napari_stainxfer.slides.box import Box
from napari_stainxfer.slides.cache import BlockCache
from napari_stainxfer.slides.source import RGB

BLOCK_PX = 256


def samples(mpp: float) -> int:
    """Points a side that a pixel averages: few, so that overviews stay cheap."""
    return 1 if mpp <= 2.001 else 2 if mpp <= 8.001 else 4


def render(
    tissue: Tissue, lab: Lab, box: Box, mpp: float | None = None, *, cache: BlockCache | None = None
) -> RGB:
    """Render a region of a tissue as a lab would stain and scan it.

    Parameters
    ----------
    tissue, lab
        What is rendered, and by whom.
    box
        In pixels of ``mpp``; may reach outside the slide, where there is glass.
    mpp
        Um/px of the result; the tissue's own if left out. Up to 2 um/px a pixel is computed
        directly, coarser ones are the mean of 2 x 2 or 4 x 4 points.
    cache
        Keeps blocks for the next region.

    Returns
    -------
    uint8 (box.height, box.width, 3). Any window equals the same part of a larger one exactly.
    """
    size = tissue.mpp if mpp is None else mpp

    def block(row: int, column: int) -> tuple[RGB]:
        def make() -> RGB:
            return _render_block(tissue, lab, row, column, size)

        return (make() if cache is None else cache.get((tissue, lab, size, row, column), make),)

    pixels: RGB = _assemble(box, block)[0]
    return pixels


def stain_region(tissue: Tissue, box: Box, mpp: float | None = None) -> Floats:
    """Amounts of haematoxylin, eosin and haemoglobin in a region, before any lab's strength.

    Returns
    -------
    float32 (3, box.height, box.width), 0 or more; box in pixels of ``mpp`` (the tissue's own if left out).
    """
    size = tissue.mpp if mpp is None else mpp
    shape = (BLOCK_PX, BLOCK_PX)

    def block(row: int, column: int) -> tuple[Floats, ...]:
        return tuple(tissue.patch(row * BLOCK_PX, column * BLOCK_PX, shape, size)[0])

    return np.stack(_assemble(box, block))


def mask_region(tissue: Tissue, box: Box, mpp: float | None = None) -> Masks:
    """Masks of a region (see `Masks`), box in pixels of ``mpp`` (the tissue's own if left out)."""
    size = tissue.mpp if mpp is None else mpp
    shape = (BLOCK_PX, BLOCK_PX)

    def block(row: int, column: int) -> tuple[NDArray[Any], ...]:
        m = tissue.patch(row * BLOCK_PX, column * BLOCK_PX, shape, size)[1]
        return m.glomeruli, m.nuclei, m.red_cells, m.tissue

    return Masks(*_assemble(box, block))


def _render_block(tissue: Tissue, lab: Lab, row: int, column: int, mpp: float) -> RGB:
    n = samples(mpp)
    halo = halo_px(lab, mpp / n)
    side = BLOCK_PX // n
    out = np.empty((BLOCK_PX, BLOCK_PX, 3), np.uint8)
    for i in range(n):
        for j in range(n):
            top, left = (row * n + i) * BLOCK_PX, (column * n + j) * BLOCK_PX
            shape = (BLOCK_PX + 2 * halo, BLOCK_PX + 2 * halo)
            stains, _ = tissue.patch(top - halo, left - halo, shape, mpp / n)
            fine = expose(lab, stains, top, left, mpp / n, halo)
            means = fine.reshape(side, n, side, n, 3).mean(axis=(1, 3), dtype=np.float32)
            out[i * side : (i + 1) * side, j * side : (j + 1) * side] = np.rint(means)
    return out


def _assemble(box: Box, block: Callable[[int, int], tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    """Cut a rectangle from the grid of blocks; a block may be several arrays of one height and width."""
    y, x, height, width = box
    out: list[NDArray[Any]] = []
    for row in range(y // BLOCK_PX, -(-(y + height) // BLOCK_PX)):
        top = row * BLOCK_PX
        y0, y1 = max(y, top), min(y + height, top + BLOCK_PX)
        for column in range(x // BLOCK_PX, -(-(x + width) // BLOCK_PX)):
            left = column * BLOCK_PX
            x0, x1 = max(x, left), min(x + width, left + BLOCK_PX)
            parts = block(row, column)
            out = out or [np.empty((height, width, *p.shape[2:]), p.dtype) for p in parts]
            for whole, part in zip(out, parts, strict=True):
                whole[y0 - y : y1 - y, x0 - x : x1 - x] = part[y0 - top : y1 - top, x0 - left : x1 - left]
    return out
