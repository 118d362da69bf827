"""Empty glass is left alone: where there is nothing stained, there is nothing to transfer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional as F

from napari_stainxfer.patches import glass_colour
from napari_stainxfer.slides import Slide

Glass = tuple[float, float, float]
WHITE: Glass = (255.0, 255.0, 255.0)

_REACH_PX = 4
HALO_PX = 2 * _REACH_PX
"""How far from a pixel :func:`stained` looks."""

_CLEAN = 0.03
"""In optical density: scanner noise and JPEG on clean glass stay below it."""

STAINED = 0.08
"""In optical density: the palest eosin that a person would call stained is above it."""


def slide_glass(slide: Slide) -> Glass:
    """Measure the colour (R, G, B) of a slide's empty glass once, so that its tiles cannot disagree."""
    red, green, blue = glass_colour(slide.overview())
    return float(red), float(green), float(blue)


def stained(image: Tensor, glass: Glass) -> Tensor:
    """How much of a method's change to apply: 0 on empty glass, 1 on tissue, smooth between.

    A pixel counts as glass when nothing within ``HALO_PX`` is denser than clean glass, so that a pale
    lumen edge is never torn from its tissue.

    Parameters
    ----------
    image
        (N, 3, H, W) in [0, 1].
    glass
        The slide's own glass, see :func:`slide_glass`.

    Returns
    -------
    Tensor
        (N, 1, H, W) in [0, 1]. Within ``HALO_PX`` of the borders it depends on what lies beyond them.
    """
    white = image.new_tensor(glass)[:, None, None] / 255
    darkest = ((image + 1 / 255) / (white + 1 / 255)).amin(dim=1, keepdim=True)
    densest = _along_both(F.max_pool2d, -darkest.log10())
    ramp = ((densest - _CLEAN) / (STAINED - _CLEAN)).clamp(0, 1)
    return _along_both(partial(F.avg_pool2d, count_include_pad=False), ramp)


def _along_both(pool: Callable[..., Tensor], image: Tensor) -> Tensor:
    """Pool rows, then columns: the same as over squares, in a fraction of the time."""
    side = 2 * _REACH_PX + 1
    rows = pool(image, (1, side), stride=1, padding=(0, _REACH_PX))
    return pool(rows, (side, 1), stride=1, padding=(_REACH_PX, 0))
