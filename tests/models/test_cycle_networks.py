"""StainGAN's networks: their size, what they see, and why their statistics must be fixed."""

from __future__ import annotations

import pytest
import torch

from napari_stainxfer.models import (
    CycleDiscriminator,
    CycleGenerator,
    ResponsibilityNetwork,
    fix_instance_norm,
    settle_instance_norm,
)


def weights(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_as_large_as_cyclegans_own() -> None:
    """11 378 179 and 2 764 737 as published, with a bias before each instance norm, which has no effect."""
    norm_channels = 64 + 128 + 256 + 18 * 256 + 128 + 64
    assert weights(CycleGenerator()) == 11_378_179 - norm_channels
    assert weights(CycleDiscriminator()) == 2_764_737 - (128 + 256 + 512)


def reach(network: torch.nn.Module, size: int) -> int:
    """How far from the middle a gradient arrives."""
    image = torch.rand(1, 3, size, size, requires_grad=True)
    output = network(image)
    output[0, :, output.shape[2] // 2, output.shape[3] // 2].sum().backward()
    assert image.grad is not None
    seen = image.grad[0].abs().sum((0, 1)).nonzero()
    return int(max(size // 2 - seen.min(), seen.max() - size // 2))


def test_the_discriminator_judges_70_pixels() -> None:
    # an instance norm sees everything, so the field is that of the network without it
    network = fix_instance_norm(CycleDiscriminator(width=4)).eval()
    image = torch.rand(1, 3, 256, 256, requires_grad=True)
    output = network(image)
    output[0, 0, 15, 15].backward()
    assert image.grad is not None
    seen = image.grad[0].abs().sum((0, 1)).nonzero()
    assert int(seen.max() - seen.min()) + 1 == CycleDiscriminator.receptive_field_px


@pytest.mark.parametrize("blocks", [1, 3])
def test_the_generator_sees_no_further_than_it_says(blocks: int) -> None:
    network = CycleGenerator(width=4, blocks=blocks)
    assert reach(network, 160) == 80  # all of it, through the instance norms
    settled = settle_instance_norm(network, torch.rand(2, 3, 64, 64))
    assert network.reach_px // 2 < reach(settled, 160) <= network.reach_px


def test_settled_statistics_are_those_of_all_images_layer_after_layer() -> None:
    torch.manual_seed(0)
    images = torch.rand(3, 3, 48, 48)
    network = settle_instance_norm(CycleGenerator(width=4, blocks=2), images)
    expected = network(images)
    network.train()  # a batch norm then takes the statistics of what it is shown
    torch.testing.assert_close(network(images), expected, rtol=1e-3, atol=1e-4)


def test_a_flat_image_is_painted_flat() -> None:
    network = settle_instance_norm(CycleGenerator(width=4, blocks=2), torch.rand(2, 3, 64, 64)).eval()
    painted = network(torch.full((1, 3, 128, 128), 0.4))
    assert (painted - painted[..., :1, :1]).abs().max() < 1e-5


def test_responsibilities_add_up_and_reach_as_far_as_they_say() -> None:
    torch.manual_seed(0)
    network = ResponsibilityNetwork(classes=3)
    image = torch.randn(1, 1, 41, 41, requires_grad=True)
    classes = network(image)
    torch.testing.assert_close(classes.sum(1), torch.ones(1, 41, 41))
    classes[0, 0, 20, 20].backward()
    assert image.grad is not None
    seen = image.grad[0, 0].abs().sum(0).nonzero()
    assert int(seen.max()) - 20 == 20 - int(seen.min()) == network.reach_px
