"""A filter that blurs or sharpens alike in all directions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REACH_PX = 3


def ring_kernels() -> Tensor:
    """The kernels that a :class:`RingFilter` is mixed from: rings 0, 1, 2 and 3 px around a pixel.

    Returns
    -------
    (4, 7, 7), each of the sum 1.
    """
    offsets = torch.arange(-REACH_PX, REACH_PX + 1.0)
    radius = torch.hypot(offsets[:, None], offsets[None])
    kernels = (1 - (radius - torch.arange(REACH_PX + 1.0)[:, None, None]).abs()).clamp(min=0)
    return kernels / kernels.sum((1, 2), keepdim=True)


class RingFilter(nn.Module):
    """A linear filter of 7 x 7 px, the same for every channel, that keeps even areas as they are.

    Attributes
    ----------
    shares
        (4,), of :func:`ring_kernels`, of the sum 1; a buffer, so that it is kept with the weights and not
        trained. (1, 0, 0, 0) is the identity.
    """

    shares: Tensor
    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shares", torch.eye(REACH_PX + 1)[0])
        self.register_buffer("kernels", ring_kernels(), persistent=False)
        self.reach_px = REACH_PX

    def forward(self, image: Tensor) -> Tensor:
        """Filter (N, 3, H, W); the rim is continued outwards by its own pixels. Not clipped."""
        kernel = torch.tensordot(self.shares, self.kernels, dims=1)
        padded = F.pad(image, [REACH_PX] * 4, mode="replicate")
        return F.conv2d(padded, kernel.expand(image.shape[1], 1, *kernel.shape), groups=image.shape[1])
