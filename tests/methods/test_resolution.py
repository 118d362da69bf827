"""Pixels finer than the method's own: it sees them at its own resolution, and they keep their detail."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.measure import block_reduce
from torch import Tensor
from torch.nn import functional as F

from napari_stainxfer import fit
from napari_stainxfer.errors import SlideError
from napari_stainxfer.methods import Model, ModelCard
from napari_stainxfer.slides import Slide

Make = Callable[..., Model]
Tissue = Callable[..., np.ndarray]


class Inked:
    """Takes light away from red, the more the darker the 5 x 5 pixels around are."""

    halo_px, align_px = 2, 1

    def transform(self, image: Tensor) -> Tensor:
        around = F.avg_pool2d(image, 5, stride=1, padding=2, count_include_pad=False)
        return torch.cat([image[:, :1] - 0.2 * (1 - around[:, :1]), image[:, 1:]], dim=1)


@pytest.fixture
def inked() -> Model:
    card = ModelCard(method="nst", package_version="0", mpp=1.0, patch_px=256, pairs=0)
    return Model(Inked(), card)


def as_floats(picture: np.ndarray) -> np.ndarray:
    return picture.astype(float)


@pytest.mark.parametrize("pixels", [2, 3, 4])
def test_detail_is_kept_and_the_change_is_that_of_the_average(inked: Model, pixels: int) -> None:
    fine = np.full((16 * pixels, 16 * pixels, 3), (150, 80, 120), np.uint8)
    fine[::pixels, ::pixels] += 40
    fine[1::pixels, 1::pixels] -= 40
    change = as_floats(inked.transform(fine, mpp=1 / pixels)) - fine
    np.testing.assert_allclose(change, np.broadcast_to([-0.2 * (255 - 150), 0, 0], fine.shape), atol=0.5)
    seen_as_its_own = as_floats(inked.transform(fine)) - fine
    assert np.ptp(seen_as_its_own[..., 0]) > 1


@pytest.mark.parametrize("pixels", [2, 3])
def test_on_the_whole_it_is_the_method_on_the_averaged_picture(inked: Model, pixels: int) -> None:
    coarse = gaussian_filter(np.random.default_rng(0).normal(0, 1, (60, 48, 3)), (4, 4, 0))
    coarse = (150 + 50 * coarse / np.abs(coarse).max()).astype(np.uint8)
    fine = np.kron(coarse, np.ones((pixels, pixels, 1), np.uint8))
    result = block_reduce(as_floats(inked.transform(fine, mpp=1 / pixels)), (pixels, pixels, 1), np.mean)
    np.testing.assert_allclose(result, inked.transform(coarse), atol=1)
    moved = np.roll(inked.transform(coarse).astype(float), 1, axis=0)
    assert np.abs(result - moved).max() > 3


@pytest.mark.parametrize("mpp", [1.0, 0.8, 1.4])
def test_about_as_coarse_is_used_as_it_is(make_model: Make, tissue: Tissue, mpp: float) -> None:
    model, picture = make_model(), tissue(40, 52)
    np.testing.assert_array_equal(model.transform(picture, mpp=mpp), model.transform(picture))


@pytest.mark.parametrize("times", [2, 3, 4])
def test_coarser_pixels_are_seen_at_the_methods_own_resolution(inked: Model, times: int) -> None:
    fine = gaussian_filter(np.random.default_rng(0).normal(0, 1, (120, 96, 3)), (3 * times, 3 * times, 0))
    fine = (150 + 50 * fine / np.abs(fine).max()).round().astype(np.uint8)
    coarse = block_reduce(fine, (times, times, 1), np.mean).round().astype(np.uint8)
    wanted = block_reduce(as_floats(inked.transform(fine)), (times, times, 1), np.mean)
    np.testing.assert_allclose(inked.transform(coarse, mpp=times), wanted, atol=1.6)
    assert np.abs(inked.transform(coarse)[..., 0] - wanted[..., 0]).max() > 1.6


def test_pixels_much_coarser_than_the_methods_are_refused(make_model: Make, tissue: Tissue) -> None:
    with pytest.raises(SlideError, match=r"5 um/px and the model learned from 1 um/px.*4 um/px or finer"):
        make_model().transform(tissue(8, 8), mpp=5.0)


def test_glass_stays_byte_for_byte(make_model: Make) -> None:
    glass = np.full((70, 90, 3), (243, 240, 245), np.uint8)
    np.testing.assert_array_equal(make_model().transform(glass, mpp=0.25), glass)


def test_a_method_that_maps_each_pixel_does_so_at_any_resolution(tissue: Tissue) -> None:
    sides = [Slide.from_array(tissue(96, 96, seed), mpp=1.0) for seed in (0, 1)]
    model, picture = fit(*sides, method="reinhard"), tissue(50, 50, 2)
    np.testing.assert_array_equal(model.transform(picture, mpp=0.25), model.transform(picture))


@pytest.mark.parametrize("mpp", [0.0, -0.5, 0.001, 353.0, float("nan")])
def test_a_resolution_that_no_scan_has_is_refused(make_model: Make, tissue: Tissue, mpp: float) -> None:
    with pytest.raises(SlideError, match=r"give a number from 0\.05 to 100"):
        make_model().transform(tissue(8, 8), mpp=mpp)
