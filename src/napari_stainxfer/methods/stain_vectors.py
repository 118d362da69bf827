"""Which two colours a slide's tissue is a mixture of: unit optical densities, haematoxylin first."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray

from napari_stainxfer.methods.concentrations import sparse

Floats = NDArray[np.float64]

RUIFROK: Floats = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
"""Ruifrok and Johnston, Analytical and Quantitative Cytology and Histology 23(4), 2001."""

_FEWEST = 50
_FAINTEST = 0.15
DENSE = 0.345
"""0.15 in decadic logarithms."""

_CLOSEST = np.cos(np.radians(3))
"""Two vectors nearer than 3 degrees are one stain and noise."""


def fixed() -> Floats:
    """Ruifrok's haematoxylin and eosin."""
    return unit(RUIFROK)


def macenko(density: Floats) -> Floats | None:
    """The extreme directions in the plane of the two largest variances.

    Macenko et al., A method for normalizing histology slides for quantitative analysis, ISBI 2009, with its
    threshold of optical density 0.15 and its percentiles 1 and 99. The paper does not say what the
    threshold is on: here it is on every channel, as in torchstain. That leaves the noise of pale pixels
    out, and with it an eosin that absorbs no red at all. Nor does it say where angles start: here at the
    mean direction, so that no stain lies where they start anew.

    Parameters
    ----------
    density
        Natural optical densities (n, 3).

    Returns
    -------
    (2, 3) or None
        Haematoxylin and eosin; None where the tissue shows one colour alone, or next to nothing.
    """
    return _extremes(density[(density > _FAINTEST).all(axis=1)], percentile=1)


def nmf(density: Floats) -> Floats | None:
    """Non-negative factors of least squared error.

    Rabinovich et al., Unsupervised color decomposition of histologically stained tissue samples, NIPS 2003;
    solved by scikit-learn. Without noise any two vectors that enclose all pixels are a perfect answer. The
    search therefore starts from within, where one in twenty directions is more extreme on either side, and
    opens only as far as it has to.
    """
    from sklearn.decomposition import NMF  # a second to import, and for this method alone
    from sklearn.exceptions import ConvergenceWarning

    start = _within(density)
    if start is None:
        return None
    dense = _thinned(density[density.mean(axis=1) > DENSE])
    codes = sparse(torch.from_numpy(dense), torch.from_numpy(start), 0.0).numpy()
    solver = NMF(n_components=2, init="custom", solver="cd", max_iter=500, tol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last few tenths of a degree take for ever
        solver.fit_transform(dense, W=np.maximum(codes, 1e-6), H=start.copy())
    return _told_apart(solver.components_)


def vahadane(density: Floats, *, penalty: float = 0.1, rounds: int = 200) -> Floats | None:
    """Sparse non-negative factors: few pixels hold much of both stains.

    Vahadane et al., Structure-preserving color normalization and sparse stain separation for histological
    images, IEEE Transactions on Medical Imaging 35(8), 2016, with its weight 0.1 of the L1 norm, which
    pulls both vectors inwards by about a degree, and by two where nuclei are a tenth of the tissue. The
    paper alternates with SPAMS; here both halves are exact and deterministic: the concentrations in closed
    form, the two vectors by block coordinates, each held within unit length.
    """
    start = _within(density)
    if start is None:
        return None
    dense = torch.from_numpy(_thinned(density[density.mean(axis=1) > DENSE]))
    stains = torch.from_numpy(start)
    for _ in range(rounds):
        codes = sparse(dense, stains, penalty)
        among, across = codes.T @ codes, codes.T @ dense
        before = stains.clone()
        for one in range(2):
            step = (across[one] - among[one] @ stains) / among[one, one].clamp_min(1e-9)
            moved = (stains[one] + step).clamp_min(0)
            stains[one] = moved / moved.norm().clamp_min(1e-9)
        if (stains - before).abs().max() < 1e-7:
            break
    return _told_apart(stains.numpy())


def unit(vectors: Floats) -> Floats:
    """Rows of unit length."""
    scaled: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return scaled


def _told_apart(vectors: Floats) -> Floats | None:
    """Unit vectors, haematoxylin first: it is blue, so of its density more is red than of eosin's."""
    scaled = unit(vectors)
    if not np.isfinite(scaled).all() or scaled[0] @ scaled[1] > _CLOSEST:
        return None
    return scaled[np.argsort(-scaled[:, 0])]


def _extremes(dense: Floats, percentile: float) -> Floats | None:
    if len(dense) < _FEWEST:
        return None
    plane = np.linalg.eigh(np.cov(dense.T))[1][:, 1:]
    flat = dense @ plane
    middle = flat.mean(axis=0)
    angle = np.arctan2(flat @ [-middle[1], middle[0]], flat @ middle)
    extremes = np.percentile(angle, [percentile, 100 - percentile]) + np.arctan2(middle[1], middle[0])
    return _told_apart(np.stack([np.cos(extremes), np.sin(extremes)], axis=1) @ plane.T)


def _within(density: Floats) -> Floats | None:
    """Two directions inside the cloud: one dense pixel in twenty is more extreme on either side."""
    found = _extremes(density[density.mean(axis=1) > DENSE], percentile=5)
    return None if found is None else unit(np.maximum(found, 0))


def _thinned(density: Floats, most: int = 30_000) -> Floats:
    return density[:: -(-len(density) // most)]
