"""DICOM whole slides, a file or a folder of them, read through wsidicom."""

from __future__ import annotations

import logging
import warnings
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from wsidicom import WsiDicom

from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides.cache import BlockCache
from napari_stainxfer.slides.messages import short
from napari_stainxfer.slides.source import RGB, Facts
from napari_stainxfer.slides.tiling import read_from_blocks

_CACHE_BYTES = 96 * 2**20

# Remarks on optional attributes that a file lacks; what matters comes as an exception.
logging.getLogger("wsidicom").setLevel(logging.CRITICAL)


class DicomSource:
    """Levels of a DICOM whole slide."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # pydicom warns of every value longer than the standard has it
                self._wsi = WsiDicom.open(path)
        except Exception as error:
            raise SlideError(
                f"{path.name} is not a complete DICOM slide ({short(error)}); "
                "give the folder with all files of the slide, or convert it"
            ) from error
        self._closer = weakref.finalize(self, self._wsi.close)
        self._levels = list(self._wsi.levels)
        self.shapes: tuple[tuple[int, int], ...] = tuple(
            (lv.size.height, lv.size.width) for lv in self._levels
        )
        self.facts = self._facts()
        readers = {"label": self._wsi.read_label, "macro": self._wsi.read_overview}
        present = {"label": self._wsi.labels, "macro": self._wsi.overviews}
        self.associated: Mapping[str, Callable[[], RGB]] = {
            name: lambda read=read: np.asarray(read().convert("RGB"))  # type: ignore[misc]
            for name, read in readers.items()
            if present[name]
        }
        self._cache = BlockCache(_CACHE_BYTES)

    def read(self, level: int, y: int, x: int, height: int, width: int) -> RGB:
        """Decode the tiles under a rectangle of a level."""
        shape, tile = self.shapes[level], self._levels[level].tile_size

        def block(row: int, column: int) -> RGB:
            top, left = row * tile.height, column * tile.width
            size = (min(tile.width, shape[1] - left), min(tile.height, shape[0] - top))
            return self._cache.get((level, row, column), lambda: self._decode(level, (left, top), size))

        return read_from_blocks((y, x, height, width), (tile.height, tile.width), block)

    def close(self) -> None:
        """Close the files."""
        self._cache.clear()
        self._closer()

    def _decode(self, level: int, corner: tuple[int, int], size: tuple[int, int]) -> RGB:
        try:
            pixels = self._wsi.read_region(corner, self._levels[level].level, size, as_array=True)
        except Exception as error:
            raise SlideError(
                f"{self._name} is damaged: a tile cannot be decoded ({short(error)}); "
                "copy or download it again"
            ) from error
        rgb: RGB = np.ascontiguousarray(pixels)
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise SlideError(
                f"{self._name} is {rgb.dtype} {rgb.shape[2:]}, but a slide must be 8-bit RGB; convert it"
            )
        return rgb

    def _facts(self) -> Facts:
        mpp = float(self._levels[0].mpp.width)
        paths = self._wsi.pyramids[0].metadata.optical_paths
        first = paths[0] if paths else None
        light = " ".join(
            [str(code.meaning) for code in (first.illumination_types or [])]
            + [str(getattr(first.illumination, "meaning", ""))]
            if first
            else []
        )
        power = first.objective.objective_power if first and first.objective else None
        return Facts(
            vendor="dicom",
            mpp=mpp if mpp > 0 else None,
            magnification=float(power) if power else None,
            icc_profile=first.icc_profile if first else None,
            fluorescence="its file names fluorescence light" if "fluorescence" in light.lower() else "",
        )
