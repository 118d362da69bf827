"""Where red cells lie: clumped in vessels, single file in capillaries, some in the tuft."""

from __future__ import annotations

import numpy as np

from napari_stainxfer.phantom.ellipses import Ellipses, places, spread
from napari_stainxfer.phantom.geometry import Geometry
from napari_stainxfer.phantom.noise import noise_at

_SPACING_UM = 4.2
_REACH_UM = 8.0


def red_cells(seed: int, g: Geometry, y0: float, x0: float, y1: float, x1: float) -> Ellipses:
    """Red cells that may touch the rectangle (um)."""
    at = places(seed + 81, _SPACING_UM, y0 - _REACH_UM, x0 - _REACH_UM, y1 + _REACH_UM, x1 + _REACH_UM)
    chance = at.uniform(seed + 83)
    at, chance = at[chance < 0.75], chance[chance < 0.75]
    clump = noise_at(seed + 90, at.y, at.x, 24.0)
    d = g.distances(at.y, at.x)
    capillary = (d.tubule < -2.4) & (d.glomerulus < -2) & (d.vessel < -2) & (chance < 0.6) & (clump > 0.66)
    capillary &= d.tissue > 14
    in_loop = (d.tuft > 4.0) & (noise_at(seed + 92, at.y, at.x, 9.0) > 0.77)
    in_vessel = (d.lumen > 2.5) & (chance < 4 * (clump - 0.42))
    keep = capillary | in_loop | in_vessel
    at, capillary, room = at[keep], capillary[keep], -d.tubule[keep]
    u, v, turn, w = (at.uniform(seed + k) for k in (84, 85, 86, 87))
    long = 2.75 + 0.5 * u
    short = long * (0.7 + 0.3 * v)
    short = np.where(capillary, np.minimum(short, 1.2 + 0.3 * room), short)  # squeezed through
    slope_y, slope_x = g.slope(g.tubule, at.y, at.x)
    angle = np.where(capillary, np.arctan2(slope_x, -slope_y), 2 * np.pi * turn)
    columns = (long, short, angle, 0.75 + 0.4 * w, np.full(len(w), 0.2))
    cells = Ellipses(at.number(), at.y, at.x, *(a.astype(np.float32) for a in columns))
    return cells[spread(at.uniform(seed + 89), at.y, at.x, np.full(len(w), 3.9))]
