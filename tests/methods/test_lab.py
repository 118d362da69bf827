"""CIE Lab and the histogram's table beside scikit-image's."""

from __future__ import annotations

import numpy as np
import torch
from skimage.color import lab2rgb, rgb2lab
from skimage.exposure import match_histograms

from napari_stainxfer.methods import histogram
from napari_stainxfer.methods.lab import lab_to_rgb, rgb_to_lab
from napari_stainxfer.methods.tissue_colours import TissueColours

RGB = np.random.default_rng(0).integers(0, 256, (64, 48, 3)).astype(np.uint8)


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None]


def test_lab_is_scikit_images() -> None:
    lab = rgb2lab(RGB)
    np.testing.assert_allclose(rgb_to_lab(tensor(RGB / 255))[0].permute(1, 2, 0), lab, atol=2e-3)
    np.testing.assert_allclose(lab_to_rgb(tensor(lab))[0].permute(1, 2, 0), lab2rgb(lab), atol=2e-4)


def test_matching_is_scikit_images() -> None:
    reference = (200 - RGB[::-1] * 0.6).astype(np.uint8)
    sides = (TissueColours(side.reshape(-1, 3), np.full(3, 255.0)) for side in (RGB, reference))
    table = torch.from_numpy(histogram.measure(*sides)["table"])
    matched = histogram.apply(tensor(RGB) / 255, {"table": table})[0].permute(1, 2, 0) * 255
    expected = match_histograms(RGB.astype(float), reference.astype(float), channel_axis=-1)
    np.testing.assert_allclose(matched, expected, atol=1e-3)
