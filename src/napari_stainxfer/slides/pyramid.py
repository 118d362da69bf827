"""Build every level of a pyramid from level-0 tiles as they come by, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np

from napari_stainxfer.slides.encoding import Compression, encode_tile
from napari_stainxfer.slides.source import RGB
from napari_stainxfer.slides.virtual import area_average

_IN_FLIGHT = 8
"""Tiles of one level being encoded at a time: enough to keep a few threads busy."""


class SpooledLevel:
    """One level: takes tiles in row-major order, encodes them, and keeps the bytes in a file.

    Parameters
    ----------
    shape
        Height and width of the level.
    spool
        A file to write to; it becomes as large as the level's encoded tiles.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        spool: Path,
        executor: Executor,
        tile_px: int,
        compression: Compression,
        quality: int,
    ) -> None:
        self.shape = shape
        self.tile_px = tile_px
        self.grid = (-(-shape[0] // tile_px), -(-shape[1] // tile_px))
        self._file = spool.open("w+b")
        self._sizes: list[int] = []
        self._executor = executor
        self._encode = (tile_px, compression, quality)
        self._pending: deque[Future[bytes]] = deque()
        self._count = 0
        self._coarser: _Halver | None = None

    def feed(self, coarser: SpooledLevel) -> None:
        """Let the next level be made from this one's tiles."""
        self._coarser = _Halver(coarser)

    @property
    def expected(self) -> tuple[int, int] | None:
        """Height and width of the next tile, or None when the level is complete."""
        row, column = divmod(self._count, self.grid[1])
        if row == self.grid[0]:
            return None
        side = self.tile_px
        return min(side, self.shape[0] - row * side), min(side, self.shape[1] - column * side)

    def add(self, tile: RGB) -> None:
        """Take the next tile. It must not be changed afterwards."""
        row, column = divmod(self._count, self.grid[1])
        self._count += 1
        self._pending.append(self._executor.submit(encode_tile, tile, *self._encode))
        if self._coarser is not None:
            self._coarser.add(tile, row, column, last=(row == self.grid[0] - 1, column == self.grid[1] - 1))
        while len(self._pending) > _IN_FLIGHT:
            self._store(self._pending.popleft().result())

    def encoded(self) -> Iterator[bytes]:
        """Give the encoded tiles back, in order, once the level is complete."""
        while self._pending:
            self._store(self._pending.popleft().result())
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size)

    def close(self) -> None:
        """Close the file, whether or not the level is complete."""
        for future in self._pending:
            future.cancel()
        self._file.close()

    def _store(self, data: bytes) -> None:
        self._file.write(data)
        self._sizes.append(len(data))


class _Halver:
    """Puts four halved tiles together to one of the next level: holds one row of its tiles."""

    def __init__(self, level: SpooledLevel) -> None:
        self._level = level
        self._row = np.empty((level.tile_px, level.shape[1], 3), np.uint8)

    def add(self, tile: RGB, row: int, column: int, *, last: tuple[bool, bool]) -> None:
        half = area_average(tile, 2)
        height, width = half.shape[:2]
        side = self._level.tile_px
        top, left = row % 2 * (side // 2), column * (side // 2)
        self._row[top : top + height, left : left + width] = half
        if (row % 2 or last[0]) and (column % 2 or last[1]):
            start = column // 2 * side
            # A copy: the encoder reads it later, when the row may hold the next tiles.
            self._level.add(self._row[: top + height, start : left + width].copy())


def level_shapes(shape: tuple[int, int], tile_px: int) -> list[tuple[int, int]]:
    """Shapes of level 0 and of its halvings, down to the first that fits one tile."""
    shapes = [shape]
    while max(shapes[-1]) > tile_px:
        shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
    return shapes
