"""Using a method on pixels finer than those it was fitted on.

A network knows structures at the size in which it was shown them. On a slide at 0.25 um/px a nucleus is four
times as wide as at the 1.0 um/px of a training at 10x. So the method is shown the picture at about its own
resolution, and what it changes there is brought up to the finer pixels and added to them: their detail stays.
It is equation 8 of the paper, input plus what the network adds, across two resolutions.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from napari_stainxfer.methods.protocol import StainMethod


def pixels_a_side(method: StainMethod, method_mpp: float, mpp: float | None) -> int:
    """How many pixels of ``mpp`` um/px lie along one of the method's own, to the next whole number.

    1 where ``mpp`` is None, for pixels coarser than the method's, and for a method that maps each pixel by
    itself, whatever its size.
    """
    if mpp is None or not method.halo_px:
        return 1
    return max(1, round(method_mpp / mpp))


def halo_px(method: StainMethod, pixels: int) -> int:
    """How far from a pixel :func:`transform` looks; one of the coarse pixels more, for the interpolation."""
    return method.halo_px if pixels == 1 else pixels * (method.halo_px + 1)


def transform(method: StainMethod, image: Tensor, pixels: int) -> Tensor:
    """Map (N, 3, H, W) in [0, 1] to the same shape, not clipped.

    H and W are multiples of ``pixels * method.align_px``.
    """
    if pixels == 1:
        return method.transform(image)
    coarse = F.avg_pool2d(image, pixels)
    change = method.transform(coarse) - coarse
    return image + F.interpolate(change, scale_factor=pixels, mode="bilinear", align_corners=False)
