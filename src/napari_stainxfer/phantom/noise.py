"""Random numbers and smooth noise that depend on a place, never on the order of asking.

A sequential generator would give another tissue for another window. Here every number is a hash of
(seed, lattice position), so any part of a slide can be computed alone and comes out the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

_GOLDEN = np.uint32(0x9E3779B9)


def mix(h: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Scramble 32-bit integers in place (the finalizer of MurmurHash3, A. Appleby, public domain)."""
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h


def hashed(seed: int, *keys: Ints | int) -> NDArray[np.uint32]:
    """Hash a seed and integer keys (broadcast together) to 32 bits."""
    h = np.full((1,) * max(np.ndim(k) for k in keys), seed & 0xFFFFFFFF, np.uint32)
    for key in keys:
        h = mix(
            h * np.uint32(5) + np.asarray(key, np.int64).astype(np.uint32) * _GOLDEN + np.uint32(0x7F4A7C15)
        )
    return h


def uniform(seed: int, *keys: Ints | int) -> Floats:
    """Uniform numbers in [0, 1), one for each combination of the keys."""
    return (hashed(seed, *keys) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def resample(lattice: Floats, y: Floats, x: Floats, *, smooth: bool = False) -> Floats:
    """Interpolate a lattice at the fractional rows ``y`` and columns ``x``: (len(y), len(x)).

    ``smooth`` eases the weights (3t^2 - 2t^3), which hides the lattice lines of bare noise.
    """
    rows, wy = _weights(y, smooth)
    cols, wx = _weights(x, smooth)
    a = lattice[rows]
    a += (lattice[rows + 1] - a) * wy[:, None]
    left = a.take(cols, axis=1)
    left += (a.take(cols + 1, axis=1) - left) * wx
    return left


def _weights(at: Floats, smooth: bool) -> tuple[NDArray[np.intp], Floats]:
    below = np.floor(at)
    t = (at - below).astype(np.float32)
    return below.astype(np.intp), (t * t * (3 - 2 * t) if smooth else t)


def value_noise(seed: int, y_um: Floats, x_um: Floats, spacing_um: float) -> Floats:
    """Smooth noise in [0, 1), mean 0.5, on the grid of ``y_um`` rows and ``x_um`` columns."""
    gy, gx = y_um / spacing_um, x_um / spacing_um
    y0, x0 = int(np.floor(gy[0])), int(np.floor(gx[0]))
    ys = np.arange(y0, int(np.floor(gy[-1])) + 2, dtype=np.int64)
    xs = np.arange(x0, int(np.floor(gx[-1])) + 2, dtype=np.int64)
    return resample(uniform(seed, ys[:, None], xs[None, :]), gy - y0, gx - x0, smooth=True)


def pixel_noise(seed: int, y_um: Floats, x_um: Floats, spacing_um: float, mpp: float) -> Floats:
    """Noise in [-0.5, 0.5) as pixels of ``mpp`` see it: grain finer than a pixel averages out."""
    share = min(1.0, spacing_um / mpp)
    noise = value_noise(seed, y_um, x_um, max(spacing_um, mpp)) - np.float32(0.5)
    return noise if share == 1 else noise * np.float32(share)


def noise_at(seed: int, y_um: Floats, x_um: Floats, spacing_um: float) -> Floats:
    """Evaluate `value_noise` at single points, given as two arrays of one shape."""
    gy, gx = y_um / spacing_um, x_um / spacing_um
    i, j = np.floor(gy).astype(np.int64), np.floor(gx).astype(np.int64)
    if not i.size:
        return np.zeros(i.shape, np.float32)
    ys = np.arange(i.min(), i.max() + 2)
    xs = np.arange(j.min(), j.max() + 2)
    lattice = uniform(seed, ys[:, None], xs[None, :]).ravel()
    corner = (i - ys[0]) * len(xs) + (j - xs[0])
    ty, tx = ((t * t * (3 - 2 * t)).astype(np.float32) for t in (gy - i, gx - j))
    return bilinear(lattice, corner, len(xs), ty, tx)


def bilinear(flat: Floats, corner: Ints, row_length: int, ty: Floats, tx: Floats) -> Floats:
    """Mix the four values of a flattened lattice around each point, from the index of the upper left one."""
    top = flat.take(corner, axis=0)
    top += (flat.take(corner + 1, axis=0) - top) * tx
    low = flat.take(corner + row_length, axis=0)
    low += (flat.take(corner + row_length + 1, axis=0) - low) * tx
    top += (low - top) * ty
    return top
