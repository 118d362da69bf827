"""What a generator starts from: a picture whose colours and sharpness are the reference's already."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_stainxfer.models.colour_cubic import CubicColourMap
from napari_stainxfer.models.ring_filter import RingFilter

_UNSTAINED, _STAINED = 0.08, 0.16


class Start(nn.Module):
    """A filter and then a map of colours; both are measured before a training, and not trained.

    Where they are steep they would show the noise of clear glass: the colours of pixels of a mean optical
    density below 0.08 stay as they are, and the change fades in up to 0.16. The filter reaches as far beyond.

    Attributes
    ----------
    sharpness, colours
        The two parts, each the identity until it is measured.
    reach_px
        How far from a pixel it looks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sharpness, self.colours = RingFilter(), CubicColourMap()
        self.reach_px = self.sharpness.reach_px

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, H, W) in [0, 1] to the same; in full precision, for colours are at stake."""
        with torch.autocast(image.device.type, enabled=False):
            return self.recolour(self.sharpen(image.float()))

    def sharpen(self, image: Tensor) -> Tensor:
        """The first part alone, (N, 3, H, W) in [0, 1] to the same."""
        reach = self.sharpness.reach_px
        near = F.max_pool2d(_stained(image), 2 * reach + 1, stride=1, padding=reach)
        return torch.lerp(image, self.sharpness(image).clamp(0, 1), near)

    def recolour(self, image: Tensor) -> Tensor:
        """The second part alone, (N, 3, H, W) in [0, 1] to the same."""
        return torch.lerp(image, self.colours(image), _stained(image))


class StartedGenerator(nn.Module):
    """A generator that is shown, and adds to, what a :class:`Start` has made of the image.

    Parameters
    ----------
    network
        The generator.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.start, self.network = Start(), network
        self.reach_px = network.reach_px + self.start.reach_px  # type: ignore[operator]
        self.align_px = network.align_px

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same shape, not clipped."""
        output: Tensor = self.network(self.start(image))
        return output


def optical_density(light: Tensor) -> Tensor:
    """Beer-Lambert law, ``-ln(I)`` of light in [0, 1]; what is darker than 1 of 255 counts as that."""
    return -light.clamp(min=1 / 255).log()


def _stained(image: Tensor) -> Tensor:
    """How much of the change a pixel gets, (N, 3, H, W) to (N, 1, H, W) in [0, 1]."""
    density = optical_density(image).mean(1, keepdim=True)
    return ((density - _UNSTAINED) / (_STAINED - _UNSTAINED)).clamp(0, 1)
