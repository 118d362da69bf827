"""The pixels of any RGB layer as a source of a slide, read where they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_stainxfer.slides import RGB, Facts


class LayerPixels:
    """Levels of an RGB image layer that this plugin did not open.

    Parameters
    ----------
    levels
        Arrays or array-likes uint8 (H, W, 3) or (H, W, 4), finest first.
    """

    def __init__(self, levels: Sequence[Any]) -> None:
        self._levels = list(levels)
        self.shapes: tuple[tuple[int, int], ...] = tuple(
            (int(level.shape[0]), int(level.shape[1])) for level in self._levels
        )
        self.facts = Facts(vendor="napari layer")
        self.associated: Mapping[str, Callable[[], RGB]] = {}

    def read(self, level: int, y: int, x: int, height: int, width: int) -> RGB:
        """Copy a rectangle, without transparency."""
        return np.array(self._levels[level][y : y + height, x : x + width, :3])

    def close(self) -> None:
        """The layer holds the pixels, not this."""
