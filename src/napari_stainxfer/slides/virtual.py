"""Overview levels for a slide that has too few of its own, computed when somebody looks.

A block of a virtual level is the area average of the next finer level that the source really has,
made strip by strip, so memory stays flat. The price is time: the first look at a whole virtual level
decodes that whole source level once. Blocks are kept for the next look.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from napari_stainxfer.slides.cache import BlockCache
from napari_stainxfer.slides.source import RGB, Level, PixelSource
from napari_stainxfer.slides.tiling import read_from_blocks

OVERVIEW_PX = 1024
"""A slide has enough levels when its coarsest one is no longer than this."""

_GAP = 4
"""Levels further apart than this get one between, so that no overview has to be made of all of level 0."""

_BLOCK_PX = 256
_STRIP_PX = 1024


class Plan(NamedTuple):
    """Where the pixels of a level come from: a level of the source, made smaller by a whole factor."""

    level: Level
    base: int
    factor: int


def plan_levels(source: PixelSource) -> tuple[Plan, ...]:
    """Plan the levels of a source and, where it has too few, virtual ones between and after them."""
    shapes = source.shapes
    downsamples = [_downsample(shapes[0], shape) for shape in shapes]
    plans = []
    for base, (shape, downsample) in enumerate(zip(shapes, downsamples, strict=True)):
        plans.append(Plan(Level(shape, downsample), base, 1))
        factor = 1
        if base + 1 < len(shapes):
            while downsamples[base + 1] > 1.5 * _GAP * factor * downsample:
                factor *= _GAP
                plans.append(_smaller(shape, downsample, base, factor))
        else:
            while max(shape) > factor * OVERVIEW_PX:
                factor *= 2
                plans.append(_smaller(shape, downsample, base, factor))
    return tuple(plans)


def _smaller(shape: tuple[int, int], downsample: float, base: int, factor: int) -> Plan:
    reduced = (-(-shape[0] // factor), -(-shape[1] // factor))
    return Plan(Level(reduced, downsample * factor, virtual=True), base, factor)


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

    def __init__(self, source: PixelSource, plans: tuple[Plan, ...], cache: BlockCache) -> None:
        self._source = source
        self._plans = plans
        self._cache = cache

    def read(self, level: int, y: int, x: int, height: int, width: int) -> RGB:
        """Read a rectangle, in pixels of that level and inside it."""
        plan = self._plans[level]
        if not plan.level.virtual:
            return self._source.read(plan.base, y, x, height, width)

        def block(row: int, column: int) -> RGB:
            return self._cache.get((level, row, column), lambda: self._make(plan, row, column))

        return read_from_blocks((y, x, height, width), (_BLOCK_PX, _BLOCK_PX), block)

    def _make(self, plan: Plan, row: int, column: int) -> RGB:
        base, factor = plan.base, plan.factor
        bottom, right = self._source.shapes[base]
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
