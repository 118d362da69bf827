"""Stain densities measured per slide: what a patch shows, whatever the lab's colours are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.slides import RGB

FloatArray = NDArray[np.float32]

# Haematoxylin and eosin of Ruifrok and Johnston (2001), for slides whose own stains cannot be told apart.
_USUAL_STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]], np.float32)
_LEAST_ANGLE = np.deg2rad(6)
_STAINED_OD = 0.08
_SAMPLE = 200_000
_HEADROOM = 1.25


@dataclass(frozen=True)
class SlideStains:
    """A slide's own glass, stains and strengths.

    Attributes
    ----------
    glass
        RGB of its empty glass, (3,).
    unmixing
        From optical density to haematoxylin and eosin, (3, 2).
    strengths
        What counts as strong in this slide: the 98th percentile over tissue of haematoxylin, eosin and
        mean optical density, (3,).
    """

    glass: FloatArray
    unmixing: FloatArray
    strengths: FloatArray

    def densities(self, patches: Sequence[RGB]) -> FloatArray:
        """Haematoxylin, eosin and total density of patches uint8 (h, w, 3).

        Returns
        -------
        float32 (N, h, w, 3) in [0, 1]: 0 is glass, 0.8 is strong for this slide. Neither the colours
        of the stains nor their amounts, nor the section's thickness, are left in it.
        """
        density = optical_density(np.stack(patches), self.glass)
        channels = np.concatenate(
            [np.maximum(density @ self.unmixing, 0), density.mean(axis=-1, keepdims=True)], axis=-1
        )
        scaled = (channels / self.strengths).clip(0, _HEADROOM) / _HEADROOM
        return scaled.astype(np.float32, copy=False)


def optical_density(rgb: RGB, glass: FloatArray) -> FloatArray:
    """Optical density (..., 3) of uint8 RGB relative to glass, 0 where it is brighter than glass."""
    density: FloatArray = -np.log10((rgb.astype(np.float32) + 1) / (glass + 1))
    return np.maximum(density, np.float32(0))


def measure_stains(patches: Sequence[RGB], glass: FloatArray) -> SlideStains:
    """Measure a slide's stains on patches of its tissue, uint8 (h, w, 3) each.

    The two stains are the extreme directions of optical density in its main plane (Macenko et al.,
    "A method for normalizing histology slides for quantitative analysis", 2009). The one that absorbs
    red more is haematoxylin.
    """
    pixels = np.concatenate([patch.reshape(-1, 3) for patch in patches])
    pixels = pixels[:: max(1, len(pixels) // _SAMPLE)]
    density = optical_density(pixels, glass)
    stained = density[density.mean(axis=1) > _STAINED_OD]
    if len(stained) < 100:
        stained = density + np.float32(1e-3)
    unmixing = np.linalg.pinv(_stain_vectors(stained)).astype(np.float32)
    channels = np.concatenate(
        [np.maximum(stained @ unmixing, 0), stained.mean(axis=1, keepdims=True)], axis=1
    )
    strengths = np.maximum(np.percentile(channels, 98, axis=0), 1e-2).astype(np.float32)
    return SlideStains(glass, unmixing, strengths)


def _stain_vectors(stained: FloatArray) -> FloatArray:
    """Haematoxylin and eosin as unit vectors of optical density, (2, 3)."""
    _, directions = np.linalg.eigh(np.cov(stained.T))
    plane = directions[:, [2, 1]]
    plane[:, 0] *= np.sign(plane[:, 0].sum())
    first, second = (stained @ plane).T
    low, high = np.percentile(np.arctan2(second, first), [1, 99])
    if high - low < _LEAST_ANGLE:
        return _USUAL_STAINS
    vectors = [np.abs(plane @ (np.cos(angle), np.sin(angle))) for angle in (low, high)]
    vectors.sort(key=lambda vector: float(vector[0] / vector.sum()), reverse=True)
    return np.array(vectors, np.float32)
