"""A cubic map of colours, and a generator that starts from it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement

import torch
from torch import Tensor, nn

_MONOMIALS = [channels for degree in range(4) for channels in combinations_with_replacement(range(3), degree)]
_UNSTAINED, _STAINED = 0.08, 0.16


def cubic_terms(colours: Tensor) -> Iterator[Tensor]:
    """The 20 monomials up to the third degree of three channels: (N, 3, H, W) in [0, 1] to (N, 1, H, W) each.

    The first four are 1 and the channels themselves, brought to [-1, 1] so that the others differ from them.
    """
    centred = 2 * colours - 1
    for channels in _MONOMIALS:
        term = torch.ones_like(centred[:, :1])
        for channel in channels:
            term = term * centred[:, channel : channel + 1]
        yield term


class CubicColourMap(nn.Module):
    """A polynomial of the third degree in sRGB: what one lab's and scanner's colours become in another's.

    Steep in places, it would show the noise of clear glass: pixels of a mean optical density below 0.08 stay
    as they are, and the map fades in up to 0.16.

    Attributes
    ----------
    coefficients
        (3, 20), of :func:`cubic_terms`; a buffer, so that it is kept with the weights and not trained.
    """

    coefficients: Tensor

    def __init__(self) -> None:
        super().__init__()
        identity = torch.zeros(3, len(_MONOMIALS))
        identity[:, 0] = 0.5
        identity[range(3), range(1, 4)] = 0.5
        self.register_buffer("coefficients", identity)

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, H, W) in [0, 1] to the same; in full precision, for colours are at stake."""
        with torch.autocast(image.device.type, enabled=False):
            image = image.float()
            mapped = torch.zeros_like(image)
            # term by term, so that not all twenty lie in memory at once
            for of_term, term in zip(self.coefficients.T, cubic_terms(image), strict=True):
                mapped = mapped + of_term[:, None, None] * term
            density = optical_density(image).mean(1, keepdim=True)
            stained = (density - _UNSTAINED) / (_STAINED - _UNSTAINED)
            return torch.lerp(image, mapped.clamp(0, 1), stained.clamp(0, 1))


class StartedGenerator(nn.Module):
    """A generator that is shown, and adds to, what a :class:`CubicColourMap` has made of the image.

    Parameters
    ----------
    network
        The generator.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.start, self.network = CubicColourMap(), network
        self.reach_px, self.align_px = network.reach_px, network.align_px

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same shape, not clipped."""
        output: Tensor = self.network(self.start(image))
        return output


def optical_density(light: Tensor) -> Tensor:
    """Beer-Lambert law, ``-ln(I)`` of light in [0, 1]; what is darker than 1 of 255 counts as that."""
    return -light.clamp(min=1 / 255).log()
