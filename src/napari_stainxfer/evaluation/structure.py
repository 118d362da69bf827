"""Whether structure was kept: higher is better for all of these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2gray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_stainxfer.evaluation.shapes import RGB, same_shape

_WANG_SHARES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SIGMA, _RADIUS = 1.5, 5
_C1, _C2 = 0.01**2, 0.03**2
SSIM_LEAST_PX = 2 * _RADIUS + 1
"""The window's side."""
MS_SSIM_LEAST_PX = SSIM_LEAST_PX * 2 ** (len(_WANG_SHARES) - 1)
"""So that the window fits into the coarsest scale."""


def peak_signal_to_noise(image: RGB, truth: RGB) -> float:
    """PSNR of two uint8 (H, W, 3) images in dB; infinite for equal ones. As implemented in scikit-image."""
    same_shape(image, truth)
    if np.array_equal(image, truth):
        return float("inf")
    return float(peak_signal_noise_ratio(truth, image))


def similarity(image: RGB, truth: RGB) -> float:
    """SSIM of two uint8 (H, W, 3) images, averaged over the channels, -1 to 1.

    With the Gaussian window of Wang et al., IEEE Transactions on Image Processing 13, 2004, as implemented in
    scikit-image.

    Raises
    ------
    ValueError
        When a side is smaller than the window of 11 px.
    """
    same_shape(image, truth)
    if min(image.shape[:2]) < SSIM_LEAST_PX:
        raise ValueError(f"SSIM needs images of at least {SSIM_LEAST_PX} px a side, not {image.shape[:2]}")
    value: float = structural_similarity(
        image, truth, channel_axis=-1, gaussian_weights=True, sigma=_SIGMA, use_sample_covariance=False
    )
    return float(value)


def multiscale_similarity(image: RGB, truth: RGB, *, shares: tuple[float, ...] = _WANG_SHARES) -> float:
    """MS-SSIM of the luminance of two uint8 (H, W, 3) images, 0 to 1.

    Wang, Simoncelli and Bovik, Asilomar Conference 2003: contrast and structure at five scales, each half the
    one before, and luminance at the coarsest, multiplied with the powers ``shares``. A scale whose structure
    is opposed counts as 0.

    Raises
    ------
    ValueError
        When the coarsest scale would be smaller than the window of 11 px.
    """
    same_shape(image, truth)
    least = SSIM_LEAST_PX * 2 ** (len(shares) - 1)
    if min(image.shape[:2]) < least:
        raise ValueError(f"MS-SSIM needs images of at least {least} px a side, not {image.shape[:2]}")
    one, other = rgb2gray(image), rgb2gray(truth)
    value = 1.0
    for scale, share in enumerate(shares):
        luminance, structure = _terms(one, other)
        last = scale == len(shares) - 1
        term = float((luminance * structure).mean()) if last else float(structure.mean())
        value *= max(term, 0.0) ** share
        one, other = (_halved(side) for side in (one, other))
    return value


def density_correlation(image: RGB, truth: RGB) -> float:
    """Pearson's correlation of total optical density, -1 to 1: the same structures, whatever the stain.

    Compare a normalised image with its source. 0 where one of the two is of a single density.
    """
    same_shape(image, truth)
    densities = [-np.log(np.maximum(side, 1) / 255).sum(axis=-1).ravel() for side in (image, truth)]
    if min(np.ptp(density) for density in densities) == 0:
        return 0.0
    return float(np.corrcoef(*densities)[0, 1])


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Twice the overlap of two masks by the sum of their areas, 0 to 1; 1 where both are empty (Dice)."""
    if found.shape != truth.shape:
        raise ValueError(f"masks of different shape cannot be compared: {found.shape} and {truth.shape}")
    area = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / area if area else 1.0


def _halved(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 2 x 2 pixels; a last odd row or column is left out."""
    height, width = (side // 2 for side in values.shape)
    blocks = values[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    means: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return means


def _terms(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """SSIM's luminance term, and contrast times structure, where the window lies inside."""

    def local(values: NDArray[np.float64]) -> NDArray[np.float64]:
        mean: NDArray[np.float64] = gaussian_filter(values, _SIGMA, radius=_RADIUS)
        return mean[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]

    mean_one, mean_other = local(one), local(other)
    covariance = local(one * other) - mean_one * mean_other
    variances = local(one**2) - mean_one**2 + local(other**2) - mean_other**2
    luminance = (2 * mean_one * mean_other + _C1) / (mean_one**2 + mean_other**2 + _C1)
    return luminance, (2 * covariance + _C2) / (variances + _C2)
