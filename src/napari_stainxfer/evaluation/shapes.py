"""What every measure asks of its two images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RGB = NDArray[np.uint8]
"""uint8 (H, W, 3), sRGB."""


def same_shape(image: RGB, truth: RGB) -> None:
    """Raise a ``ValueError`` unless both have one shape."""
    if image.shape != truth.shape:
        raise ValueError(f"images of different shape cannot be compared: {image.shape} and {truth.shape}")
