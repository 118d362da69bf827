"""Many small ellipses at once: candidate places, thinning, and drawing."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_stainxfer.phantom.noise import Floats, Ints, uniform

_COLUMNS = 1 << 15  # more than the candidates in a row of any slide


@dataclass(frozen=True)
class Places:
    """Jittered lattice points (um), one in each cell of a lattice, and the cell."""

    row: Ints
    column: Ints
    y: Floats
    x: Floats

    def __getitem__(self, pick: NDArray[np.bool_]) -> Places:
        return Places(self.row[pick], self.column[pick], self.y[pick], self.x[pick])

    def uniform(self, seed: int) -> Floats:
        """Give each place a number in [0, 1) of its own."""
        return uniform(seed, self.row, self.column)

    def number(self) -> NDArray[np.int32]:
        """Number the places, from 1, over the whole slide."""
        return (self.row * _COLUMNS + self.column + 1).astype(np.int32)


def places(seed: int, spacing: float, y0: float, x0: float, y1: float, x1: float) -> Places:
    """One point in every cell of a lattice that touches the rectangle (um)."""
    i = np.arange(int(y0 // spacing), int(y1 // spacing) + 1, dtype=np.int64)
    j = np.arange(int(x0 // spacing), int(x1 // spacing) + 1, dtype=np.int64)
    row, column = (a.ravel() for a in np.meshgrid(i, j, indexing="ij"))
    y = ((row + uniform(seed, row, column)) * spacing).astype(np.float32)
    x = ((column + uniform(seed + 1, row, column)) * spacing).astype(np.float32)
    return Places(row, column, y, x)


@dataclass(frozen=True)
class Ellipses:
    """One entry a cell.

    ``y``, ``x`` and the half axes ``long`` and ``short`` in um, ``angle`` of the long axis, ``dark``
    the amount of stain, ``hollow`` how much paler the middle is.
    """

    number: NDArray[np.int32]
    y: Floats
    x: Floats
    long: Floats
    short: Floats
    angle: Floats
    dark: Floats
    hollow: Floats

    def __getitem__(self, pick: NDArray[np.bool_]) -> Ellipses:
        return Ellipses(*(getattr(self, field.name)[pick] for field in fields(self)))


def spread(rank: Floats, y: Floats, x: Floats, apart: Floats) -> NDArray[np.bool_]:
    """Which points to keep so that none are nearer than ``apart`` (um).

    Of two that are too near, the one of lower rank goes, whether or not the other stays (Matern's
    second hard-core process): a local rule, so any window keeps the same points.
    """
    keep = np.ones(len(y), bool)
    if len(y) > 1:
        pairs = cKDTree(np.column_stack([y, x])).query_pairs(float(apart.max()), output_type="ndarray")
        a, b = pairs[:, 0], pairs[:, 1]
        near = np.hypot(y[a] - y[b], x[a] - x[b]) < (apart[a] + apart[b]) / 2
        a, b = a[near], b[near]
        keep[np.where(rank[a] < rank[b], a, b)] = False
    return keep


def draw(
    cells: Ellipses, y0: float, x0: float, shape: tuple[int, int], mpp: float
) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Draw ellipses on pixels: coverage in [0, 1], amount of stain, and the cell's number or 0."""
    cover, stain = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    label = np.zeros(shape, np.int32)
    if not len(cells.y):
        return cover, stain, label
    soft = np.float32(min(max(mpp, 0.35), 1.0))
    reach = int(np.ceil((float(cells.long.max()) + soft) / mpp))
    k = np.arange(-reach, reach + 1, dtype=np.int32)
    cy, cx = (cells.y - y0) / mpp - 0.5, (cells.x - x0) / mpp - 0.5
    iy, ix = np.rint(cy).astype(np.int32), np.rint(cx).astype(np.int32)
    dy = ((iy - cy)[:, None] + k).astype(np.float32)[:, :, None] * np.float32(mpp)
    dx = ((ix - cx)[:, None] + k).astype(np.float32)[:, None, :] * np.float32(mpp)

    def each(values: Floats) -> Floats:
        return np.asarray(values, np.float32)[:, None, None]

    cos, sin, short = each(np.cos(cells.angle)), each(np.sin(cells.angle)), each(cells.short)
    rho = np.hypot((cos * dx + sin * dy) / each(cells.long), (cos * dy - sin * dx) / short)
    rows, cols = (iy[:, None] + k)[:, :, None], (ix[:, None] + k)[:, None, :]
    hit = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
    hit &= (1 - rho) * short > -0.5 * soft
    alpha = np.minimum((1 - rho) * short / soft + 0.5, 1)[hit]
    # pale inside, but for one dark spot off centre: the nucleolus
    spot = np.hypot(dy - 0.3 * short * each(np.sin(3 * cells.angle)), dx - 0.3 * short * cos)
    pale = (1 - np.minimum(rho, 1) ** 4 - np.clip(1.3 - 1.44 * spot, 0, None))[hit]
    cell = np.broadcast_to(np.arange(len(cy))[:, None, None], hit.shape)[hit]
    tone = cells.dark[cell] * (1 - cells.hollow[cell] * pale)
    where = (rows * shape[1] + cols)[hit]
    np.maximum.at(cover.reshape(-1), where, alpha)
    np.maximum.at(stain.reshape(-1), where, alpha * tone)
    full = alpha >= 0.5
    np.maximum.at(label.reshape(-1), where[full], cells.number[cell[full]])
    return cover, stain, label
