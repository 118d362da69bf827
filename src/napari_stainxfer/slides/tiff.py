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

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides.cache import BlockCache
from napari_stainxfer.slides.memory import over_white
from napari_stainxfer.slides.messages import short
from napari_stainxfer.slides.source import RGB
from napari_stainxfer.slides.tiff_facts import tiff_facts
from napari_stainxfer.slides.tiff_levels import find_associated, find_levels
from napari_stainxfer.slides.tiling import read_from_blocks

_CACHE_BYTES = 96 * 2**20
_JPEG2000_YCBCR = 33003
_ASSOCIATED_ALPHA = 1
_MAX_SEGMENT_BYTES = 2**31

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
            self._pages = [_Page(page, path.name, self._fetch) for page in pages]
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
        wrapped = _Page(page, self._path.name, self._fetch)
        return read_from_blocks((0, 0, *wrapped.shape), wrapped.block_shape, wrapped.block)

    def _fetch(self, offset: int, length: int) -> bytes:
        with self._lock:
            handle = self._tiff.filehandle
            if handle.closed:
                raise SlideError(f"{self._path.name} was closed; open it again to read from it")
            handle.seek(offset)
            return bytes(handle.read(length))


class _Page:
    """One image of the file: where its blocks are, and how one is decoded to RGB."""

    def __init__(self, page: tifffile.TiffPage, name: str, fetch: Callable[[int, int], bytes]) -> None:
        self._page = page
        self._name = name
        self._fetch = fetch
        self.shape: tuple[int, int] = (page.imagelength, page.imagewidth)
        if page.is_tiled:
            self.block_shape: tuple[int, int] = (page.tilelength, page.tilewidth)
        else:
            self.block_shape = (min(page.rowsperstrip, page.imagelength), page.imagewidth)
        self._columns = -(-page.imagewidth // self.block_shape[1])
        self._planes = page.samplesperpixel if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE else 1
        if self.block_shape[0] * self.block_shape[1] * page.samplesperpixel > _MAX_SEGMENT_BYTES:
            raise SlideError(
                f"{name} stores its pixels in pieces too large to decode; convert it to a tiled TIFF first"
            )
        self._decode = page.decode
        self._rows = -(-page.imagelength // self.block_shape[0])

    def block(self, row: int, column: int) -> RGB:
        """Decode one tile or strip to uint8 (h, w, 3); a tile the scanner left out is white."""
        index = row * self._columns + column
        per_plane = self._rows * self._columns
        planes = [self._segment(index + plane * per_plane) for plane in range(self._planes)]
        if any(plane is None for plane in planes):
            return np.full((*self.block_shape, 3), 255, np.uint8)
        samples = np.concatenate([plane for plane in planes if plane is not None], axis=-1)
        if self._page.compression == _JPEG2000_YCBCR:
            samples = np.asarray(Image.fromarray(samples, mode="YCbCr").convert("RGB"))
        if samples.shape[2] == 3:
            return np.ascontiguousarray(samples)
        premultiplied = self._page.extrasamples[:1] == (_ASSOCIATED_ALPHA,)
        return over_white(samples[..., :3], samples[..., 3], premultiplied=premultiplied)

    def _segment(self, index: int) -> NDArray[np.uint8] | None:
        page = self._page
        length = page.databytecounts[index]
        if length == 0:
            return None
        data = self._fetch(page.dataoffsets[index], length)
        try:
            # Only JPEG has tables and headers shared between segments, and only its decoder takes them.
            shared = {
                key: value
                for key, value in (("jpegtables", page.jpegtables), ("jpegheader", page.jpegheader))
                if value is not None
            }
            pixels: NDArray[np.uint8] | None = self._decode(data, index, **shared)[0]
        except Exception as error:
            raise SlideError(
                f"{self._name} is damaged: a tile cannot be decoded ({short(error)}); "
                "copy or download it again"
            ) from error
        return None if pixels is None else pixels[0]
