"""A colour map gives the reference's whole distribution, rare colours included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from skimage.color import rgb2lab

from napari_stainxfer.colour_map import ColourMap
from napari_stainxfer.training.colour_goals import colour_goals


def tissue(seed: int, colours: NDArray[np.float64], count: int = 30_000) -> NDArray[np.float64]:
    """Pixels of a common, a less common and a rare (1 %) colour, with noise."""
    random = np.random.default_rng(seed)
    kinds = random.choice(len(colours), count, p=[0.69, 0.3, 0.01])
    return np.clip(colours[kinds] + random.normal(0, 0.02, (count, 3)), 0, 1)


# pink cytoplasm, blue nuclei, red cells; and the same under another stain
HERE = np.array([[0.85, 0.55, 0.70], [0.35, 0.25, 0.60], [0.80, 0.20, 0.15]])
THERE = np.array([[0.90, 0.50, 0.45], [0.45, 0.40, 0.55], [0.85, 0.25, 0.05]])


def nearest(pixels: NDArray[np.float64], colours: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.argmin(((pixels[:, None] - colours) ** 2).sum(axis=2), axis=1)


def test_the_distribution_becomes_the_references() -> None:
    source, reference = tissue(0, THERE), tissue(1, HERE)
    mapped = ColourMap(source, reference)(source)
    for side in np.random.default_rng(2).normal(size=(8, 3)):
        before, after = (
            wasserstein_distance(rgb2lab(a) @ side, rgb2lab(reference) @ side) for a in (source, mapped)
        )
        assert after < 0.15 * before


def test_every_colour_finds_its_own_the_rare_one_too() -> None:
    source, reference = tissue(0, THERE), tissue(1, HERE)
    kinds = nearest(source, THERE)
    mapped = ColourMap(source, reference)(source)
    right = [np.mean(nearest(mapped[kinds == kind], HERE) == kind) for kind in range(3)]
    # two draws of the rare colour differ in number by a tenth, and the surplus has no place of its own
    assert right[0] > 0.95
    assert right[1] > 0.95
    assert right[2] > 0.8


def test_the_same_colours_give_the_same_map_and_unseen_ones_stay_in_range() -> None:
    source, reference = tissue(0, THERE), tissue(1, HERE)
    cube = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * 3, indexing="ij"), axis=-1)
    first, again = ColourMap(source, reference)(cube), ColourMap(source, reference)(cube)
    np.testing.assert_array_equal(first, again)
    assert first.shape == cube.shape
    assert first.min() >= 0
    assert first.max() <= 1


@pytest.mark.parametrize("colour", [0.0, 0.5, 1.0])
def test_one_single_colour_maps_to_the_references(colour: float) -> None:
    flat = np.full((10, 3), colour)
    reference = np.full((10, 3), 0.25)
    np.testing.assert_allclose(ColourMap(flat, reference)(flat), reference, atol=1e-6)


def test_goals_weigh_rare_colours_more_and_one_in_the_mean() -> None:
    source, reference = (
        torch.from_numpy(tissue(seed, colours, 32 * 32).reshape(1, 32, 32, 3)).float().permute(0, 3, 1, 2)
        for seed, colours in ((0, THERE), (1, HERE))
    )
    source, reference = (side.repeat_interleave(2, 2).repeat_interleave(2, 3) for side in (source, reference))
    goals, weights = colour_goals(source, reference)
    assert goals.shape == (1, 3, 32, 32)
    assert weights.shape == (1, 1, 32, 32)
    assert float(weights.mean()) == pytest.approx(1, abs=1e-5)
    kinds = nearest(goals[0].permute(1, 2, 0).reshape(-1, 3).double().numpy(), HERE)
    of_each = [float(weights.flatten()[torch.from_numpy(kinds == kind)].mean()) for kind in range(3)]
    assert of_each[2] > 4 * of_each[0]
