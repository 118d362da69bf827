"""Johnson's image transformation network (Johnson et al., ECCV 2016), the paper's "NST" generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_stainxfer.models.blocks import ConvUnit


class _ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, added to their input (no ReLU after the sum)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvUnit(width, width), ConvUnit(width, width, relu=False))

    def forward(self, features: Tensor) -> Tensor:
        total: Tensor = features + self.body(features)
        return total


class JohnsonGenerator(nn.Module):
    """Two strided convolutions down, residual blocks, two upsampling steps back.

    Parameters
    ----------
    width
        Feature maps at full resolution; the residual blocks have four times as many. Johnson's is 32.
    blocks
        Residual blocks. Johnson's is 5.

    Notes
    -----
    Takes and gives float tensors (N, 3, H, W) in [0, 1]; H and W are multiples of ``align_px``;
    ``reach_px`` bounds how far from a pixel it looks. It has no skip from input to output: it must paint
    the whole picture, which is what the paper compares with.
    Upsampling is nearest plus convolution instead of transposed convolution, which leaves chequerboards.
    The output is squashed by a sigmoid, Johnson's scaled tanh on a [0, 1] scale.
    """

    align_px = 4

    def __init__(self, *, width: int = 32, blocks: int = 5) -> None:
        super().__init__()
        self.reach_px = 24 + 8 * blocks
        self.body = nn.Sequential(
            ConvUnit(3, width, kernel=9),
            ConvUnit(width, 2 * width, stride=2),
            ConvUnit(2 * width, 4 * width, stride=2),
            *(_ResidualBlock(4 * width) for _ in range(blocks)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            ConvUnit(4 * width, 2 * width),
            nn.Upsample(scale_factor=2, mode="nearest"),
            ConvUnit(2 * width, width),
            nn.Conv2d(width, 3, 9, padding=4),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Paint the image anew, in [0, 1]."""
        return torch.sigmoid(self.body(image))
