"""How much a training sharpens or blurs before it starts, from the spectra of both sides.

Focus, optics and a scanner's own sharpening weaken or strengthen fine detail alike in all directions. Patches
that are alike in content have alike spectra, and the ratio of these tells how much at each fineness.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.models import RingFilter, ring_kernels
from napari_stainxfer.training.colour_goals import to_array

Spectrum = NDArray[np.float64]

_RING = 1 / 32
_COARSE = 1 / 16
_LEAST, _MOST = 0.25, 2.5


def measure_sharpness(sharpness: RingFilter, source: Tensor, reference: Tensor) -> None:
    """Set ``sharpness`` to what brings the detail of ``source`` to the strength that it has in ``reference``.

    At each frequency the filter's goal is ``sqrt(S_r S_s) / P_s``, where ``P`` is a side's power and ``S``
    what of it is not noise: the ratio of the amplitudes of the two signals, times a Wiener filter's share of
    signal in the source, so that noise is not sharpened. White noise is taken to have the power that is left
    at the finest detail. Detail coarser than 16 px is content and not focus: the filter leaves it as it is.

    Parameters
    ----------
    sharpness
        The filter to set.
    source, reference
        All pairs, (N, 3, H, W) in [0, 1] on both sides, in the same colours.
    """
    rings = np.arange(0, 0.7, max(_RING, 1 / min(source.shape[-2:])))
    of_source, of_reference = (_power(side, rings) for side in (source, reference))
    responses = _responses(source.shape[-1], rings)
    # Ring 0 is the pixel itself and has what the others leave to a sum of 1: without them, the identity.
    # What is missing to the goal counts by how strong that detail is.
    weights = np.sqrt(of_source)[:, None]
    others = responses[:, 1:] - responses[:, :1]
    missing = (_gain(of_source, of_reference, rings) - 1)[:, None]
    shares = np.linalg.lstsq(weights * others, weights * missing, rcond=None)[0][:, 0]
    sharpness.shares.copy_(torch.from_numpy(np.append(1 - shares.sum(), shares)))


def _gain(source: Spectrum, reference: Spectrum, rings: NDArray[np.float64]) -> Spectrum:
    """How much each ring is to be strengthened."""
    signals = [side - side.min() for side in (source, reference)]
    gain = np.sqrt(signals[0] * signals[1]) / np.maximum(source, np.finfo(float).tiny)
    coarse = rings <= _COARSE
    level = gain[coarse][-1]
    if level == 0:  # one of them is of one colour
        return np.ones_like(gain)
    limited: Spectrum = np.clip(gain / level, _LEAST, _MOST)
    limited[coarse] = 1
    return limited


def _power(images: Tensor, rings: NDArray[np.float64]) -> Spectrum:
    """Mean power of the grey images at each radial frequency, under a Hann window."""
    grey = to_array(images).mean(axis=-1)
    height, width = grey.shape[1:]
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    means = (grey * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    power = np.mean([np.abs(np.fft.rfft2(one * window)) ** 2 for one in grey - means], axis=0)
    return _on_rings(power, (height, width), rings)


def _responses(size: int, rings: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each of :func:`ring_kernels` makes of each radial frequency, (rings, kernels)."""
    kernels = ring_kernels().double().numpy()
    reach = kernels.shape[-1] // 2
    columns = []
    for kernel in kernels:
        padded = np.zeros((size, size))
        padded[: kernel.shape[0], : kernel.shape[1]] = kernel
        centred = np.roll(padded, (-reach, -reach), axis=(0, 1))
        columns.append(_on_rings(np.fft.rfft2(centred).real, (size, size), rings))
    return np.column_stack(columns)


def _on_rings(spectrum: Spectrum, shape: tuple[int, int], rings: NDArray[np.float64]) -> Spectrum:
    """Means of a half-plane of frequencies over rings that overlap by half."""
    rows, columns = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    frequency = np.hypot(rows[:, None], columns[None]).ravel()
    near = np.clip(1 - np.abs(frequency - rings[:, None]) / (rings[1] - rings[0]), 0, None)
    means: Spectrum = near @ spectrum.ravel() / near.sum(axis=1)
    return means
