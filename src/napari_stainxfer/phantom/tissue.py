"""One piece of kidney: how much haematoxylin, eosin and haemoglobin there is at every point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.phantom.cells import nuclei, red_cells, stamp
from napari_stainxfer.phantom.geometry import Geometry, geometry
from napari_stainxfer.phantom.layout import PROXIMAL
from napari_stainxfer.phantom.noise import Floats, value_noise

_MARGIN_UM = 22.0
_LATTICE_UM = 1.0


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

    def patch(self, top: int, left: int, shape: tuple[int, int], mpp: float) -> tuple[Floats, Masks]:
        """Compute amounts (3, H, W: haematoxylin, eosin, haemoglobin) and masks on the grid of ``mpp``.

        ``top`` and ``left`` count pixels of that ``mpp`` and may be negative.
        """
        y0, x0 = top * mpp, left * mpp
        ys = y0 + (np.arange(shape[0]) + 0.5) * mpp
        xs = x0 + (np.arange(shape[1]) + 0.5) * mpp
        step = max(mpp, _LATTICE_UM)
        gy, gx = np.floor((y0 - _MARGIN_UM) / step), np.floor((x0 - _MARGIN_UM) / step)
        rows = int(np.ceil((ys[-1] + _MARGIN_UM) / step - gy)) + 1
        cols = int(np.ceil((xs[-1] + _MARGIN_UM) / step - gx)) + 1
        extent = self.shape[0] * self.mpp, self.shape[1] * self.mpp
        g = geometry(self.seed, extent, gy * step, gx * step, rows, cols, step)
        window = y0, x0, y0 + shape[0] * mpp, x0 + shape[1] * mpp
        cover, dark, label = stamp(nuclei(self.seed, g, *window), y0, x0, shape, mpp, hollow=0.3, number=True)
        red, tone, _ = stamp(red_cells(self.seed, g, *window), y0, x0, shape, mpp, hollow=0.25)
        inside = g.up(g.tissue, ys, xs)
        h, e = _stains(self.seed, g, ys, xs, mpp)
        grain = value_noise(self.seed + 91, ys, xs, max(1.1, mpp))
        h = np.maximum(h * (1 - cover), dark * (0.72 + 0.56 * grain))
        e *= 1 - 0.55 * cover
        h *= 1 - red
        e *= 1 - 0.8 * red
        uneven = 0.9 + 0.2 * value_noise(self.seed + 92, ys, xs, 700.0)
        masks = Masks(g.up(g.glomerulus, ys, xs) > 0, label, red > 0.5, inside > 0)
        return np.stack([h * uneven, e * uneven, tone]), masks


def _stains(seed: int, g: Geometry, ys: Floats, xs: Floats, mpp: float) -> tuple[Floats, Floats]:
    """Haematoxylin and eosin of everything but nuclei and red cells."""
    soft = np.float32(min(max(mpp, 0.5), 1.0))

    def cover(distance: Floats) -> Floats:
        return np.asarray(np.clip(distance / soft + np.float32(0.5), 0, 1))

    def noise(k: int, spacing: float) -> Floats:
        return value_noise(seed + k, ys, xs, spacing) - np.float32(0.5)

    fine, mid, cell, wide = noise(101, 1.2), noise(102, 2.7), noise(103, 6.5), noise(104, 15.0)
    wall = g.up(g.tubule, ys, xs)
    gap = g.up(g.gap, ys, xs)
    depth = wall - gap
    height = g.labels(g.height, ys, xs).astype(np.float32)
    strength = g.labels(g.eosin, ys, xs).astype(np.float32)
    proximal = (g.labels(g.kind, ys, xs) == PROXIMAL).astype(np.float32)

    # interstitium: fibres run along the tubules; capillaries where three tubules meet
    fibres = np.sin(wall * np.float32(3.3) + 9 * cell)
    e = 0.42 + 0.10 * fibres + 0.25 * mid
    h = 0.07 + 0.05 * mid
    slit = cover(-depth - 2.6 + 3 * wide)
    e = e * (1 - slit) + 0.03 * slit

    # tubules
    into = depth - height + (1.2 + 4.5 * proximal) * (0.7 * mid + cell)
    lumen = cover(into)
    brush = proximal * np.clip(1 - np.abs(into + 1.5) * 0.6, 0, 1)
    plasm = strength * (1 + 0.34 * fine + 0.42 * mid + 0.22 * cell + 0.35 * wide - 0.25 * brush)
    plasm += 0.22 * np.clip(1 - np.abs(depth - 0.4) * 1.4, 0, 1)
    debris = 0.04 + proximal * 0.5 * np.clip(mid + cell + wide - 0.15, 0, 1)
    filled = plasm * (1 - lumen) + debris * lumen
    body = cover(depth)
    e = e * (1 - body) + filled * body
    h = h * (1 - body) + (0.13 + 0.10 * mid) * (1 - lumen) * body

    glomerulus = g.up(g.glomerulus, ys, xs)
    if glomerulus.max() > -2:
        tuft = g.up(g.tuft, ys, xs)
        loops = cell + 0.6 * mid
        open_ = np.clip(loops * 6 - 0.3, 0, 1)
        cleft = np.clip((-wide - 0.24) * 14, 0, 1)
        inner_e = (0.50 + 0.2 * mid + 0.25 * np.clip(1 - np.abs(loops - 0.03) * 14, 0, 1)) * (1 - 0.8 * open_)
        inner_e *= 1 - 0.9 * cleft
        inner_h = (0.2 + 0.2 * mid) * (1 - 0.8 * open_) * (1 - cleft)
        t = cover(tuft)
        ring = cover(glomerulus) * (1 - cover(glomerulus - 2.4))
        ring_e = 0.5 + 0.12 * np.sin(glomerulus * 4 + 5 * cell)
        space_e = 0.03 + 0.05 * np.clip(wide, 0, 1)
        region_e = inner_e * t + (1 - t) * (ring_e * ring + space_e * (1 - ring))
        region_h = inner_h * t + (1 - t) * 0.08 * ring
        m = cover(glomerulus)
        e, h = e * (1 - m) + region_e * m, h * (1 - m) + region_h * m

    vessel = g.up(g.vessel, ys, xs)
    if vessel.max() > -2:
        lumen = g.up(g.lumen, ys, xs)
        streak = np.sin(vessel * 2.3 + 14 * wide + 5 * cell)
        wall_e = 0.66 + 0.10 * streak + 0.2 * mid + 0.25 * np.clip(1 - np.abs(lumen + 1) * 0.8, 0, 1)
        hollow = cover(lumen)
        m = cover(vessel)
        e = e * (1 - m) + (wall_e * (1 - hollow) + 0.04 * hollow) * m
        h = h * (1 - m) + 0.14 * (1 - hollow) * m

    tissue = g.up(g.tissue, ys, xs)
    on = cover(tissue)
    return np.clip(h, 0, None) * on, np.clip(e, 0, None) * on
