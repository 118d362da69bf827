"""Where a slide shows tissue, and where ink: measured once, on the overview.

Everything is judged in optical density relative to the slide's own glass, so that a grey, pink or
yellowish glass counts as empty and pale or dark stains need no thresholds of their own. Ink is told
from stain by what the slide itself mostly shows, because one scanner's blue haematoxylin is another
pen's blue.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import disk

from napari_stainxfer.slides import RGB, Slide
from napari_stainxfer.slides.resample import resample

Mask = NDArray[np.bool_]

# Optical densities, relative to glass, after smoothing by one overview pixel.
_TISSUE_OD = 0.05
_TISSUE_CHROMA = 0.04
_INK_OD = 0.25
# (max - min) / max of the three densities: dust, shadows and the coverslip's fringe are grey.
_GREY = 0.15
_SMALLEST_PX = 48
# At this um/px a nucleus is smaller than the openings and closings below, and a stroke of a pen is not.
_FINEST_MPP = 2.0
# The longer side of a tiny picture is not made smaller than this.
_LEAST_PX = 96


class SlideMasks(NamedTuple):
    """Masks of an overview, each bool (h, w)."""

    tissue: Mask
    ink: Mask


def slide_masks(slide: Slide) -> SlideMasks:
    """Tissue and ink of a slide, of the size of ``slide.overview()``.

    They are looked for at 2 um/px or coarser, where the um/px is known: ink is told by its hue and by being
    solid, and on the overview of a small field every dark nucleus is.
    """
    overview = slide.overview()
    height, width = overview.shape[:2]
    most_px = max(slide.shape) * (slide.mpp or math.inf) / _FINEST_MPP
    scale = max(height, width) / max(most_px, _LEAST_PX)
    if scale <= 1:
        return find_tissue(overview)
    size = round(height / scale), round(width / scale)
    small = find_tissue(resample(overview, (0.0, 0.0, float(height), float(width)), size))
    rows, columns = (np.arange(side) * few // side for side, few in zip((height, width), size, strict=True))
    return SlideMasks(*(mask[rows[:, None], columns] for mask in small))


def tissue_mask(slide: Slide) -> Mask:
    """Tissue on the overview of a slide, without glass, ink, dust and unscanned areas.

    Returns
    -------
    bool (h, w), of the size of ``slide.overview()``.
    """
    return slide_masks(slide).tissue


def find_tissue(overview: RGB) -> SlideMasks:
    """Tissue and ink of an overview uint8 (h, w, 3).

    Ink is marker strokes of blue, green, red or black, dye on the cut edge, and black areas that were
    not scanned; the tissue mask leaves it out.
    """
    density = ndimage.gaussian_filter(_density(overview), (1, 1, 0))
    strength = density.mean(2)
    highest = density.max(2)
    chroma = highest - density.min(2)
    grey = chroma < _GREY * np.maximum(highest, 1e-6)
    coloured = (strength > _TISSUE_OD) & (chroma > _TISSUE_CHROMA) & ~grey
    ink = _ink(density, coloured) | (grey & (strength > _INK_OD)) | (overview.max(2) < 40)
    ink = ndimage.binary_opening(ink, disk(1))
    ink = ndimage.binary_dilation(ink, disk(2))
    tissue = ndimage.binary_closing(np.pad(coloured & ~ink, 2), disk(2))[2:-2, 2:-2] & ~ink
    return SlideMasks(_without_specks(tissue), ink)


def _density(overview: RGB) -> NDArray[np.float32]:
    """Optical density (h, w, 3) relative to glass, 0 where it is brighter than glass."""
    light = overview.astype(np.float32) + 1
    density: NDArray[np.float32] = -np.log10(light / (glass_colour(overview) + 1))
    return np.maximum(density, np.float32(0))


def glass_colour(overview: RGB) -> NDArray[np.float32]:
    """RGB of the empty glass of an overview, float (3,), 0 to 255.

    It is the most common brightness of what is bright, nearly grey and smooth. Pure white is padding,
    not glass, unless there is nothing else.
    """
    rgb = overview.astype(np.float32)
    brightest, darkest = rgb.max(2), rgb.min(2)
    steepness = ndimage.maximum_filter(darkest, 3) - ndimage.minimum_filter(darkest, 3)
    empty = (darkest > 175) & (brightest - darkest < 40) & (steepness < 12)
    scanned = empty & (darkest < 252)
    chosen = scanned if scanned.sum() > 0.002 * empty.size else empty
    if chosen.sum() <= 0.002 * empty.size:
        return np.full(3, 255, np.float32)
    level = darkest[chosen].astype(np.intp)
    # Pale tissue can be smooth and nearly grey as well, but glass is brighter: look from the top down
    # for the first brightness at which a good share of the pixels lies, and from that flank to its peak.
    share = ndimage.uniform_filter1d(np.bincount(level, minlength=256) / len(level), 5, mode="constant")
    flank = int(np.flatnonzero(share > 0.4 * share.max())[-1])
    mode = flank - int(np.argmax(share[flank : max(flank - 8, 0) : -1]))
    near = rgb[chosen][np.abs(level - mode) <= 4]
    glass: NDArray[np.float32] = np.median(near, axis=0).astype(np.float32)
    return glass


def _ink(density: NDArray[np.float32], coloured: Mask) -> Mask:
    """Marker ink by hue.

    In H&E green is absorbed most. Blue and green inks absorb red most; a slide that is that blue
    itself raises the bar. Red ink is redder than what the slide mostly shows, and solid, which red
    cells seldom are.
    """
    if not coloured.any():
        return coloured
    red, green, _ = (density[..., channel] for channel in range(3))
    ratio = red / np.maximum(green, 0.02)
    usual = float(np.median(ratio[coloured]))
    cold = (ratio > max(1.15, 1.35 * usual)) & (red > _INK_OD) & coloured
    cold = ndimage.binary_opening(cold, disk(2)) | (cold & (ratio > 1.6))
    # Blue ink over pink tissue, told from nuclei by being solid.
    over_tissue = (ratio > max(0.8, 2 * usual)) & (red > 0.4) & coloured
    cold |= ndimage.binary_opening(over_tissue, disk(2))
    # The rim of a stroke is diluted by what lies under it.
    rim = (ratio > max(0.8, 1.15 * usual)) & coloured & ndimage.binary_dilation(cold, disk(8))
    dense = float(np.median(green[coloured]))
    redder = (ratio < min(0.25, 0.6 * usual)) & (green > 1.3 * dense)
    far_redder = ratio < 0.35 * usual
    warm = ndimage.binary_opening((redder | far_redder) & (green > 0.5) & coloured, disk(5))
    ink: Mask = cold | rim | warm
    return ink


def _without_specks(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept: Mask = sizes[labels] >= min(_SMALLEST_PX, sizes.max())
    return kept
