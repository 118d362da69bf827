"""The network of DCGMM: which class of tissue a pixel belongs to, by the densities around it."""

from __future__ import annotations

from torch import Tensor, nn


class ResponsibilityNetwork(nn.Module):
    """Four convolutions of growing reach and a softmax over the classes.

    Parameters
    ----------
    classes
        How many.
    width
        Feature maps.

    Notes
    -----
    Takes a density (N, 1, H, W), standardised over the tissue of its slide, and gives probabilities
    (N, classes, H, W). ``reach_px`` is how far from a pixel it looks.
    """

    reach_px = 1 + 1 + 2 + 4

    def __init__(self, *, classes: int = 4, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = 1
        for dilation in (1, 1, 2, 4):
            layers += [nn.Conv2d(inside, width, 3, padding=dilation, dilation=dilation), nn.ReLU()]
            inside = width
        self.body = nn.Sequential(*layers, nn.Conv2d(width, classes, 1))

    def forward(self, density: Tensor) -> Tensor:
        """Probabilities, which add up to 1 over the classes."""
        return self.body(density).softmax(dim=1)  # type: ignore[no-any-return]
