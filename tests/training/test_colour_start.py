"""The cubic map of colours that a training starts from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_stainxfer.models import CubicColourMap, cubic_terms
from napari_stainxfer.training.colour_start import measure_colours

MIXED = ((0.9, 0.1, 0.0), (0.05, 0.85, 0.1), (0.0, 0.15, 0.85))
HAEMATOXYLIN, EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)
FADED, ORANGE = (0.60, 0.65, 0.46), (0.10, 0.80, 0.59)


def rendered(vectors: tuple[tuple[float, ...], ...], strength: float, seed: int) -> Tensor:
    """A picture (1, 3, 128, 128) of two stains on tissue that differs with the seed."""
    random = np.random.default_rng(seed)
    amounts = random.gamma(2, 0.5, (64 * 64, 2)) * (random.random((64 * 64, 2)) < (0.3, 0.8))
    light = np.exp(-strength * amounts @ np.array(vectors)).reshape(1, 64, 64, 3)
    return torch.from_numpy(light).float().permute(0, 3, 1, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_stains_of_one_lab_become_those_of_the_other() -> None:
    source, reference = rendered((FADED, ORANGE), 0.7, 0), rendered((HAEMATOXYLIN, EOSIN), 1.0, 1)
    same_tissue = rendered((HAEMATOXYLIN, EOSIN), 1.0, 0)
    colours = CubicColourMap()
    measure_colours(colours, source, reference)
    before, after = ((image - same_tissue).abs().mean() for image in (source, colours(source)))
    assert after < 0.25 * before
    measured = colours.coefficients.clone()
    measure_colours(colours, source, reference)
    assert torch.equal(colours.coefficients, measured)


def test_a_scanners_tones_and_mixed_channels_are_followed() -> None:
    source, reference = rendered((HAEMATOXYLIN, EOSIN), 0.7, 0), rendered((HAEMATOXYLIN, EOSIN), 0.7, 1)
    same_tissue = rescanned(source)
    colours = CubicColourMap()
    measure_colours(colours, source, rescanned(reference))
    before, after = ((image - same_tissue).abs().mean() for image in (source, colours(source)))
    assert after < 0.3 * before


def rescanned(image: Tensor) -> Tensor:
    """Under a scanner of other tones whose channels see some of each other's light."""
    mixed = torch.einsum("oc,nchw->nohw", torch.tensor(MIXED), image)
    return mixed ** torch.tensor([0.8, 1.2, 1.0])[:, None, None]


def test_colours_that_no_tissue_has_are_not_carried_away() -> None:
    """A cubic through two narrow clouds alone leaves the cube by far."""
    colours = CubicColourMap()
    measure_colours(colours, rendered((FADED, ORANGE), 0.7, 0), rendered((HAEMATOXYLIN, EOSIN), 0.7, 1))
    sides = torch.linspace(0, 1, 7)
    cube = torch.stack(torch.meshgrid(sides, sides, sides, indexing="ij")).flatten(1)
    terms = torch.cat([term.flatten(1) for term in cubic_terms(cube[None, :, :, None])])
    unclipped = (colours.coefficients @ terms).aminmax()
    assert unclipped.min > -1
    assert unclipped.max < 2


def test_one_single_colour_and_alike_sides_are_no_trouble() -> None:
    image = rendered((HAEMATOXYLIN, EOSIN), 1.0, 0)
    for source, reference in (
        (image, image),
        (torch.full_like(image, 0.5), image),
        (image, torch.full_like(image, 0.5)),
        (torch.zeros_like(image), torch.ones_like(image)),
    ):
        colours = CubicColourMap()
        measure_colours(colours, source, reference)
        output = colours(image)
        assert output.isfinite().all()
        assert output.min() >= 0
        assert output.max() <= 1
    colours = CubicColourMap()
    measure_colours(colours, image, image)
    torch.testing.assert_close(colours(image), image, atol=2e-3, rtol=0)
