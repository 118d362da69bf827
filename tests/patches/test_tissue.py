"""The tissue mask: on drawn overviews, on every lab of the phantom, and on real slides with ink."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from skimage.draw import disk, line
from skimage.morphology import dilation
from skimage.morphology import disk as disk_footprint

from napari_stainxfer.patches import find_tissue, slide_masks, tissue_mask
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box, Slide, open_slide

WHITE, GREY, PINKISH = (255, 255, 255), (226, 226, 226), (240, 232, 236)
EOSIN, PALE, DARK, BLUE_STAIN = (205, 120, 165), (232, 200, 218), (75, 25, 85), (85, 90, 205)
INKS = {"green": (40, 150, 120), "blue": (40, 60, 160), "black": (25, 25, 30), "red": (225, 35, 55)}


def draw(glass: tuple[int, int, int], stain: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """A round section 300 px across on glass, 480 x 600, with the grain of tissue and sensor noise."""
    rng = np.random.default_rng(seed)
    image = np.empty((480, 600, 3))
    image[:] = glass
    rows, columns = disk((240, 220), 150)
    grain = rng.normal(1, 0.25, len(rows)).clip(0.4, 1.6)[:, None]
    image[rows, columns] = glass * (np.array(stain) / 255) ** grain
    return (image + rng.normal(0, 1.0, image.shape)).clip(0, 255).astype(np.uint8)


def truth() -> np.ndarray:
    mask = np.zeros((480, 600), bool)
    mask[disk((240, 220), 150)] = True
    return mask


def overlap(found: np.ndarray, expected: np.ndarray) -> float:
    return float((found & expected).sum() / (found | expected).sum())


@pytest.mark.parametrize("stain", [EOSIN, PALE, DARK, BLUE_STAIN])
@pytest.mark.parametrize("glass", [WHITE, GREY, PINKISH])
def test_section_on_any_glass(glass: tuple[int, int, int], stain: tuple[int, int, int]) -> None:
    masks = find_tissue(draw(glass, stain))
    assert overlap(masks.tissue, truth()) > 0.95
    assert masks.ink.sum() == 0


@pytest.mark.parametrize("glass", [GREY, PINKISH])
def test_white_padding_beside_glass_is_not_tissue_and_does_not_hide_it(glass: tuple[int, int, int]) -> None:
    image = draw(glass, PALE)
    image[:, 400:] = 255
    assert overlap(find_tissue(image).tissue, truth()) > 0.95


@pytest.mark.parametrize("ink", sorted(INKS))
@pytest.mark.parametrize("stain", [EOSIN, DARK])
def test_strokes_of_ink_are_left_out(ink: str, stain: tuple[int, int, int]) -> None:
    """A stroke across glass and tissue: transparent ink, so that it multiplies what is under it."""
    image = draw(PINKISH, stain)
    stroke = np.zeros(image.shape[:2], bool)
    stroke[line(20, 60, 460, 590)] = True
    stroke = dilation(stroke, disk_footprint(9))
    image[stroke] = (image[stroke] / 255.0 * INKS[ink]).astype(np.uint8)
    masks = find_tissue(image)
    on_glass = stroke & ~truth()
    assert (masks.tissue & on_glass).sum() < 0.03 * on_glass.sum()
    assert (masks.ink & on_glass).sum() > 0.9 * on_glass.sum()
    assert overlap(masks.tissue & ~stroke, truth() & ~stroke) > 0.9


def test_grey_dust_and_unscanned_black_are_not_tissue() -> None:
    image = draw(WHITE, EOSIN)
    image[disk((80, 500), 12)] = (140, 140, 142)
    image[400:, 450:] = 0
    masks = find_tissue(image)
    assert not masks.tissue[60:100, 480:520].any()
    assert not masks.tissue[395:, 445:].any()
    assert masks.ink[405:, 455:].all()


def test_empty_slide_has_no_tissue() -> None:
    noise = np.random.default_rng(0).normal(238, 2, (300, 400, 3)).clip(0, 255).astype(np.uint8)
    masks = find_tissue(noise)
    assert not masks.tissue.any()
    assert not masks.ink.any()


def test_field_of_view_without_any_glass_is_all_tissue() -> None:
    image = draw(WHITE, EOSIN)[140:340, 120:320]
    assert find_tissue(image).tissue.mean() > 0.99


def test_mask_has_the_size_of_the_overview() -> None:
    slide = Slide.from_array(np.repeat(np.repeat(draw(WHITE, EOSIN), 3, 0), 3, 1))
    assert tissue_mask(slide).shape == slide.overview().shape[:2]


@pytest.mark.parametrize("lab", [f"lab{number}" for number in range(1, 9)])
def test_every_lab_of_the_phantom(lab: str) -> None:
    """All labs show the same outline, and none of their stains is taken for ink."""
    size = (2048, 2048)
    masks = find_tissue(phantom_slide(lab, 3, size).overview(256))
    reference = find_tissue(phantom_slide("lab1", 3, size).overview(256))
    assert overlap(masks.tissue, reference.tissue) > 0.93
    assert masks.ink.mean() < 0.001


def test_real_slide_with_pen_marks(real_data: Path) -> None:
    """Green and blue ink on glass and over tissue, black edge dye and black unscanned tiles."""
    pydicom = pytest.importorskip("pydicom")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file's photometric interpretation is not the JPEG's
        file = pydicom.dcmread(real_data / "wsi" / "pen_marked_tiled_sparse_3236x2638.dcm")
        frames = file.pixel_array
    # Frames without positions, so that fields of view lie side by side as they were scanned.
    rows = [np.hstack(frames[first : first + 7]) for first in range(0, 42, 7)]
    slide = Slide.from_array(np.ascontiguousarray(np.vstack(rows)[:2638, :3236]))
    overview = slide.overview().astype(int)
    masks = find_tissue(slide.overview())
    red, green, blue = overview[..., 0], overview[..., 1], overview[..., 2]
    pen = ((green - red > 60) | (blue - red > 60)) & (red < 120)
    black = overview.max(2) < 20
    assert pen.mean() > 0.02
    assert black.mean() > 0.05
    assert (masks.tissue & (pen | black)).sum() < 0.01 * (pen | black).sum()
    assert 0.3 < masks.tissue.mean() < 0.4


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("CMU-1-Small-Region.svs", 0.33, 0.38), ("TCGA-CR-7395-01A-01-TS1.svs", 0.60, 0.65)],
)
def test_real_slides(name: str, low: float, high: float, real_data: Path) -> None:
    """Shares of tissue as seen by eye; the second has white padding beside pinkish glass."""
    slide = open_slide(real_data / "wsi" / name)
    assert low < tissue_mask(slide).mean() < high
    assert find_tissue(slide.overview()).ink.mean() < 0.02


def test_nuclei_of_a_small_field_are_not_ink(real_data: Path) -> None:
    """The overview of a field shows nuclei as large as strokes; and here, a scanner's colours of them."""
    with open_slide(real_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        light = (slide.read_region(Box(1500, 700, 1300, 650)) / 255.0) ** 2.2
    mixed = light @ np.array([[1.07, -0.04, -0.03], [-0.2, 1.1, 0.09], [-0.03, 0.06, 0.96]]).T
    seen = (255 * mixed.clip(0, 1) ** (np.array([0.9, 1.0, 0.9]) / 2.2)).astype(np.uint8)
    small = Slide.from_array(seen, mpp=0.5)
    masks = slide_masks(small)
    assert masks.ink.mean() < 0.1 * find_tissue(small.overview()).ink.mean()
    assert masks.tissue.shape == masks.ink.shape == small.overview().shape[:2]
    assert masks.tissue.mean() > 0.85
