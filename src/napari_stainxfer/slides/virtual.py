"""Overview levels for a slide that has too few of its own, computed when somebody looks.

Every virtual level halves the one above it, by area average. A block is made from the coarsest level
that the source really has, strip by strip, so memory stays flat; the price is time, since the first
look at a whole virtual level decodes that whole source level once (a 100,000 x 100,000 px one-level
slide takes about a minute on one core). Blocks are kept for the next look.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from napari_stainxfer.slides.cache import BlockCache
from napari_stainxfer.slides.source import RGB, Level, PixelSource
from napari_stainxfer.slides.tiling import read_from_blocks

OVERVIEW_PX = 1024
"""A slide has enough levels when its coarsest one is no longer than this."""

_GAP = 4.0
"""Real levels this far apart are dense enough: a read decodes at most 16 pixels for each it returns."""

_BLOCK_PX = 256
_STRIP_PX = 1024


def all_levels(source: PixelSource) -> tuple[Level, ...]:
    """Levels of a source followed by the virtual ones that it lacks."""
    height, width = source.shapes[0]
    levels = [Level(shape, _downsample((height, width), shape)) for shape in source.shapes]
    base = levels[-1]
    factor = 1
    while max(base.shape) > factor * OVERVIEW_PX:
        factor *= 2
        shape = (-(-base.shape[0] // factor), -(-base.shape[1] // factor))
        levels.append(Level(shape, base.downsample * factor))
    return tuple(levels)


def _downsample(full: tuple[int, int], shape: tuple[int, int]) -> float:
    """How many level-0 pixels a side one pixel covers: a whole number where the sizes allow one.

    Writers round the size of a level up or down, so the plain ratio of the sizes is off by up to a
    pixel over the whole slide; with the whole number a level stays registered.
    """
    ratio = (full[0] / shape[0] + full[1] / shape[1]) / 2
    whole = round(ratio)
    fits = all(abs(big / whole - small) <= 1.0 for big, small in zip(full, shape, strict=True))
    return float(whole) if fits and abs(ratio - whole) < 0.1 * whole else ratio


class VirtualLevels:
    """Reads every level of a source, the virtual ones too."""

    def __init__(self, source: PixelSource, levels: tuple[Level, ...], cache: BlockCache) -> None:
        self._source = source
        self._levels = levels
        self._cache = cache

    def read(self, level: int, y: int, x: int, height: int, width: int) -> RGB:
        """Read a rectangle, in pixels of that level and inside it."""
        if level < len(self._source.shapes):
            return self._source.read(level, y, x, height, width)

        def block(row: int, column: int) -> RGB:
            return self._cache.get(("virtual", level, row, column), lambda: self._make(level, row, column))

        return read_from_blocks((y, x, height, width), (_BLOCK_PX, _BLOCK_PX), block)

    def _make(self, level: int, row: int, column: int) -> RGB:
        base = len(self._source.shapes) - 1
        factor = round(self._levels[level].downsample / self._levels[base].downsample)
        bottom, right = self._levels[base].shape
        top, left = row * _BLOCK_PX * factor, column * _BLOCK_PX * factor
        width = min(_BLOCK_PX * factor, right - left)
        strip = max(factor, _STRIP_PX // factor * factor)
        parts = []
        for y in range(top, min(top + _BLOCK_PX * factor, bottom), strip):
            height = min(strip, bottom - y)
            pixels = self._source.read(base, y, left, height, width)
            parts.append(area_average(pixels, factor))
        return np.concatenate(parts)


def area_average(rgb: RGB, factor: int) -> RGB:
    """Mean of every ``factor`` x ``factor`` square; what is left at an edge is averaged on its own.

    Parameters
    ----------
    rgb
        uint8 (H, W, 3).

    Returns
    -------
    uint8 (ceil(H / factor), ceil(W / factor), 3), rounded to nearest.
    """
    return np.asarray(Image.fromarray(rgb).reduce(factor))
