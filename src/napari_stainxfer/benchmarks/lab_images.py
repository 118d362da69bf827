"""The labs of the second table: the phantom's eight, or folders of images and masks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_stainxfer.errors import SlideError, StainTransferError
from napari_stainxfer.evaluation.masks import read_mask
from napari_stainxfer.methods.tissue_colours import shared_mpp
from napari_stainxfer.phantom import LABS, phantom_masks, phantom_slide
from napari_stainxfer.segmentation import Example
from napari_stainxfer.slides import RGB, Box, Slide, open_slide
from napari_stainxfer.slides.resample import resample
from napari_stainxfer.slides.sides import MASK_ENDING
from napari_stainxfer.slides.source import MPP_MAX, MPP_MIN

TAUGHT_TISSUES = (101, 102, 103, 104)
"""Seeds of the tissue that the segmenter learns from; methods are fitted to the first of them."""
JUDGED_TISSUES = (201, 202)
"""Seeds of the tissue that is judged, the same in every lab, so that labs differ in nothing but the stain."""
_FITTED_TISSUE = 300  # and the lab's number: no two labs' slides show the same tissue
_MASK_MPP = 2.0

_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


class Labelled(NamedTuple):
    """A slide and where its glomeruli are, bool (H, W), over the whole slide at any resolution."""

    slide: Slide
    mask: NDArray[np.bool_]


class LabImages(NamedTuple):
    """One lab.

    Attributes
    ----------
    fitted
        Tissue that stain transfers are fitted on; nothing about it has to be marked.
    taught
        Marked tissue that a segmenter may learn from.
    judged
        Marked tissue that neither has seen.
    """

    name: str
    fitted: tuple[Slide, ...]
    taught: tuple[Labelled, ...]
    judged: tuple[Labelled, ...]


def content_hash(labs: Sequence[LabImages]) -> str:
    """Sixteen hexadecimal digits that are others when images, their um/px or their masks are."""
    digest = hashlib.sha256()
    for lab in labs:
        labelled = (*lab.taught, *lab.judged)
        for slide in (*lab.fitted, *(one.slide for one in labelled)):
            digest.update(f"{slide.fingerprint()} {slide.mpp} ".encode())
        for one in labelled:
            digest.update(one.mask.tobytes())
    return digest.hexdigest()[:16]


def read_example(labelled: Labelled, read_mpp: float, mpp: float) -> Example:
    """Image and mask at ``mpp``, read at ``read_mpp`` first, as what a stain transfer gives has to be."""
    image = scaled(read_whole(labelled.slide, read_mpp), read_mpp, mpp)
    return Example(image, mask_like(labelled.mask, image))


def read_whole(slide: Slide, mpp: float) -> RGB:
    """All of a slide at ``mpp``: uint8 (H, W, 3)."""
    return slide.read_region_at(Box(0, 0, *slide.shape), mpp=mpp)


def scaled(pixels: RGB, mpp: float, to_mpp: float) -> RGB:
    """Bring an image from ``mpp`` to ``to_mpp``."""
    height, width, _ = pixels.shape
    size = max(1, round(height * mpp / to_mpp)), max(1, round(width * mpp / to_mpp))
    return resample(pixels, (0.0, 0.0, float(height), float(width)), size)


def mask_like(mask: NDArray[np.bool_], image: RGB) -> NDArray[np.bool_]:
    """Bring a mask to the size of an image: whatever most of a pixel is."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    size = (image.shape[1], image.shape[0])
    found: NDArray[np.bool_] = np.asarray(grey.resize(size, Image.Resampling.BOX)) > 127
    return found


def phantom_labs(size_px: int = 4096) -> list[LabImages]:
    """The phantom's eight labs, lab 1 first; nothing is rendered before it is read.

    Parameters
    ----------
    size_px
        Side of every slide at 0.5 um/px.
    """
    size = (size_px, size_px)

    @cache
    def mask(tissue: int) -> NDArray[np.bool_]:
        side = round(size_px * 0.5 / _MASK_MPP)
        return phantom_masks(tissue, Box(0, 0, side, side), size_px=size, at_mpp=_MASK_MPP).glomeruli

    def labelled(lab: str, tissues: Sequence[int]) -> tuple[Labelled, ...]:
        return tuple(Labelled(phantom_slide(lab, tissue, size), mask(tissue)) for tissue in tissues)

    labs = []
    for number, name in enumerate(LABS):
        taught = labelled(name, TAUGHT_TISSUES) if number == 0 else ()
        fitted = taught[0].slide if taught else phantom_slide(name, _FITTED_TISSUE + number, size)
        labs.append(LabImages(name, (fitted,), taught, labelled(name, JUDGED_TISSUES)))
    return labs


def phantom_examples(mpp: float) -> list[Example]:
    """What a segmenter learns from where nothing is given: the phantom's lab 1."""
    return _examples(phantom_labs()[0].taught, mpp)


def folder_examples(folder: Path, mpp: float, image_mpp: float | None = None) -> list[Example]:
    """All images of a folder with their masks, at ``mpp``.

    Parameters
    ----------
    image_mpp
        um/px of the images that do not say it themselves.

    Raises
    ------
    StainTransferError
        When there are none, or one has no mask.
    """
    if not folder.is_dir():
        raise StainTransferError(f"There is no folder {folder}; give one of images and masks.")
    images = [_labelled(path, image_mpp) for path in _images(folder)]
    if not images:
        raise StainTransferError(f"{folder} holds no images; give PNG, JPEG or TIFF files and their masks.")
    return _examples(images, mpp)


def _examples(labelled: Sequence[Labelled], mpp: float) -> list[Example]:
    read_mpp = shared_mpp([one.slide for one in labelled])
    return [read_example(one, read_mpp, mpp) for one in labelled]


def folder_labs(folder: Path, mpp: float | None = None) -> list[LabImages]:
    """Read labs from folders: ``DIR/lab1/image.png`` with ``DIR/lab1/image_mask.png``, and so on.

    The folders are taken in the order of the numbers in their names; the first is the lab that the segmenter
    learns from and that the others are transferred to. A mask is of the image's size, and whatever is not 0
    in it is glomerulus. Where a lab has the folders ``train`` and ``test``, those are its halves; otherwise
    the first half of the images in the order of their names is for learning and fitting, the second for
    judging. Masks are needed of all of the first lab's images and of every image that is judged.

    Parameters
    ----------
    mpp
        um/px of the images that do not say it themselves.

    Raises
    ------
    StainTransferError
        When the folder holds no such labs.
    """
    if not folder.is_dir():
        raise StainTransferError(f"There is no folder {folder}; give one with a folder a lab.")
    labs = sorted((child for child in folder.iterdir() if child.is_dir()), key=_in_order)
    if len(labs) < 2:
        raise StainTransferError(
            f"{folder} holds {len(labs)} folders; give one a lab, two at least, such as {folder / 'lab1'}."
        )
    return [_folder_lab(lab, mpp, is_first=lab == labs[0]) for lab in labs]


def _folder_lab(folder: Path, mpp: float | None, *, is_first: bool) -> LabImages:
    parts = [folder / name for name in ("train", "test")]
    if all(part.is_dir() for part in parts):
        train, test = (_images(part) for part in parts)
    else:
        images = _images(folder)
        train, test = images[: (len(images) + 1) // 2], images[(len(images) + 1) // 2 :]
    if not train or not test:
        raise StainTransferError(
            f"{folder} holds too few images; at least one to fit on and another to judge are needed."
        )
    taught = tuple(_labelled(path, mpp) for path in train) if is_first else ()
    fitted = tuple(one.slide for one in taught) or tuple(_opened(path, mpp) for path in train)
    return LabImages(folder.name, fitted, taught, tuple(_labelled(path, mpp) for path in test))


def _images(folder: Path) -> list[Path]:
    files = (path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    return sorted((path for path in files if not MASK_ENDING.search(path.stem)), key=_in_order)


def _in_order(path: Path) -> list[tuple[int, str]]:
    """``lab2`` before ``lab10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def check_mpp(mpp: float | None) -> None:
    """Refuse what no scan has as ``--mpp``, whether a file needs it or not."""
    if mpp is not None and not MPP_MIN <= mpp <= MPP_MAX:
        raise SlideError(f"No scan has {mpp:g} um/px; give --mpp from {MPP_MIN:g} to {MPP_MAX:g}.")


def _opened(path: Path, mpp: float | None) -> Slide:
    check_mpp(mpp)
    slide = open_slide(path).with_missing_mpp(mpp)
    slide.require_brightfield()
    slide.require_mpp()
    return slide


def _labelled(path: Path, mpp: float | None) -> Labelled:
    slide = _opened(path, mpp)
    mask = read_mask(_only_mask(path))
    if mask.shape != slide.shape:
        raise SlideError(
            f"The mask of {path} is of {mask.shape[0]} x {mask.shape[1]} px and the image of "
            f"{slide.shape[0]} x {slide.shape[1]}; they must agree."
        )
    return Labelled(slide, mask)


def _only_mask(image: Path) -> Path:
    def named(paths: Iterable[Path]) -> list[Path]:
        return [
            path
            for path in paths
            if path.suffix.lower() in _SUFFIXES
            and path.stem.startswith(f"{image.stem}_mask")
            and MASK_ENDING.sub("", path.stem) == image.stem
        ]

    masks = named(image.parent.iterdir())
    if len(masks) != 1:
        raise StainTransferError(
            f"{image} needs one mask of its glomeruli beside it, {image.stem}_mask.png; "
            f"there are {len(masks)}."
        )
    return masks[0]
