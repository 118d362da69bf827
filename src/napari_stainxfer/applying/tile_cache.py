"""Computed tiles, kept within a fixed number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import NamedTuple

from napari_stainxfer.slides import RGB


class Tile(NamedTuple):
    """Pixels, and whether they are what an export writes or only alike."""

    pixels: RGB
    exact: bool


class TileCache:
    """The tiles used last; safe to share between threads and between previews.

    Parameters
    ----------
    max_bytes
        Of all tiles together. One tile is kept whatever its size.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._tiles: OrderedDict[Hashable, Tile] = OrderedDict()
        self._lock = Lock()

    @property
    def max_bytes(self) -> int:
        """What they may take."""
        return self._max_bytes

    @property
    def nbytes(self) -> int:
        """What the tiles take now."""
        return self._bytes

    def get(self, key: Hashable) -> Tile | None:
        """A tile, if it is still here, which counts as using it. Do not write into its pixels."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def put(self, key: Hashable, tile: Tile) -> None:
        """Keep a tile; an exact one is never replaced by one that is only alike."""
        with self._lock:
            old = self._tiles.get(key)
            if old is not None:
                if old.exact and not tile.exact:
                    return
                self._bytes -= old.pixels.nbytes
            self._tiles[key] = tile
            self._tiles.move_to_end(key)
            self._bytes += tile.pixels.nbytes
            while self._bytes > self._max_bytes and len(self._tiles) > 1:
                self._bytes -= self._tiles.popitem(last=False)[1].pixels.nbytes
