"""TIFF and everything built on it: SVS, NDPI, SCN, BIF, QPTIFF, Philips, OME-TIFF, plain pyramids.

tifffile finds the levels; each read decodes just the tiles or strips that it touches. Decoding
through the pages costs less than half the time of tifffile's zarr store (measured on the real
slides in docs/formats.md), and a byte-bounded cache serves neighbouring reads.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock

import tifffile

from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides.cache import BlockCache
from napari_stainxfer.slides.messages import short
from napari_stainxfer.slides.source import RGB
from napari_stainxfer.slides.tiff_facts import tiff_facts
from napari_stainxfer.slides.tiff_levels import find_associated, find_levels
from napari_stainxfer.slides.tiff_page import RgbPage
from napari_stainxfer.slides.tiling import read_from_blocks

_CACHE_BYTES = 96 * 2**20

# tifffile reports every oddity of a vendor's file on its logger; errors come as exceptions anyway.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


class TiffSource:
    """Levels of a TIFF file, decoded tile by tile or strip by strip."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._tiff = tifffile.TiffFile(path)
        except Exception as error:
            raise SlideError(
                f"{path.name} is not a readable TIFF slide ({short(error)}); it may be damaged or cut short"
            ) from error
        try:
            series, pages = find_levels(self._tiff, path.name)
            self._pages = [RgbPage(page, path.name, self._fetch) for page in pages]
            self.shapes: tuple[tuple[int, int], ...] = tuple(page.shape for page in self._pages)
            self.facts = tiff_facts(self._tiff, series, pages[0])
            self.associated: Mapping[str, Callable[[], RGB]] = {
                name: partial(self._whole, page) for name, page in find_associated(self._tiff, pages).items()
            }
        except SlideError:
            self._tiff.close()
            raise
        except Exception as error:
            self._tiff.close()
            raise SlideError(
                f"{path.name} cannot be understood ({short(error)}); it may be damaged or cut short"
            ) from error
        # A slide that is dropped without close() gives its file back quietly.
        self._closer = weakref.finalize(self, self._tiff.close)
        self._lock = Lock()
        self._cache = BlockCache(_CACHE_BYTES)

    def read(self, level: int, y: int, x: int, height: int, width: int) -> RGB:
        """Decode the tiles under a rectangle of a level."""
        page = self._pages[level]

        def block(row: int, column: int) -> RGB:
            return self._cache.get((level, row, column), lambda: page.block(row, column))

        return read_from_blocks((y, x, height, width), page.block_shape, block)

    def close(self) -> None:
        """Close the file."""
        self._cache.clear()
        self._closer()

    def _whole(self, page: tifffile.TiffPage) -> RGB:
        wrapped = RgbPage(page, self._path.name, self._fetch)
        return read_from_blocks((0, 0, *wrapped.shape), wrapped.block_shape, wrapped.block)

    def _fetch(self, offset: int, length: int) -> bytes:
        with self._lock:
            handle = self._tiff.filehandle
            if handle.closed:
                raise SlideError(f"{self._path.name} was closed; open it again to read from it")
            handle.seek(offset)
            return bytes(handle.read(length))
