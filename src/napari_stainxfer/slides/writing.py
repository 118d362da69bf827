"""Write a slide: a tiled pyramid, tile by tile, that any viewer opens."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import tifffile

from napari_stainxfer.errors import SlideError
from napari_stainxfer.files import whole_file
from napari_stainxfer.slides.encoding import TIFF_TAGS, Compression
from napari_stainxfer.slides.ome import write_ome
from napari_stainxfer.slides.pyramid import SpooledLevel, level_shapes
from napari_stainxfer.slides.source import RGB
from napari_stainxfer.slides.tiff_facts import PROVENANCE_KEY

_OME_ENDINGS = (".ome.tif", ".ome.tiff", ".ome.btf")
_ENDINGS = (".tif", ".tiff", ".btf")


class PyramidWriter:
    """A pyramid being written; use it in a ``with`` block and `add` every level-0 tile.

    ``*.ome.tif`` becomes an OME-TIFF with the lower levels as SubIFDs, and any other ``*.tif`` a plain
    BigTIFF with them in the main chain, which OpenSlide needs to see them. Both keep um/px,
    magnification, ICC profile and provenance, and `open_slide` reads them back. Lower levels are area
    averages of the tiles given, never of decoded JPEG.

    The file appears under its name when the block ends without an error, and not before. Memory holds
    a row of tiles a level (1.5 kB for each pixel of the slide's width at the default tile) and a few
    tiles; encoded tiles wait in a scratch folder beside the output, as large as the file to be.

    Parameters
    ----------
    path
        Where to write. An existing file is replaced at the end.
    shape
        Height and width of level 0.
    mpp
        Um/px of level 0, or None if nobody knows.
    magnification
        Of the objective, for example 20.
    icc_profile
        Kept as it is.
    provenance
        How the slide was made: names to anything that JSON can hold.
    compression
        ``"jpeg"``, with chroma at full resolution, or ``"lossless"`` (deflate).
    quality
        Of JPEG, 1 to 100.
    tile_px
        Side of a tile, a multiple of 16.
    workers
        Threads that encode.

    Raises
    ------
    SlideError
        If the name has another ending, the folder cannot be written to, or the disk is full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        shape: tuple[int, int],
        mpp: float | None,
        magnification: float | None = None,
        icc_profile: bytes | None = None,
        provenance: Mapping[str, object] | None = None,
        compression: Compression = "jpeg",
        quality: int = 90,
        tile_px: int = 512,
        workers: int = 2,
    ) -> None:
        self.path = Path(path)
        if not self.path.name.lower().endswith(_ENDINGS):
            raise SlideError(
                f"{self.path.name} must end in .ome.tif or .tif to be written as a slide; rename it"
            )
        if compression not in TIFF_TAGS:
            raise ValueError(f"compression is one of {', '.join(TIFF_TAGS)}, not {compression!r}")
        if not 1 <= quality <= 100:
            raise ValueError(f"JPEG quality goes from 1 to 100, not {quality}")
        if tile_px < 16 or tile_px % 16:
            raise ValueError(f"a tile's side must be a multiple of 16 pixels, not {tile_px}")
        if min(shape) < 1:
            raise ValueError(f"a slide needs at least one pixel, not {shape[0]} x {shape[1]}")
        if mpp is not None and not 0 < mpp < float("inf"):
            raise ValueError(f"um/px must be a positive number, not {mpp}")
        self._shapes = level_shapes(shape, tile_px)
        self._mpp = mpp
        self._magnification = magnification
        self._icc_profile = icc_profile
        self._provenance = dict(provenance or {})
        # Made now, so that what JSON cannot hold is refused before the slide is written and not after.
        self._description = self._describe()
        self._encoding = (tile_px, compression, quality)
        self._workers = workers
        self._stack = ExitStack()
        self._levels: list[SpooledLevel]
        self._scratch: Path | None = None

    @property
    def tile_px(self) -> int:
        """Side of a tile."""
        return self._encoding[0]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of level-0 tiles to be added."""
        return self._levels[0].grid

    def __enter__(self) -> Self:
        self._levels = []
        try:
            with ExitStack() as stack:
                self._scratch = stack.enter_context(whole_file(self.path))
                executor = ThreadPoolExecutor(self._workers, thread_name_prefix="stainxfer-encode")
                stack.callback(executor.shutdown, wait=True, cancel_futures=True)
                for number, shape in enumerate(self._shapes):
                    level = SpooledLevel(shape, self._scratch / f"level{number}", executor, *self._encoding)
                    stack.callback(level.close)
                    if number:
                        self._levels[-1].feed(level)
                    self._levels.append(level)
                self._stack = stack.pop_all()
        except OSError as error:
            raise writing_error(self.path, error) from error
        return self

    def add(self, tile: RGB) -> None:
        """Take the next tile in row-major order: uint8 (h, w, 3), smaller at the right and bottom edge.

        Do not change the array afterwards: it is encoded in the background.

        Raises
        ------
        SlideError
            If the disk is full.
        ValueError
            If the tile is not of the shape that comes next, or all have been added.
        """
        expected = self._levels[0].expected
        if expected is None or tile.shape != (*expected, 3) or tile.dtype != np.uint8:
            wanted = "no more tiles" if expected is None else f"a uint8 tile of {(*expected, 3)}"
            raise ValueError(f"{self.path.name} needs {wanted} next, not {tile.dtype} {tile.shape}")
        try:
            self._levels[0].add(tile)
        except OSError as error:
            raise writing_error(self.path, error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        try:
            with self._stack:
                if self._levels[0].expected is not None:
                    raise ValueError(
                        f"{self.path.name} is not complete: a tile of {self._levels[0].expected} is next"
                    )
                self._assemble()
        except OSError as failure:
            raise writing_error(self.path, failure) from failure

    def _assemble(self) -> None:
        assert self._scratch is not None
        coarser = len(self._levels) - 1
        with tifffile.TiffWriter(self._scratch / self.path.name, bigtiff=True) as tiff:
            for number, level in enumerate(self._levels):
                tiff.write(
                    level.encoded(),
                    shape=(*level.shape, 3),
                    dtype=np.uint8,
                    photometric="rgb",
                    tile=(level.tile_px, level.tile_px),
                    subifds=coarser if self._is_ome and number == 0 else None,
                    subfiletype=1 if number else 0,
                    description=self._description if number == 0 else None,
                    iccprofile=self._icc_profile if number == 0 else None,
                    software=PROVENANCE_KEY,
                    metadata=None,
                    **self._resolution(2**number),
                    **TIFF_TAGS[self._encoding[1]],
                )

    def _resolution(self, downsample: int) -> dict[str, Any]:
        if self._mpp is None:
            return {}
        per_cm = 10000.0 / (self._mpp * downsample)
        return {"resolution": (per_cm, per_cm), "resolutionunit": "centimeter"}

    @property
    def _is_ome(self) -> bool:
        return self.path.name.lower().endswith(_OME_ENDINGS)

    def _describe(self) -> bytes:
        if self._is_ome:
            return write_ome(
                name=self.path.name,
                shape=self._shapes[0],
                mpp=self._mpp,
                magnification=self._magnification,
                provenance=self._provenance,
            ).encode()
        facts = {"mpp": self._mpp, "magnification": self._magnification, "provenance": self._provenance}
        # The blank before the colon keeps tifffile from taking a field called "shape" for its own.
        return json.dumps({PROVENANCE_KEY: facts}, sort_keys=True, separators=(", ", " : ")).encode()


def writing_error(path: Path, error: OSError) -> SlideError:
    """Put in one sentence why ``path`` could not be written."""
    if error.errno in {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        return SlideError(
            f"there is no room on the disk for {path}; free some space or choose another folder"
        )
    if not path.parent.is_dir():
        return SlideError(f"there is no folder {path.parent} to write {path.name} into; create it first")
    reason = error.strerror or str(error)
    return SlideError(f"{path} cannot be written ({reason}); choose a folder that you may write to")


def write_pyramid(
    path: str | os.PathLike[str],
    tiles: Iterable[RGB],
    *,
    shape: tuple[int, int],
    mpp: float | None,
    magnification: float | None = None,
    icc_profile: bytes | None = None,
    provenance: Mapping[str, object] | None = None,
    compression: Compression = "jpeg",
    quality: int = 90,
    tile_px: int = 512,
    workers: int = 2,
) -> Path:
    """Write a whole pyramid from its level-0 tiles in row-major order; see `PyramidWriter`.

    Returns
    -------
    The path written.
    """
    with PyramidWriter(
        path,
        shape=shape,
        mpp=mpp,
        magnification=magnification,
        icc_profile=icc_profile,
        provenance=provenance,
        compression=compression,
        quality=quality,
        tile_px=tile_px,
        workers=workers,
    ) as writer:
        for tile in tiles:
            writer.add(tile)
    return writer.path
