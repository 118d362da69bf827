"""Open a slide: choose who reads the file, and say plainly why not."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from napari_stainxfer.errors import MissingDependencyError, SlideError
from napari_stainxfer.slides.slide import Slide
from napari_stainxfer.slides.source import PixelSource


class Backend(NamedTuple):
    """Who can read a kind of file."""

    name: str
    factory: str
    """Module and function that makes a `PixelSource` of a path, imported when needed."""
    suffixes: frozenset[str]
    extra: str | None = None
    """What to install for it, ``napari-stainxfer[extra]``."""


_HERE = "napari_stainxfer.slides"
BACKENDS = (
    Backend(
        "tifffile",
        f"{_HERE}.tiff:TiffSource",
        frozenset({".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".tif", ".tiff", ".btf", ".tf8", ".tf2"}),
    ),
    Backend(
        "image",
        f"{_HERE}.memory:image_source",
        frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"}),
    ),
    Backend("wsidicom", f"{_HERE}.dicom:DicomSource", frozenset({".dcm", ".dicom"}), "dicom"),
    Backend(
        "openslide",
        f"{_HERE}.openslide_backend:OpenSlideSource",
        frozenset({".mrxs", ".vms", ".vmu", ".svslide", ".zvi", ".czi"}),
        "openslide",
    ),
)

SUFFIXES = frozenset().union(*(backend.suffixes for backend in BACKENDS))
"""Every file name ending that `open_slide` knows, in lower case with the dot."""

_TIFF, _IMAGE, _DICOM, _ = BACKENDS
_MAGIC = (
    (b"II*\x00", 0, _TIFF),
    (b"MM\x00*", 0, _TIFF),
    (b"II+\x00", 0, _TIFF),
    (b"MM\x00+", 0, _TIFF),
    (b"\x89PNG", 0, _IMAGE),
    (b"\xff\xd8\xff", 0, _IMAGE),
    (b"DICM", 128, _DICOM),
)


def open_slide(path: str | os.PathLike[str], *, mpp: float | None = None) -> Slide:
    """Open a slide for reading. Pixels are read when asked for, never all at once.

    Parameters
    ----------
    path
        A slide or image file, or a folder of DICOM files that make one slide. docs/formats.md lists
        the formats and which of them were tested on real files.
    mpp
        Um/px of level 0, 0.05 to 100. Goes before what the file says; `Slide.with_missing_mpp` does not.

    Raises
    ------
    SlideError
        If the file is missing, damaged, of an unknown kind, or not 8-bit RGB. A fluorescence slide
        stored as RGB opens; `Slide.require_brightfield` refuses it.
    MissingDependencyError
        If reading it takes an optional package.
    """
    where = Path(path)
    backend = _choose(where)
    return Slide(_make(backend, where), name=where.name, path=where, mpp=mpp)


def is_one_slide(folder: Path) -> bool:
    """Whether a folder is a slide and not a place where slides lie: it holds DICOM files.

    Raises
    ------
    SlideError
        When the folder cannot be read.
    """
    try:
        return any(child.suffix.lower() in _DICOM.suffixes for child in folder.iterdir())
    except OSError as error:
        raise SlideError(f"{folder} cannot be read ({error.strerror}); check its permissions") from error


def _choose(path: Path) -> Backend:
    if path.is_dir():
        if is_one_slide(path):
            return _DICOM
        raise SlideError(
            f"{path} is a folder without DICOM files; give a slide file, or a folder of .dcm files"
        )
    if not path.exists():
        raise SlideError(f"there is no file {path}; check its name and folder")
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError as error:
        raise SlideError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    if not head:
        raise SlideError(f"{path.name} is empty; copy or download it again")
    suffix = path.suffix.lower()
    for backend in BACKENDS:
        if backend.extra and suffix in backend.suffixes:
            return backend
    # A TIFF, PNG or JPEG under a wrong name is still what its first bytes say.
    for magic, offset, backend in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return backend
    for backend in BACKENDS:
        if suffix in backend.suffixes:
            return backend
    raise SlideError(
        f"{path.name} is not an image this program can read; give a slide such as .svs, .ndpi, .scn, .mrxs, "
        ".dcm or .tif, or a PNG or JPEG"
    )


def _make(backend: Backend, path: Path) -> PixelSource:
    module, attribute = backend.factory.split(":")
    try:
        factory = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if backend.extra is None or (error.name or "").startswith("napari_stainxfer"):
            raise
        raise MissingDependencyError(
            f"{path.name} is read through {backend.name}, which is not installed; "
            f'run: pip install "napari-stainxfer[{backend.extra}]"'
        ) from error
    source: PixelSource = factory(path)
    return source
