"""A linear map of optical densities, and a generator that starts from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_DARKEST = 1 / 255
_UNSTAINED, _STAINED = 0.1, 0.3


def optical_density(light: Tensor) -> Tensor:
    """Beer-Lambert law, ``-ln(I)`` of light in [0, 1]; what is darker than 1 of 255 counts as that."""
    return -light.clamp(min=_DARKEST).log()


class DensityMap(nn.Module):
    """``exp(-(A OD + b))``: what one set of stains and sections becomes in another, to first order.

    A channel in which the source's stains differ little is stretched the most, and its noise with it. On
    clear glass nothing but the noise would be seen: pixels of a mean density below 0.1 stay as they are, and
    the map fades in up to 0.3.

    Attributes
    ----------
    matrix, offset
        ``A`` (3, 3) and ``b`` (3,); buffers, so that they are kept with the weights and not trained.
    """

    matrix: Tensor
    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.eye(3))
        self.register_buffer("offset", torch.zeros(3))

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, H, W) in [0, 1] to the same; in full precision, for colours are at stake."""
        with torch.autocast(image.device.type, enabled=False):
            image = image.float()
            density = optical_density(image)
            mapped = torch.einsum("oc,nchw->nohw", self.matrix, density) + self.offset[:, None, None]
            stained = (density.mean(1, keepdim=True) - _UNSTAINED) / (_STAINED - _UNSTAINED)
            return torch.lerp(image, (-mapped).exp().clamp(max=1), stained.clamp(0, 1))


class StartedGenerator(nn.Module):
    """A generator that is shown, and adds to, what a :class:`DensityMap` has made of the image.

    Parameters
    ----------
    network
        The generator.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.start, self.network = DensityMap(), network
        self.reach_px, self.align_px = network.reach_px, network.align_px

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same shape, not clipped."""
        output: Tensor = self.network(self.start(image))
        return output
