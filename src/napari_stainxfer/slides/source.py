"""What a slide is made of: levels of RGB pixels from somewhere, and the facts that came with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

RGB = NDArray[np.uint8]
"""Pixels, uint8 (H, W, 3), sRGB."""

MPP_MIN, MPP_MAX = 0.05, 100.0
"""Um/px that an image of a slide can have: from oil immersion at 100x, about 0.07, to an overview."""

TAG_MPP_MAX = 10.0
"""A resolution tag coarser than this is a print or screen default (72, 96, 300, 600 dpi), not a scan."""


@dataclass(frozen=True)
class Level:
    """One level of a slide.

    ``shape`` is (height, width), ``downsample`` how many level-0 pixels a side one pixel covers, and a
    ``virtual`` level is computed from a finer one when it is read.
    """

    shape: tuple[int, int]
    downsample: float
    virtual: bool = False


@dataclass(frozen=True)
class Facts:
    """What a file says about its pixels, apart from the pixels.

    ``fluorescence`` is the reason for which the file cannot be brightfield, in words ("channel
    DAPI"), and empty when nothing in the file says so.
    """

    vendor: str = "unknown"
    mpp: float | None = None
    magnification: float | None = None
    icc_profile: bytes | None = None
    fluorescence: str = ""
    provenance: Mapping[str, object] = field(default_factory=dict)


@runtime_checkable
class PixelSource(Protocol):
    """Anything a `Slide` can be made of: a file, an array, or code that draws a phantom.

    ``read`` must be safe to call from several threads, and is only asked for rectangles that lie
    inside the level. Its memory must depend on the rectangle and not on the level.
    """

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of every level, finest first."""
        ...

    @property
    def facts(self) -> Facts:
        """What is known about the pixels."""
        ...

    @property
    def associated(self) -> Mapping[str, Callable[[], RGB]]:
        """Label, macro and thumbnail images by name, each read when called."""
        ...

    def read(self, level: int, y: int, x: int, height: int, width: int) -> RGB:
        """Read a rectangle, given in the pixels of that level."""
        ...

    def close(self) -> None:
        """Give back what the source holds open; reading afterwards is an error."""
        ...
