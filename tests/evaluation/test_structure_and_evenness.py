"""Against known values, and against what scikit-image and SciPy compute another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import dice as dice_dissimilarity
from scipy.stats import pearsonr
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from napari_stainxfer.evaluation import (
    background_change,
    density_correlation,
    dice,
    intensity_spread,
    multiscale_similarity,
    normalised_median_intensity,
    peak_signal_to_noise,
    similarity,
)
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box


@pytest.fixture(scope="module")
def field() -> np.ndarray:
    return phantom_slide("lab1", seed=0, size_px=(1024, 1024)).read_region(Box(300, 300, 256, 256))


def noisy(image: np.ndarray, strength: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, strength, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("measure", [similarity, multiscale_similarity, density_correlation])
def test_likeness_is_one_for_equal_and_falls_with_noise(measure, field: np.ndarray) -> None:
    assert measure(field, field) == pytest.approx(1)
    falling = [measure(noisy(field, strength), field) for strength in (2, 10, 40)]
    assert sorted(falling, reverse=True) == falling
    assert falling[0] > falling[2] + 0.05
    assert measure(field, noisy(field, 10)) == pytest.approx(measure(noisy(field, 10), field))


def test_one_scale_is_scikit_images_similarity_of_the_luminance(field: np.ndarray) -> None:
    other = noisy(field, 10)
    theirs = structural_similarity(
        rgb2gray(field), rgb2gray(other), data_range=1, gaussian_weights=True, use_sample_covariance=False
    )
    assert multiscale_similarity(field, other, shares=(1.0,)) == pytest.approx(theirs, abs=1e-6)


def windows(values: np.ndarray) -> np.ndarray:
    """Every 11 x 11 window inside the image, weighted by the Gaussian of 1.5 px: sums are weighted means."""
    steps = np.arange(-5, 6)
    weight = np.exp(-(steps[:, None] ** 2 + steps[None] ** 2) / (2 * 1.5**2))
    return np.lib.stride_tricks.sliding_window_view(values, (11, 11)), weight / weight.sum()


def similarity_by_the_book(one: np.ndarray, other: np.ndarray) -> float:
    """Wang, Simoncelli and Bovik's equation 7, window by window."""
    total = 1.0
    for scale, power in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        (x, weight), (y, _) = windows(one), windows(other)
        mean_x, mean_y = ((side * weight).sum((-1, -2)) for side in (x, y))
        deviations = x - mean_x[..., None, None], y - mean_y[..., None, None]
        var_x, var_y = ((side**2 * weight).sum((-1, -2)) for side in deviations)
        shared = (deviations[0] * deviations[1] * weight).sum((-1, -2))
        contrast_structure = (2 * shared + 0.03**2) / (var_x + var_y + 0.03**2)
        luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
        whole = contrast_structure if scale < 4 else contrast_structure * luminance
        total *= whole.mean() ** power
        height, width = (side // 2 * 2 for side in one.shape)
        one, other = (
            (side[0:height:2, 0:width:2] + side[1:height:2, 0:width:2] + side[0:height:2, 1:width:2]
             + side[1:height:2, 1:width:2]) / 4
            for side in (one, other)
        )  # fmt: skip
    return float(total)


@pytest.mark.parametrize("side", [192, 201])
def test_five_scales_as_the_paper_defines_them(field: np.ndarray, side: int) -> None:
    one, other = field[:side, :192], noisy(field, 20)[:side, :192]
    expected = similarity_by_the_book(rgb2gray(one), rgb2gray(other))
    assert multiscale_similarity(one, other) == pytest.approx(expected, abs=1e-6)


def test_coarse_scales_forgive_fine_noise_and_small_images_are_refused(field: np.ndarray) -> None:
    assert multiscale_similarity(noisy(field, 20), field) > multiscale_similarity(
        noisy(field, 20), field, shares=(1.0,)
    )
    assert multiscale_similarity(255 - field, field) == 0
    with pytest.raises(ValueError, match="at least 176 px"):
        multiscale_similarity(field[:170], field[:170])


def test_images_smaller_than_the_window_are_refused(field: np.ndarray) -> None:
    assert similarity(field[:11, :11], field[:11, :11]) == 1
    with pytest.raises(ValueError, match="at least 11 px"):
        similarity(field[:10, :40], field[:10, :40])


def test_peak_signal_to_noise_of_a_known_error() -> None:
    image = np.full((20, 20, 3), 100, np.uint8)
    assert peak_signal_to_noise(image + 5, image) == pytest.approx(20 * np.log10(255 / 5))
    assert peak_signal_to_noise(image, image) == float("inf")


def test_density_follows_structure_and_not_stain(field: np.ndarray) -> None:
    faded = (255 * (field / 255) ** 0.5).round().astype(np.uint8)
    assert density_correlation(faded, field) > 0.99
    density = [-np.log(np.maximum(side, 1) / 255).sum(-1).ravel() for side in (noisy(field, 30), field)]
    assert density_correlation(noisy(field, 30), field) == pytest.approx(pearsonr(*density).statistic)
    assert density_correlation(np.full_like(field, 200), field) == 0


def test_dice_of_masks() -> None:
    found, truth = np.random.default_rng(0).random((2, 30, 40)) < 0.4
    assert dice(found, truth) == pytest.approx(1 - dice_dissimilarity(found.ravel(), truth.ravel()))
    assert dice(found, found) == 1
    assert dice(found, ~found) == 0
    assert dice(np.zeros((3, 3), bool), np.zeros((3, 3), bool)) == 1
    with pytest.raises(ValueError, match="different shape"):
        dice(found, truth[:-1])


def test_median_intensity_and_its_spread_over_a_set() -> None:
    ramp = np.repeat(np.arange(1, 101, dtype=np.uint8)[:, None, None], 3, axis=2).repeat(4, axis=1)
    assert normalised_median_intensity(ramp) == pytest.approx(50.5 / 95, abs=0.01)
    dark = np.zeros((100, 4), bool)
    dark[:10] = True
    assert normalised_median_intensity(ramp, dark) == pytest.approx(5.5 / 10, abs=0.05)
    assert intensity_spread([ramp, ramp, ramp]) == (0, 0)
    flat = np.full_like(ramp, 100)
    spread = intensity_spread([ramp, flat])
    values = normalised_median_intensity(ramp), 1.0
    assert spread.deviation == pytest.approx(np.std(values, ddof=1))
    assert spread.variation == pytest.approx(np.std(values, ddof=1) / np.mean(values))
    with pytest.raises(ValueError, match="two images"):
        intensity_spread([ramp])
    with pytest.raises(ValueError, match="empty"):
        normalised_median_intensity(ramp, np.zeros((100, 4), bool))


def test_background_change_looks_under_its_mask_alone() -> None:
    source = np.full((10, 10, 3), 240, np.uint8)
    image, glass = source.copy(), np.zeros((10, 10), bool)
    image[:5] = 10
    image[5:] -= 3
    glass[5:] = True
    assert background_change(image, source, glass) == 3
    assert background_change(source, source, glass) == 0
    with pytest.raises(ValueError, match="empty"):
        background_change(image, source, np.zeros((10, 10), bool))
