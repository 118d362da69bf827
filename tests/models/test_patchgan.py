"""The discriminator: 16 x 16 pixels a verdict, by DCGAN's guidelines."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_stainxfer.models import PatchDiscriminator


def test_each_verdict_sees_exactly_16_pixels() -> None:
    """Instance norm sees the whole picture by its nature; without it, the convolutions' field is left."""
    network = PatchDiscriminator(width=4).double()
    for index, module in enumerate(network.body):
        if isinstance(module, nn.InstanceNorm2d):
            network.body[index] = nn.Identity()
    tops = []
    for row in (10, 11):
        image = torch.rand(1, 3, 64, 64, dtype=torch.double).requires_grad_()
        network(image)[0, 0, row, 12].backward()
        touched = image.grad[0].abs().sum(0).nonzero()
        sides = touched.max(dim=0).values - touched.min(dim=0).values + 1
        assert sides.tolist() == [16, 16] == [network.receptive_field_px] * 2
        assert len(touched) == 16 * 16
        tops.append(int(touched[:, 0].min()))
    assert tops[1] - tops[0] == 2, "neighbouring patches overlap"


def test_one_logit_a_patch_forward_and_backward() -> None:
    network = PatchDiscriminator(width=4)
    image = torch.rand(2, 3, 66, 50, requires_grad=True)
    logits = network(image)
    logits.sum().backward()
    assert logits.shape == (2, 1, 31, 23)
    assert image.grad is not None
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_follows_the_guidelines() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator()
    kinds = [type(module).__name__ for module in network.body]
    assert kinds == ["Conv2d", "LeakyReLU", "Conv2d", "InstanceNorm2d", "LeakyReLU", "Conv2d"]
    for module in network.body:
        if isinstance(module, nn.LeakyReLU):
            assert module.negative_slope == 0.2
        if isinstance(module, nn.Conv2d):
            assert module.weight.mean().item() == pytest.approx(0, abs=0.004)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.15)


def test_judges_each_image_by_itself() -> None:
    """Instance norm, unlike batch norm, gives an image the same verdict in any company."""
    network, images = PatchDiscriminator(width=4).train(), torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        alone = torch.cat([network(image[None]) for image in images])
        assert (network(images) - alone).abs().max() < 1e-5
