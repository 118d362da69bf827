"""The two bricks every generator is built from, and how both grow a receptive field."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class ConvUnit(nn.Sequential):
    """Convolution, batch norm, ReLU (the paper, section 3.3, "Implementation Details").

    Parameters
    ----------
    in_channels, out_channels
        Feature maps in and out.
    kernel
        Odd side of the square kernel; the convolution keeps the size (divided by ``stride``).
    stride
        1, or 2 to halve the resolution.
    relu
        Off only for the second convolution of a residual block.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, *, relu: bool = True
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        if relu:
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


def batch_norms(module: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """Every batch norm of a network, in order."""
    return (child for child in module.modules() if isinstance(child, nn.BatchNorm2d))


@torch.no_grad()
def settle_batch_norm(module: nn.Module, images: Tensor) -> None:
    """Replace running statistics by the exact ones of ``images``, taken as a single batch.

    Running averages lag behind the weights and mix the statistics of many small batches. After this
    call, training mode on the whole of ``images`` and inference mode compute the same function (up to
    the n / (n - 1) of the variance).

    Parameters
    ----------
    module
        The network; its mode is left as found.
    images
        Float tensor (N, 3, H, W) in [0, 1]: all training patches.
    """
    was_training, momenta = module.training, [norm.momentum for norm in batch_norms(module)]
    for norm in batch_norms(module):
        norm.momentum = 1.0
    module.train()
    module(images)
    for norm, momentum in zip(batch_norms(module), momenta, strict=True):
        norm.momentum = momentum
    module.train(was_training)


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Fold every batch norm into the convolution before it, in place, for inference only."""
    module.eval()
    for child in module.modules():
        if isinstance(child, ConvUnit) and isinstance(child[1], nn.BatchNorm2d):
            conv, norm = child[0], child[1]
            assert isinstance(conv, nn.Conv2d)
            child[0] = fuse_conv_bn_eval(conv, norm)
            child[1] = nn.Identity()
    return module
