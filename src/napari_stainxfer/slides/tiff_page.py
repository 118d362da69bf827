"""One image of a TIFF file: where its blocks are, and how one of them becomes RGB."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides.memory import over_white
from napari_stainxfer.slides.messages import short
from napari_stainxfer.slides.source import RGB

_JPEG2000_YCBCR = 33003
_ASSOCIATED_ALPHA = 1
_MAX_BLOCK_BYTES = 2**31
_RAW_ROWS = 64
"""Rows read at a time from an image stored raw in one piece, however it says it is cut."""


class RgbPage:
    """Decodes the tiles or strips of a page to uint8 RGB.

    Parameters
    ----------
    page
        As tifffile found it, 8-bit RGB or RGBA.
    name
        Of the file, for messages.
    fetch
        Reads (offset, length) from the file; called from several threads.

    Raises
    ------
    SlideError
        If a tile or strip would not fit into memory.
    """

    def __init__(self, page: tifffile.TiffPage, name: str, fetch: Callable[[int, int], bytes]) -> None:
        self._page = page
        self._name = name
        self._fetch = fetch
        height, width = page.imagelength, page.imagewidth
        self.shape: tuple[int, int] = (height, width)
        separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        self._raw = bool(page.is_contiguous and not separate)
        if self._raw:
            self.block_shape: tuple[int, int] = (_RAW_ROWS, width)
        elif page.is_tiled:
            self.block_shape = (page.tilelength, page.tilewidth)
        else:
            self.block_shape = (min(page.rowsperstrip, height), width)
        if self.block_shape[0] * self.block_shape[1] * page.samplesperpixel > _MAX_BLOCK_BYTES:
            raise SlideError(
                f"{name} stores its pixels in pieces too large to decode; convert it to a tiled TIFF first"
            )
        self._columns = -(-width // self.block_shape[1])
        per_plane = -(-height // self.block_shape[0]) * self._columns
        self._planes = [plane * per_plane for plane in range(page.samplesperpixel if separate else 1)]
        self._decode = page.decode
        # Only JPEG has tables and headers shared between blocks, and only its decoder takes them.
        shared = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
        self._shared = {key: value for key, value in shared.items() if value is not None}
        self._premultiplied = page.extrasamples[:1] == (_ASSOCIATED_ALPHA,)

    def block(self, row: int, column: int) -> RGB:
        """Decode one block to uint8 (h, w, 3); a tile that the scanner left out is white."""
        try:
            samples = self._raw_rows(row) if self._raw else self._segments(row * self._columns + column)
        except SlideError:
            raise
        except Exception as error:
            raise SlideError(
                f"{self._name} is damaged: a tile cannot be decoded ({short(error)}); "
                "copy or download it again"
            ) from error
        if samples is None:
            return np.full((*self.block_shape, 3), 255, np.uint8)
        if self._page.compression == _JPEG2000_YCBCR:
            samples = np.asarray(Image.fromarray(samples, mode="YCbCr").convert("RGB"))
        if samples.shape[2] == 3:
            return samples
        return over_white(samples[..., :3], samples[..., 3], premultiplied=self._premultiplied)

    def _segments(self, index: int) -> NDArray[np.uint8] | None:
        page = self._page
        planes = []
        for first in self._planes:
            length = page.databytecounts[first + index]
            if length == 0:
                return None
            data = self._fetch(page.dataoffsets[first + index], length)
            plane = self._decode(data, first + index, **self._shared)[0]
            if plane is None:
                return None
            planes.append(plane[0])
        return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)

    def _raw_rows(self, row: int) -> NDArray[np.uint8]:
        height, width = self.shape
        samples = self._page.samplesperpixel
        count = min(_RAW_ROWS, height - row * _RAW_ROWS)
        start = self._page.dataoffsets[0] + row * _RAW_ROWS * width * samples
        data = self._fetch(start, count * width * samples)
        return np.frombuffer(data, np.uint8).reshape(count, width, samples)
