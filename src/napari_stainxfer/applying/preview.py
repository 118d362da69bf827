"""A slide in the reference's stain, to look at: tiles are computed where somebody looks, coarse first.

Reading never waits and never computes: it gives what is there, and where nothing is, what a coarser level
has. Say where the view is with `look_at`, and have a thread go through `serve`: it computes what the view
lacks, first alike (see `likeness`) and then, at full resolution and half of it, exactly as an export would.
At half of it a pixel is the average of four that the network made, as in the exported pyramid.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from threading import Lock
from typing import NamedTuple

import numpy as np

from napari_stainxfer.applying.likeness import ColourLikeness, sample_boxes, transform_box
from napari_stainxfer.applying.preview_level import PreviewLevel
from napari_stainxfer.applying.tile_cache import Tile, TileCache
from napari_stainxfer.methods import Glass, Model, slide_glass
from napari_stainxfer.slides import RGB, Box, Slide, area_average

TILE_PX = 256
CACHE_BYTES = 256 * 2**20
EXACT_DOWNSAMPLE = 2
"""Coarser levels stay alike: to be exact, one view of them would take the network through a large part of
the slide."""

_numbers = itertools.count()


class TileKey(NamedTuple):
    """A tile of a level."""

    level: int
    row: int
    column: int


class Preview:
    """A model on a slide, computed where one looks. All methods are safe to call from several threads.

    Parameters
    ----------
    model
        Computes where it is: see `Model.to`.
    slide
        The slide.
    cache
        Where tiles are kept; several previews may share one.

    Attributes
    ----------
    levels
        Array-likes uint8 (H, W, 3), one for each level of the slide, finest first.
    ready
        Whether there is something to see: the coarsest level is there.
    """

    def __init__(self, model: Model, slide: Slide, cache: TileCache | None = None) -> None:
        self.model, self.slide = model, slide
        self.ready = False
        self._cache = cache or TileCache(CACHE_BYTES)
        self._number = next(_numbers)
        self._coarsest: RGB | None = None  # is never given up, so that there is always something to show
        self._glass: Glass | None = None
        self._likeness: ColourLikeness | None = None
        self._pending: list[TileKey] = []
        self._lock = Lock()
        self.levels = tuple(
            PreviewLevel(self._read, n, level.shape, exact=PreviewLevel(self.compute, n, level.shape))
            for n, level in enumerate(slide.levels)
        )

    def look_at(self, level: int, box: Box) -> bool:
        """Say what is in view, in pixels of a level: nothing else is waited for any more.

        Returns
        -------
        Whether there is something to compute, which is for `serve` to do.
        """
        middle = (box.y + box.height / 2, box.x + box.width / 2)
        in_view = sorted(self._tiles_of(level, box), key=lambda key: _distance(key, middle))
        # More than the cache holds would push each other out for ever.
        room = max(1, self._cache.max_bytes // (2 * 3 * TILE_PX**2))
        wanted = [key for key in in_view[:room] if not self._is_final(key)]
        with self._lock:
            self._pending = wanted
        return bool(wanted) or not self.ready

    @property
    def pending(self) -> int:
        """Tiles in view that are not there yet, or only alike."""
        with self._lock:
            return len(self._pending)

    def serve(self) -> Generator[None, None, None]:
        """Compute what is in view until all of it is there; yields often, and after every tile.

        Stop asking and it has stopped. Only one thread at a time may serve.
        """
        yield from self._prepare()
        while (key := self._next()) is not None:
            if self._cached(key) is None:
                self._put(key, self._alike(key))
            else:
                self._put(key, Tile(self.compute(key.level, self._box(key)), exact=True))
            yield

    def compute(self, level: int, box: Box) -> RGB:
        """The pixels of a box of a level, inside it, as good as this level gets; takes its time.

        Returns
        -------
        uint8 (box.height, box.width, 3)
        """
        factor = self._exact_factor(level)
        if factor is None:
            for _ in self._prepare():
                pass
            return self._like(level, box)
        if level == 0:
            return transform_box(self.model, self.slide, box, self._measured_glass())
        y, x = box.y * factor, box.x * factor
        height = min(box.height * factor, self.slide.shape[0] - y)
        width = min(box.width * factor, self.slide.shape[1] - x)
        fine = transform_box(self.model, self.slide, Box(y, x, height, width), self._measured_glass())
        return area_average(fine, factor)

    def _prepare(self) -> Generator[None, None, None]:
        """Learn the model's colours on this slide, then show the coarsest level."""
        if self.ready:
            return
        glass = self._measured_glass()
        fields = []
        for box in sample_boxes(self.slide):
            yield
            fields.append((self.slide.read_region(box), transform_box(self.model, self.slide, box, glass)))
        self._likeness = ColourLikeness(fields, glass)
        last = len(self.slide.levels) - 1
        self._coarsest = self._like(last, Box(0, 0, *self.slide.levels[last].shape))
        self.ready = True
        yield

    def _measured_glass(self) -> Glass:
        if self._glass is None:
            self._glass = slide_glass(self.slide)
        return self._glass

    def _like(self, level: int, box: Box) -> RGB:
        assert self._likeness is not None
        return self._likeness(self.slide.read_level(box, level), self.slide.levels[level].downsample)

    def _alike(self, key: TileKey) -> Tile:
        return Tile(self._like(key.level, self._box(key)), exact=False)

    def _exact_factor(self, level: int) -> int | None:
        """Pixels of level 0 along a side of one of this level, where it can be computed exactly."""
        downsample = self.slide.levels[level].downsample
        whole = downsample.is_integer() and downsample <= EXACT_DOWNSAMPLE
        return (
            int(downsample)
            if whole
            and all(
                -(-fine // int(downsample)) == coarse
                for fine, coarse in zip(self.slide.shape, self.slide.levels[level].shape, strict=True)
            )
            else None
        )

    def _is_final(self, key: TileKey) -> bool:
        tile = self._cached(key)
        return tile is not None and (tile.exact or self._exact_factor(key.level) is None)

    def _next(self) -> TileKey | None:
        """The tile to compute next: what has nothing to show, before what is only alike."""
        with self._lock:
            self._pending = [key for key in self._pending if not self._is_final(key)]
            missing = (key for key in self._pending if self._cached(key) is None)
            return next(missing, self._pending[0] if self._pending else None)

    def _cached(self, key: TileKey) -> Tile | None:
        return self._cache.get((self._number, key))

    def _put(self, key: TileKey, tile: Tile) -> None:
        self._cache.put((self._number, key), tile)

    def _box(self, key: TileKey) -> Box:
        height, width = self.slide.levels[key.level].shape
        y, x = key.row * TILE_PX, key.column * TILE_PX
        return Box(y, x, min(TILE_PX, height - y), min(TILE_PX, width - x))

    def _tiles_of(self, level: int, box: Box) -> list[TileKey]:
        height, width = self.slide.levels[level].shape
        y0, x0 = max(0, box.y), max(0, box.x)
        y1, x1 = min(height, box.y + box.height), min(width, box.x + box.width)
        return [
            TileKey(level, row, column)
            for row in range(y0 // TILE_PX, -(-y1 // TILE_PX))
            for column in range(x0 // TILE_PX, -(-x1 // TILE_PX))
        ]

    def _read(self, level: int, box: Box) -> RGB:
        """What is there of a box, at once."""
        out = np.empty((box.height, box.width, 3), np.uint8)
        for key in self._tiles_of(level, box):
            whole = self._box(key)
            y0, x0 = max(box.y, whole.y), max(box.x, whole.x)
            y1 = min(box.y + box.height, whole.y + whole.height)
            x1 = min(box.x + box.width, whole.x + whole.width)
            tile = self._cached(key)
            if tile is not None:
                part = tile.pixels[y0 - whole.y : y1 - whole.y, x0 - whole.x : x1 - whole.x]
            else:
                part = self._from_coarser(level, Box(y0, x0, y1 - y0, x1 - x0))
            out[y0 - box.y : y1 - box.y, x0 - box.x : x1 - box.x] = part
        return out

    def _from_coarser(self, level: int, box: Box) -> RGB:
        if level == len(self.levels) - 1:
            if self._coarsest is None:
                return np.full((box.height, box.width, 3), 255, np.uint8)
            return self._coarsest[box.y : box.y + box.height, box.x : box.x + box.width]
        ratio = self.slide.levels[level].downsample / self.slide.levels[level + 1].downsample
        height, width = self.slide.levels[level + 1].shape
        rows = np.minimum(((np.arange(box.y, box.y + box.height) + 0.5) * ratio).astype(np.intp), height - 1)
        columns = np.minimum(((np.arange(box.x, box.x + box.width) + 0.5) * ratio).astype(np.intp), width - 1)
        y, x = int(rows[0]), int(columns[0])
        coarse = self._read(level + 1, Box(y, x, int(rows[-1]) - y + 1, int(columns[-1]) - x + 1))
        return coarse.take(rows - y, axis=0).take(columns - x, axis=1)


def _distance(key: TileKey, middle: tuple[float, float]) -> float:
    return abs((key.row + 0.5) * TILE_PX - middle[0]) + abs((key.column + 0.5) * TILE_PX - middle[1])
