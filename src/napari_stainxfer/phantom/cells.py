"""Nuclei and red cells: hashed candidate points, moved to where such cells sit, and drawn as ellipses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_stainxfer.phantom.geometry import Geometry
from napari_stainxfer.phantom.layout import PROXIMAL
from napari_stainxfer.phantom.noise import Floats, noise_at, uniform

_NUCLEUS_UM = 4.6
_RED_UM = 4.2
_COLUMNS = 1 << 15  # candidate columns a row, for instance numbers


@dataclass(frozen=True)
class Ellipses:
    """One entry a cell: place and half axes (um), direction of the long axis, darkness, pallor inside."""

    number: NDArray[np.int64]
    y: Floats
    x: Floats
    long: Floats
    short: Floats
    angle: Floats
    dark: Floats
    hollow: Floats

    def __getitem__(self, pick: NDArray[np.generic]) -> Ellipses:
        return Ellipses(*(getattr(self, name)[pick] for name in self.__dataclass_fields__))


def _candidates(
    seed: int, spacing: float, y0: float, x0: float, y1: float, x1: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    i = np.arange(int(y0 // spacing), int(y1 // spacing) + 1, dtype=np.int64)
    j = np.arange(int(x0 // spacing), int(x1 // spacing) + 1, dtype=np.int64)
    ii, jj = (a.ravel() for a in np.meshgrid(i, j, indexing="ij"))
    y = ((ii + uniform(seed, ii, jj)) * spacing).astype(np.float32)
    x = ((jj + uniform(seed + 1, ii, jj)) * spacing).astype(np.float32)
    return ii, jj, y, x


def nuclei(seed: int, g: Geometry, y0: float, x0: float, y1: float, x1: float) -> Ellipses:
    """Nuclei that may touch the rectangle (um): basal rings in tubules, dense in the tuft, flat in walls."""
    ii, jj, y, x = _candidates(seed + 61, _NUCLEUS_UM, y0 - 12, x0 - 12, y1 + 12, x1 + 12)
    u = [uniform(seed + 63 + k, ii, jj) for k in range(6)]
    tub = g.at(g.tubule, y, x) - g.at(g.gap, y, x)
    glom, tuft = g.at(g.glomerulus, y, x), g.at(g.tuft, y, x)
    vessel, lumen = g.at(g.vessel, y, x), g.at(g.lumen, y, x)
    tissue = g.at(g.tissue, y, x)
    kind = g.nearest(g.kind, y, x)
    proximal = kind == PROXIMAL
    height = g.nearest(g.height, y, x).astype(np.float32)

    in_tuft = tuft > 1.5
    in_wall = (vessel > 2) & (lumen < -2.0)
    lining = (np.abs(lumen + 1.0) < 2.2) & (u[0] < 0.4)
    capsule = (np.abs(glom - 1.6) < 2.0) & (u[0] < 0.3)
    in_tubule = (glom < 0) & (vessel < 0) & (tub > 2.0) & (tub < np.where(proximal, 9.0, 7.0))
    in_tubule &= u[0] < np.where(proximal, 0.75, 0.95)
    stroma = (glom < 0) & (vessel < 0) & (tub < 0.3) & (tissue > 2)
    stroma &= u[0] < 0.20
    group = np.select(
        [in_tuft, lining, in_wall & (u[0] < 0.28), capsule, in_tubule, stroma], [1, 2, 3, 4, 5, 6], default=0
    )
    keep = (group > 0) & (tissue > 1.0)
    ii, jj, y, x = ii[keep], jj[keep], y[keep], x[keep]
    group, proximal, height = group[keep], proximal[keep], height[keep]
    u = [a[keep] for a in u]

    # slide along the slope to the depth where this kind of nucleus sits
    depth = np.where(proximal, 5.2, np.minimum(4.6, 0.52 * height)) + 1.8 * (u[1] - 0.5)
    slope_y, slope_x = np.zeros_like(y), np.zeros_like(x)
    for groups, field, offset, target in (
        ((5,), g.tubule, g.gap, depth),
        ((6,), g.tubule, g.gap, np.full_like(y, -0.8)),
        ((2,), g.lumen, None, np.full_like(y, -1.0)),
        ((3,), g.vessel, None, None),
        ((4,), g.glomerulus, None, np.full_like(y, 1.6)),
    ):
        m = np.isin(group, groups)
        if not m.any():
            continue
        gy, gx = g.slope(field, y[m], x[m])
        norm = np.maximum(np.hypot(gy, gx), 0.35)
        slope_y[m], slope_x[m] = gy / norm, gx / norm
        if target is not None:
            value = g.at(field, y[m], x[m]) - (g.at(offset, y[m], x[m]) if offset is not None else 0)
            move = np.clip(target[m] - value, -4, 4)
            y[m] += (move * slope_y[m]).astype(np.float32)
            x[m] += (move * slope_x[m]).astype(np.float32)

    flat = (group == 2) | (group == 3) | (group == 4) | (group == 6)
    size = 0.88 + 0.26 * u[2]
    long = np.where(
        flat, 4.6 + 1.8 * u[2], np.where(group == 1, 3.35 * size, np.where(proximal, 3.5, 3.3) * size)
    )
    short = np.where(flat, 1.35 + 0.9 * u[3] ** 2, long * (0.80 + 0.2 * u[3]))
    along = np.arctan2(slope_x, -slope_y)  # along the wall: at right angles to the slope
    angle = np.where(flat, along + 0.5 * (u[4] - 0.5), 2 * np.pi * u[4])
    # some nuclei lie half outside the section and look pale
    dark = np.where(flat, 1.0, np.where(group == 1, 0.95, 0.98)) * (0.5 + 0.7 * np.sqrt(u[5]))
    hollow = np.where(flat, 0.15, np.where(group == 1, 0.35, 0.6))
    apart = np.where(group == 5, np.where(proximal, 9.5, 7.6), np.where(flat, 7.5, 6.8))
    cells = Ellipses(
        ii * _COLUMNS + jj + 1, y, x, *(a.astype(np.float32) for a in (long, short, angle, dark, hollow))
    )
    return cells[_spread(seed + 71, ii, jj, y, x, apart)]


def _spread(
    seed: int, ii: NDArray[np.int64], jj: NDArray[np.int64], y: Floats, x: Floats, apart: Floats
) -> NDArray[np.bool_]:
    """Thin near points out by rank (Matern's second hard-core process): a local rule, so windows agree."""
    rank = uniform(seed, ii, jj)
    keep = np.ones(len(y), bool)
    if len(y) > 1:
        pairs = cKDTree(np.column_stack([y, x])).query_pairs(float(apart.max()), output_type="ndarray")
        a, b = pairs[:, 0], pairs[:, 1]
        near = np.hypot(y[a] - y[b], x[a] - x[b]) < (apart[a] + apart[b]) / 2
        a, b = a[near], b[near]
        keep[np.where(rank[a] < rank[b], a, b)] = False
    return keep


def red_cells(seed: int, g: Geometry, y0: float, x0: float, y1: float, x1: float) -> Ellipses:
    """Red cells that may touch the rectangle (um): in vessels, loops of the tuft, capillaries."""
    ii, jj, y, x = _candidates(seed + 81, _RED_UM, y0 - 4, x0 - 4, y1 + 4, x1 + 4)
    u = [uniform(seed + 83 + k, ii, jj) for k in range(5)]
    clump = noise_at(seed + 90, y, x, 24.0)
    depth = g.at(g.tubule, y, x) - g.at(g.gap, y, x)
    glom, tuft, vessel, lumen = (g.at(f, y, x) for f in (g.glomerulus, g.tuft, g.vessel, g.lumen))
    capillary = (depth < -2.4) & (glom < -2) & (vessel < -2) & (u[0] < 0.6) & (clump > 0.66)
    keep = (lumen > 2.5) & (u[0] < 4 * (clump - 0.42))
    keep |= (tuft > 4.0) & (noise_at(seed + 92, y, x, 9.0) > 0.77) & (u[0] < 0.75)
    keep |= capillary
    keep &= g.at(g.tissue, y, x) > 3
    ii, jj, y, x, depth, capillary = ii[keep], jj[keep], y[keep], x[keep], depth[keep], capillary[keep]
    u = [a[keep] for a in u]
    gy, gx = g.slope(g.tubule, y, x)
    long = 2.75 + 0.5 * u[1]
    short = long * (0.7 + 0.3 * u[2])
    short = np.where(capillary, np.minimum(short, 1.2 - 0.3 * depth), short)  # squeezed through
    angle = np.where(capillary, np.arctan2(gx, -gy), 2 * np.pi * u[3])
    dark = 0.75 + 0.4 * u[4]
    cells = Ellipses(
        ii * _COLUMNS + jj + 1,
        y,
        x,
        *(a.astype(np.float32) for a in (long, short, angle, dark, np.full(len(y), 0.2))),
    )
    return cells[_spread(seed + 89, ii, jj, y, x, np.full(len(y), 3.9))]


def stamp(
    cells: Ellipses,
    y0: float,
    x0: float,
    shape: tuple[int, int],
    mpp: float,
    *,
    number: bool = False,
) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Draw ellipses on pixels: coverage in [0, 1], darkness, and (if asked) the cell's number or 0."""
    cover, dark = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    label = np.zeros(shape, np.int32)
    if not len(cells.y):
        return cover, dark, label
    soft = np.float32(min(max(mpp, 0.35), 1.0))
    reach = int(np.ceil((float(cells.long.max()) + soft) / mpp))
    k = np.arange(-reach, reach + 1)
    cy, cx = (cells.y - y0) / mpp - 0.5, (cells.x - x0) / mpp - 0.5
    iy, ix = np.rint(cy).astype(np.int32), np.rint(cx).astype(np.int32)
    dy = ((iy - cy)[:, None] + k).astype(np.float32)[:, :, None] * np.float32(mpp)
    dx = ((ix - cx)[:, None] + k).astype(np.float32)[:, None, :] * np.float32(mpp)
    c, s = (f(cells.angle)[:, None, None].astype(np.float32) for f in (np.cos, np.sin))
    a, b = cells.long[:, None, None], cells.short[:, None, None]
    rho = np.hypot((c * dx + s * dy) / a, (c * dy - s * dx) / b)
    # one dark spot off centre: the nucleolus, where the middle is pale enough to show it
    spot = np.hypot(dy - 0.3 * b * np.sin(3 * cells.angle)[:, None, None], dx - 0.3 * b * c) / 0.9
    tone = 1 - cells.hollow[:, None, None] * (1 - np.minimum(rho, 1) ** 4 - 1.3 * np.clip(1 - spot, 0, 1))
    alpha = np.clip((1 - rho) * b / soft + 0.5, 0, 1).astype(np.float32)
    rows = (iy[:, None] + k)[:, :, None]
    cols = (ix[:, None] + k)[:, None, :]
    hit = (alpha > 0) & (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
    where = (rows * shape[1] + cols)[hit]
    alpha = alpha[hit]
    tone = (cells.dark[:, None, None] * tone)[hit].astype(np.float32)
    np.maximum.at(cover.reshape(-1), where, alpha)
    np.maximum.at(dark.reshape(-1), where, alpha * tone)
    if number:
        full = alpha >= 0.5
        numbers = np.broadcast_to(cells.number[:, None, None], hit.shape)[hit][full].astype(np.int32)
        np.maximum.at(label.reshape(-1), where[full], numbers)
    return cover, dark, label
