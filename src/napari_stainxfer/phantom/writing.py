"""Write a phantom to a pyramid file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from napari_stainxfer.phantom.labs import Lab
from napari_stainxfer.phantom.slide import MPP, SIZE_PX, phantom_slide
from napari_stainxfer.slides import RGB, Box, Slide, write_pyramid

_TILE_PX = 512


def write_phantom(
    path: str | os.PathLike[str],
    lab: str | Lab = "lab1",
    seed: int = 0,
    size_px: tuple[int, int] = SIZE_PX,
    mpp: float = MPP,
    *,
    quality: int = 90,
    workers: int = 2,
) -> Path:
    """Render a phantom, tile by tile, into a tiled JPEG pyramid.

    Parameters
    ----------
    path
        The file to write; its ending decides between OME-TIFF and plain TIFF.
    lab, seed, size_px, mpp
        As for `phantom_slide`.
    quality
        Of the JPEG tiles, 1 to 100.
    workers
        Threads that render, and that compress.

    Returns
    -------
    The path written. Memory holds one row of tiles, whatever the height of the slide.
    """
    slide = phantom_slide(lab, seed, size_px, mpp)
    with ThreadPoolExecutor(workers) as pool:
        return write_pyramid(
            path,
            _tiles(slide, pool),
            shape=slide.shape,
            mpp=slide.mpp,
            magnification=slide.magnification,
            provenance=slide.provenance,
            quality=quality,
            tile_px=_TILE_PX,
            workers=workers,
        )


def _tiles(slide: Slide, pool: ThreadPoolExecutor) -> Iterator[RGB]:
    height, width = slide.shape
    for y in range(0, height, _TILE_PX):
        row = (
            Box(y, x, min(_TILE_PX, height - y), min(_TILE_PX, width - x)) for x in range(0, width, _TILE_PX)
        )
        yield from pool.map(slide.read_region, row)
