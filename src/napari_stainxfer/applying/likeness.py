"""A model's colours without its network: what a coarse look at a slide can be shown in at once.

A network sees other structures in a downsampled slide than in the pixels it was made for, so its output
there is not its output downsampled: on two real slides and two models the colours are 3 to 6.6 apart
(CIE delta E 2000, where the transfer itself changes them by 8 to 11). A cubic in R, G and B, fitted to a few
fields that were transformed at full resolution and then downsampled, comes to 2.5 to 3.7 at a fourth of the
resolution and 1.1 to 1.8 at a sixteenth, and costs a thousandth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.methods import Glass, Model
from napari_stainxfer.patches import tissue_mask
from napari_stainxfer.slides import RGB, Box, Slide, area_average

FIELDS = 6
FIELD_PX = 256
_FACTORS = (1, 2, 4, 8, 16)
_RIDGE = 1e-4
# In optical density, as in methods.background: below the first it is glass, above the second it is stained.
_CLEAN, _STAINED = 0.03, 0.08


def transform_box(model: Model, slide: Slide, box: Box, glass: Glass) -> RGB:
    """A box of level 0 as the export writes it: uint8 (height, width, 3). It must lie inside the slide."""
    cut = model.window(box, slide.shape, mpp=slide.mpp)
    pixels = slide.read_region(cut.read)[cut.rows][:, cut.columns]
    return model.transform_window(pixels, mpp=slide.mpp, glass=glass)[cut.keep]


def sample_boxes(slide: Slide) -> list[Box]:
    """Boxes of level 0 on tissue, the same for the same slide, spread over it."""
    mask = tissue_mask(slide)
    rows, columns = np.nonzero(mask)
    height, width = (min(FIELD_PX, side) for side in slide.shape)
    if not len(rows):
        return [Box((slide.shape[0] - height) // 2, (slide.shape[1] - width) // 2, height, width)]
    scale = max(slide.shape) / max(mask.shape)
    # Evenly through the tissue in reading order, so that every part of it is met, whatever its shape.
    chosen = np.linspace(0, len(rows) - 1, 2 * FIELDS + 1).round().astype(int)[1::2]
    return [
        Box(
            min(max(0, round(rows[i] * scale) - height // 2), slide.shape[0] - height),
            min(max(0, round(columns[i] * scale) - width // 2), slide.shape[1] - width),
            height,
            width,
        )
        for i in chosen
    ]


class ColourLikeness:
    """What a model does to a slide's colours, as a cubic for each resolution.

    Parameters
    ----------
    fields
        Pixels before and after, uint8 (H, W, 3) at level 0 each.
    glass
        The slide's empty glass, which stays as it is.
    """

    def __init__(self, fields: Sequence[tuple[RGB, RGB]], glass: Glass) -> None:
        self._glass = np.asarray(glass, np.float32)
        self._cubics = {factor: _fit(fields, factor) for factor in _FACTORS}

    def __call__(self, rgb: RGB, downsample: float) -> RGB:
        """Colours after the transfer, uint8 (H, W, 3), of pixels that each cover so many of level 0."""
        factor = max(factor for factor in _FACTORS if factor <= max(1.0, downsample * 1.01))
        flat = rgb.reshape(-1, 3)
        light = flat.astype(np.float32)
        change = _terms(light) @ self._cubics[factor]
        density = -np.log10((light + 1) / (self._glass + 1)).min(axis=1, keepdims=True)
        stained = np.clip((density - _CLEAN) / (_STAINED - _CLEAN), 0, 1)
        after: RGB = np.clip(light + stained * change + 0.5, 0, 255.4).astype(np.uint8).reshape(rgb.shape)
        return after


def _fit(fields: Sequence[tuple[RGB, RGB]], factor: int) -> NDArray[np.float32]:
    """Least squares of the change, with a ridge that holds what no field shows near no change."""
    before, after = (
        np.concatenate([area_average(field[side], factor).reshape(-1, 3) for field in fields]).astype(
            np.float64
        )
        for side in (0, 1)
    )
    terms = _terms(before)
    gram = terms.T @ terms / len(terms) + _RIDGE * np.eye(terms.shape[1])
    cubic: NDArray[np.float32] = np.linalg.solve(gram, terms.T @ (after - before) / len(terms)).astype(
        np.float32
    )
    return cubic


def _terms(light: NDArray[Any]) -> NDArray[Any]:
    """All products of up to three of R, G and B: (N, 20)."""
    r, g, b = light.T / 255
    first = [np.ones_like(r), r, g, b]
    second = [r * r, g * g, b * b, r * g, r * b, g * b]
    third = [*(a * a * c for a in (r, g, b) for c in (r, g, b)), r * g * b]
    return np.stack([*first, *second, *third], axis=1)
