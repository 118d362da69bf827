"""The images of the first table: the same tissue in two stains or under two scanners."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

from napari_stainxfer.benchmarks.lab_images import check_mpp, scaled
from napari_stainxfer.errors import SlideError, StainTransferError
from napari_stainxfer.methods import slide_glass
from napari_stainxfer.phantom import phantom_masks, phantom_slide
from napari_stainxfer.slides import RGB, Box, Slide, open_slide
from napari_stainxfer.slides.resample import resample

REFERENCE_LAB, SOURCE_LAB = "lab1", "lab2"
REFERENCE_TISSUE, SOURCE_TISSUE, JUDGED_TISSUE = 0, 1, 12
"""Seeds. Nothing was ever chosen by what a method does to the judged tissue."""

MITOS_MPP = {"x20": 0.491, "x40": 0.2455}
"""um/px of MITOS-ATYPIA-14's Aperio frames by their folder; its Hamamatsu frames are brought to the same."""

_PHANTOM_MPP = 0.5
_FIELD_UM = 512
_MPP = 1.0
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_MOST_SHIFT = 0.1  # of the frame's side
_GLASS_DENSITY = 0.03


_Frames = tuple[tuple[Path, Path], Sequence[RGB]]
"""Files of a pair, source first, and their registered pixels."""


class Field(NamedTuple):
    """One judged field; uint8 (H, W, 3) each.

    Attributes
    ----------
    given
        What a method gets, in the pixels of the source's frame.
    source, truth
        The same, and what a method should make of it, in the pixels in which they are compared.
    """

    name: str
    given: RGB
    source: RGB
    truth: RGB
    red_cells: NDArray[np.bool_] | None
    background: NDArray[np.bool_]


class ScannerPairs(NamedTuple):
    """What methods are fitted on, and what they are judged by; the two show different tissue.

    Attributes
    ----------
    references, sources
        Slides of the two sides.
    fields
        Judged at ``mpp``, and given to a method at ``given_mpp``.
    glass
        Colour of the empty glass of the judged fields before the transfer.
    """

    references: tuple[Slide, ...]
    sources: tuple[Slide, ...]
    fields: tuple[Field, ...]
    given_mpp: float
    mpp: float
    glass: tuple[float, float, float]


def phantom_pairs(size_px: int = 6144) -> ScannerPairs:
    """The phantom's lab 2 to lab 1: two slides to fit on, and a third tissue, seen by both labs, to judge.

    Parameters
    ----------
    size_px
        Side of the slides that are fitted on, at 0.5 um/px; the judged one has half of it, and at most nine
        fields of 512 um are taken from it.
    """
    reference, source = (
        phantom_slide(lab, seed=tissue, size_px=(size_px, size_px))
        for lab, tissue in ((REFERENCE_LAB, REFERENCE_TISSUE), (SOURCE_LAB, SOURCE_TISSUE))
    )
    judged = (size_px // 2, size_px // 2)
    truth, unseen = (
        phantom_slide(lab, seed=JUDGED_TISSUE, size_px=judged) for lab in (REFERENCE_LAB, SOURCE_LAB)
    )
    glass = slide_glass(unseen)
    fields = []
    for box in _phantom_boxes(judged[0]):
        coarse = Box(*(round(side * _PHANTOM_MPP / _MPP) for side in box))
        masks = phantom_masks(JUDGED_TISSUE, coarse, size_px=judged, mpp=_PHANTOM_MPP, at_mpp=_MPP)
        pixels = unseen.read_region_at(box, mpp=_MPP)
        fields.append(
            Field(
                f"{box.y},{box.x}",
                pixels,
                pixels,
                truth.read_region_at(box, mpp=_MPP),
                masks.red_cells,
                _clear(pixels, glass),
            )
        )
    return ScannerPairs((reference,), (source,), tuple(fields), _MPP, _MPP, glass)


def _phantom_boxes(side: int) -> Iterator[Box]:
    """A grid of at most three by three fields around the middle, which do not overlap."""
    field = min(round(_FIELD_UM / _PHANTOM_MPP), side)
    across = max(1, min(3, side // field))
    free = side - across * field
    for row in range(across):
        for column in range(across):
            y, x = (free // 2 + place * field for place in (row, column))
            yield Box(y, x, field, field)


def folder_pairs(folder: Path, mpp: float | None = None) -> ScannerPairs:
    """Pairs of frames from a folder, registered; of every other slide they are fitted on, the others judged.

    Two layouts are known. That of MITOS-ATYPIA-14: frames whose names differ in their first letter alone, A
    for Aperio, which is the source, and H for Hamamatsu, the reference, in any folders below. Of its two
    magnifications the frames of the folders ``x20`` are taken; those of ``x40`` are quarters of the same
    fields. And the folders
    ``source`` and ``reference`` with files of the same names. Of a single pair the left half is fitted on.

    Frames of a pair may differ in size, as two scanners' pixels do: the reference's is brought to the
    source's. What is left between them is one shift, found by phase correlation of their densities.

    Parameters
    ----------
    mpp
        um/px of the source's frames where their files do not say it; by default MITOS-ATYPIA-14's.

    Raises
    ------
    StainTransferError
        When there are no pairs, or two frames do not show the same tissue.
    """
    if not folder.is_dir():
        raise StainTransferError(f"There is no folder {folder}; give one with pairs of frames.")
    names, known = _mitos(folder)
    if not names:
        names, known = _same_names(folder), None
    if not names:
        raise StainTransferError(
            f"{folder} holds no pairs; give a folder with the folders source and reference and the same file "
            "names in both, or MITOS-ATYPIA-14's frames, whose names begin with A and H."
        )
    frames = [_registered(source, reference) for source, reference in names]
    check_mpp(mpp)
    found = next((one for one in (_own_mpp(names[0][0]), mpp, known) if one is not None), None)
    if found is None:
        raise StainTransferError(f"{names[0][0]} does not say its um/px; give it as --mpp.")
    if len(frames) == 1:
        fitted, judged = _halves(frames[0])
        train: Sequence[_Frames] = [(names[0], fitted)]
        test: Sequence[_Frames] = [(names[0], judged)]
    else:
        train, test = _divided([*zip(names, frames, strict=True)])
    sources, references = (
        tuple(Slide.from_array(pair[side], mpp=found, name=paths[side].name) for paths, pair in train)
        for side in (0, 1)
    )
    glass = slide_glass(sources[0])
    at = max(found, _MPP)
    fields = []
    for paths, pair in test:
        pixels, truth = (scaled(side, found, at) for side in pair)
        fields.append(Field(paths[0].stem, pair[0], pixels, truth, None, _clear(pixels, glass)))
    return ScannerPairs(references, sources, tuple(fields), found, at, glass)


def content_hash(pairs: ScannerPairs) -> str:
    """Sixteen hexadecimal digits that are others when frames or their um/px are."""
    digest = hashlib.sha256(f"{pairs.given_mpp}".encode())
    for slide in (*pairs.references, *pairs.sources):
        digest.update(slide.read_region(Box(0, 0, *slide.shape)).tobytes())
    for field in pairs.fields:
        digest.update(field.given.tobytes())
        digest.update(field.truth.tobytes())
    return digest.hexdigest()[:16]


def _divided(frames: Sequence[_Frames]) -> tuple[Sequence[_Frames], Sequence[_Frames]]:
    """What is fitted on, and what is judged: every other slide, or of a single one every other frame.

    Frames of a slide lie side by side. Which slide one is of, its name says before the first underscore.
    """
    slides = [paths[0].stem.partition("_")[0] for paths, _ in frames]
    known = list(dict.fromkeys(slides))
    if len(known) in (1, len(slides)):
        return frames[::2], frames[1::2]
    marked = [*zip(slides, frames, strict=True)]
    fitted, judged = (
        [frame for slide, frame in marked if slide in some] for some in (known[::2], known[1::2])
    )
    return fitted, judged


def _mitos(folder: Path) -> tuple[list[tuple[Path, Path]], float | None]:
    """Pairs of one magnification, so that no field is there twice, and their um/px."""
    found = [path for path in sorted(folder.rglob("[AH]*_*")) if path.suffix.lower() in _SUFFIXES]
    for magnification, mpp in MITOS_MPP.items():
        pairs = _by_letter([path for path in found if path.parent.name == magnification])
        if pairs:
            return pairs, mpp
    return _by_letter(found), None


def _by_letter(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    files: dict[str, Path] = {}
    for path in paths:
        if files.setdefault(path.name, path) is not path:
            raise StainTransferError(f"{files[path.name]} and {path} have one name; keep one of them.")
    pairs = ((path, files.get("H" + name[1:])) for name, path in files.items() if name.startswith("A"))
    return [(source, reference) for source, reference in pairs if reference is not None]


def _same_names(folder: Path) -> list[tuple[Path, Path]]:
    sides = [folder / name for name in ("source", "reference")]
    if not all(side.is_dir() for side in sides):
        return []
    sources, references = (
        {path.stem: path for path in side.iterdir() if path.suffix.lower() in _SUFFIXES} for side in sides
    )
    return [(sources[stem], references[stem]) for stem in sorted(sources) if stem in references]


def _own_mpp(path: Path) -> float | None:
    with open_slide(path) as slide:
        return slide.mpp


def _read(path: Path) -> RGB:
    with open_slide(path) as slide:
        slide.require_brightfield()
        return slide.read_region(Box(0, 0, *slide.shape))


def _registered(source: Path, reference: Path) -> tuple[RGB, RGB]:
    """Both frames, cut to what they both show."""
    one, other = _read(source), _read(reference)
    height, width, _ = one.shape
    if other.shape != one.shape:
        if abs(other.shape[0] / other.shape[1] - height / width) > 0.05:
            raise SlideError(f"{source} and {reference} are of different proportions; they are no pair.")
        other = resample(other, (0.0, 0.0, float(other.shape[0]), float(other.shape[1])), (height, width))
    shift, _, _ = phase_cross_correlation(_outline(one), _outline(other), normalization=None)
    down, right = (round(step) for step in shift)
    if max(abs(down) / height, abs(right) / width) > _MOST_SHIFT:
        raise SlideError(
            f"{reference} does not lie on {source}: the best shift is {down} px down and {right} px to the "
            "right; register them first."
        )
    rows, columns = (
        (slice(max(0, step), side + min(0, step)), slice(max(0, -step), side + min(0, -step)))
        for step, side in ((down, height), (right, width))
    )
    return one[rows[0], columns[0]], other[rows[1], columns[1]]


def _outline(image: RGB) -> NDArray[np.float64]:
    """Total optical density without its fine grain and its slow changes: what two stains have in common."""
    density = -np.log((image.astype(np.float64) + 1) / 256).sum(axis=-1)
    smooth: NDArray[np.float64] = gaussian_filter(density, 2) - gaussian_filter(density, 32)
    return smooth


def _halves(pair: Sequence[RGB]) -> tuple[tuple[RGB, RGB], tuple[RGB, RGB]]:
    middle = pair[0].shape[1] // 2
    left, right = ([side[:, part] for side in pair] for part in (slice(0, middle), slice(middle, None)))
    return (left[0], left[1]), (right[0], right[1])


def _clear(image: RGB, glass: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Glass: no denser than scanner noise makes it, in any channel."""
    density = np.log10((np.array(glass) + 1) / (image.astype(np.float64) + 1))
    clear: NDArray[np.bool_] = gaussian_filter(density.max(axis=-1), 2) < _GLASS_DENSITY
    return clear
