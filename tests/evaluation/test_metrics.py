"""Distances against known values and independent computations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb

from napari_stainxfer.evaluation import PerceptualDistance, colour_difference, hue_error
from napari_stainxfer.features import make_extractor


@pytest.fixture(scope="module")
def distance() -> PerceptualDistance:
    return PerceptualDistance()


def _lab_image(*lab: float) -> np.ndarray:
    return np.round(lab2rgb(np.full((8, 8, 3), lab, dtype=float)) * 255).astype(np.uint8)


def test_perceptual_distance_is_zero_for_equal_and_symmetric(distance: PerceptualDistance) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    assert distance(a, a) == 0
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-5)
    assert distance(a, b) > 0.1


def test_perceptual_distance_by_hand(distance: PerceptualDistance) -> None:
    """From the layers' features, location by location and in double precision."""
    pictures = np.random.default_rng(1).integers(0, 256, (2, 48, 64, 3), np.uint8)
    extractor, expected = make_extractor("efficientnet_lite0"), 0.0
    with torch.no_grad():
        one, other = (
            extractor(
                torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32) / 255),
                ("stem", "block0", "block2", "block4", "block7"),
            )
            for picture in pictures
        )
    for layer in one:
        a, b = (side[layer][0].double().numpy() for side in (one, other))
        far = [
            sum(
                (x / np.sqrt(sum(a[:, row, column] ** 2)) - y / np.sqrt(sum(b[:, row, column] ** 2))) ** 2
                for x, y in zip(a[:, row, column], b[:, row, column], strict=True)
            )
            for row in range(a.shape[1])
            for column in range(a.shape[2])
        ]
        expected += np.mean(far)
    assert expected > 0.5
    assert distance(*pictures) == pytest.approx(expected, rel=1e-4)


def test_perceptual_distance_grows_with_noise(distance: PerceptualDistance) -> None:
    rng = np.random.default_rng(1)
    base = np.full((64, 64, 3), 180, np.uint8)
    noise = rng.normal(size=base.shape)
    noisy = [distance(base, np.clip(base + s * noise, 0, 255).astype(np.uint8)) for s in (2, 10, 40)]
    assert noisy == sorted(noisy)


def test_colour_difference_of_black_and_white_is_100() -> None:
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert colour_difference(black, white) == pytest.approx(100, abs=0.01)
    assert colour_difference(white, white) == 0


def test_colour_difference_looks_only_under_the_mask() -> None:
    a, b = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)
    b[0] = 255
    mask = np.zeros((4, 4), bool)
    mask[1:] = True
    assert colour_difference(a, b, mask) == 0
    assert colour_difference(a, b, ~mask) == pytest.approx(100, abs=0.01)


def test_colour_difference_needs_something_to_measure() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="the mask is empty"):
        colour_difference(image, image, np.zeros((4, 4), bool))


def test_hue_error_is_the_angle_in_the_ab_plane() -> None:
    everywhere = np.ones((8, 8), bool)
    red, yellow = _lab_image(60, 40, 0), _lab_image(60, 0, 40)
    assert hue_error(red, red, everywhere) == 0
    assert hue_error(red, yellow, everywhere) == pytest.approx(90, abs=1)


def test_hue_error_takes_the_short_way_round() -> None:
    everywhere = np.ones((8, 8), bool)
    just_over, just_under = _lab_image(60, -40, 5), _lab_image(60, -40, -5)
    assert 5 < hue_error(just_over, just_under, everywhere) < 20


def test_hue_error_needs_something_to_measure() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="empty"):
        hue_error(image, image, np.zeros((4, 4), bool))


def test_images_of_different_shape_are_refused(distance: PerceptualDistance) -> None:
    a, b = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 36, 3), np.uint8)
    for score in (distance, colour_difference):
        with pytest.raises(ValueError, match="different shape"):
            score(a, b)
