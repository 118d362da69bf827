"""A cubic map of colours."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement

import torch
from torch import Tensor, nn

_MONOMIALS = [channels for degree in range(4) for channels in combinations_with_replacement(range(3), degree)]


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
        """Map (N, 3, H, W) in [0, 1] to the same."""
        mapped = torch.zeros_like(image)
        # term by term, so that not all twenty lie in memory at once
        for of_term, term in zip(self.coefficients.T, cubic_terms(image), strict=True):
            mapped = mapped + of_term[:, None, None] * term
        return mapped.clamp(0, 1)
