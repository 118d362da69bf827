"""Haematoxylin and eosin of everything but nuclei and red cells."""

from __future__ import annotations

import numpy as np

from napari_stainxfer.phantom.geometry import Geometry
from napari_stainxfer.phantom.layout import PROXIMAL
from napari_stainxfer.phantom.noise import Floats, pixel_noise


class Noise:
    """Noise of four grain sizes over a region, each in [-0.5, 0.5)."""

    def __init__(self, seed: int, ys: Floats, xs: Floats, mpp: float) -> None:
        def octave(k: int, spacing_um: float) -> Floats:
            return pixel_noise(seed + k, ys, xs, spacing_um, mpp)

        self.fine, self.mid = octave(101, 0.8), octave(102, 2.4)
        self.cell, self.wide = octave(103, 6.5), octave(104, 15.0)


def plain_stains(seed: int, g: Geometry, ys: Floats, xs: Floats, mpp: float) -> tuple[Floats, Floats]:
    """Haematoxylin and eosin (H, W) at the rows ``ys`` and columns ``xs`` (um)."""
    soft = min(max(mpp, 0.5), 1.0)
    n = Noise(seed, ys, xs, mpp)
    tissue = g.up(g.tissue, ys, xs)
    h, e = _interstitium_and_tubules(g, ys, xs, tissue, n, soft)
    glomerulus = g.up(g.glomerulus, ys, xs)
    if glomerulus.max() > -2:
        m = cover(glomerulus, soft)
        gh, ge = _glomerulus(glomerulus, g.up(g.tuft, ys, xs), n, soft)
        h, e = h + (gh - h) * m, e + (ge - e) * m
    vessel = g.up(g.vessel, ys, xs)
    if vessel.max() > -2:
        m = cover(vessel, soft)
        vh, ve = _vessel(vessel, g.up(g.lumen, ys, xs), n, soft)
        h, e = h + (vh - h) * m, e + (ve - e) * m
    on = cover(tissue, soft)
    return np.clip(h, 0, None) * on, np.clip(e, 0, None) * on


def cover(distance: Floats, soft_um: float) -> Floats:
    """How much of a point lies inside an edge: 0 to 1 over ``soft_um``."""
    return np.asarray(np.clip(distance * np.float32(1 / soft_um) + np.float32(0.5), 0, 1))


def _interstitium_and_tubules(
    g: Geometry, ys: Floats, xs: Floats, tissue: Floats, n: Noise, soft: float
) -> tuple[Floats, Floats]:
    wall = g.up(g.tubule, ys, xs)
    depth = wall - g.up(g.gap, ys, xs)
    # fibres run along the tubules; capillaries open where three of them meet
    e = 0.22 + 0.07 * np.sin(wall * np.float32(3.3) + 9 * n.cell) + 0.16 * n.mid + 0.1 * n.fine
    slit = cover(-depth - 2.4 + 3 * n.wide, soft) * np.clip(tissue * 0.2 - 2, 0, 1)  # none in the capsule
    e += (0.015 - e) * slit

    height = np.asarray(g.labels(g.height, ys, xs), np.float32)
    strength = np.asarray(g.labels(g.eosin, ys, xs), np.float32)
    proximal = (g.labels(g.kind, ys, xs) == PROXIMAL).astype(np.float32)
    # the free surface: ragged and foamy in proximal tubules, where the brush border frays
    into = depth - height + (1.5 + 4.5 * proximal) * (0.8 * n.mid + n.cell) + 3.0 * proximal * n.fine
    lumen = cover(into, soft + 0.8)
    brush = proximal * np.clip(1 - np.abs(into + 1.2) * 0.6, 0, 1)
    plasm = strength * (1 + 1.0 * n.fine + 0.50 * n.mid + 0.25 * n.cell + 0.40 * n.wide - 0.2 * brush)
    plasm -= strength * 1.8 * np.clip(n.cell + n.mid + 0.8 * n.fine - 0.38, 0, 0.5)  # vacuoles
    plasm += 0.16 * np.clip(1 - np.abs(depth - 0.4) * 1.4, 0, 1)  # basement membrane
    froth = np.clip(1.3 * n.mid + n.cell + 1.5 * n.wide - 0.03 * into - 0.1, 0, 0.6)
    spilled = 0.012 + (0.1 + 0.45 * proximal) * strength * froth
    body = cover(depth, soft)
    e += (plasm + (spilled - plasm) * lumen - e) * body
    h = (0.05 + 0.04 * n.mid) * (1 - slit)
    h += ((0.10 + 0.10 * n.mid + 0.14 * n.fine) * (1 - lumen) - h) * body
    return h, e


def _glomerulus(glomerulus: Floats, tuft: Floats, n: Noise, soft: float) -> tuple[Floats, Floats]:
    """Mesangium and capillary loops in the tuft, pale Bowman's space, thin capsule."""
    loops = n.cell + 0.5 * n.mid
    pale = np.clip(loops * 4 - 0.5, 0, 0.9)
    rim = np.clip(1 - np.abs(loops - 0.06) * 12, 0, 1)
    pale = np.maximum(pale, np.clip((-n.wide - 0.3) * 10, 0, 1))  # clefts between lobules
    inside = cover(tuft, soft)
    e = (0.24 + 0.15 * n.mid + 0.12 * n.fine + 0.12 * rim) * (1 - 0.85 * pale) * inside
    h = (0.14 + 0.12 * n.mid + 0.05 * n.fine) * (1 - 0.85 * pale) * inside
    ring = cover(glomerulus, soft) * (1 - cover(glomerulus - 2.2 - 1.5 * n.wide, soft))
    outside = 1 - inside
    e += outside * (0.012 + ring * (0.25 + 0.05 * np.sin(glomerulus * 4 + 5 * n.cell)))
    h += outside * ring * 0.06
    return h, e


def _vessel(vessel: Floats, lumen: Floats, n: Noise, soft: float) -> tuple[Floats, Floats]:
    """Muscle wrapped around the lumen, denser at its inner edge; loose fibres outside."""
    streak = np.sin(vessel * 1.9 + 20 * n.wide + 7 * n.cell) * (0.5 + n.mid)
    media = np.clip(vessel * 0.25, 0, 1)
    wall = 0.20 + 0.13 * media + 0.09 * streak + 0.14 * n.mid + 0.08 * n.fine
    wall += 0.1 * np.clip(1 - np.abs(lumen + 1) * 0.8, 0, 1)
    hollow = cover(lumen, soft)
    return 0.09 * (1 - hollow), wall + (0.012 - wall) * hollow
