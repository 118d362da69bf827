"""Where the big structures of the cortex lie: glomeruli, vessels and tubules, by hashed lattices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.phantom.noise import Floats, hashed, uniform

LANDMARK_UM = 265.0
"""Lattice of glomeruli and vessels; each stays inside its own cell, so none overlap."""
TUBULE_UM = 46.0
_TURN = 0.46  # both lattices are turned against the pixel grid, so that no rows line up with it
_COS, _SIN = math.cos(_TURN), math.sin(_TURN)

PROXIMAL, DISTAL, COLLECTING = 0, 1, 2


@dataclass(frozen=True)
class Landmark:
    """A glomerulus or a vessel, as a turned ellipse (lengths in um)."""

    key: int
    glomerulus: bool
    y: float
    x: float
    radius: float
    aspect: float
    angle: float
    wall: float
    shift_y: float
    shift_x: float

    @property
    def reach(self) -> float:
        """Radius of a circle around all of it."""
        return self.radius * self.aspect + 14.0


def landmarks(seed: int, y0: float, x0: float, y1: float, x1: float) -> Iterator[Landmark]:
    """Yield the glomeruli and vessels that may touch the rectangle (um)."""
    corners = [(y0, x0), (y0, x1), (y1, x0), (y1, x1)]
    v = [(_COS * y - _SIN * x) / LANDMARK_UM for y, x in corners]
    u = [(_SIN * y + _COS * x) / LANDMARK_UM for y, x in corners]
    for i in range(math.floor(min(v)) - 1, math.floor(max(v)) + 2):
        for j in range(math.floor(min(u)) - 1, math.floor(max(u)) + 2):
            mark = _landmark(seed, i, j)
            if mark is not None:
                r = mark.reach
                if y0 - r < mark.y < y1 + r and x0 - r < mark.x < x1 + r:
                    yield mark


def _landmark(seed: int, i: int, j: int) -> Landmark | None:
    key = int(hashed(seed + 11, np.array([i]), np.array([j]))[0])
    u = [float(a) for a in uniform(key, np.arange(12, dtype=np.int64))]
    if u[0] < 0.46:
        glomerulus, radius, aspect, wall = True, 48 + 28 * u[1], 1 + 0.22 * u[2], 1.5 + 7 * u[3] ** 2
    elif u[0] < 0.60:  # artery or arteriole: thick wall
        radius = 14 + 52 * u[1] ** 2
        glomerulus, aspect, wall = False, 1 + 0.7 * u[2] ** 2, radius * (0.35 + 0.2 * u[3])
    elif u[0] < 0.68:  # vein: wide and thin-walled
        radius = 22 + 45 * u[1]
        glomerulus, aspect, wall = False, 1.1 + 0.6 * u[2], 3.5 + 4 * u[3]
    else:
        return None
    room = max(LANDMARK_UM / 2 - radius * aspect - 5, 0.0)
    a = (i + 0.5) * LANDMARK_UM + (2 * u[4] - 1) * room
    b = (j + 0.5) * LANDMARK_UM + (2 * u[5] - 1) * room
    y, x = _COS * a + _SIN * b, -_SIN * a + _COS * b
    shift = 0.75 * wall if glomerulus else 0.0
    turn = 2 * math.pi * u[6]
    return Landmark(
        key,
        glomerulus,
        y,
        x,
        radius,
        aspect,
        math.pi * u[7],
        wall,
        shift * math.sin(turn),
        shift * math.cos(turn),
    )


@dataclass(frozen=True)
class Sites:
    """Tubule seeds of a patch of the lattice, as 2-D arrays (row, column of the lattice)."""

    row0: int
    col0: int
    y: Floats
    x: Floats
    weight: Floats
    tubule: NDArray[np.int32]
    kind: NDArray[np.int8]
    key: NDArray[np.uint32]


def to_lattice(y: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Turn um into fractional rows and columns of the tubule lattice."""
    return (_COS * y - _SIN * x) / TUBULE_UM, (_SIN * y + _COS * x) / TUBULE_UM


_STEPS = np.array([(0, 1), (1, 1), (1, 0), (1, -1)])


def tubule_sites(seed: int, row0: int, col0: int, rows: int, cols: int) -> Sites:
    """Seeds of the tubules; neighbours chained together are one tubule cut lengthwise."""
    pad = 8  # chains are followed this far, beyond the patch too
    i = np.arange(row0 - pad, row0 + rows + pad, dtype=np.int64)[:, None]
    j = np.arange(col0 - pad, col0 + cols + pad, dtype=np.int64)[None, :]
    stagger = 0.5 * (i & 1)
    a = (i + 0.5 + 0.74 * (uniform(seed + 21, i, j) - 0.5)) * TUBULE_UM
    b = (j + 0.5 + stagger + 0.74 * (uniform(seed + 22, i, j) - 0.5)) * TUBULE_UM
    # a chain runs along the local direction until a seed that does not join on
    region = np.broadcast_to(uniform(seed + 23, i // 7, j // 7), (len(i), j.shape[1]))
    step = _STEPS[(region * 4).astype(np.intp)]
    join = uniform(seed + 24, i, j) < 0.25 + 0.5 * uniform(seed + 25, i // 7, j // 7) ** 2
    n, m = join.shape
    rr, cc = np.broadcast_arrays(np.arange(n)[:, None], np.arange(m)[None, :])
    nr, nc = np.where(join, rr + step[..., 0], rr), np.where(join, cc + step[..., 1], cc)
    nr, nc = np.clip(nr, 0, n - 1), np.clip(nc, 0, m - 1)
    stay = region[nr, nc] != region  # no forks where two directions meet
    nr, nc = np.where(stay, rr, nr), np.where(stay, cc, nc)
    root_r, root_c = rr, cc
    for _ in range(pad - 1):
        root_r, root_c = nr[root_r, root_c], nc[root_r, root_c]
    key = hashed(seed + 26, i, j)[root_r, root_c]
    pick = uniform(seed + 27, key.astype(np.int64))
    kind = np.select([pick < 0.60, pick < 0.88], [PROXIMAL, DISTAL], COLLECTING).astype(np.int8)
    size = uniform(seed + 28, key.astype(np.int64))
    weight = np.choose(kind, [150.0, -420.0, -150.0]) + 350 * (size - 0.5)
    inner = np.s_[pad:-pad, pad:-pad]
    return Sites(
        row0,
        col0,
        (_COS * a + _SIN * b)[inner].astype(np.float32),
        (-_SIN * a + _COS * b)[inner].astype(np.float32),
        weight[inner].astype(np.float32),
        (root_r * m + root_c)[inner].astype(np.int32),
        kind[inner],
        key[inner],
    )
