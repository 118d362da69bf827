"""From lab 2 to lab 1 of the phantom, judged on tissue that the training never saw, pixel for pixel."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Measure = Callable[..., dict[str, dict[str, float]]]


@pytest.fixture(scope="module")
def measured(measure_phantom_transfer: Measure) -> dict[str, dict[str, float]]:
    """With the training that a user gets who sets nothing."""
    errors = measure_phantom_transfer()
    for images, measures in errors.items():
        print(images, {name: round(value, 3) for name, value in measures.items()})
    return errors


@pytest.mark.parametrize("measure", ["perceptual distance", "delta E 2000", "red-cell hue error"])
def test_at_least_halved(measured: dict[str, dict[str, float]], measure: str) -> None:
    assert measured["transferred"][measure] <= 0.5 * measured["raw"][measure], measured


@pytest.mark.parametrize("measure", ["perceptual distance", "delta E 2000"])
def test_better_than_histogram_matching(measured: dict[str, dict[str, float]], measure: str) -> None:
    assert measured["transferred"][measure] < measured["histogram matching"][measure], measured
