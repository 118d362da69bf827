"""CycleGAN's networks (Zhu et al., ICCV 2017), as StainGAN uses them (Shaban et al., ISBI 2019)."""

from __future__ import annotations

from torch import Tensor, nn

from napari_stainxfer.models.batch_norm import settle_batch_norm


def _unit(inside: int, outside: int, kernel: int = 3, *, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """Convolution with mirrored borders, instance norm, ReLU."""
    conv = nn.Conv2d(
        inside, outside, kernel, stride=stride, padding=kernel // 2, padding_mode="reflect", bias=False
    )
    return nn.Sequential(conv, nn.InstanceNorm2d(outside), nn.ReLU() if relu else nn.Identity())


class _ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_unit(width, width), _unit(width, width, relu=False))

    def forward(self, features: Tensor) -> Tensor:
        total: Tensor = features + self.body(features)
        return total


class CycleGenerator(nn.Module):
    """Two strided convolutions down, residual blocks with instance norm, two upsampling steps back.

    Parameters
    ----------
    width
        Feature maps at full resolution. CycleGAN's is 64.
    blocks
        Residual blocks. CycleGAN's are 9 for 256 px.

    Notes
    -----
    Takes and gives float tensors (N, 3, H, W) in [0, 1]; H and W are multiples of ``align_px``, at least 8;
    ``reach_px`` bounds how far from a pixel it looks once :func:`settle_instance_norm` has fixed its
    statistics; before, it looks as far as the image reaches. Upsampling is nearest plus convolution instead
    of transposed convolution, which leaves chequerboards.
    """

    align_px = 4

    def __init__(self, *, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        self.reach_px = 24 + 8 * blocks
        self.body = nn.Sequential(
            _unit(3, width, 7),
            _unit(width, 2 * width, stride=2),
            _unit(2 * width, 4 * width, stride=2),
            *(_ResidualBlock(4 * width) for _ in range(blocks)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            _unit(4 * width, 2 * width),
            nn.Upsample(scale_factor=2, mode="nearest"),
            _unit(2 * width, width),
            nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect"),
            nn.Tanh(),
        )
        _draw_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        """Paint the image anew, in [0, 1]."""
        painted: Tensor = self.body(image * 2 - 1)
        return (painted + 1) / 2


class CycleDiscriminator(nn.Module):
    """PatchGAN that judges 70 x 70 pixels at a time (Isola et al., CVPR 2017, C64-C128-C256-C512).

    Takes float tensors (N, 3, H, W) in [0, 1], at least 32 px a side, and gives scores (N, 1, h, w), near 1
    for real patches and near 0 for made ones (LSGAN).
    """

    receptive_field_px = 70

    def __init__(self, *, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for inside, outside, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers += [
                nn.Conv2d(inside * width, outside * width, 4, stride=stride, padding=1, bias=False),
                nn.InstanceNorm2d(outside * width),
                nn.LeakyReLU(0.2),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, padding=1))
        _draw_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        """Scores, one for each patch."""
        scores: Tensor = self.body(image * 2 - 1)
        return scores


def fix_instance_norm(network: nn.Module) -> nn.Module:
    """Put a norm of fixed statistics in the place of every instance norm, in place; 0 and 1 until settled.

    An instance norm's mean and variance are those of the image it is shown, so that two tiles of one slide
    are painted differently and a seam lies between them.
    """
    for module in network.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, nn.InstanceNorm2d):
                setattr(module, name, nn.BatchNorm2d(child.num_features, eps=child.eps, affine=False))
    return network


def settle_instance_norm(network: nn.Module, images: Tensor) -> nn.Module:
    """Fix every instance norm's statistics to those of all ``images`` (N, 3, H, W), layer after layer."""
    fix_instance_norm(network).eval()
    settle_batch_norm(network, images)
    return network


def _draw_weights(network: nn.Module) -> None:
    """From N(0, 0.02), as CycleGAN does."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
