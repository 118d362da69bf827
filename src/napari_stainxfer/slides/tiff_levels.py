"""Find the slide among the images of a TIFF file, and refuse what cannot be one."""

from __future__ import annotations

import struct

import numpy as np
import tifffile

from napari_stainxfer.errors import SlideError

_RGB_LIKE = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)


def find_levels(
    tiff: tifffile.TiffFile, name: str
) -> tuple[tifffile.TiffPageSeries, list[tifffile.TiffPage]]:
    """Return the largest 8-bit RGB image of a file and its levels as pages, finest first.

    Raises
    ------
    SlideError
        If no image of the file is 8-bit RGB, or the file ends before its pixels do.
    """
    series = [s for s in tiff.series if s.keyframe is not None and s.keyframe.imagewidth > 0]
    if not series:
        raise SlideError(f"{name} holds no image; it may be damaged or cut short")
    usable = [s for s in series if not _fault(s)]
    if not usable:
        largest = max(series, key=_area)
        raise SlideError(
            f"{name} is {_fault(largest)}, but a slide must be 8-bit RGB; convert or export it first"
        )
    main = max(usable, key=_area)
    levels = list(main.levels)
    if main.kind in _PLAIN:
        levels += [s for s in usable if s is not main and _is_reduction(s.keyframe, main.keyframe)]
        levels.sort(key=_area, reverse=True)
    pages = [page for page in (_focal_page(level) for level in levels) if page is not None]
    pages = [page for page in pages if not _page_fault(page)]
    _refuse_broken_chain(tiff, name)
    _refuse_cut_short(tiff, pages, name)
    return main, pages


def find_associated(tiff: tifffile.TiffFile, levels: list[tifffile.TiffPage]) -> dict[str, tifffile.TiffPage]:
    """Return the other RGB images of a file by lower-case name (label, macro, thumbnail)."""
    found: dict[str, tifffile.TiffPage] = {}
    taken = {page.offset for page in levels}
    for number, series in enumerate(tiff.series):
        page = _focal_page(series)
        if page is None or page.offset in taken or _fault(series):
            continue
        name = (series.name or f"image {number}").lower()
        if series.kind == "bif" and page.description.startswith("Label"):
            name = "label"  # as the file has it; which name tifffile gives it depends on its release
        found[name if name not in found else f"{name} {number}"] = page
    return found


_PLAIN = frozenset({"generic", "uniform", "shaped"})


def _is_reduction(page: tifffile.TiffPage, full: tifffile.TiffPage) -> bool:
    """Whether a page is marked as a smaller version of another: tifffile finds only steps of 2 to 4."""
    if not page.is_reduced or page.is_tiled != full.is_tiled:
        return False
    factor = max(full.imagelength / page.imagelength, full.imagewidth / page.imagewidth)
    return all(
        abs(big / factor - small) <= 1
        for big, small in ((full.imagelength, page.imagelength), (full.imagewidth, page.imagewidth))
    )


def _area(series: tifffile.TiffPageSeries) -> int:
    return int(series.keyframe.imagewidth) * int(series.keyframe.imagelength)


def _focal_page(level: tifffile.TiffPageSeries) -> tifffile.TiffPage | None:
    """Return the page of a level: the middle one of a focus stack."""
    pages = level.pages
    page = pages[len(pages) // 2]
    return None if page is None else page.aspage()


def _fault(series: tifffile.TiffPageSeries) -> str:
    axes = series.axes
    if "C" in axes and series.shape[axes.index("C")] > 1:
        return "an image of separate channels, as in fluorescence"
    return _page_fault(series.keyframe)


def _page_fault(page: tifffile.TiffPage) -> str:
    """Say what is wrong with a page as brightfield RGB, or nothing."""
    photometric = page.photometric
    if page.dtype is None or page.dtype.kind == "f":
        return "not made of 8-bit whole numbers"
    if page.dtype != np.uint8 or page.bitspersample != 8:
        return f"{page.bitspersample}-bit"
    if photometric == tifffile.PHOTOMETRIC.SEPARATED:
        return "CMYK"
    if photometric == tifffile.PHOTOMETRIC.PALETTE:
        return "in palette colours"
    if page.samplesperpixel < 3:
        return "grey"
    if photometric not in _RGB_LIKE or page.samplesperpixel > 4:
        return f"an image of {page.samplesperpixel} samples a pixel that are not RGB"
    if photometric == tifffile.PHOTOMETRIC.YCBCR and page.compression not in _DECODED_TO_RGB:
        return "stored as YCbCr in an unusual compression"
    return ""


_DECODED_TO_RGB = frozenset({6, 7, 33003, 33004, 33005, 33007, 34712, 34892})
"""JPEG and JPEG 2000: their decoders give RGB whatever the file stores."""


def _refuse_broken_chain(tiff: tifffile.TiffFile, name: str) -> None:
    """Every image says where the next one is described: follow the last that could be read."""
    layout, handle = tiff.tiff, tiff.filehandle
    offsets = [page.offset for page in tiff.pages]
    handle.seek(offsets[-1])
    (tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    handle.seek(offsets[-1] + layout.tagnosize + tags * layout.tagsize)
    (following,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
    if following and following not in offsets:
        raise SlideError(
            f"{name} is cut short: it ends after {len(offsets)} of its images; copy or download it again"
        )


def _refuse_cut_short(tiff: tifffile.TiffFile, pages: list[tifffile.TiffPage], name: str) -> None:
    """Compare where the pixels should end with where the file does."""
    for page in pages:
        if not page.dataoffsets:
            raise SlideError(f"{name} says nothing about where its pixels are; the file is damaged")
        ends = np.add(page.dataoffsets, page.databytecounts, dtype=np.int64)
        if (ends > tiff.filehandle.size).any():
            raise SlideError(f"{name} is cut short: pixels lie beyond its end; copy or download it again")
