"""Levels of a slide as dask arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array
import numpy as np

from napari_stainxfer.slides.box import Box
from napari_stainxfer.slides.source import RGB

if TYPE_CHECKING:
    from napari_stainxfer.slides.slide import Slide

CHUNK_PX = 512


class LevelView:
    """One level, sliced like an array of shape (H, W, 3)."""

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, slide: Slide, level: int) -> None:
        self._slide = slide
        self._level = level
        self.shape = (*slide.levels[level].shape, 3)

    def __getitem__(self, index: tuple[slice, slice, slice]) -> RGB:
        (y0, y1, ys), (x0, x1, xs), _ = (s.indices(n) for s, n in zip(index, self.shape, strict=True))
        pixels = self._slide.read_level(Box(y0, x0, y1 - y0, x1 - x0), self._level)
        return pixels[::ys, ::xs, index[2]]


def level_array(slide: Slide, level: int) -> dask.array.Array:
    """Return one level as a lazy array uint8 (H, W, 3); nothing is read before it is computed."""
    view = LevelView(slide, level)
    chunks = (CHUNK_PX, CHUNK_PX, 3)
    return dask.array.from_array(
        view, chunks=chunks, name=False, asarray=False, lock=False, meta=np.empty((0, 0, 0), np.uint8)
    )
