"""Where nuclei lie, and what shape each kind has."""

from __future__ import annotations

import numpy as np

from napari_stainxfer.phantom.ellipses import Ellipses, places, spread
from napari_stainxfer.phantom.geometry import Geometry
from napari_stainxfer.phantom.layout import PROXIMAL
from napari_stainxfer.phantom.noise import Floats

_SPACING_UM = 4.6
_REACH_UM = 12.0
"""How far from a window a nucleus, or one that ousts it, can start."""

TUFT, LINING, MUSCLE, CAPSULE, EPITHELIUM, STROMA = 1, 2, 3, 4, 5, 6


def nuclei(seed: int, g: Geometry, y0: float, x0: float, y1: float, x1: float) -> Ellipses:
    """Nuclei that may touch the rectangle (um): basal rings in tubules, dense in the tuft, flat in walls."""
    at = places(seed + 61, _SPACING_UM, y0 - _REACH_UM, x0 - _REACH_UM, y1 + _REACH_UM, x1 + _REACH_UM)
    chance = at.uniform(seed + 63)
    d = g.distances(at.y, at.x)
    proximal = g.nearest(g.kind, at.y, at.x) == PROXIMAL
    outside = (d.glomerulus < 0) & (d.vessel < 0)
    kinds = {
        TUFT: d.tuft > 1.5,
        LINING: (np.abs(d.lumen + 1.0) < 2.2) & (chance < 0.4),
        MUSCLE: (d.vessel > 2) & (d.lumen < -2.0) & (chance < 0.28),
        CAPSULE: (np.abs(d.glomerulus - 1.6) < 2.0) & (chance < 0.3),
        EPITHELIUM: outside
        & (d.tubule > 2.0)
        & (d.tubule < np.where(proximal, 9.0, 7.0))
        & (chance < np.where(proximal, 0.75, 0.95)),
        STROMA: outside & (d.tubule < 0.3) & (d.tissue > 2) & (chance < 0.2),
    }
    kind = np.select(list(kinds.values()), list(kinds), default=0)
    keep = (kind > 0) & (d.tissue > 1.0)
    at, kind, proximal = at[keep], kind[keep], proximal[keep]
    height = np.asarray(g.nearest(g.height, at.y, at.x), np.float32)
    y, x, slope_y, slope_x = _settle(g, kind, at.y, at.x, proximal, height, at.uniform(seed + 64))

    u, v, w, turn = (at.uniform(seed + k) for k in (65, 66, 67, 68))
    flat = np.isin(kind, (LINING, MUSCLE, CAPSULE, STROMA))
    round_um = np.where(kind == TUFT, 3.35, np.where(proximal, 3.5, 3.3)) * (0.88 + 0.26 * u)
    long = np.where(flat, 4.6 + 1.8 * u, round_um)
    short = np.where(flat, 1.35 + 0.9 * v**2, long * (0.8 + 0.2 * v))
    along = np.arctan2(slope_x, -slope_y)  # at right angles to the slope, so along the wall
    angle = np.where(flat, along + 0.5 * (turn - 0.5), 2 * np.pi * turn)
    # some nuclei lie half outside the section and look pale
    dark = np.where(kind == TUFT, 0.95, 1.0) * (0.5 + 0.7 * np.sqrt(w))
    hollow = np.where(flat, 0.15, np.where(kind == TUFT, 0.35, 0.6))
    apart = np.where(flat, 7.5, np.where(kind == TUFT, 6.0, np.where(proximal, 9.5, 7.6)))
    columns = (a.astype(np.float32) for a in (y, x, long, short, angle, dark, hollow))
    return Ellipses(at.number(), *columns)[spread(at.uniform(seed + 71), y, x, apart)]


def _settle(
    g: Geometry, kind: Floats, y: Floats, x: Floats, proximal: Floats, height: Floats, u: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Slide along the slope to the depth where this kind of nucleus sits; also gives the slope."""
    basal = np.where(proximal, 5.2, np.minimum(4.6, 0.52 * height)) + 1.8 * (u - 0.5)
    membrane = g.tubule - g.gap
    y, x = y.copy(), x.copy()
    slope_y, slope_x = np.zeros_like(y), np.zeros_like(x)
    for which, field, depth in (
        (EPITHELIUM, membrane, basal),
        (STROMA, membrane, -0.8),
        (LINING, g.lumen, -1.0),
        (MUSCLE, g.vessel, None),
        (CAPSULE, g.glomerulus, 1.6),
    ):
        m = kind == which
        gy, gx = g.slope(field, y[m], x[m])
        norm = np.maximum(np.hypot(gy, gx), 0.35)
        slope_y[m], slope_x[m] = gy / norm, gx / norm
        if depth is not None:
            move = np.clip(np.broadcast_to(depth, y.shape)[m] - g.at(field, y[m], x[m]), -4, 4)
            y[m] += move * slope_y[m]
            x[m] += move * slope_x[m]
    return y, x, slope_y, slope_x
