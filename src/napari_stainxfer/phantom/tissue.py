"""One piece of kidney: how much haematoxylin, eosin and haemoglobin there is at every point."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.phantom.ellipses import draw
from napari_stainxfer.phantom.geometry import LATTICE_UM, geometry
from napari_stainxfer.phantom.noise import Floats, hashed, pixel_noise, value_noise
from napari_stainxfer.phantom.nuclei import nuclei
from napari_stainxfer.phantom.red_cells import red_cells
from napari_stainxfer.phantom.stains import plain_stains

_MARGIN_UM = 22.0


@dataclass(frozen=True)
class Masks:
    """Truth beside the pixels, all (H, W).

    Attributes
    ----------
    glomeruli : bool
        Whole glomeruli: the tuft, Bowman's space and Bowman's capsule.
    nuclei : int32
        0, or the number of the nucleus; a nucleus has one number on the whole slide.
    red_cells : bool
        Red cells.
    tissue : bool
        Everything that is not bare glass around the piece (lumens count as tissue).
    """

    glomeruli: NDArray[np.bool_]
    nuclei: NDArray[np.int32]
    red_cells: NDArray[np.bool_]
    tissue: NDArray[np.bool_]


@dataclass(frozen=True)
class Tissue:
    """A synthetic piece of kidney cortex on glass.

    Parameters
    ----------
    seed : int
        Which piece. The same seed is the same tissue in every lab and at every resolution.
    shape : tuple of int
        Height and width of the slide in pixels of ``mpp``.
    mpp : float
        Micrometres a pixel of level 0.
    """

    seed: int
    shape: tuple[int, int]
    mpp: float = 0.5

    @cached_property
    def _key(self) -> int:
        # hashed, since the parts of the tissue count up from it: neighbouring seeds must share no numbers
        return int(hashed(self.seed, np.array([0]))[0])

    def patch(self, top: int, left: int, shape: tuple[int, int], mpp: float) -> tuple[Floats, Masks]:
        """Compute amounts (3, H, W: haematoxylin, eosin, haemoglobin) and masks on the grid of ``mpp``.

        ``top`` and ``left`` count pixels of that ``mpp`` and may be negative.
        """
        key = self._key
        y0, x0 = top * mpp, left * mpp
        ys = y0 + (np.arange(shape[0]) + 0.5) * mpp
        xs = x0 + (np.arange(shape[1]) + 0.5) * mpp
        step = max(mpp, LATTICE_UM)
        gy, gx = np.floor((y0 - _MARGIN_UM) / step), np.floor((x0 - _MARGIN_UM) / step)
        rows = int(np.ceil((ys[-1] + _MARGIN_UM) / step - gy)) + 1
        cols = int(np.ceil((xs[-1] + _MARGIN_UM) / step - gx)) + 1
        extent = self.shape[0] * self.mpp, self.shape[1] * self.mpp
        g = geometry(key, extent, gy * step, gx * step, rows, cols, step)
        window = y0, x0, y0 + shape[0] * mpp, x0 + shape[1] * mpp
        cells = nuclei(key, g, *window)
        cover, dark, label = draw(cells, y0, x0, shape, mpp)
        red, tone, _ = draw(red_cells(key, g, *window), y0, x0, shape, mpp)
        inside = g.up(g.tissue, ys, xs)
        h, e = plain_stains(key, g, ys, xs, mpp)
        chromatin = pixel_noise(key + 91, ys, xs, 1.1, mpp)
        h = h * (1 - cover) + dark * np.clip(1 + 1.5 * chromatin, 0, None)
        e *= 1 - 0.5 * cover
        h *= 1 - red
        e *= 1 - 0.85 * red
        uneven = 0.88 + 0.24 * value_noise(key + 92, ys, xs, 800.0)
        masks = Masks((g.up(g.glomerulus, ys, xs) > 0) & (inside > 0), label, red > 0.5, inside > 0)
        return np.stack([h * uneven, e * uneven, tone]), masks
