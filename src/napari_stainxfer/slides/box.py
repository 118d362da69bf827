"""A rectangle on a slide."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in level-0 pixels of a slide: top left corner, then size."""

    y: int
    x: int
    height: int
    width: int
