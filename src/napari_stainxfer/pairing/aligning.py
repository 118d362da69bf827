"""Find where two patches show the very same tissue, on two scans of one section."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.feature import match_template

from napari_stainxfer.pairing.density import stain_density
from napari_stainxfer.pairing.descriptors import as_described
from napari_stainxfer.patches import Patch, glass_colour, read_patch
from napari_stainxfer.slides import Box, Slide

_SAME_TISSUE = 0.85
"""Correlation of densities from which two patches are taken for the same place of one tissue: two scans of
one section reach 0.88 or more there, unrelated tissue at most 0.79 (a straight edge beside glass)."""


class SameTissue:
    """Looks for the tissue of source patches in and around reference patches.

    Patches of both slides are cut from grids of their own, so that even on two scans of one section the
    best partner may lie beside the true place. That is where stain densities (see `stain_density`) correlate
    by 0.85 or more; on unrelated tissue they never do.

    Parameters
    ----------
    references, sources
        Slides of known um/px; `Patch.slide` counts them.
    """

    def __init__(self, references: Sequence[Slide], sources: Sequence[Slide]) -> None:
        self._references = [(slide, glass_colour(slide.overview())) for slide in references]
        self._sources = [(slide, glass_colour(slide.overview())) for slide in sources]

    def find(self, source: Patch, near: Patch, *, reach: float = 0.5) -> tuple[Patch, float] | None:
        """Find a source patch's tissue on the reference slide.

        Parameters
        ----------
        source, near
            Patches of one size in um.
        reach
            How far beside the reference patch to look, in sides of it.

        Returns
        -------
        tuple or None
            The reference patch moved onto the same tissue, inside its slide, and the correlation there,
            which is 1 for identical tissue; None where that tissue is not.
        """
        slide, glass = self._sources[source.slide]
        template = as_described(slide, source)
        (seen,) = stain_density([read_patch(slide, template)], glass)
        slide, glass = self._references[near.slide]
        side = min(near.box.height, near.box.width)
        window = _grown(near.box, round(reach * side), slide.shape)
        scale = side / template.px
        pixels = slide.read_region_at(window, mpp=scale * slide.require_mpp())
        if min(pixels.shape[:2]) < template.px:
            return None
        (around,) = stain_density([pixels], glass)
        likeness = match_template(around, seen)
        y, x = np.unravel_index(int(likeness.argmax()), likeness.shape)
        if likeness[y, x] < _SAME_TISSUE:
            return None
        top = min(window.y + round(float(y) * scale), slide.shape[0] - side)
        left = min(window.x + round(float(x) * scale), slide.shape[1] - side)
        return near._replace(box=Box(top, left, side, side)), float(likeness[y, x].clip(0, 1))


def _grown(box: Box, margin: int, shape: tuple[int, int]) -> Box:
    """The box and a margin around it, as far as the slide goes."""
    top, left = max(0, box.y - margin), max(0, box.x - margin)
    bottom, right = min(shape[0], box.y + box.height + margin), min(shape[1], box.x + box.width + margin)
    return Box(top, left, bottom - top, right - left)
