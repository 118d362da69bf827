"""Signed distances (um) to the walls of every structure, on a coarse grid of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.phantom.layout import Landmark, Sites, landmarks, to_lattice, tubule_sites
from napari_stainxfer.phantom.noise import Floats, resample, uniform, value_noise

FAR = -60.0
_ROUNDING_UM = 3.2  # corner radius of tubules; wedges of interstitium open where three meet


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
    key: NDArray[np.uint32]

    def at(self, field: Floats, y: Floats, x: Floats) -> Floats:
        """Sample a field bilinearly at points (um)."""
        fy = np.clip((y - self.y0) / self.step - 0.5, 0, field.shape[0] - 1.001)
        fx = np.clip((x - self.x0) / self.step - 0.5, 0, field.shape[1] - 1.001)
        i, j = fy.astype(np.intp), fx.astype(np.intp)
        ty, tx = (fy - i).astype(np.float32), (fx - j).astype(np.float32)
        top = field[i, j] * (1 - tx) + field[i, j + 1] * tx
        low = field[i + 1, j] * (1 - tx) + field[i + 1, j + 1] * tx
        return np.asarray(top * (1 - ty) + low * ty, np.float32)

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
    tubule, near, sites = _tubules(seed, ys, xs)
    # tubules keep off landmarks and off the fibrous capsule of the organ
    for wall in (-glomerulus - 0.5, -vessel - 1.0, tissue - 9.0):
        tubule = _soft_min(tubule, wall)
    kind = sites.kind.ravel()[near]
    key = sites.key.ravel()[near]
    u = uniform(seed + 31, sites.key.astype(np.int64)).ravel()[near]
    v = uniform(seed + 32, sites.key.astype(np.int64)).ravel()[near]
    height = np.choose(kind, [13.0 + 6 * u, 7.5 + 2.5 * u, 9.0 + 2.0 * u]).astype(np.float32)
    eosin = np.choose(kind, [0.80 + 0.28 * v, 0.52 + 0.2 * v, 0.40 + 0.15 * v]).astype(np.float32)
    scar = value_noise(seed + 33, ys, xs, 330.0)
    gap = 0.9 + 0.7 * value_noise(seed + 34, ys, xs, 37.0) + 7.0 * np.clip(scar - 0.66, 0, 1)
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
        key,
    )


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
    bend = 0.22 * mark.radius
    wy = (value_noise(mark.key + 1, y, x, 41.0) - 0.5) * bend
    wx = (value_noise(mark.key + 2, y, x, 41.0) - 0.5) * bend
    dy = (y - mark.y).astype(np.float32)[:, None] + wy
    dx = (x - mark.x).astype(np.float32)[None, :] + wx
    c, s = np.float32(np.cos(mark.angle)), np.float32(np.sin(mark.angle))

    def inside(dy: Floats, dx: Floats, radius: float, aspect: float) -> Floats:
        a, b = np.float32(radius * aspect), np.float32(radius)
        rho = np.hypot((c * dx + s * dy) / a, (c * dy - s * dx) / b)
        return np.asarray((1 - rho) * np.sqrt(a * b), np.float32)

    body = np.maximum(inside(dy, dx, mark.radius, mark.aspect), FAR)
    if mark.glomerulus:
        lobes = (value_noise(mark.key + 3, y, x, 19.0) - 0.5) * 9
        core = (
            inside(dy - mark.shift_y, dx - mark.shift_x, mark.radius - mark.wall - 2.5, mark.aspect) + lobes
        )
        np.maximum(glomerulus[rows, cols], body, out=glomerulus[rows, cols])
        np.maximum(tuft[rows, cols], np.minimum(core, body - 3.0), out=tuft[rows, cols])
    else:
        folds = (value_noise(mark.key + 3, y, x, 7.0) - 0.5) * min(5.0, 0.3 * mark.wall)
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
    yy = (
        ys[:, None]
        + 11.0 * (value_noise(seed + 51, ys, xs, 43.0) - 0.5)
        + 5.0 * (value_noise(seed + 53, ys, xs, 17.0) - 0.5)
    )
    xx = (
        xs[None, :]
        + 11.0 * (value_noise(seed + 52, ys, xs, 43.0) - 0.5)
        + 5.0 * (value_noise(seed + 54, ys, xs, 17.0) - 0.5)
    )
    a, b = to_lattice(yy, xx)
    ci, cj = np.floor(a).astype(np.int32), np.floor(b).astype(np.int32)
    row0, col0 = int(ci.min()) - 2, int(cj.min()) - 3
    sites = tubule_sites(seed, row0, col0, int(ci.max()) - row0 + 3, int(cj.max()) - col0 + 4)
    n = sites.y.shape[1]
    base = ((ci - row0) * n + (cj - col0)).ravel()
    oy, ox = float(ys[0]), float(xs[0])  # small numbers keep float32 exact enough
    py, px = (yy - oy).astype(np.float32).ravel(), (xx - ox).astype(np.float32).ravel()
    sy, sx = (sites.y - np.float32(oy)).ravel(), (sites.x - np.float32(ox)).ravel()
    w, tub = sites.weight.ravel(), sites.tubule.ravel()
    offsets = [i * n + j for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2) if abs(i) + abs(j) < 4]
    best = np.full(py.shape, np.inf, np.float32)
    own = base.copy()
    power = []
    for k in offsets:
        idx = base + k
        p = (py - sy.take(idx)) ** 2 + (px - sx.take(idx)) ** 2 - w.take(idx)
        power.append(p)
        closer = p < best
        np.copyto(best, p, where=closer)
        np.copyto(own, idx, where=closer)
    own_y, own_x, own_t = sy.take(own), sx.take(own), tub.take(own)
    total = np.full(py.shape, 1e-9, np.float32)
    for k, p in zip(offsets, power, strict=True):
        idx = base + k
        apart = np.hypot(sy.take(idx) - own_y, sx.take(idx) - own_x)
        away = (p - best) / (2 * apart + np.float32(1e-3))
        away[tub.take(idx) == own_t] = 60.0
        total += np.exp(away * np.float32(-1 / _ROUNDING_UM))
    tubule = np.asarray(-_ROUNDING_UM * np.log(total), np.float32)
    shape = (len(ys), len(xs))
    return tubule.reshape(shape), own.reshape(shape), sites
