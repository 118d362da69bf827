"""Signed distances (um) to the walls of every structure, on a coarse grid of points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.phantom.layout import Landmark, Sites, landmarks, to_lattice, tubule_sites
from napari_stainxfer.phantom.noise import Floats, bilinear, noise_at, resample, uniform, value_noise

FAR = -60.0
LATTICE_UM = 2.0
"""Distance of the points where pixels are finer than that; the same for all levels up to 2 um/px."""
_ROUNDING_UM = 3.6  # corner radius of tubules; wedges of interstitium open where three meet
_RING = [(i, j) for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2) if abs(i) + abs(j) < 4]


class Distances(NamedTuple):
    """Distances (um) of points to each kind of wall, positive inside."""

    tubule: Floats
    """To the basement membrane."""
    glomerulus: Floats
    tuft: Floats
    vessel: Floats
    lumen: Floats
    tissue: Floats


@dataclass(frozen=True)
class Geometry:
    """Distance fields, positive inside, sampled at ``(i + 0.5) * step`` from ``(y0, x0)`` on (um)."""

    y0: float
    x0: float
    step: float
    tubule: Floats
    glomerulus: Floats
    tuft: Floats
    vessel: Floats
    lumen: Floats
    tissue: Floats
    gap: Floats
    kind: NDArray[np.int8]
    height: Floats
    eosin: Floats

    @cached_property
    def _distances(self) -> Floats:
        fields = (self.tubule - self.gap, self.glomerulus, self.tuft, self.vessel, self.lumen, self.tissue)
        return np.stack(fields, axis=-1).reshape(-1, len(fields))

    def distances(self, y: Floats, x: Floats) -> Distances:
        """Sample every distance field bilinearly at points (um)."""
        corner, ty, tx = self._place(y, x)
        return Distances(*bilinear(self._distances, corner, self.tubule.shape[1], ty[:, None], tx[:, None]).T)

    def at(self, field: Floats, y: Floats, x: Floats) -> Floats:
        """Sample a field bilinearly at points (um)."""
        corner, ty, tx = self._place(y, x)
        return bilinear(field.ravel(), corner, field.shape[1], ty, tx)

    def _place(self, y: Floats, x: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
        rows, cols = self.tubule.shape
        fy = np.clip((y - self.y0) / self.step - 0.5, 0, rows - 1.001)
        fx = np.clip((x - self.x0) / self.step - 0.5, 0, cols - 1.001)
        i, j = fy.astype(np.int64), fx.astype(np.int64)
        return i * cols + j, (fy - i).astype(np.float32), (fx - j).astype(np.float32)

    def slope(self, field: Floats, y: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Rise of a field a um, down the rows and along the columns, at points (um)."""
        rise_y = self.at(field, y + 1, x) - self.at(field, y - 1, x)
        rise_x = self.at(field, y, x + 1) - self.at(field, y, x - 1)
        return rise_y / 2, rise_x / 2

    def nearest(self, field: NDArray[np.generic], y: Floats, x: Floats) -> NDArray[np.generic]:
        """Sample a field of labels at points (um)."""
        i = np.clip(((y - self.y0) / self.step).astype(np.intp), 0, field.shape[0] - 1)
        j = np.clip(((x - self.x0) / self.step).astype(np.intp), 0, field.shape[1] - 1)
        return field[i, j]

    def up(self, field: Floats, ys: Floats, xs: Floats) -> Floats:
        """Bring a field to the rows ``ys`` and columns ``xs`` (um)."""
        return resample(field, (ys - self.y0) / self.step - 0.5, (xs - self.x0) / self.step - 0.5)

    def labels(self, field: NDArray[np.generic], ys: Floats, xs: Floats) -> NDArray[np.generic]:
        """Bring a field of labels to the rows ``ys`` and columns ``xs`` (um)."""
        i = ((ys - self.y0) / self.step).astype(np.intp)
        j = ((xs - self.x0) / self.step).astype(np.intp)
        return field[i].take(j, axis=1)


def geometry(
    seed: int, extent_um: tuple[float, float], y0: float, x0: float, rows: int, cols: int, step: float
) -> Geometry:
    """Lay out the tissue over a grid of points."""
    ys = y0 + (np.arange(rows) + 0.5) * step
    xs = x0 + (np.arange(cols) + 0.5) * step
    marks = list(landmarks(seed, ys[0], xs[0], ys[-1], xs[-1]))
    glomerulus, tuft, vessel, lumen = (np.full((rows, cols), FAR, np.float32) for _ in range(4))
    for mark in marks:
        _draw(mark, ys, xs, glomerulus, tuft, vessel, lumen)
    tissue = outline(seed, extent_um, ys, xs)
    # nothing but the fibrous capsule reaches the surface of the organ
    for field, cover_um in ((glomerulus, 10.0), (tuft, 13.0), (vessel, 10.0), (lumen, 15.0)):
        np.minimum(field, tissue - cover_um, out=field)
    tubule, near, sites = _tubules(seed, ys, xs)
    # tubules keep off landmarks and off the fibrous capsule of the organ
    for wall in (-glomerulus - 0.5, -vessel - 1.0, tissue - 9.0):
        tubule = _soft_min(tubule, wall)
    if step <= LATTICE_UM:  # coarser points are so far apart that this would close the interstitium
        tubule = _soften(tubule)
    kind = sites.kind.ravel()[near]
    u = uniform(seed + 31, sites.key.astype(np.int64)).ravel()[near]
    v = uniform(seed + 32, sites.key.astype(np.int64)).ravel()[near]
    height = np.choose(kind, [11.0 + 7 * u, 6.5 + 2.5 * u, 8.5 + 2.0 * u]).astype(np.float32)
    eosin = np.choose(kind, [0.38 + 0.15 * v, 0.25 + 0.10 * v, 0.18 + 0.08 * v]).astype(np.float32)
    scar = value_noise(seed + 33, ys, xs, 330.0)
    gap = 1.5 + 0.9 * value_noise(seed + 34, ys, xs, 37.0) + 7.0 * np.clip(scar - 0.66, 0, 1)
    return Geometry(
        y0,
        x0,
        step,
        tubule,
        glomerulus,
        tuft,
        vessel,
        lumen,
        tissue,
        gap.astype(np.float32),
        kind,
        height,
        eosin,
    )


def _soften(field: Floats) -> Floats:
    """Average with the neighbours (1 2 1), which takes the edge off re-entrant corners."""
    padded = np.pad(field, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16, np.float32)


def _soft_min(a: Floats, b: Floats) -> Floats:
    k = np.float32(_ROUNDING_UM)
    h = np.clip(k - np.abs(a - b), 0, None)
    return np.asarray(np.minimum(a, b) - h * h * np.float32(0.25 / _ROUNDING_UM), np.float32)


def _draw(
    mark: Landmark,
    ys: Floats,
    xs: Floats,
    glomerulus: Floats,
    tuft: Floats,
    vessel: Floats,
    lumen: Floats,
) -> None:
    r = mark.reach
    rows = slice(*np.searchsorted(ys, [mark.y - r, mark.y + r]))
    cols = slice(*np.searchsorted(xs, [mark.x - r, mark.x + r]))
    y, x = ys[rows], xs[cols]
    if not (y.size and x.size):
        return
    c, s = math.cos(mark.angle), math.sin(mark.angle)
    dy, dx = y[:, None] - mark.y, x[None, :] - mark.x
    v, u = c * dy - s * dx, c * dx + s * dy

    def bumps(k: int, spacing_um: float) -> Floats:
        # in the turned frame of the landmark, so that the lattice of the noise does not show
        return noise_at(mark.key + k, v, u, spacing_um) - np.float32(0.5)

    bend = 0.22 * mark.radius
    v, u = v + bend * bumps(1, 43.0), u + bend * bumps(2, 43.0)

    def inside(v: Floats, u: Floats, radius: float, aspect: float) -> Floats:
        rho = np.hypot(u / (radius * aspect), v / radius)
        return np.asarray((1 - rho) * (radius * math.sqrt(aspect)), np.float32)

    body = np.maximum(inside(v, u, mark.radius, mark.aspect), FAR)
    if mark.glomerulus:
        core = inside(v - mark.shift_y, u - mark.shift_x, mark.radius - mark.wall - 2.0, mark.aspect)
        core += 7 * bumps(3, 21.0) + 3 * bumps(4, 8.0)
        np.maximum(glomerulus[rows, cols], body, out=glomerulus[rows, cols])
        np.maximum(tuft[rows, cols], np.minimum(core, body - 2.6), out=tuft[rows, cols])
    else:
        folds = bumps(3, 8.0) * min(5.0, 0.3 * mark.wall)
        np.maximum(vessel[rows, cols], body, out=vessel[rows, cols])
        np.maximum(lumen[rows, cols], body - mark.wall + folds, out=lumen[rows, cols])


def outline(seed: int, extent_um: tuple[float, float], ys: Floats, xs: Floats) -> Floats:
    """Distance to the edge of the piece of tissue (um, clipped at 80); around it is glass."""
    height, width = extent_um
    short = min(height, width)
    margin = 0.06 * short
    u = np.abs((ys - height / 2) / (height / 2 - margin)).astype(np.float32)[:, None]
    v = np.abs((xs - width / 2) / (width / 2 - margin)).astype(np.float32)[None, :]
    rho = np.sqrt(np.sqrt(u**4 + v**4))
    away = (1 - rho) * np.float32(short / 2)
    for octave, share in enumerate((0.16, 0.05, 0.02)):
        spacing = max(short * (0.3 / 2.7**octave), 8.0)
        away += (value_noise(seed + 41 + octave, ys, xs, spacing) - 0.5) * np.float32(share * short)
    rough = (value_noise(seed + 45, ys, xs, 23.0) - 0.5) * 10 + (
        value_noise(seed + 46, ys, xs, 6.0) - 0.5
    ) * 4
    return np.asarray(np.clip(away, -80, 80) + rough, np.float32)


def _tubules(seed: int, ys: Floats, xs: Floats) -> tuple[Floats, NDArray[np.int32], Sites]:
    """Distance to the next tubule (a power diagram, corners rounded), and the seed owning each point."""

    def warp(k: int) -> Floats:
        return 11 * (value_noise(seed + k, ys, xs, 43.0) - 0.5) + 5 * (
            value_noise(seed + k + 2, ys, xs, 17.0) - 0.5
        )

    yy, xx = ys[:, None] + warp(51), xs[None, :] + warp(52)
    a, b = to_lattice(yy, xx)
    ci, cj = np.floor(a).astype(np.int32), np.floor(b).astype(np.int32)
    # around the cells of the points: two rings of neighbours, and two more around an owner
    row0, col0 = int(ci.min()) - 4, int(cj.min()) - 4
    sites = tubule_sites(seed, row0, col0, int(ci.max()) - row0 + 5, int(cj.max()) - col0 + 5)
    n = sites.y.shape[1]
    base = ((ci - row0) * n + (cj - col0)).ravel()
    oy, ox = float(ys[0]), float(xs[0])  # small numbers keep float32 exact enough
    py, px = (yy - oy).astype(np.float32).ravel(), (xx - ox).astype(np.float32).ravel()
    sy, sx = (sites.y - oy).astype(np.float32).ravel(), (sites.x - ox).astype(np.float32).ravel()
    tub = sites.tubule.ravel()
    # |p - s|^2 - w without |p|^2, which all seeds share
    level = sy * sy + sx * sx - sites.weight.ravel()
    best = np.full(py.shape, np.inf, np.float32)
    own = base.copy()
    for k in (i * n + j for i, j in _RING):
        idx = base + k
        power = level.take(idx) - 2 * (py * sy.take(idx) + px * sx.take(idx))
        closer = power < best
        np.copyto(best, power, where=closer)
        np.copyto(own, idx, where=closer)
    total = np.full(py.shape, 1e-9, np.float32)
    for k in (i * n + j for i, j in _RING if (i, j) != (0, 0)):
        # distance to the bisector with a neighbour is linear in the point: tables of its coefficients
        dy, dx = np.roll(sy, -k) - sy, np.roll(sx, -k) - sx
        scale = -1 / (_ROUNDING_UM * np.hypot(dy, dx))
        const = (np.roll(level, -k) - level) * scale / 2
        along_y, along_x = -dy * scale, -dx * scale
        same = np.roll(tub, -k) == tub
        const[same], along_y[same], along_x[same] = -20.0, 0.0, 0.0
        total += np.exp(const.take(own) + along_y.take(own) * py + along_x.take(own) * px)
    tubule = -_ROUNDING_UM * np.log(total)
    shape = (len(ys), len(xs))
    return tubule.reshape(shape), own.reshape(shape), sites
