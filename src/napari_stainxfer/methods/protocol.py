"""What every stain transfer method is, once fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor


class StainMethod(Protocol):
    """A fitted method: a function of pixels that looks at most ``halo_px`` around each.

    Statistics of a slide, where a method needs them, are part of its state: two tiles of one slide can
    then never disagree.
    """

    @property
    def halo_px(self) -> int:
        """How far from a pixel the method looks."""
        ...

    @property
    def align_px(self) -> int:
        """Tiles must start and end on multiples of this."""
        ...

    def transform(self, image: Tensor) -> Tensor:
        """Map (N, 3, H, W) in [0, 1] to the same shape; H and W are multiples of ``align_px``."""
        ...

    def to(self, device: str) -> StainMethod:
        """Move to a device (``auto``, ``cpu``, ``cuda``, ``mps``); returns itself."""
        ...

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """Tensors and JSON-ready settings from which ``from_state`` makes the same method again."""
        ...
