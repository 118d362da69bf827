"""Using a method on pixels of another size than those it was fitted on.

A network knows structures at the size in which it was shown them. On a slide at 0.25 um/px a nucleus is four
times as wide as at the 1.0 um/px of a training at 10x. So the method is shown the picture at about its own
resolution, finer pixels averaged and coarser ones interpolated, and what it changes there is brought back and
added to the picture's own pixels: their detail stays. It is equation 8 of the paper, input plus what the
network adds, across two resolutions.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

from napari_stainxfer.errors import SlideError
from napari_stainxfer.methods.protocol import StainMethod

COARSEST = 4
"""How many times coarser than the method's own a picture's pixels may be. Beyond it what the method learned
from is hardly a pixel wide, and an interpolated tile takes many gigabytes."""


class Scale(NamedTuple):
    """How a picture is brought to the method's resolution; one of the two is 1.

    Attributes
    ----------
    averaged
        Pixels of the picture along the side of one of the method's.
    divided
        The method's pixels along the side of one of the picture's.
    """

    averaged: int = 1
    divided: int = 1


def scale_of(method: StainMethod, method_mpp: float, mpp: float | None) -> Scale:
    """The scale for a picture of ``mpp`` um/px, to the next whole number.

    Both are 1 where ``mpp`` is None, and for a method that maps each pixel by itself, whatever its size.

    Raises
    ------
    SlideError
        When the pixels are more than :data:`COARSEST` times as coarse as the method's.
    """
    if mpp is None or not method.halo_px:
        return Scale()
    scale = Scale(max(1, round(method_mpp / mpp)), max(1, round(mpp / method_mpp)))
    if scale.divided > COARSEST:
        raise SlideError(
            f"The picture has {mpp:g} um/px and the model learned from {method_mpp:g} um/px: too coarse for "
            f"this model. Use pixels of {COARSEST * method_mpp:g} um/px or finer, or a model trained on "
            "slides as coarse as this one; if the um/px is wrong, give the right one."
        )
    return scale


def halo_px(method: StainMethod, scale: Scale) -> int:
    """How far from a pixel :func:`transform` looks; a pixel of the coarser is for the interpolation."""
    if scale == Scale():
        return method.halo_px
    return scale.averaged * (-(-method.halo_px // scale.divided) + 1)


def align_px(method: StainMethod, scale: Scale) -> int:
    """The grid on which a picture's windows must lie, so that the method's own grid does."""
    return scale.averaged * method.align_px


def transform(method: StainMethod, image: Tensor, scale: Scale) -> Tensor:
    """Map (N, 3, H, W) in [0, 1] to the same shape, not clipped.

    H and W are multiples of :func:`align_px`.
    """
    if scale == Scale():
        return method.transform(image)
    if scale.divided > 1:
        shown = _interpolated(image, scale.divided)
        return image + F.avg_pool2d(method.transform(shown) - shown, scale.divided)
    shown = F.avg_pool2d(image, scale.averaged)
    return image + _interpolated(method.transform(shown) - shown, scale.averaged)


def _interpolated(image: Tensor, factor: int) -> Tensor:
    return F.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=False)
